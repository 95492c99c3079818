"""Every recorded sequence against windows that begin with the first request, as Laravel's do.

In memory, and by the script on a real Redis; each goes by a clock that stands where the recording
says. Statuses, ``X-RateLimit-*``, ``Retry-After`` and bodies are compared step by step, with what
``laravel_limits`` counts: by a version's rules that is what was recorded, by ours it differs where

* limit 0 lets nothing pass, where Laravel lets one request pass in each window;
* a limiter that does not exist is a mistake for ``manage.py check`` and limits nothing, where
  Laravel 12 answers 500;
* what one of several limits refuses, none has counted, those of other middleware included. Laravel
  stops at the one that refuses, and what came before has counted; 13 asks all limits of a limiter
  first;
* of several limits that refuse, the one to wait longer for is told, where Laravel tells the first;
* ``Retry-After: 0``, which a store of Laravel 8 for tests says at a window's end, is never said: the
  next window begins;
* nothing remains of a limit in which two have counted more than it allows, where Laravel 8 tells a
  number below 0;
* a refusal says what the exception handler says, with all headers, whatever the limiter's own
  ``response()`` was; and ``Cache-Control: no-store``. The order of headers is not kept.

Lengths of windows are whole seconds. ``recorded_limits`` says what is not asked or not explained.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from limits.storage import storage_from_string
from rest_framework.test import APIClient

from connectnow_api.engines import Engine, MemoryEngine, using
from connectnow_api.engines.storages import RedisEngine
from connectnow_api.limiters import Limiter
from connectnow_api.throttling import LimiterThrottle, limited_by
from tests.conftest import GOLDEN_DIR, Clock, Mount, load_golden
from tests.laravel_limits import LIMIT, OURS, REMAINING, RESET, WAIT, Counts, Recorded, Route
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
from tests.services import REDIS_URL, RUN, CacheServer

pytestmark = pytest.mark.usefixtures("limits")

HERE = json.loads((GOLDEN_DIR / "throttle.json").read_text(encoding="utf-8"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "version" in metafunc.fixturenames:
        metafunc.parametrize(
            ("case", "version"),
            [
                pytest.param(case.values[0], version, id=f"{case.id}-{version}")
                for case in load_golden(metafunc.config, "throttle")
                for version in steps_of(case.values[0])
            ],
        )


@pytest.fixture(scope="module")
def redis_storage() -> Iterator[Any]:
    """The tests' Redis, else one of this module's own."""
    server = None if REDIS_URL else CacheServer("redis")
    storage: Any = storage_from_string(REDIS_URL if server is None else server.location)
    yield storage
    storage.get_connection().close()
    if server is not None:
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
    prefix = f"{RUN}:{request.node.name}"
    return RedisEngine(request.getfixturevalue("redis_storage"), prefix, clock)


def throttle_of(route: Route) -> type[LimiterThrottle]:
    """Return the limits of a route in our words."""
    return limited_by(*(limiter_of(limit, str(n)) for n, limit in enumerate(route.limits)))


def limiter_of(limit: Recorded, name: str) -> Limiter:
    """Return a limiter of one rate; Laravel's counters belong to a name and whoever asks."""
    is_from_users = limit.own and not limit.attribute
    return Limiter(
        rate=(lambda request: own_rate(limit, request)) if is_from_users else users_rate(limit),
        guest_rate=rate_of(limit, limit.guests),
        rate_attribute=f"user.{limit.attribute}" if limit.attribute else None,
        by=BY[limit.by],
        counter=limit.key,
        name=name,
        answers=limit.statuses,
    )


def users_rate(limit: Recorded) -> str | None:
    return rate_of(limit, limit.users)


def own_rate(limit: Recorded, request: Any) -> str | None:
    return rate_of(limit, limit.number_of(request.user.pk))


def test_sequence_equals_the_recording(
    case: Case, version: str, clock: Clock, mount: Mount, client: APIClient
) -> None:
    recording = read(case, version)
    if not recording.has_whole_seconds:
        pytest.skip("its windows have no whole seconds")
    # Only of a limiter with a name is not said what it does.
    assert recording.is_named or recording.explained == len(recording.steps)
    mount(
        {
            address_of(path): view_of(route, [throttle_of(route)])
            for path, route in recording.paths.items()
        }
    )
    ours = Counts(OURS)
    for step in recording.steps[: recording.explained]:
        clock.now = recording.start + step["t"]
        response = send(client, step)
        status, *told = ours.answer(step, recording.route(step))
        expected = dict(zip((LIMIT, REMAINING, WAIT, RESET), told, strict=True))
        assert response.status_code == status, step
        assert headers_of(response, recording.start) == {
            name: value for name, value in expected.items() if value is not None
        }, step
        assert_body(response, step)


@pytest.mark.parametrize("recorded", HERE, ids=[case["name"] for case in HERE])
def test_every_answer_that_is_recorded_here_is_explained(recorded: Case) -> None:
    for version, steps in steps_of(recorded).items():
        recording = read(recorded, version)
        assert recording.explained == len(recording.steps) == len(steps)
