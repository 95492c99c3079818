"""django-ratelimit's counters in Django's caches."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import BaseCache, caches
from django_ratelimit import core
from hypothesis import given
from hypothesis import strategies as st

from connectnow_api.engines.caches import GROUP, CacheEngine
from tests.conftest import CacheServers, Clock, fixtures_once

from .conftest import a_counter

pytestmark = pytest.mark.usefixtures("limits")

ENGINE = CacheEngine()


@pytest.fixture(autouse=True)
def _no_window_ends(request: pytest.FixtureRequest) -> None:
    """Stop the clock, but for servers that are waited for."""
    if "start_cache" not in request.fixturenames:
        request.getfixturevalue("clock")


def hits(*counters: Any) -> list[int]:
    return [usage.hits for usage in ENGINE.hit(counters)]


def peeked(*counters: Any) -> list[int]:
    return [usage.hits for usage in ENGINE.peek(counters)]


def test_requests_are_counted(each_cache: BaseCache) -> None:
    counter = a_counter(2, 86400)
    assert [hits(counter) for _ in range(3)] == [[1], [2], [3]]


def test_looking_counts_nothing(each_cache: BaseCache) -> None:
    counter = a_counter(2, 86400)
    assert [peeked(counter) for _ in range(2)] == [[0], [0]]
    assert hits(counter) == [1]
    assert peeked(counter) == [1]


def test_a_counter_that_was_looked_at_lasts_as_long(each_cache: BaseCache, clock: Clock) -> None:
    """Looking leaves a zero, which the first request then finds."""
    counter = a_counter(2, 86400)
    [before] = ENGINE.peek([counter])
    [after] = ENGINE.hit([counter])
    assert before.reset == after.reset
    assert clock.now < after.reset <= clock.now + 86400


def test_a_counter_begins_anew(each_cache: BaseCache) -> None:
    one, other = a_counter(2, 86400), a_counter(2, 86400)
    hits(one, other)
    ENGINE.reset([one])
    assert peeked(one, other) == [0, 1]


def test_a_request_may_cost_more(each_cache: BaseCache) -> None:
    counter = a_counter(9, 86400)
    assert hits(counter._replace(cost=4)) == [4]
    assert hits(counter._replace(cost=5)) == [9]
    assert [usage.is_exceeded for usage in ENGINE.hit([counter])] == [True]


def test_what_costs_more_than_remains_leaves_room_for_less(each_cache: BaseCache) -> None:
    counter = a_counter(5, 86400)
    assert hits(counter._replace(cost=3)) == [3]
    [refused] = ENGINE.hit([counter._replace(cost=3)])
    assert (refused.hits, refused.is_exceeded) == (6, True)
    assert hits(counter._replace(cost=2)) == [5]


def test_what_one_of_several_refuses_none_has_counted(each_cache: BaseCache) -> None:
    wide, narrow = a_counter(5, 86400), a_counter(1, 86400)
    assert hits(wide, narrow) == [1, 1]
    refused = ENGINE.hit([wide, narrow])
    assert [(usage.hits, usage.is_exceeded) for usage in refused] == [(1, False), (2, True)]
    assert peeked(wide, narrow) == [1, 1]
    assert hits(wide) == [2]


def test_the_next_window_starts_when_it_was_told(each_cache: BaseCache, clock: Clock) -> None:
    counter = a_counter(1, 60)
    [usage] = ENGINE.hit([counter])
    clock.now = usage.reset - 1
    assert [usage.is_exceeded for usage in ENGINE.hit([counter])] == [True]
    clock.now = usage.reset
    assert hits(counter) == [1]


def test_a_window_may_end_while_a_request_is_counted(
    each_cache: BaseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that it costs is then counted in one of the two."""
    counter, times = a_counter(9, 1, cost=4), iter(range(1_700_000_000, 1_700_001_000))
    monkeypatch.setattr("time.time", lambda: next(times))
    assert hits(counter) == [4]


# A cache that is gone


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["redis", "memcached"])
@pytest.mark.parametrize("method", ["hit", "peek"])
def test_a_cache_that_is_gone_raises(kind: str, method: str, start_cache: CacheServers) -> None:
    """Each time: memcached's client has ``None`` for an answer once it knows."""
    asked = [
        [a_counter(9, 86400, cost=cost) for _ in range(counters)]
        for cost in (1, 2)
        for counters in (1, 2)
    ]
    server = start_cache(kind)
    for counters in asked:
        ENGINE.hit(counters)
    server.stop()
    for counters in asked * 5:
        with pytest.raises(Exception):  # noqa: B017, PT011 - each client has errors of its own
            getattr(ENGINE, method)(counters)


# What is django-ratelimit's own


def test_its_private_names_are_there() -> None:
    """Its public functions tell neither the key of a counter nor, when asked, its end."""
    assert core._get_window("x", 60) >= 0
    assert core._make_cache_key(GROUP, 1, (5, 60), "x", core.ALL).startswith("rl:")
    assert core.EXPIRATION_FUDGE > 0


@fixtures_once
@given(
    limit=st.integers(0, 99), seconds=st.sampled_from([1, 7, 60, 86400]), now=st.floats(1e9, 2e9)
)
def test_its_key_is_where_it_counts(
    limit: int, seconds: int, now: float, settings: Any, clock: Clock
) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    caches["default"].clear()
    clock.now, counter = now, a_counter(limit, seconds)
    assert hits(counter) == [1]
    assert [*caches["default"]._cache] == [f":1:{ENGINE._key(counter)}"]
    assert hits(counter) == [2]
    assert peeked(counter) == [2]
