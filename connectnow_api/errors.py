"""Error bodies by profile: what handlers, renderers, middleware and Django's error views share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http.client import responses
from typing import Any

from django.utils.translation import ngettext, pgettext
from rest_framework import status
from rest_framework.settings import api_settings as drf_settings

from .profiles import Profile
from .request_ids import get_request_id
from .settings import api_settings
from .wire.bodies import ErrorBody, error
from .wire.errors import Errors, flatten, texts

INVALID = (status.HTTP_400_BAD_REQUEST, status.HTTP_422_UNPROCESSABLE_ENTITY)


def neutral_message(profile: Profile, status_code: int) -> str:
    """Return the profile's text for a status, in English unless ``TRANSLATE_MESSAGES``."""
    text = profile.messages.get(status_code) or responses.get(status_code, "Error")
    return translated(text)


def error_body(message: str, status_code: int) -> ErrorBody:
    """Return ``{"message"}``; of a 5xx with ``request_id``, if the site wants that."""
    return _with_request_id(error(message), status_code)


def _with_request_id(body: ErrorBody, status_code: int) -> ErrorBody:
    """Add ``request_id`` to the body of a 5xx that has none, if the site wants that."""
    wanted = status.is_server_error(status_code) and api_settings.request_id_in_errors
    if wanted and (found := get_request_id()):
        body.setdefault("request_id", found)
    return body


def neutral_body(profile: Profile, status_code: int) -> ErrorBody:
    """Return ``error_body`` with the profile's text for a status."""
    return error_body(neutral_message(profile, status_code), status_code)


def translated(text: str) -> str:
    """Return one of our error texts in the request's language, if the site wants that."""
    return pgettext("API error", text) if api_settings.translate_messages else text


def challenge(keyword: str = "Bearer", code: str | None = None, scope: Iterable[str] = ()) -> str:
    """Return a ``WWW-Authenticate`` with an error code and scope of RFC 6750 section 3."""
    found = {"realm": api_settings.realm, "error": code, "scope": " ".join(scope)}
    return f"{keyword} " + ", ".join(f'{key}="{value}"' for key, value in found.items() if value)


def validation_body(profile: Profile, detail: Any) -> ErrorBody:
    """Return ``{"message", "errors"}`` for a nested detail of DRF's.

    Under ``error_codes`` a third member, ``codes``, has DRF's code of each text.
    """
    root = str(drf_settings.NON_FIELD_ERRORS_KEY)
    errors = flatten(detail, root)
    body = error(summary(profile, errors), errors)
    if profile.error_codes:
        body["codes"] = flatten(detail, root, leaf=_code)
    return body


def _code(detail: Any) -> str:
    return getattr(detail, "code", None) or "invalid"


def summary(profile: Profile, errors: Errors) -> str:
    """Return the ``message`` of a 422: constant, or the first text and how many follow it."""
    found = texts(errors)
    if not profile.summarise_errors or not found:
        return neutral_message(profile, status.HTTP_422_UNPROCESSABLE_ENTITY)
    more = len(found) - 1
    if not more:
        return found[0]
    tail = ngettext("(and %(count)d more error)", "(and %(count)d more errors)", more)
    return f"{found[0]} {tail % {'count': more}}"


def reshape(profile: Profile, data: Any, status_code: int) -> tuple[ErrorBody, int]:
    """Return a hand-made error in our form, and its status.

    ``Response(serializer.errors, status=400)``, bare or under ``errors``, becomes a 422;
    ``{"detail": text}``, a text or a list of texts become the ``message``. Of other mappings
    nothing is lost: they get a ``message`` if they have none.
    """
    if isinstance(data, Mapping) and set(data) == {"errors"}:
        data = data["errors"]
    if status_code in INVALID and is_field_errors(data):
        return validation_body(profile, data), status.HTTP_422_UNPROCESSABLE_ENTITY
    if isinstance(data, Mapping) and set(data) != {"detail"}:
        message = data.get("message") or data.get("detail") or neutral_message(profile, status_code)
        body = ErrorBody({"message": _as_text(message), **_without(data, "message")})
        return _with_request_id(body, status_code), status_code
    said = _as_text(data["detail"] if isinstance(data, Mapping) else data)
    return error_body(said or neutral_message(profile, status_code), status_code), status_code


def is_field_errors(data: Any) -> bool:
    """Tell whether a body maps fields to texts or to nested errors, as a serializer's errors do."""
    if not isinstance(data, Mapping):
        return isinstance(data, list) and any(isinstance(item, Mapping) for item in data)
    fields = bool(data) and all(isinstance(value, list | Mapping) for value in data.values())
    return fields and set(data) != {"detail"}


def _as_text(value: Any) -> str:
    return "" if value is None else " ".join(texts(flatten(value)))


def _without(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != key}
