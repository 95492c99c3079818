"""What a request says of its body before anybody reads it, and how it is decoded."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.conf import settings as django_settings
from rest_framework import status

from .wire import reading

READ_AT_ONCE = 64 * 1024
DIGITS = re.compile("[0-9]{1,100}")
_ALL = 2**31
"""Who asks for more bytes than these asks for all; Python would make room for them first."""
UNKNOWN = sys.maxsize
"""The ``Content-Length`` of a body that comes in chunks, more of them than are waited for."""


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


class WholeBody:
    """The stream of a body, as WSGI has it, whose end before its length is an ``OSError``."""

    def __init__(self, stream: Any, length: int) -> None:
        """Take the server's stream and the bytes that have to come."""
        self._stream, self._missing = stream, length

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, all there are without it."""
        return self._count(self._stream.read(size), size)

    def readline(self, size: int = -1, /) -> bytes:
        """Return a line, or the first ``size`` bytes of it."""
        return self._count(self._stream.readline(size), size)

    def _count(self, data: bytes, size: int) -> bytes:
        self._missing -= len(data)
        if not data and size and self._missing > 0:
            raise OSError("the body is not as long as the request says")
        return data


class _Chunks(io.RawIOBase):
    """A body in chunks whose beginning was read; any error of the server's is an ``OSError``."""

    def __init__(self, beginning: io.BytesIO, stream: Any) -> None:
        self._beginning, self._stream = beginning, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._beginning.read(len(buffer)) or self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        try:
            data: bytes = self._stream.read(size)
        except Exception as exc:  # each server has errors of its own for chunks that are none
            raise OSError("the body is not what its chunks say") from exc
        return data


class _Unending(io.BufferedReader):
    """A body of ``UNKNOWN`` length, whose end is where it ends."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes; for as many as nobody has room for, all that come."""
        return super().read(-1 if size is None or size > _ALL else size)


def most_bytes(content_type: str) -> int | None:
    """Return how much of a body is waited for to know its length; ``None``: all of it.

    What is longer is too large, unless it is files: those are read by whoever wants them.
    """
    is_files = content_type.lower().startswith("multipart/")
    limit: int | None = (
        django_settings.FILE_UPLOAD_MAX_MEMORY_SIZE
        if is_files
        else django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    )
    return limit


def measure(stream: Any, content_type: str) -> tuple[Any, int]:
    """Return a body that comes in chunks as one that ends by itself, and its length.

    That is one more than it has if it was cut off, and ``UNKNOWN`` if it is longer than
    ``most_bytes``: then the rest is read as it is asked for.
    """
    most, body, missing = most_bytes(content_type), io.BytesIO(), 0
    try:
        while (most is None or body.tell() <= most) and (data := stream.read(READ_AT_ONCE)):
            body.write(data)
    except Exception:  # noqa: BLE001 - each server has errors of its own for chunks that are none
        missing = 1
    length = body.tell()
    body.seek(0)
    if most is not None and length > most:
        return _Unending(_Chunks(body, stream)), UNKNOWN
    return body, length + missing


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
