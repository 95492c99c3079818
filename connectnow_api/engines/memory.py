"""Counters in this process: for tests, and for limits that go on locally while their store is gone.

The same windows as ``count.lua`` has on Redis, step by step.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .counting import FIXED, MOVING, SLIDING, Counter, Usage, as_admitted, weigh


class Window(Protocol):
    """The state of one counter. All times are in whole milliseconds."""

    length: int

    def hits(self, now: int) -> int:
        """Return what counts now."""

    def add(self, now: int, cost: int) -> None:
        """Count a request."""

    def reset(self, now: int, limit: int, cost: int) -> int:
        """Return when a request of this cost passes, or for one that passes, when counting ends."""

    def end(self) -> int:
        """Return when nothing counts any more."""


class FixedWindow:
    """Starts with the first request that is counted, and ends one length later."""

    def __init__(self, length: int) -> None:
        self.length, self.count, self.ends_at = length, 0, 0

    def hits(self, now: int) -> int:
        return self.count if now < self.ends_at else 0

    def add(self, now: int, cost: int) -> None:
        if now >= self.ends_at:
            self.count, self.ends_at = 0, now + self.length
        self.count += cost

    def reset(self, now: int, limit: int, cost: int) -> int:
        return self.ends_at if now < self.ends_at else now + self.length

    def end(self) -> int:
        return self.ends_at


class MovingWindow:
    """Each request counts for one length: exact, and as large as the limit."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.times: deque[int] = deque()

    def hits(self, now: int) -> int:
        while self.times and self.times[0] <= now - self.length:
            self.times.popleft()
        return len(self.times)

    def add(self, now: int, cost: int) -> None:
        self.times.extend([now] * cost)

    def reset(self, now: int, limit: int, cost: int) -> int:
        excess = self.hits(now) + cost - limit
        waiting_for = max(0, min(excess, len(self.times)) - 1)
        return (self.times[waiting_for] if self.times else now) + self.length

    def end(self) -> int:
        return self.times[-1] + self.length if self.times else 0


class SlidingWindow:
    """Two fixed windows, the one before counting for the part of it that is still in reach.

    Only what is counted moves them: whoever looks, or is refused, leaves them where they are.
    """

    def __init__(self, length: int) -> None:
        self.length, self.start, self.count, self.before = length, 0, 0, 0

    def _at(self, now: int) -> tuple[int, int, int]:
        """Return start and count of the window of ``now``, and the count of the one before."""
        passed = (now - self.start) // self.length
        if passed == 1:
            return self.start + self.length, 0, self.count
        if passed > 1:
            return now, 0, 0
        return self.start, self.count, self.before

    def hits(self, now: int) -> int:
        start, count, before = self._at(now)
        left = self.length - (now - start)
        return count + math.ceil(before * left / self.length)

    def add(self, now: int, cost: int) -> None:
        self.start, self.count, self.before = self._at(now)
        self.count += cost

    def reset(self, now: int, limit: int, cost: int) -> int:
        start, count, before = self._at(now)
        if self.hits(now) + cost <= limit:
            return start + self.length
        for begin, counted, earlier in ((start, count, before), (start + self.length, 0, count)):
            spare = limit - cost - counted
            if spare >= 0 and earlier:
                return begin + max(0, self.length - self.length * spare // earlier)
        return start + self.length

    def end(self) -> int:
        return self.start + 2 * self.length


WINDOWS: dict[str, Callable[[int], Window]] = {
    FIXED: FixedWindow,
    MOVING: MovingWindow,
    SLIDING: SlidingWindow,
}


class MemoryEngine:
    """Counts in this process, exactly, whatever the number of threads.

    ``clock`` returns seconds since 1970. Beyond ``max_counters`` those go that were made first.
    """

    windows, shares = frozenset(WINDOWS), True

    def __init__(
        self, clock: Callable[[], float] | None = None, max_counters: int = 100_000
    ) -> None:
        self._clock, self._max_counters = clock, max_counters
        self._windows: dict[Any, Window] = {}
        self._lock = threading.Lock()

    def hit(self, counters: Sequence[Counter]) -> list[Usage]:
        """Add to all, or to none if one would be exceeded."""
        with self._lock:
            now = self._now()
            refused = weigh(self._usages(counters, now), counters)
            if refused:
                return refused
            for counter in counters:
                window = self._windows[counter.place] = self._window(counter)
                window.add(now, counter.cost)
            usages = as_admitted(self._usages(counters, now))
            self._make_room(now)
            return usages

    def peek(self, counters: Sequence[Counter]) -> list[Usage]:
        """Return how each stands."""
        with self._lock:
            return self._usages(counters, self._now())

    def reset(self, counters: Sequence[Counter]) -> None:
        """Forget the counters."""
        with self._lock:
            for counter in counters:
                self._windows.pop(counter.place, None)

    def clear(self) -> None:
        """Forget all counters."""
        with self._lock:
            self._windows.clear()

    def _now(self) -> int:
        return int((self._clock or time.time)() * 1000)

    def _window(self, counter: Counter) -> Window:
        length = counter.rate.seconds * 1000
        window = self._windows.get(counter.place) or WINDOWS[counter.window](length)
        # Rates that share a counter may differ in it.
        window.length = length
        return window

    def _usages(self, counters: Sequence[Counter], now: int) -> list[Usage]:
        return [self._usage(counter, now) for counter in counters]

    def _usage(self, counter: Counter, now: int) -> Usage:
        limit, window = counter.rate.limit, self._window(counter)
        reset = window.reset(now, limit, counter.cost)
        return Usage(limit, window.hits(now), reset / 1000, now / 1000)

    def _make_room(self, now: int) -> None:
        """Remove what is over, and what was made first, so that there is room for a while."""
        if len(self._windows) <= self._max_counters:
            return
        for key in [key for key, window in self._windows.items() if window.end() <= now]:
            del self._windows[key]
        excess = len(self._windows) - self._max_counters * 9 // 10
        for key in [*self._windows][: max(0, excess)]:
            del self._windows[key]
