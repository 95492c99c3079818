"""What a token in the URL asks of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import SuspiciousOperation

from .settings import parameters_with_tokens

QUERY_TOKEN_HEADERS: Mapping[str, str] = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}
"""What an answer to a request with a token in its URL carries (RFC 6750 section 2.3)."""


def has_query_token(request: Any) -> bool:
    """Tell whether a request's URL has a value where a token may stand.

    A query that Django refuses to read may have one as well.
    """
    try:
        return any(request.GET.get(name, "").strip() for name in parameters_with_tokens(request))
    except SuspiciousOperation:
        return True


def keep_private(request: Any, response: Any) -> None:
    """Keep an answer out of caches and referrers, if its request's URL may hold a token."""
    if has_query_token(request):
        for name, value in QUERY_TOKEN_HEADERS.items():
            response[name] = value
