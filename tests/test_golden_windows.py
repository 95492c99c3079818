"""Every recorded sequence against windows that begin with the first request, as Laravel's do.

In memory, and by the script on a real Redis; each goes by a clock that stands where the recording
says. Statuses, ``X-RateLimit-*``, ``Retry-After`` and bodies are compared step by step. What
differs on purpose is stated here once as a rule:

* limit 0 lets nothing pass, where Laravel lets one request pass in each window; so nothing is
  counted, and how long to wait is not compared;
* a limiter that does not exist is a mistake for ``manage.py check`` and limits nothing, where
  Laravel 8 has a limit of 0 and 12 answers 500;
* what one limit of a limiter refuses, none has counted. So does Laravel 13; before it, limits that
  came first had counted. In recordings of 8 and 12 each limit is a limiter of its own here, which
  is the same until one refuses that is not the last; what comes after that is not compared;
* a refusal says what the exception handler says, with all headers, whatever the limiter's own
  ``response()`` was;
* a method that a view lacks is counted like any other, where Laravel looks for a route first; what
  comes after one is not compared;
* ``Retry-After: 0``, which a store of Laravel 8 for tests says at a window's end, is never said;
  what comes from there on is not compared. Its file store, where recorded, is compared instead;
* lengths of windows are whole seconds;
* of a limiter with several limits that its description does not tell nothing is compared;
* a 429 says ``Cache-Control: no-store`` as well, and the order of headers is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.permissions import IsAuthenticated
from rest_framework.test import APIClient

from connectnow_api.engines import Engine, MemoryEngine, using
from connectnow_api.limiters import Limiter
from connectnow_api.throttling import limited_by
from tests.conftest import Clock, Mount, load_golden
from tests.recorded_limits import (
    LIMIT,
    NAMES,
    REMAINING,
    WAIT,
    Case,
    Recorded,
    Signed,
    Step,
    View,
    address_of,
    assert_body,
    limits_of,
    routes,
    send,
)
from tests.services import REDIS_URL, RUN, CacheServer

pytestmark = pytest.mark.usefixtures("limits")

STEPS = {
    "8.83": ("laravel_8_file_store_steps", "steps"),
    "12.67": ("laravel_12_steps", "steps"),
    "13": ("laravel_13_steps",),
}
"""Where a version's steps are, the first that is there."""

LOOKS_FIRST = "13"
"""The version from which on Laravel looks at all limits before it counts."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize(
            ("case", "version"),
            [
                pytest.param(case.values[0], version, id=f"{case.id}-{version}")
                for case in load_golden(metafunc.config, "throttle")
                for version, names in STEPS.items()
                if any(name in case.values[0] for name in names)
            ],
        )


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """The tests' Redis, else one of this module's own."""
    if REDIS_URL:
        yield REDIS_URL
        return
    server = CacheServer("redis")
    yield server.location
    server.stop()


@pytest.fixture(params=["memory", "redis"])
def clock(request: pytest.FixtureRequest) -> Iterator[Clock]:
    """Count by a clock that stands, in memory or on Redis."""
    clock = Clock()
    with using(engine_of(request, clock)):
        yield clock


def engine_of(request: pytest.FixtureRequest, clock: Clock) -> Engine:
    if request.param == "memory":
        return MemoryEngine(clock)
    # The package limits is no need of the package that is tested here.
    from limits.storage import RedisStorage

    from connectnow_api.engines.storages import RedisEngine

    storage = RedisStorage(request.getfixturevalue("redis_url"))
    return RedisEngine(storage, f"{RUN}:{request.node.name}", clock)


# The same route in our words.


def limiter(limit: Recorded, answers: list[int], case: Case) -> Limiter:
    """Return a limit of a route; Laravel's counters belong to a name and whoever asks."""
    rates: dict[str, Any] = {
        "rate": rate(limit.users, limit),
        "guest_rate": rate(limit.guests, limit),
    }
    if has_attribute(case):
        rates = {"rate": None, "rate_attribute": f"user.{limit.scope}"}
    return Limiter(
        **rates,
        by="everybody" if limit.is_shared else "user",
        counter=limit.scope,
        name=limit.scope,
        answers=answers,
    )


def rate(number: int | str | None, limit: Recorded) -> str | None:
    return f"{number}/{limit.seconds:.0f}s" if isinstance(number, int) else number


def has_attribute(case: Case) -> bool:
    """Tell whether the middleware names an attribute of the user, who has the limit."""
    return "attribute" in case["description"]


def signed(limits: list[Recorded]) -> type[Signed]:
    """Return what knows users with the recorded limits as attributes."""

    class WithLimits(Signed):
        def authenticate(self, request: Any) -> Any:
            found = super().authenticate(request)
            for limit in limits if found else ():
                setattr(found[0], limit.scope, rate(limit.users, limit))
            return found

    return WithLimits


def view_of(middleware: list[str], case: Case, steps: list[Step], version: str) -> Any:
    """Return a view on which each throttle middleware is a class, as in Laravel each is asked."""
    found = [limits_of(name, case, steps) for name in middleware]
    if version != LOOKS_FIRST:
        found = [[limit] for limits in found for limit in limits]
    answers = counted_answers(steps)
    throttles = [
        limited_by(*[limiter(limit, answers, case) for limit in each]) for each in found if each
    ]
    attributes = {
        "throttle_classes": throttles,
        "permission_classes": [IsAuthenticated] if "auth:api" in middleware else (),
        "authentication_classes": [
            signed([limit for limits in found for limit in limits])
            if has_attribute(case)
            else Signed
        ],
    }
    return type("Routed", (View,), attributes).as_view()


def counted_answers(steps: list[Step]) -> list[int]:
    """Return the statuses that count, where some answers have left the limit as it was."""
    told = [step for step in steps if step["status"] != 429 and step[LIMIT]]
    if all(step[LIMIT] != step[REMAINING] for step in told):
        return []
    return sorted({step["status"] for step in told if step[LIMIT] != step[REMAINING]})


# What comes back.


def is_end(step: Step, limits: list[Recorded], version: str) -> bool:
    """Tell whether a rule ends the comparison after this step."""
    refuses_early = step["status"] == 429 and step[LIMIT] != limits[-1].limit(step)
    return (refuses_early and version != LOOKS_FIRST) or step["status"] == 405


def expected(step: Step, limits: list[Recorded]) -> dict[str, Any]:
    """Return the recorded status and headers, or what a rule puts in their place."""
    if any(limit.limit(step) == "" for limit in limits) or step["status"] == 500:
        return {"status": 200, **dict.fromkeys(NAMES)}
    if any(limit.limit(step) == 0 for limit in limits):
        return {"status": 429, LIMIT: 0, REMAINING: 0}
    told = {"status": step["status"], **{name: step[name] for name in NAMES}}
    if step["status"] == 429 and step[LIMIT] is None:
        return {"status": 429}
    return told


def test_sequence_equals_the_recording(
    case: Case, version: str, clock: Clock, mount: Mount, client: APIClient
) -> None:
    steps = next(case[name] for name in STEPS[version] if name in case)
    by_path = {
        path: [limit for name in names for limit in limits_of(name, case, steps)]
        for path, names in routes(case).items()
    }
    if any(limit.seconds % 1 for limits in by_path.values() for limit in limits):
        return
    mount(
        {
            address_of({"path": path}): view_of(names, case, steps, version)
            for path, names in routes(case).items()
        }
    )
    for step in steps:
        clock.now = case["t0_unix"] + step["t"]
        limits = by_path.get(step.get("path"), [])
        if step.get(WAIT) == 0:
            return
        response = send(client, step)
        told = expected(step, limits)
        found = {"status": response.status_code}
        found |= {name: number(response.get(name)) for name in NAMES}
        assert {name: found[name] for name in told} == told, step
        assert_body(response, step)
        if is_end(step, limits, version):
            return


def number(text: str | None) -> int | None:
    return None if text is None else int(text)
