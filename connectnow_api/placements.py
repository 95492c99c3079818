"""Where a request may have a token: the values that stand in its header, query and body."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from django.http import RawPostDataException, UnreadablePostError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from .exceptions import IncompleteRequest
from .query_tokens import mark, sent_query
from .request_bodies import DECODERS, content_length, is_cut_off, is_too_large
from .wire import reading

_AUTHORIZATION = re.compile(r"(?P<scheme>[^\s,]+) *(?P<value>.*)", re.DOTALL)


class Reader(Protocol):
    """What is asked of the authentication class that looks for a token."""

    parameter: str
    keyword: str


def _from_header(authenticator: Reader, request: Any) -> list[str]:
    """Return the value after our scheme; ``[]`` for no header or another scheme.

    Repeated header lines arrive joined by commas. A comma or a space stays in the value, so that
    it matches no token: a request that names two is refused, not half understood.
    """
    header = _AUTHORIZATION.match(request.META.get("HTTP_AUTHORIZATION", "").strip(" \t"))
    if header is None or header["scheme"].lower() != authenticator.keyword.lower():
        return []
    return [header["value"]]


def _from_query(authenticator: Reader, request: Any) -> list[str]:
    """Return each value of the parameter, and keep the answer out of caches and referrers."""
    values: list[str] = sent_query(request).getlist(authenticator.parameter)
    headers = getattr(view_of(request), "headers", None)
    if any(value.strip() for value in values) and headers is not None:
        mark(headers)
    return values


def _from_payload(authenticator: Reader, request: Any) -> list[str]:
    """Return the parameter's value in a JSON or urlencoded body, without parsing for the view.

    Django's request keeps what is read here, so that view, parser and signature checks find the
    body whole. What is no token of ours to find stays unread: safe methods, multipart and other
    media types, bodies over the limit or read already. A malformed body holds no token; whoever
    parses it says so.
    """
    django_request = django_request_of(request)
    decode = DECODERS.get(django_request.content_type or "")
    if decode is None or django_request.method in SAFE_METHODS:
        return []
    body = _body(django_request)
    if not _may_hold(body, authenticator.parameter):
        return []
    if is_cut_off(django_request, body):
        raise IncompleteRequest
    try:
        data = decode(body, [authenticator.parameter])
    except (reading.MalformedBodyError, reading.TooManyFieldsError):
        return []
    value = data.get(authenticator.parameter) if isinstance(data, dict) else None
    if not isinstance(value, str):
        return []
    _hide_from_reports(django_request, authenticator.parameter)
    return [value]


def _may_hold(body: bytes, parameter: str) -> bool:
    """Tell whether a body has the parameter's name, or something that may spell it."""
    return any(spelling in body for spelling in (parameter.encode(), b"\\u", b"%"))


def _hide_from_reports(request: Any, parameter: str) -> None:
    """Let Django's error reports star the parameter in ``request.POST``."""
    hidden = getattr(request, "sensitive_post_parameters", [])
    if isinstance(hidden, list | tuple):
        request.sensitive_post_parameters = [*hidden, parameter]


def _body(request: Any) -> bytes:
    """Return the body, ``b""`` if it is too large or cannot be read any more."""
    length = content_length(request)
    if not length or is_too_large(length):
        return b""
    try:
        body: bytes = request.body
    except RawPostDataException:
        return b""
    except UnreadablePostError:
        raise IncompleteRequest from None
    return body


READERS: Mapping[str, Callable[[Reader, Any], list[str]]] = {
    "header": _from_header,
    "query": _from_query,
    "payload": _from_payload,
}
"""Placement to the function that reads it."""


def view_of(request: Any) -> Any:
    """Return the DRF view that a request is on its way to, if any."""
    return (getattr(request, "parser_context", None) or {}).get("view")


def django_request_of(request: Any) -> Any:
    """Return Django's request: what is noted there outlives DRF's authenticators."""
    return request._request if isinstance(request, Request) else request
