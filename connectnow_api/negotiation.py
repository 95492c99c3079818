"""Which renderer answers: JSON whenever DRF's rule finds none; and which parser reads."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.http import Http404
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from .exceptions import EmptyRequest, IncompleteRequest
from .query_tokens import take_out_unless_wanted
from .request_bodies import content_length, has_sound_length
from .settings import get_value


class JSONContentNegotiation(DefaultContentNegotiation):
    """DRF's negotiation; where it would answer 406 or 404, the view's JSON renderer answers.

    With ``strict_accept`` (view, setting, profile) a request whose ``Accept`` does not admit
    ``application/json`` is refused with 406, as ConnectNow's document demands.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return a renderer and its media type; under the strict rule raise ``NotAcceptable``."""
        notice_empty_body(request)
        take_out_unless_wanted(request)
        view: Any = request.parser_context.get("view")
        if get_value("strict_accept", request, view) and not self.admits_json(request):
            raise NotAcceptable
        available = list(renderers)
        try:
            chosen: tuple[BaseRenderer, str] = super().select_renderer(
                request, available, format_suffix
            )
        except (NotAcceptable, Http404):
            renderer = self.get_fallback(available)
            return renderer, renderer.media_type
        return chosen

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return the parser for the request's media type; for no body one that knows the rule."""
        if isinstance(request.stream, NoBody):
            return EmptyBodyParser()
        found: BaseParser | None = super().select_parser(request, list(parsers))
        return found

    def admits_json(self, request: Request) -> bool:
        """Tell whether ``Accept`` has a range that JSON is in; parameters such as charset aside."""
        return any(
            accepted.main_type in ("application", "*") and accepted.sub_type in ("json", "*")
            for accepted in request.accepted_types
        )

    def get_fallback(self, renderers: list[BaseRenderer]) -> BaseRenderer:
        """Return the first JSON renderer, else the first."""
        return next((r for r in renderers if r.media_type == "application/json"), renderers[0])


class NoBody(io.BytesIO):
    """The stream of a request without a body."""


class EmptyBodyParser(BaseParser):
    """Reads no body as an empty object, or refuses it where the view or profile says so."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return ``{}``; raise ``EmptyRequest``, or ``IncompleteRequest`` for a strange length."""
        context = parser_context or {}
        request = context.get("request")
        if request is not None and not has_sound_length(request):
            raise IncompleteRequest
        if get_value("empty_body", request, context.get("view")) == "refuse":
            raise EmptyRequest
        return {}


def notice_empty_body(request: Request) -> None:
    """Let a request without a body come to ``select_parser`` when its data is asked for.

    DRF (3.16 to 3.18) asks no parser where there is no stream, so a view would never learn that
    nothing was sent. Only the stream is set here: a view that reads no data is not touched.
    """
    if request.method in ("POST", "PUT", "PATCH") and not content_length(request):
        request._stream = NoBody()
