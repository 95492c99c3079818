"""The recorded token look-ups of Laravel's token guard and of Sanctum, and what both tests share.

For each stored token of the recordings one of ours is issued to the same user, and put in its place
wherever a request holds it. Laravel's routes report whom they found; ours ask for a user, so whom
Laravel did not find is a 401 here.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api.authentication import APITokenAuthentication

Case = dict[str, Any]


def load(config: pytest.Config) -> dict[str, Any]:
    """Return all that was recorded of both."""
    file = config.getoption("golden_dir") / "token.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a request came to: a status and, with 200, a user."""

    status: int
    user: int | None = None


def bearer(authorization: str | None) -> list[str]:
    """Return what follows ``Bearer`` at the start of a header."""
    found = re.fullmatch(
        r"bearer(?: +|(?=[\s,])|$)(.*)", (authorization or "").strip(), re.IGNORECASE
    )
    return [found[1]] if found else []


def user(number: int) -> Any:
    """Return the user of a recorded number."""
    return get_user_model().objects.get_or_create(username=str(number))[0]


class Whoami(APIView):
    """Tells whom a token was found to belong to, wherever it stands."""

    authentication_classes: Any = [APITokenAuthentication]
    permission_classes: Any = [IsAuthenticated]
    placements = ("header", "query", "payload")
    envelope = None

    def get(self, request: Any) -> Response:
        return Response({"user": request.user.username})

    post = put = patch = delete = get
