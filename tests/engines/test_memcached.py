"""The counting of ``limits`` on a real memcached."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connectnow_api.engines import Counter
from connectnow_api.engines.storages import LimitsEngine, connect
from connectnow_api.rates import Rate
from tests.conftest import Clock
from tests.services import MEMCACHED_URL, PATIENCE, CacheServer, lack

from .conftest import a_counter, new_prefix

each_window = pytest.mark.parametrize("window", ["fixed", "sliding"])
DAY = 86400


Connect = Callable[[str], Any]


@pytest.fixture
def connected() -> Iterator[Connect]:
    """Return an engine on the server at a location, and close its connections afterwards."""
    engines = []

    def connected(location: str) -> Any:
        engines.append(connect(f"memcached://{location}", {"key_prefix": new_prefix()}))
        return engines[-1]

    yield connected
    for engine in engines:
        engine._storage.storage.close()


@pytest.fixture
def with_clock(connected: Connect) -> LimitsEngine:
    """An engine that goes by the real clock, on a memcached that others may use, too."""
    found = connected(MEMCACHED_URL or lack("TEST_MEMCACHED_URL is not set"))
    assert isinstance(found, LimitsEngine)
    return found


@pytest.fixture
def engine(with_clock: LimitsEngine, clock: Clock) -> LimitsEngine:
    """The same, whose clock stands: no window ends within a test."""
    return with_clock


def hits(engine: LimitsEngine, *counters: Counter) -> list[int]:
    return [usage.hits for usage in engine.hit(counters)]


def peeked(engine: LimitsEngine, *counters: Counter) -> list[int]:
    return [usage.hits for usage in engine.peek(counters)]


def test_no_window_moves(engine: LimitsEngine) -> None:
    assert engine.windows == {"fixed", "sliding"}


@each_window
def test_no_more_pass_than_the_limit_says(engine: LimitsEngine, window: str) -> None:
    counter = a_counter(3, DAY, window=window)
    asked = [engine.hit([counter])[0] for _ in range(5)]
    assert [usage.hits for usage in asked] == [1, 2, 3, 4, 4 if window == "sliding" else 5]
    assert [usage.is_exceeded for usage in asked] == [False] * 3 + [True] * 2


@each_window
def test_looking_counts_nothing(engine: LimitsEngine, window: str) -> None:
    counter = a_counter(3, DAY, window=window)
    assert peeked(engine, counter) == [0]
    assert hits(engine, counter) == [1]
    assert peeked(engine, counter) == [1]


@each_window
def test_a_counter_begins_anew(engine: LimitsEngine, window: str) -> None:
    one, other = a_counter(3, DAY, window=window), a_counter(3, DAY, window=window)
    hits(engine, one, other)
    engine.reset([one])
    assert peeked(engine, one, other) == [0, 1]


@each_window
def test_what_costs_more_than_remains_leaves_room_for_less(
    engine: LimitsEngine, window: str
) -> None:
    counter = a_counter(5, DAY, window=window)
    assert hits(engine, counter._replace(cost=3)) == [3]
    assert hits(engine, counter._replace(cost=3)) == [6]
    assert hits(engine, counter._replace(cost=2)) == [5]


@each_window
def test_what_one_of_several_refuses_none_has_counted(engine: LimitsEngine, window: str) -> None:
    wide, narrow = a_counter(5, DAY, window=window), a_counter(1, DAY, window=window)
    assert hits(engine, wide, narrow) == [1, 1]
    assert [usage.is_exceeded for usage in engine.hit([wide, narrow])] == [False, True]
    assert peeked(engine, wide, narrow) == [1, 1]


@each_window
def test_the_longest_window_is_kept(with_clock: LimitsEngine, window: str) -> None:
    """More seconds than a month has memcached takes for a day in 1970."""
    counter = a_counter(1, 366 * DAY, window=window)
    assert [with_clock.hit([counter])[0].is_exceeded for _ in range(2)] == [False, True]


def test_a_fixed_window_starts_with_the_first_request(with_clock: LimitsEngine) -> None:
    start, counter = time.time(), a_counter(1, DAY)
    [first] = with_clock.hit([counter])
    assert start + DAY <= first.reset <= time.time() + DAY + 1
    [refused] = with_clock.hit([counter])
    assert refused.is_exceeded
    assert refused.reset == first.reset


def test_memcached_ends_a_fixed_window(with_clock: LimitsEngine) -> None:
    """By a clock of its own."""
    counter, deadline = a_counter(1, 1), time.monotonic() + PATIENCE
    while not with_clock.hit([counter])[0].is_exceeded:
        assert time.monotonic() < deadline
    while (usage := with_clock.hit([counter])[0]).is_exceeded:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert usage.hits == 1


@pytest.mark.parametrize("cost", [1, 2])
def test_who_comes_back_to_a_sliding_window_when_told_passes(
    engine: LimitsEngine, cost: int, clock: Clock
) -> None:
    """That is not when the next one starts, in which those of the last still weigh."""
    counter = a_counter(4, DAY, window="sliding", cost=cost)
    for _ in range(3):
        while not (refused := engine.hit([counter])[0]).is_exceeded:
            pass
        clock.now = refused.reset - 2
        assert engine.hit([counter])[0].is_exceeded
        clock.now = refused.reset
        assert not engine.hit([counter])[0].is_exceeded


@each_window
def test_threads_are_counted_exactly(engine: Any, window: str) -> None:
    """Where looking and adding are two steps, no more pass, but perhaps less."""
    counter = a_counter(50, DAY, window=window)

    def ask(_thread: int) -> int:
        try:
            return sum(not engine.hit([counter])[0].is_exceeded for _ in range(25))
        finally:
            engine._storage.storage.close()

    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(ask, range(8)))
    assert passed == 50 if window == "fixed" else 0 < passed <= 50


def test_threads_are_counted_exactly_where_the_window_before_weighs(
    engine: Any, clock: Clock
) -> None:
    counter = a_counter(0, DAY, window="sliding", is_shared=True)
    storage, key = engine._storage, engine._key(counter)
    previous, _current = storage.sliding_window_keys(key, DAY, time.time())
    storage.storage.set(previous, 1000, 3 * DAY)
    [weight] = peeked(engine, counter)
    counter = counter._replace(rate=Rate(weight + 20, DAY))

    def ask(_thread: int) -> int:
        try:
            return sum(not engine.hit([counter])[0].is_exceeded for _ in range(25))
        finally:
            storage.storage.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) <= 20


@pytest.mark.servers
@each_window
def test_a_server_that_goes_and_comes_back(window: str, connected: Connect) -> None:
    """Each request is told that it is gone, and none after it is there again."""
    server = CacheServer("memcached")
    try:
        engine, counter = connected(server.location), a_counter(5, DAY, window=window)
        assert hits(engine, counter) == [1]
        server.stop()
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                engine.hit([counter])
            with pytest.raises(ConnectionRefusedError):
                engine.peek([counter])
        server.start()
        assert hits(engine, counter) == [1]
        server.stop()
        server.start()
        # Nobody has noticed that it was gone.
        assert hits(engine, counter) == [1]
    finally:
        server.stop()


@pytest.mark.servers
@each_window
def test_several_servers_that_are_gone(window: str) -> None:
    """Their client has an answer for that, which is no count."""
    servers = [CacheServer("memcached") for _ in range(2)]
    uri = "memcached://" + ",".join(server.location for server in servers)
    try:
        engine: Any = connect(uri, {"key_prefix": new_prefix()})
        for server in servers:
            server.stop()
        for _ in range(5):
            with pytest.raises(Exception):  # noqa: B017, PT011 - errors of several libraries
                engine.hit([a_counter(5, DAY, window=window)])
    finally:
        for server in servers:
            server.stop()
