"""A limited view, the throttles on it, and what its answers say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.throttling import (
    AnonRateThrottle,
    BaseRateThrottle,
)

Issue = Callable[..., Any]
NOW = 1_700_000_000.0
CLOSED = {"message": "Service unavailable."}
LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")


def limited(base: type[BaseRateThrottle], rate: Any, **attributes: Any) -> type[BaseRateThrottle]:
    """Return a throttle with a rate of its own."""
    return type("Limited", (base,), {"rate": rate, **attributes})


class View(APIView):
    """Answers anybody, with the error that the query names."""

    authentication_classes: Any = [APITokenAuthentication]
    permission_classes: Any = ()
    throttle_classes: Any = [limited(AnonRateThrottle, "2/d")]
    placements = ("header", "query")

    def get(self, request: Any) -> Response:
        errors = {
            "403": PermissionDenied,
            "404": NotFound,
            "422": lambda: ValidationError({"name": ["No."]}),
        }
        raised = errors.get(request.query_params.get("fail", ""))
        if raised is not None:
            raise raised()
        return Response({"ok": True})

    post = get


Ask = Callable[..., Any]


def shown(response: Any) -> dict[str, int]:
    """Return the headers of limits, by their last words."""
    found = {name: response.headers.get(name) for name in LIMIT_HEADERS}
    return {name.rpartition("-")[2]: int(value) for name, value in found.items() if value}


def several(*rates: str) -> list[type[BaseRateThrottle]]:
    return [limited(AnonRateThrottle, rate) for rate in rates]


def rates(**scopes: Any) -> dict[str, Any]:
    return {"DEFAULT_THROTTLE_RATES": scopes}


def remaining(response: Any) -> int | None:
    return shown(response).get("Remaining")


class Signed(BaseAuthentication):
    """Whoever the test says."""

    user: Any = None
    auth: Any = None

    def authenticate(self, request: Any) -> Any:
        return self.user, self.auth


def signed(user: Any, auth: Any = None) -> list[Any]:
    return [type("As", (Signed,), {"user": user, "auth": auth})]
