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

from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework.permissions import IsAuthenticated
from rest_framework.test import APIClient

from connectnow_api.throttling import UserRateThrottle
from tests.conftest import Clock, Mount, load_golden
from tests.recorded_limits import (
    LIMIT,
    REMAINING,
    RESET,
    WAIT,
    Case,
    Recorded,
    Step,
    View,
    address_of,
    compare,
    limits_of,
    routes,
    send,
)

pytestmark = pytest.mark.usefixtures("limits", "clock")

STEPS = {
    "8.83": ("laravel_8_file_store_steps", "steps"),
    "12.67": ("laravel_12_steps", "steps"),
}
"""Where a version's steps are, the first that is there."""


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


# The same route in our words.


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
