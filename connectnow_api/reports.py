"""Reports of crashes without the tokens of the requests that they quote.

In the settings::

    DEFAULT_EXCEPTION_REPORTER = "connectnow_api.reports.TokenExceptionReporter"
    DEFAULT_EXCEPTION_REPORTER_FILTER = "connectnow_api.reports.TokenExceptionReporterFilter"

The filter is for what reports take from it: headers, environment, form. The reporter is for all the
rest: the address, the query, and local variables that a request stands in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.http import QueryDict
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from .query_tokens import sent_query
from .redaction import redact
from .settings import api_settings
from .wire.links import plain_name


class TokenExceptionReporterFilter(SafeExceptionReporterFilter):
    """Django's filter, which hides values by their names, and tokens in values besides."""

    def get_safe_request_meta(self, request: Any) -> dict[str, Any]:
        """Return the environment without tokens: in the query, in addresses, in ``Referer``."""
        found = super().get_safe_request_meta(request)
        secrets = [*secrets_of(request)]
        return {
            name: redact(value, secrets) if isinstance(value, str) else value
            for name, value in found.items()
        }

    def get_post_parameters(self, request: Any) -> Any:
        """Return the form without tokens, also where a view said nothing of secrets."""
        found = super().get_post_parameters(request)
        return _without_tokens(found, self.cleansed_substitute)


class TokenExceptionReporter(ExceptionReporter):
    """Django's reporter, with tokens taken out of the finished page or text."""

    def get_traceback_frames(self) -> list[dict[str, Any]]:
        """Return the frames, with variables that are safe however Django breaks and cuts them."""
        secrets = [*secrets_of(self.request)]
        frames: list[dict[str, Any]] = super().get_traceback_frames()
        for frame in frames:
            frame["vars"] = [(name, _shown(value, secrets)) for name, value in frame["vars"]]
        return frames

    def get_traceback_data(self) -> dict[str, Any]:
        """Return what the report is made of, with a query that has no tokens."""
        found = super().get_traceback_data()
        if self.request is not None:
            substitute = self.filter.cleansed_substitute
            found["request_GET_items"] = [
                (name, substitute if _is_token(name) else value)
                for name, value in found.get("request_GET_items") or ()
            ]
        return found

    def get_traceback_html(self) -> SafeString:
        """Return the page."""
        return SafeString(redact(super().get_traceback_html(), secrets_of(self.request)))

    def get_traceback_text(self) -> SafeString:
        """Return the text of a mail."""
        return SafeString(redact(super().get_traceback_text(), secrets_of(self.request)))


class _Shown:
    """What is shown of a value in its place."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _shown(value: Any, secrets: list[str]) -> Any:
    """Return a value, or its ``repr`` without tokens if there are some in it."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - Django says that there is one that cannot be shown
        return value
    redacted = redact(text, secrets)
    return value if redacted == text else _Shown(redacted)


def secrets_of(request: Any) -> Iterator[str]:
    """Yield the values that a request has where tokens may stand, as far as that was read.

    A form that nobody has read yet is not read for a report: it may be what the crash is about.
    """
    if request is None:
        return
    yield from _tokens_in(sent_query(request))
    form = getattr(request, "_post", None)
    if isinstance(form, QueryDict):
        yield from _tokens_in(form)
    _scheme, _, value = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    yield value.strip()
    referer = urlsplit(request.META.get("HTTP_REFERER", ""))
    yield from (value for name, value in parse_qsl(referer.query) if _is_token(name))


def _tokens_in(values: QueryDict) -> Iterator[str]:
    for name, found in values.lists():
        if _is_token(name):
            yield from map(str, found)


def _is_token(name: str) -> bool:
    return plain_name(name) in {*map(plain_name, api_settings.token_parameters)}


def _without_tokens(values: Any, substitute: str) -> Any:
    if not any(map(_is_token, values)):
        return values
    cleansed = values.copy()
    for name in filter(_is_token, values):
        cleansed[name] = substitute
    return cleansed
