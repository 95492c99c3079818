"""Recorded sequences of requests to limited routes of Laravel: what limited them, and how to ask.

What a route was limited by is read from its middleware; of a limiter that is only named, from the
description or else from what it answered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

LIMIT, REMAINING = "X-RateLimit-Limit", "X-RateLimit-Remaining"
WAIT, RESET = "Retry-After", "X-RateLimit-Reset"
NAMES = (LIMIT, REMAINING, WAIT, RESET)
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
REFUSED = {"message": "Too Many Attempts."}

Case = dict[str, Any]
Step = dict[str, Any]


# What limited the recorded route.


Limit = int | str | None
"""So many requests; ``None`` where there is no limit, ``""`` where the limiter does not exist."""


class Recorded(NamedTuple):
    """One limit of a route."""

    scope: str
    guests: Limit
    users: Limit
    seconds: float
    is_shared: bool = False

    def limit(self, step: Step) -> Limit:
        """Return the limit of whoever asks."""
        return self.users if "user" in step else self.guests

    def who(self, step: Step) -> str:
        """Return whose counter a request goes to."""
        return "" if self.is_shared else asker(step)

    def key(self, step: Step) -> tuple[str, str]:
        return (self.scope, self.who(step))


def asker(step: Step) -> str:
    return f"user {step['user']}" if "user" in step else step.get("ip", "127.0.0.1")


def routes(case: Case) -> dict[str | None, list[str]]:
    """Return the middleware of each path; ``None`` is the path of a sequence that names none."""
    found = case["middleware"]
    by_path = found["paths"] if isinstance(found, dict) else {None: found}
    return {path: [names] if isinstance(names, str) else names for path, names in by_path.items()}


def limits_of(middleware: str, case: Case, steps: list[Step]) -> list[Recorded]:
    """Return what ``throttle:5,1``, ``throttle:1|2,1,prefix`` or ``throttle:name`` limits to."""
    kind, _, text = middleware.partition(":")
    if kind != "throttle":
        return []
    parameters = text.split(",")
    limit, minutes, prefix = map(or_default, ("60", "1", "all"), [*parameters, "", ""])
    guests, _, users = limit.partition("|")
    if not re.fullmatch(r"[0-9]+(\|[0-9]+)?", limit):
        return [*named(limit, case, steps)]
    return [Recorded(prefix, int(guests), int(users or guests), float(minutes) * 60)]


def or_default(default: str, parameter: str) -> str:
    return parameter or default


def named(name: str, case: Case, steps: list[Step]) -> Iterator[Recorded]:
    """Return the limits of a limiter: several as described, or the one that its answers tell."""
    described = re.findall(r"(\d+) (?:an?|per) (second|minute|hour|day)", case["description"])
    if len(described) < 2:
        guests, users = (told_limit(steps, is_user) for is_user in (False, True))
        yield Recorded(name, guests, users, told_seconds(steps), is_shared(steps))
        return
    for number, (limit, unit) in enumerate(described):
        scope = name if is_shared(steps) else f"{name} {number}"
        yield Recorded(scope, int(limit), int(limit), SECONDS[unit])


def told_limit(steps: list[Step], is_user: bool) -> Limit:
    """Return the limit of the first answer to a guest, or to a user, that tells one."""
    is_missing = any(step["status"] == 500 for step in steps)
    return next(iter(told_limits(steps, is_user)), "" if is_missing else None)


def told_limits(steps: list[Step], is_user: bool) -> list[int]:
    """Return the different limits that are told to guests, or to users, the first one first."""
    told = [step[LIMIT] for step in steps if ("user" in step) == is_user]
    return list(dict.fromkeys(limit for limit in told if limit is not None))


def told_seconds(steps: list[Step]) -> float:
    """Return the length of the window that the first refusal belongs to; NaN if there are more."""
    if any(len(told_limits(steps, is_user)) > 1 for is_user in (False, True)):
        return math.nan
    for step in steps:
        if step.get(WAIT):
            begun = next(s["t"] for s in steps if is_counted(s) and counts_with(s, step, steps))
            return float(step[f"{RESET}_minus_t0"] - begun)
    return 60.0


def is_counted(step: Step) -> bool:
    """Tell whether a request was counted; a limit of 0 counts the one that it lets pass."""
    return step[LIMIT] is not None and (not step[LIMIT] or step[REMAINING] < step[LIMIT])


def counts_with(one: Step, other: Step, steps: list[Step]) -> bool:
    """Tell whether two requests go to one counter."""
    return is_shared(steps) or asker(one) == asker(other)


def is_shared(steps: list[Step]) -> bool:
    """Tell whether somebody's first request was not the first to be counted."""
    firsts = {asker(step): step for step in reversed(steps)}
    return any(s[LIMIT] is not None and s[REMAINING] < s[LIMIT] - 1 != -1 for s in firsts.values())


# The same route in our words.


class Signed(BaseAuthentication):
    """The user that a header names."""

    def authenticate(self, request: Any) -> Any:
        key = request.headers.get("X-User")
        return None if key is None else (User(pk=int(key)), None)

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


class View(APIView):
    authentication_classes = [Signed]
    permission_classes: Any = ()

    def get(self, request: Any) -> Response:
        if "fail" in request.query_params:
            raise NotFound
        return Response({})

    post = get


def address_of(step: Step) -> str:
    return f"flat{step.get('path') or '/t'}"


def send(client: APIClient, step: Step) -> Any:
    return client.generic(
        step.get("method", "GET"),
        f"/{address_of(step)}{'?fail=1' if step.get('fail') else ''}",
        REMOTE_ADDR=step.get("ip", "127.0.0.1"),
        headers={"x-user": str(step["user"])} if "user" in step else {},
    )


def compare(response: Any, step: Step, told: tuple[int, dict[str, int]], start: int) -> None:
    found = {name: int(response[name]) for name in NAMES if name in response}
    if RESET in found:
        found[RESET] -= start
    assert (response.status_code, found) == told, step
    if step["status"] == response.status_code and step["header_order"]:
        assert {*step["header_order"]} == {*found}
    assert_body(response, step)


def assert_body(response: Any, step: Step) -> None:
    """Assert that a refusal looks like one, and that what was refused in Laravel is so here."""
    if response.status_code == 429:
        assert response["Cache-Control"] == "no-store"
        assert response["Content-Type"] == "application/json"
        assert step.get("method") == "HEAD" or response.json() == REFUSED
    if step.get("body") == REFUSED:
        assert response.status_code == 429
