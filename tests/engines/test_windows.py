"""Each window against a list of times, as its definition has it."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectnow_api.engines import WINDOWS, MemoryEngine
from connectnow_api.engines.counting import MOVING, SLIDING
from connectnow_api.rates import Rate
from tests.conftest import Clock

from .conftest import a_counter

SECONDS = 10
LENGTH = SECONDS * 1000
START = 1_700_000_000_000
each_window = pytest.mark.parametrize("window", WINDOWS)


class Request(NamedTuple):
    """So many ms after the one before, and what it costs."""

    later: int
    cost: int


LATER = st.sampled_from([0, 1, LENGTH - 1, LENGTH, LENGTH + 1, 2 * LENGTH]) | st.integers(0, 25_000)
REQUESTS = st.lists(st.builds(Request, LATER, st.integers(1, 3)), max_size=30)
LIMITS = st.integers(0, 6)


class Asked:
    """An engine that was asked, and the times of what it has admitted, each once per cost."""

    def __init__(self, window: str, limit: int) -> None:
        self.limit, self.now = limit, START
        self.clock = Clock(START / 1000)
        self.engine = MemoryEngine(self.clock)
        self.counter = a_counter(limit, SECONDS, window=window)
        self.admitted: list[int] = []

    def at(self, now: int) -> None:
        self.now = now
        # In the middle of a ms, so that no rounding makes it another one.
        self.clock.now = (now + 0.5) / 1000

    def hit(self, cost: int) -> bool:
        [usage] = self.engine.hit([self.counter._replace(cost=cost)])
        if not usage.is_exceeded:
            self.admitted += [self.now] * cost
        return not usage.is_exceeded

    def reset(self, cost: int) -> int:
        """Return the whole second in which a request passes, as whoever is refused is told."""
        [usage] = self.engine.peek([self.counter._replace(cost=cost)])
        assert usage.reset - usage.now <= usage.retry_after < usage.reset - usage.now + 1.001 or (
            usage.retry_after == 1
        )
        return usage.reset


def counted_in_fixed_window(times: list[int], now: int) -> int:
    """Return what counts: windows start with the first request after the one before."""
    start, counted = -math.inf, 0
    for time in times:
        if time >= start + LENGTH:
            start, counted = time, 0
        counted += 1
    return counted if now < start + LENGTH else 0


@given(LIMITS, REQUESTS)
def test_a_fixed_window_starts_with_the_first_request(limit: int, requests: list[Request]) -> None:
    """It is half open: a request exactly one length later is the first of the next."""
    asked = Asked("fixed", limit)
    for later, cost in requests:
        asked.at(asked.now + later)
        fits = counted_in_fixed_window(asked.admitted, asked.now) + cost <= limit
        assert asked.hit(cost) == fits


@given(LIMITS, REQUESTS)
def test_a_moving_window_counts_each_request_for_one_length(
    limit: int, requests: list[Request]
) -> None:
    asked = Asked("moving", limit)
    for later, cost in requests:
        asked.at(asked.now + later)
        counted = sum(time > asked.now - LENGTH for time in asked.admitted)
        assert asked.hit(cost) == (counted + cost <= limit)
    for start in asked.admitted:
        assert sum(start <= time < start + LENGTH for time in asked.admitted) <= limit


class SlidingModel:
    """Fixed windows that follow one another, the one before weighted by what of it is in reach."""

    def __init__(self) -> None:
        self.start, self.times = 0, list[int]()

    def start_at(self, now: int) -> int:
        """Return when the window of ``now`` started: by itself, unless a whole one was empty."""
        windows = (now - self.start) // LENGTH
        return self.start + LENGTH * windows if windows < 2 else now

    def weigh(self, now: int) -> Fraction:
        start = self.start_at(now)
        count = sum(start <= time for time in self.times)
        before = sum(start - LENGTH <= time < start for time in self.times)
        return count + Fraction(before * (LENGTH - (now - start)), LENGTH)

    def admit(self, now: int, cost: int) -> None:
        self.start = self.start_at(now)
        self.times += [now] * cost


@given(LIMITS, REQUESTS)
def test_a_sliding_window_weighs_the_one_before(limit: int, requests: list[Request]) -> None:
    asked, model = Asked("sliding", limit), SlidingModel()
    for later, cost in requests:
        asked.at(asked.now + later)
        fits = model.weigh(asked.now) + cost <= limit
        assert asked.hit(cost) == fits
        if fits:
            model.admit(asked.now, cost)


@each_window
@given(st.integers(1, 6), REQUESTS, st.integers(1, 3))
def test_who_comes_back_when_told_passes(
    window: str, limit: int, requests: list[Request], cost: int
) -> None:
    """And for fixed and moving windows nobody who comes a second earlier."""
    asked = Asked(window, limit)
    for later, each in requests:
        asked.at(asked.now + later)
        asked.hit(each)
    cost = min(cost, limit)
    asked.hit(cost)
    while asked.hit(cost):
        pass
    reset = asked.reset(cost)
    if window != "sliding" and (reset - 1) * 1000 > asked.now:
        asked.at((reset - 1) * 1000)
        assert not asked.hit(cost)
    asked.at(reset * 1000)
    assert asked.hit(cost)


@each_window
def test_what_costs_more_than_the_limit_never_passes(window: str) -> None:
    asked = Asked(window, 2)
    for _ in range(5):
        assert not asked.hit(3)
        asked.at(asked.now + LENGTH)
    assert asked.hit(2)


@each_window
def test_threads_are_counted_exactly(window: str) -> None:
    engine, counter = MemoryEngine(), a_counter(100, 3600, window=window)

    def ask(_thread: int) -> int:
        return sum(not engine.hit([counter])[0].is_exceeded for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 100


@each_window
def test_of_several_counters_all_count_or_none(window: str, stopped: Clock) -> None:
    engine = MemoryEngine(stopped)
    wide, narrow = a_counter(5, window=window), a_counter(1, window=window)
    assert [usage.hits for usage in engine.hit([wide, narrow])] == [1, 1]
    refused = engine.hit([wide, narrow])
    assert [usage.is_exceeded for usage in refused] == [False, True]
    assert [usage.hits for usage in engine.peek([wide, narrow])] == [1, 1]


def test_there_are_no_more_counters_than_wanted(stopped: Clock) -> None:
    engine = MemoryEngine(stopped, max_counters=10)
    counters = [a_counter() for _ in range(25)]
    for counter in counters:
        assert engine.hit([counter])[0].hits == 1
    kept = [counter for counter in counters if engine.peek([counter])[0].hits]
    assert 9 <= len(kept) <= 10
    assert kept == counters[-len(kept) :]


def test_counters_that_are_over_go_first(stopped: Clock) -> None:
    engine = MemoryEngine(stopped, max_counters=10)
    lasting = [a_counter(seconds=3600) for _ in range(4)]
    for counter in [*lasting, *(a_counter(seconds=1) for _ in range(6))]:
        engine.hit([counter])
    stopped.now += 2
    engine.hit([a_counter()])
    assert [usage.hits for usage in engine.peek(lasting)] == [1] * 4


def test_what_one_number_counts_twice_has_to_fit_twice() -> None:
    """Else a refused request would have been counted."""
    engine, wide = MemoryEngine(), a_counter(4, is_shared=True)
    narrow = wide._replace(rate=Rate(3, 60))
    for expected in ([2, 2], [2, 4]):
        assert [usage.hits for usage in engine.hit([wide, narrow])] == expected
    assert engine.peek([wide])[0].hits == 2


def test_what_a_later_limit_adds_to_one_number_refuses_no_earlier_one() -> None:
    engine, narrow = MemoryEngine(), a_counter(3, is_shared=True)
    wide = narrow._replace(rate=Rate(4, 60))
    for expected in ([2, 2], [3, 4], [5, 6]):
        assert [usage.hits for usage in engine.hit([narrow, wide])] == expected
    assert engine.peek([wide])[0].hits == 4


@pytest.mark.parametrize("window", [MOVING, SLIDING])
def test_windows_of_two_lengths_forget_each_at_its_own_pace(stopped: Clock, window: str) -> None:
    """The shorter one would make the longer one forget what it has to count."""
    engine = MemoryEngine(stopped)
    long = a_counter(100, seconds=3600, window=window, is_shared=True)
    short = long._replace(rate=Rate(5, 60))
    passed = 0
    for _ in range(10):
        usages = [engine.hit([long])[0] for _ in range(100)]
        passed += sum(not usage.is_exceeded for usage in usages)
        stopped.now += 61
        assert not engine.hit([short])[0].is_exceeded
    assert passed == 100
