"""Every recorded sequence of requests to limited routes of Laravel, against our limits.

Each goes by a clock that stands where the recording says: in memory, and by the script on a real
Redis, where windows begin with the first request, as Laravel's do; and on the cache, by limiters
and by a class of throttles. Statuses, ``X-RateLimit-*``, ``Retry-After`` and bodies are compared
step by step with what ``laravel_limits`` counts: by a version's rules that is what was recorded, by
ours it differs where

* limit 0 lets nothing pass, where Laravel lets one request pass in each window;
* a limiter that does not exist is a mistake for ``manage.py check`` and limits nothing, where
  Laravel 12 answers 500; that of Laravel 8 cannot be told from a limit of 0;
* what one of several limits refuses, none has counted, those of other middleware included. Laravel
  stops at the one that refuses, and what came before has counted; 13 asks all limits of a limiter
  first;
* of several limits that refuse, the one to wait longer for is told, where Laravel tells the first;
* of several limits of which equally much remains, the first is told, where Laravel tells that of
  the innermost middleware;
* ``Retry-After: 0``, which a store of Laravel 8 for tests says at a window's end, is never said:
  the next window begins;
* nothing remains of a limit in which two have counted more than it allows, where Laravel 8 tells a
  number below 0;
* a refusal says what the exception handler says, with all headers, whatever the limiter's own
  ``response()`` was; and ``Cache-Control: no-store``. The order of headers is not kept;
* on a cache windows follow one another by the clock, shifted for each key, here so that they begin
  with the recording; and a counter belongs to a rate, so that nothing is counted together.

Lengths of windows are whole seconds. ``recorded_limits`` says what is not asked or not explained.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from limits.storage import storage_from_string
from rest_framework.test import APIClient

from connectnow_api.engines import Engine, MemoryEngine, using
from connectnow_api.engines.storages import RedisEngine
from connectnow_api.limiters import Limiter, asker_of
from connectnow_api.throttling import LimitThrottle, UserRateThrottle, limited_by
from tests.conftest import GOLDEN_DIR, Clock, Mount, load_golden
from tests.laravel_limits import (
    LIMIT,
    OURS,
    OURS_IN_CACHES,
    REMAINING,
    RESET,
    WAIT,
    Counts,
    Recorded,
    Route,
    Way,
)
from tests.recorded_limits import (
    BY,
    Case,
    Recording,
    address_of,
    assert_body,
    headers_of,
    rate_of,
    read,
    send,
    steps_of,
    view_of,
)
from tests.services import REDIS_URL, RUN, lack

pytestmark = pytest.mark.usefixtures("limits")

_numbers = count(1)
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
    """The tests' Redis, as ``limits`` knows it."""
    storage: Any = storage_from_string(REDIS_URL or lack("TEST_REDIS_URL is not set"))
    yield storage
    storage.get_connection().close()


@pytest.fixture
def in_memory(clock: Clock) -> Engine:
    return MemoryEngine(clock)


@pytest.fixture
def on_redis(clock: Clock, redis_storage: Any) -> Iterator[Engine]:
    prefix = f"{RUN}-golden-{next(_numbers)}"
    yield RedisEngine(redis_storage, prefix, clock)
    connection = redis_storage.get_connection()
    for key in connection.scan_iter(f"{prefix}:*", count=1000):
        connection.delete(key)


@pytest.fixture(params=["in_memory", pytest.param("on_redis", marks=pytest.mark.caches)])
def engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Count where windows begin with the first request."""
    with using(request.getfixturevalue(request.param)):
        yield


ThrottlesOf = Callable[[Route], list[type[LimitThrottle]]]


def limiters_of(route: Route) -> list[type[LimitThrottle]]:
    """Return the limits of a route in our words."""
    return [limited_by(*(limiter_of(limit, str(n)) for n, limit in enumerate(route.limits)))]


def limiter_of(limit: Recorded, name: str) -> Limiter:
    """Return a limiter of one rate; Laravel's counters belong to a name and whoever asks."""
    return Limiter(
        rate=user_rate(limit),
        guest_rate=rate_of(limit, limit.guests),
        rate_attribute=f"user.{limit.attribute}" if limit.attribute else None,
        by=BY[limit.by],
        counter=limit.key,
        name=name,
        answers=limit.statuses,
    )


def user_rate(limit: Recorded) -> Any:
    """Return the rate of users that no attribute of theirs says."""
    if limit.attribute or not limit.own:
        return rate_of(limit, limit.users)
    return lambda request: rate_of(limit, limit.number_of(request.user.pk))


def classes_of(route: Route) -> list[type[LimitThrottle]]:
    """Return each limit of a route as a class."""
    return [class_of(limit) for limit in route.limits]


def class_of(limit: Recorded) -> type[LimitThrottle]:
    class Throttle(UserRateThrottle):
        scope = limit.key

        def get_rate(self, request: Any, view: Any) -> str | None:
            return rate_of(limit, limit.number_of(request.user.pk))

        def get_cache_key(self, request: Any, view: Any) -> str | None:
            return asker_of(BY[limit.by], request)

    return Throttle


class Replay:
    """Asks what was recorded of a view, and compares."""

    def __init__(self, clock: Clock, mount: Mount) -> None:
        self._clock, self._mount = clock, mount
        self._client = APIClient()

    def __call__(self, recording: Recording, throttles: ThrottlesOf, way: Way) -> None:
        paths = recording.paths.items()
        self._mount({address_of(path): view_of(route, throttles(route)) for path, route in paths})
        counts = Counts(way)
        for step in recording.steps[: recording.explained]:
            self._clock.now = recording.start + step["t"]
            response = send(self._client, step)
            status, *told = counts.answer(step, recording.route(step))
            expected = dict(zip((LIMIT, REMAINING, WAIT, RESET), told, strict=True))
            assert response.status_code == status, step
            assert headers_of(response, recording.start) == {
                name: value for name, value in expected.items() if value is not None
            }, step
            assert_body(response, step)


@pytest.fixture
def replay(clock: Clock, mount: Mount) -> Replay:
    return Replay(clock, mount)


@pytest.fixture
def recording(case: Case, version: str, monkeypatch: pytest.MonkeyPatch) -> Recording:
    """What was recorded, with windows on caches that begin with it."""
    found = read(case, version)
    # Only of a limiter with a name is not said what it does.
    assert found.is_named or found.explained == len(found.steps)
    if not found.has_whole_seconds:
        pytest.skip("its windows have no whole seconds")
    shifted = SimpleNamespace(crc32=lambda value: found.start - 1)
    monkeypatch.setattr("django_ratelimit.core.zlib", shifted)
    return found


@pytest.mark.usefixtures("engine")
def test_windows_from_the_first_request_on(recording: Recording, replay: Replay) -> None:
    replay(recording, limiters_of, OURS)


def test_windows_by_the_clock(recording: Recording, replay: Replay) -> None:
    replay(recording, limiters_of, OURS_IN_CACHES)


def test_a_class_of_throttles(recording: Recording, replay: Replay) -> None:
    """It has one rate, and counts requests when they come."""
    routes = recording.paths.values()
    if any(len(route.limits) > 1 or route.counts_answers for route in routes):
        pytest.skip("a class cannot say this limit")
    replay(recording, classes_of, OURS_IN_CACHES)


@pytest.mark.parametrize("recorded", HERE, ids=[case["name"] for case in HERE])
def test_every_answer_that_is_recorded_here_is_explained(recorded: Case) -> None:
    for version, steps in steps_of(recorded).items():
        recording = read(recorded, version)
        assert recording.explained == len(recording.steps) == len(steps)
