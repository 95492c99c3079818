"""Every recorded sequence of requests to limited routes of Laravel 8 and 12, against our throttles.

The clock stands still where the recording says; ``recorded_limits`` says what the route was limited
by. Names of headers, limits, counts, waits and bodies are compared step by step. Where ours differs
on purpose, the difference is stated here once as a rule:

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
  what comes from there on is not compared. Its file store, where recorded, is compared as well;
* lengths of windows are whole seconds;
* a 429 says ``Cache-Control: no-store`` as well, and the order of headers is not kept.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework.test import APIClient

from connectnow_api.limiters import asker_of
from connectnow_api.throttling import UserRateThrottle
from tests.conftest import Clock, Mount, load_golden
from tests.laravel_limits import LIMIT, REMAINING, RESET, WAIT, Recorded, Step
from tests.recorded_limits import (
    BY,
    Case,
    address_of,
    assert_body,
    headers_of,
    rate_of,
    read,
    send,
    steps_of,
    view_of,
)

pytestmark = pytest.mark.usefixtures("limits", "clock")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize(
        ("case", "version"),
        [
            pytest.param(case.values[0], version, id=f"{case.id}-{version}")
            for case in load_golden(metafunc.config, "throttle")
            for version in steps_of(case.values[0])
        ],
    )


def throttle(limit: Recorded) -> type[UserRateThrottle]:
    """Return a limit in our words."""

    class Throttle(UserRateThrottle):
        scope = limit.key

        def get_rate(self, request: Any, view: Any) -> str | None:
            return rate_of(limit, limit.number_of(request.user.pk))

        def get_cache_key(self, request: Any, view: Any) -> str | None:
            return asker_of(BY[limit.by], request)

    return Throttle


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
        if step[LIMIT] is None and step["status"] != 429:
            return not self.is_over
        for limit in limits:
            self.note_rate(step, limit)
            self.note_window(step, limit)
        counts_nothing = step["status"] != 429 and step[LIMIT] == step[REMAINING] != 0
        self.is_over = self.is_over or counts_nothing or step.get(WAIT) == 0
        is_compared = not self.is_over and not any(
            limit.place(step) in self.apart for limit in limits
        )
        self.is_over = self.is_over or (step["status"] == 429 and len(limits) > 1)
        return is_compared

    def note_rate(self, step: Step, limit: Recorded) -> None:
        rates = self.rates.setdefault(limit.place(step), set())
        rates.add((limit.number(step), limit.seconds))
        if len(rates) > 1:
            self.apart.add(limit.place(step))

    def note_window(self, step: Step, limit: Recorded) -> None:
        begun = self.begun.get(limit.place(step), -limit.seconds)
        if step["t"] >= begun + limit.seconds:
            begun = self.begun[limit.place(step)] = step["t"]
        if begun // limit.seconds != step["t"] // limit.seconds:
            self.apart.add(limit.place(step))


def expected(step: Step, limits: list[Recorded]) -> tuple[int, dict[str, int]]:
    """Return the recorded status and headers, or what a rule puts in their place."""
    if step[LIMIT] is None and step["status"] != 429:
        return (200 if step["status"] == 500 else step["status"]), {}
    shown = next((found for found in limits if found.number(step) == step[LIMIT]), limits[0])
    limit, seconds = int(shown.number(step) or 0), shown.seconds
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
    recording = read(case, version)
    if not recording.has_whole_seconds:
        pytest.skip("its windows have no whole seconds")
    start = recording.start
    monkeypatch.setattr(
        "django_ratelimit.core.zlib", SimpleNamespace(crc32=lambda value: start - 1)
    )
    mount(
        {
            address_of(path): view_of(route, [*map(throttle, route.limits)])
            for path, route in recording.paths.items()
        }
    )
    rules = Rules()
    for step in recording.steps[: recording.explained]:
        clock.now = start + step["t"]
        response = send(client, step)
        route = recording.route(step)
        found = [] if route is None else route.limits
        if rules.compares(step, found):
            status, headers = expected(step, found)
            assert (response.status_code, headers_of(response, start)) == (status, headers), step
            assert_body(response, step)
