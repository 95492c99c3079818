"""Tokens in URLs: what they ask of an answer, and how views are kept from seeing them."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote, unquote_plus, urlsplit

from django.core.exceptions import SuspiciousOperation
from django.utils.http import http_date
from rest_framework import status

from .redaction import REDACTED, redact
from .settings import api_settings, parameters_with_tokens
from .wire.links import plain_name


def sent_query(request: Any) -> Any:
    """Return the query as it was sent, with the tokens that ``take_out`` takes out of it."""
    return getattr(request, "_api_sent_query", None) or request.GET


def take_out_unless_wanted(request: Any) -> None:
    """Do as ``take_out``, unless an authenticator of somebody else's may look for its own token."""
    found = getattr(request, "authenticators", None) or ()
    if all(hasattr(each, "placements") or _is_of_drf(each) for each in found):
        take_out(request)


def _is_of_drf(authenticator: Any) -> bool:
    """Tell whether an authenticator is one of DRF's own, which read no query."""
    return type(authenticator).__module__ == "rest_framework.authentication"


def take_out(request: Any) -> None:
    """Let nobody find a token in the query any more, but those who ask ``sent_query``.

    Neither in ``request.query_params`` nor in Django's ``request.GET``, nor in the URL that links
    are built of. A query that Django refuses to read is left to whoever asks for it.
    """
    django_request = getattr(request, "_request", request)
    if hasattr(django_request, "_api_sent_query"):
        return
    try:
        sent = django_request.GET
    except SuspiciousOperation:
        return
    names = _plain_names(request)
    found = [key for key in sent if plain_name(key) in names]
    if not found:
        return
    rest = sent.copy()
    for key in found:
        del rest[key]
    rest._mutable = False
    django_request._api_sent_query, django_request.GET = sent, rest
    query = django_request.META.get("QUERY_STRING", "")
    django_request.META["QUERY_STRING"] = "&".join(_without(query, names))


def has_query_token(request: Any) -> bool:
    """Tell whether a request's URL has a value where a token may stand, however it is spelt.

    A query that Django refuses to read may have one as well.
    """
    names = _plain_names(request)
    try:
        found = sent_query(request).lists()
    except SuspiciousOperation:
        return True
    return any(
        plain_name(key) in names and any(value.strip() for value in values) for key, values in found
    )


def keep_private(request: Any, response: Any) -> None:
    """Keep an answer out of caches and referrers, if its request's URL may hold a token.

    Nor does it lead on to a URL with a token in it; and, if the site retires the placement, it says
    where to read of that (``Link``, RFC 8594 and RFC 9745).
    """
    if not has_query_token(request):
        return
    mark(response)
    if status.is_redirect(response.status_code) and response.get("Location"):
        response["Location"] = without_tokens(response["Location"], request)
    if api_settings.query_token_link:
        link = f'<{api_settings.query_token_link}>; rel="deprecation"; type="text/html"'
        others = response.get("Link", "")
        if link not in others:
            response["Link"] = ", ".join(filter(None, [others, link]))


def mark(headers: MutableMapping[str, str] | Any) -> None:
    """Set the headers of an answer to a request with a token in its URL that replace others.

    RFC 6750 section 2.3; ``Deprecation`` (RFC 9745) and ``Sunset`` (RFC 8594) if the site says so.
    """
    headers["Cache-Control"] = "private, no-store"
    headers["Referrer-Policy"] = "no-referrer"
    if (deprecation := api_settings.query_token_deprecation) is not None:
        headers["Deprecation"] = f"@{seconds_of(deprecation)}"
    if (sunset := api_settings.query_token_sunset) is not None:
        headers["Sunset"] = http_date(seconds_of(sunset))


def seconds_of(moment: date) -> int:
    """Return a moment in seconds since 1970; a day begins at midnight UTC."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return int(moment.timestamp())


def without_tokens(url: str, request: Any) -> str:
    """Return a URL without the parameters that may hold a token; the rest as it is spelt."""
    parts = urlsplit(url)
    names = _plain_names(request)
    kept = "&".join(_without(parts.query, names))
    rest = url if kept == parts.query else parts._replace(query=kept).geturl()
    # One may stand in a URL within this one, as a page to log in is given where to go on.
    return redact(rest).replace(REDACTED, quote(REDACTED))


def _plain_names(request: Any) -> set[str]:
    return {*map(plain_name, parameters_with_tokens(request))}


def _without(query: str, names: set[str]) -> Iterator[str]:
    for pair in query.split("&"):
        if plain_name(unquote_plus(pair.partition("=")[0])) not in names:
            yield pair
