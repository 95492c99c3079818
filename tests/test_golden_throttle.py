"""Every recorded sequence of requests to limited routes of Laravel 8 and 12, against our throttles.

The clock stands still where the recording says. What the route was limited by is read from its
middleware; of a limiter that is only named, from the description or else from what it answered.
Names of headers, limits, counts, waits and bodies are compared step by step. Where ours differs on
purpose, the difference is stated here once as a rule:

* windows follow one another by the clock, shifted for each key, where Laravel's begin with a key's
  first request. Here all keys are shifted so that their windows begin with the recording; a window
  that Laravel began later ends earlier here, and from where the two windows hold different requests
  on, that key is not compared;
* a counter belongs to a rate. What Laravel counts together, routes with different limits or two
  limits on one route, is not compared from where the second rate comes in;
* of several limits on a route each counts each request, also one that another refuses. Laravel
  stops at the limit that refuses, so what comes after a refusal is not compared;
* a request is counted when it comes, never after its answer: a limiter that lets pass without
  counting is not compared from there on;
* limit 0 lets nothing pass, where Laravel lets one request pass in each window;
* a limiter that does not exist is a mistake for ``manage.py check`` and limits nothing, where
  Laravel 12 answers 500;
* a refusal says what the exception handler says, with all headers, whatever the limiter's own
  ``response()`` was;
* ``Retry-After: 0``, which a store of Laravel 8 for tests says at a window's end, is never said;
  what comes from there on is not compared. Its file store, where recorded, is compared instead;
* a method that a view lacks is counted like any other, where Laravel looks for a route first; what
  comes after one is not compared;
* lengths of windows are whole seconds;
* of a limiter with several limits that its description does not tell nothing is compared;
* a 429 says ``Cache-Control: no-store`` as well, and the order of headers is not kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api.throttling import UserRateThrottle
from tests.conftest import Clock, Mount, load_golden

pytestmark = pytest.mark.usefixtures("limits", "clock")

STEPS = {
    "8.83": ("laravel_8_file_store_steps", "steps"),
    "12.67": ("laravel_12_steps", "steps"),
}
"""Where a version's steps are, the first that is there."""

LIMIT, REMAINING = "X-RateLimit-Limit", "X-RateLimit-Remaining"
WAIT, RESET = "Retry-After", "X-RateLimit-Reset"
NAMES = (LIMIT, REMAINING, WAIT, RESET)
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
REFUSED = {"message": "Too Many Attempts."}

Case = dict[str, Any]
Step = dict[str, Any]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize(
        ("case", "version"),
        [
            pytest.param(case.values[0], version, id=f"{case.id}-{version}")
            for case in load_golden(metafunc.config, "throttle")
            for version, names in STEPS.items()
            if any(name in case.values[0] for name in names)
        ],
    )


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
            begun = next(s["t"] for s in steps if asker(s) == asker(step) and s[LIMIT] is not None)
            return float(step[f"{RESET}_minus_t0"] - begun)
    return 60.0


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


def throttle(limit: Recorded) -> type[UserRateThrottle]:
    class Throttle(UserRateThrottle):
        scope = limit.scope

        def get_rate(self, request: Any, view: Any) -> str | None:
            number = limit.users if request.user.is_authenticated else limit.guests
            return f"{number}/{limit.seconds:.0f}s" if isinstance(number, int) else number

        def get_cache_key(self, request: Any, view: Any) -> str | None:
            return "" if limit.is_shared else super().get_cache_key(request, view)

    return Throttle


def view_of(middleware: list[str], limits: list[Recorded]) -> Any:
    return type(
        "Routed",
        (View,),
        {
            "throttle_classes": [throttle(limit) for limit in limits],
            "permission_classes": [IsAuthenticated] if "auth:api" in middleware else (),
        },
    ).as_view()


def address_of(step: Step) -> str:
    return f"flat{step.get('path') or '/t'}"


# What comes back.


class Rules:
    """Says of each step whether the rules above let it be compared."""

    def __init__(self) -> None:
        self.rates: dict[Any, set[Any]] = {}
        self.begun: dict[Any, float] = {}
        self.apart: set[Any] = set()
        self.is_over = False

    def compares(self, step: Step, limits: list[Recorded]) -> bool:
        """Note a step, and tell whether it is compared."""
        self.is_over = self.is_over or step["status"] == 405
        if step[LIMIT] is None and step["status"] != 429:
            return not self.is_over
        for limit in limits:
            self.note_rate(step, limit)
            self.note_window(step, limit)
        counts_nothing = step["status"] != 429 and step[LIMIT] == step[REMAINING] != 0
        self.is_over = self.is_over or counts_nothing or step.get(WAIT) == 0
        is_compared = not self.is_over and not any(
            limit.key(step) in self.apart for limit in limits
        )
        self.is_over = self.is_over or (step["status"] == 429 and len(limits) > 1)
        return is_compared

    def note_rate(self, step: Step, limit: Recorded) -> None:
        rates = self.rates.setdefault(limit.key(step), set())
        rates.add((limit.limit(step), limit.seconds))
        if len(rates) > 1:
            self.apart.add(limit.key(step))

    def note_window(self, step: Step, limit: Recorded) -> None:
        begun = self.begun.get(limit.key(step), -limit.seconds)
        if step["t"] >= begun + limit.seconds:
            begun = self.begun[limit.key(step)] = step["t"]
        if begun // limit.seconds != step["t"] // limit.seconds:
            self.apart.add(limit.key(step))


def expected(step: Step, limits: list[Recorded]) -> tuple[int, dict[str, int]]:
    """Return the recorded status and headers, or what a rule puts in their place."""
    if step[LIMIT] is None and step["status"] != 429:
        return (200 if step["status"] == 500 else step["status"]), {}
    shown = next((found for found in limits if found.limit(step) == step[LIMIT]), limits[0])
    limit, seconds = int(shown.limit(step) or 0), shown.seconds
    if step["status"] != 429 and limit:
        return step["status"], {LIMIT: limit, REMAINING: step[REMAINING]}
    reset = (step["t"] // seconds + 1) * seconds
    recorded = step[f"{RESET}_minus_t0"]
    assert recorded is None or (recorded == reset) == ((recorded - seconds) % seconds == 0)
    wait = reset - step["t"]
    return 429, {LIMIT: limit, REMAINING: 0, WAIT: int(wait), RESET: int(reset)}


def test_sequence_equals_the_recording(
    case: Case,
    version: str,
    clock: Clock,
    mount: Mount,
    client: APIClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = case["t0_unix"]
    shifted = SimpleNamespace(crc32=lambda value: start - 1)
    monkeypatch.setattr("django_ratelimit.core.zlib", shifted)
    steps = next(case[name] for name in STEPS[version] if name in case)
    limits = {
        path: [limit for name in names for limit in limits_of(name, case, steps)]
        for path, names in routes(case).items()
    }
    if any(limit.seconds % 1 for found in limits.values() for limit in found):
        return
    mount(
        {
            address_of({"path": path}): view_of(names, limits[path])
            for path, names in routes(case).items()
        }
    )
    rules = Rules()
    for step in steps:
        clock.now = start + step["t"]
        response = send(client, step)
        found = limits.get(step.get("path"), [])
        if rules.compares(step, found):
            compare(response, step, expected(step, found), start)


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
    if response.status_code == 429:
        assert response["Cache-Control"] == "no-store"
        assert response["Content-Type"] == "application/json"
        assert step.get("method") == "HEAD" or response.json() == REFUSED
    if step.get("body") == REFUSED:
        assert response.status_code == 429
