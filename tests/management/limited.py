"""A view with limits, and those who ask it."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api.authentication import APITokenAuthentication
from tests.conftest import Mount

from .conftest import Run

ADDRESS = "192.0.2.7"


class View(APIView):
    authentication_classes = [APITokenAuthentication]
    permission_classes = ()

    def get(self, request: Any) -> Response:
        return Response({})

    post = get


def limit(mount: Mount, *throttles: Any, **attributes: Any) -> None:
    """Mount the view with throttles."""
    view = type("Limited", (View,), {"throttle_classes": throttles, **attributes})
    mount({"flat/x": view.as_view()})


def limiters(settings: Any, **named: Any) -> None:
    """Set ``LIMITERS``, beside what is set already."""
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "LIMITERS": named}


def ask(
    method: str = "GET", *, token: str = "", address: str = ADDRESS, headers: Any = None
) -> Any:
    """Ask the view, and return its answer."""
    sent = {**(headers or {}), **({"authorization": f"Bearer {token}"} if token else {})}
    return APIClient().generic(method, "/flat/x", REMOTE_ADDR=address, headers=sent)


def remaining(response: Any) -> int:
    return int(response["X-RateLimit-Remaining"])


def counted(run: Run, *arguments: str) -> list[int]:
    """Return what ``show`` says that each counter has counted."""
    found = run("show", *arguments, "--format", "json")
    assert found.status == 0, found.stderr
    return [row["counted"] for row in found.data]
