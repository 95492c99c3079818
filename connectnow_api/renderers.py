"""JSON with the profile's envelope and dates."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from rest_framework import status
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

from .errors import challenge, reshape
from .query_tokens import keep_private
from .settings import get_profile, get_value
from .wire.bodies import ErrorBody, PageBody, resource
from .wire.dates import write_datetime


class EnvelopeJSONRenderer(JSONRenderer):
    """Puts single objects under the profile's ``wrap`` key and writes dates in its format.

    A body stays as it is unless all of this holds: the profile wraps, the view's ``envelope`` is
    not ``None``, the status is 2xx, there is a body, it is no page, and it is no mapping that has
    the key already (``envelope = "always"`` on the view wraps that too). Errors never have an
    envelope; those that a view writes by hand are put into our form. What is rendered for no
    response, as a browsable form is, stays bare.
    """

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return ``data`` as UTF-8 JSON, ``b""`` for ``None``."""
        context = renderer_context or {}
        view, request = context.get("view"), context.get("request")
        datetime_format = get_value("datetime_format", request, view)
        self.encoder_class = encoder_for(datetime_format)  # type: ignore[misc]
        if context.get("response") is not None:
            if request is not None:
                # Also where no authenticator looked for it: before a refusal, or after a session.
                keep_private(request, context["response"])
            data = self.get_body(data, context["response"], context)
        body: bytes = super().render(data, accepted_media_type, renderer_context)
        return body

    def get_body(self, data: Any, response: Any, context: Mapping[str, Any]) -> Any:
        """Return what an answer says: an error in our form, or data in its envelope."""
        request, view = context.get("request"), context.get("view")
        if response.status_code >= status.HTTP_400_BAD_REQUEST:
            return self.get_error(data, response, request, view)
        if is_deletion(request, response, data):
            return self.get_deletion(response, request, view)
        wrap = get_value("wrap", request, view)
        envelope = getattr(view, "envelope", "auto")
        if wrap is None or envelope is None or not can_hold_data(response.status_code):
            return data
        return resource(data, wrap) if self.is_bare(data, wrap, envelope) else data

    def get_error(self, data: Any, response: Any, request: Any, view: Any) -> Any:
        """Return an error that a view wrote by hand in our form; it may change the status.

        What an exception handler wrote, ours or the site's, stays as it is.
        """
        handled = response.exception or isinstance(data, ErrorBody)
        if handled or not get_value("reshape_manual_errors", request, view):
            return data
        body, response.status_code = reshape(get_profile(request, view), data, response.status_code)
        if response.status_code == status.HTTP_401_UNAUTHORIZED:
            response.setdefault("WWW-Authenticate", challenge())
        return body

    def get_deletion(self, response: Any, request: Any, view: Any) -> Any:
        """Return ``{}`` with 200, or nothing with 204, as the profile answers a DELETE."""
        response.status_code = get_value("delete_status", request, view)
        return {} if response.status_code == status.HTTP_200_OK else None

    def is_bare(self, data: Any, wrap: str, envelope: str) -> bool:
        """Tell whether a body of a 2xx has no envelope yet: by its mark, then by its keys."""
        if data is None or isinstance(data, PageBody | ErrorBody):
            return False
        if not isinstance(data, Mapping) or envelope == "always":
            return True
        return bool(data) and wrap not in data


def is_deletion(request: Any, response: Any, data: Any) -> bool:
    """Tell whether this is the empty 204 with which DRF's views answer a DELETE."""
    deleted = getattr(request, "method", None) == "DELETE" and data is None
    return deleted and response.status_code == status.HTTP_204_NO_CONTENT


def can_hold_data(status_code: int) -> bool:
    """Tell whether an answer of this status is a success with a body."""
    return status.is_success(status_code) and status_code != status.HTTP_204_NO_CONTENT


@functools.cache
def encoder_for(datetime_format: str) -> type[JSONEncoder]:
    """Return DRF's JSON encoder with datetimes written in ``datetime_format``."""

    class Encoder(JSONEncoder):
        def default(self, obj: Any) -> Any:
            if isinstance(obj, datetime.datetime):
                return write_datetime(as_local(obj), datetime_format)
            return super().default(obj)

    return Encoder


def as_local(value: datetime.datetime) -> datetime.datetime:
    """Return an aware datetime in the current time zone; a naive one is taken to be in the default.

    Laravel's ``c`` format keeps the application's offset, so the site's zone has to be applied.
    """
    if timezone.is_naive(value):
        return timezone.make_aware(value, timezone.get_default_timezone())
    try:
        return timezone.localtime(value)
    except OverflowError:
        # The first or last day of all: there is no such day in this zone.
        return value
