"""What a request says of its body before anybody reads it, and how it is decoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.conf import settings as django_settings
from rest_framework import status

from .wire import reading

DIGITS = re.compile("[0-9]{1,100}")


def content_length(request: Any) -> int | None:
    """Return the ``Content-Length`` of a request; ``None`` if it says no number."""
    found = str(getattr(request, "META", {}).get("CONTENT_LENGTH"))
    return int(found) if DIGITS.fullmatch(found) else None


def has_sound_length(request: Any) -> bool:
    """Tell whether ``Content-Length`` is a number, or missing from a request without a body.

    With ``Transfer-Encoding`` in its place there is a body, which neither Django under WSGI nor
    Django REST framework reads: it would count as empty (RFC 9112 section 6.3).
    """
    if not request.META.get("CONTENT_LENGTH"):
        return "HTTP_TRANSFER_ENCODING" not in request.META
    return content_length(request) is not None


def is_too_large(length: int | None) -> bool:
    """Tell whether a body of this length is over ``DATA_UPLOAD_MAX_MEMORY_SIZE``."""
    limit: int | None = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return limit is not None and length is not None and length > limit


def is_cut_off(request: Any, body: bytes) -> bool:
    """Tell whether fewer bytes arrived than ``Content-Length`` promised."""
    return len(body) < (content_length(request) or 0)


def actual_status(request: Any, status_code: int) -> int:
    """Return 413 for the 400 that Django makes of a form over the limit, else the status.

    Only forms are read by Django and its middlewares on their own account.
    """
    is_form = request.content_type == "application/x-www-form-urlencoded"
    bad = status_code == status.HTTP_400_BAD_REQUEST
    too_large = bad and is_form and is_too_large(content_length(request))
    return status.HTTP_413_REQUEST_ENTITY_TOO_LARGE if too_large else status_code


def decode_form(body: bytes, once: Collection[str]) -> Any:
    """Return what a form says, of up to ``DATA_UPLOAD_MAX_NUMBER_FIELDS`` fields."""
    limit = django_settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    return reading.read_form(body, once=once, max_fields=limit)


DECODERS: Mapping[str, Callable[[bytes, Collection[str]], Any]] = {
    "application/json": reading.read_json,
    "application/x-www-form-urlencoded": decode_form,
}
"""Media type to the function that decodes it; none of the names ``once`` may stand twice."""
