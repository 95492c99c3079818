"""Request bodies: JSON and urlencoded, read strictly, with the token taken out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import IO, Any

from django.http import UnreadablePostError
from django.utils.http import parse_header_parameters
from django.utils.translation import gettext
from rest_framework import parsers
from rest_framework.exceptions import UnsupportedMediaType, ValidationError

from .exceptions import (
    EmptyRequest,
    IncompleteRequest,
    MalformedRequest,
    RequestTooLarge,
    TooManyFields,
)
from .request_bodies import content_length, decode_form, is_cut_off, is_too_large
from .settings import get_value, parameters_with_tokens
from .wire import reading
from .wire.links import plain_name

UTF_8 = ("", "utf-8", "utf8", "us-ascii", "ascii")


class StrictParser(parsers.BaseParser):
    """What both parsers do around the decoding of their media type.

    A body that is larger than ``DATA_UPLOAD_MAX_MEMORY_SIZE`` is refused before it is read (413),
    one that ended early with 400, one that cannot be read, or is no object, as the profile says.
    A view that takes lists says ``accepts_lists = True``. Values that no database can hold are
    422, naming the field. Parameters that may hold a token are removed.
    """

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the body as plain values; see the class for what it raises."""
        context = parser_context or {}
        request, view = context.get("request"), context.get("view")
        refuse_charset(media_type or "")
        body = read_body(stream, request)
        names = parameters_with_tokens(request)
        try:
            data = self.decode(body, names)
        except reading.MalformedBodyError:
            raise MalformedRequest from None
        except reading.TooManyFieldsError:
            raise TooManyFields from None
        data = without_tokens(data, names)
        self.refuse_type(data, request, view)
        self.refuse_values(body, data)
        return data

    def decode(self, body: bytes, once: Collection[str]) -> Any:
        """Return the body's values; none of the names ``once`` may stand in it twice."""
        raise NotImplementedError

    def refuse_type(self, data: Any, request: Any, view: Any) -> None:
        """Raise ``MalformedRequest`` for what is no object, ``EmptyRequest`` where it is empty."""
        empty = data in ({}, []) and get_value("empty_body", request, view) == "refuse"
        if empty:
            raise EmptyRequest
        lists = isinstance(data, list) and getattr(view, "accepts_lists", False)
        if not isinstance(data, dict) and not lists:
            raise MalformedRequest

    def refuse_values(self, body: bytes, data: Any) -> None:
        """Raise ``ValidationError`` for a NUL, half of a surrogate pair, or an infinite number."""
        text = gettext("This value cannot be stored.")
        found = {place: [text] for place in reading.unusable_values(body, data)}
        if found:
            raise ValidationError(found)


class StrictJSONParser(StrictParser, parsers.JSONParser):
    """Reads ``application/json``: UTF-8 only, at most 100 levels, no ``NaN``."""

    def decode(self, body: bytes, once: Collection[str]) -> Any:
        return reading.read_json(body, once)


class StrictFormParser(StrictParser, parsers.FormParser):
    """Reads ``application/x-www-form-urlencoded``; PHP's brackets become lists and objects."""

    def decode(self, body: bytes, once: Collection[str]) -> Any:
        return decode_form(body, once)


def read_body(stream: IO[bytes], request: Any) -> bytes:
    """Return the whole body; raise ``RequestTooLarge`` before or ``IncompleteRequest`` after."""
    if is_too_large(content_length(request)):
        raise RequestTooLarge
    try:
        body: bytes = stream.read()
    except UnreadablePostError:
        raise IncompleteRequest from None
    if is_cut_off(request, body):
        raise IncompleteRequest
    return body


def refuse_charset(media_type: str) -> None:
    """Raise ``UnsupportedMediaType`` for a ``charset`` other than UTF-8."""
    _, parameters = parse_header_parameters(media_type)
    if parameters.get("charset", "").lower() not in UTF_8:
        raise UnsupportedMediaType(media_type)


def without_tokens(data: Any, names: Collection[str]) -> Any:
    """Return a body without the parameters that may hold a token, however they are spelt."""
    if not isinstance(data, dict):
        return data
    plain = {*map(plain_name, names)}
    return {key: value for key, value in data.items() if plain_name(key) not in plain}
