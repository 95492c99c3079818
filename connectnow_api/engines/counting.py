"""What an engine counts, and what it says of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from connectnow_api.rates import Rate

FIXED, MOVING, SLIDING = WINDOWS = ("fixed", "moving", "sliding")


class Counter(NamedTuple):
    """One number that requests are added to.

    What it is called never shows who is counted, nor what was written into a setting.
    """

    scope: str
    """16 hex digits: of the limit."""
    asker: str
    """32 hex digits: of whoever is counted."""
    rate: Rate
    window: str = FIXED
    """One of ``WINDOWS``."""
    cost: int = 1
    """What the request adds, from 1."""
    is_shared: bool = False
    """Whether other rates of the same scope count in it as well, as Laravel's do.

    django-ratelimit's counters cannot.
    """

    @property
    def rate_name(self) -> str:
        """What of its rate is part of what it is called.

        Of a shared one nothing, as in Laravel, but for windows that move or slide: what these
        remember is as old as they are long.
        """
        if not self.is_shared:
            return f"{self.rate.limit}-{self.rate.seconds}s"
        return "" if self.window == FIXED else f"{self.rate.seconds}s"

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What counters have in common that are one number."""
        return (self.scope, self.asker, self.rate_name, self.window)


class Usage(NamedTuple):
    """One counter, with the request that was counted or refused."""

    limit: int
    hits: int
    """What was counted, the request included; more than ``limit`` for one that is refused."""
    reset: float
    """When a request like this one passes again, in seconds since 1970: for ``fixed``, when the
    next window starts."""
    now: float
    """When this was so, by the clock that was counted by."""

    @property
    def is_exceeded(self) -> bool:
        """Whether the request is one too many."""
        return self.hits > self.limit

    @property
    def remaining(self) -> int:
        """How many more requests pass."""
        return max(0, self.limit - self.hits)

    @property
    def retry_after(self) -> int:
        """Whole seconds until ``reset``, at least 1."""
        return max(1, math.ceil(self.reset - self.now))

    def as_passing(self) -> Usage:
        """Return it as of a request that passes, also if it was one too many."""
        return self._replace(hits=min(self.hits, self.limit))

    def outranks(self, other: Usage) -> bool:
        """Tell whether this is the one of two that a client needs to know.

        The limit that refuses, of two such the one to wait longer for; else the tighter one.
        """
        if self.is_exceeded and other.is_exceeded:
            return self.reset > other.reset
        return self.is_exceeded or (not other.is_exceeded and self.remaining < other.remaining)


class Engine(Protocol):
    """Keeps counters. Each method asks a store, and may raise whatever its library raises."""

    windows: frozenset[str]
    """Which of ``WINDOWS`` it can count in."""
    shares: bool
    """Whether it heeds ``Counter.is_shared``."""

    def hit(self, counters: Sequence[Counter]) -> list[Usage]:
        """Add to all counters, or to none if one would be exceeded; return how each stands.

        However many ask at once, no more than ``limit`` passes. Where a store cannot look and add
        in one step, a request that loses the race may have been added to some, and is refused.
        """

    def peek(self, counters: Sequence[Counter]) -> list[Usage]:
        """Return how each stands without this request."""

    def reset(self, counters: Sequence[Counter]) -> None:
        """Let each begin anew."""


class Unreachable:
    """An engine that could not be made: each method raises why."""

    windows, shares = frozenset(WINDOWS), True

    def __init__(self, why: Exception) -> None:
        self._why = why

    def hit(self, counters: Sequence[Counter]) -> list[Usage]:
        """Raise."""
        raise self._why

    def peek(self, counters: Sequence[Counter]) -> list[Usage]:
        """Raise."""
        raise self._why

    def reset(self, counters: Sequence[Counter]) -> None:
        """Raise."""
        raise self._why


def look_and_add(
    counters: Sequence[Counter],
    look: Callable[[Counter], Usage],
    add: Callable[[Counter], Usage],
) -> list[Usage]:
    """Hit counters of a store that looks and adds in two steps; what is added decides.

    It is looked at first where a refusal would have to be undone. A single counter of a fixed
    window needs no look, unless a smaller request could still fit: what it counts beyond its limit
    changes nothing.

    Then each is added to until one is exceeded, and those behind that are only looked at. So
    whoever is refused takes nothing from the counters behind, and somebody passes. If all added
    to all, those whom one counter refuses could use up another before those whom it lets pass.
    """
    first = counters[0]
    if len(counters) > 1 or first.cost > 1 or first.window == SLIDING:
        refused = weigh([look(counter) for counter in counters], counters)
        if refused:
            return refused
    usages: list[Usage] = []
    for counter in counters:
        is_refused = any(usage.is_exceeded for usage in usages)
        usages.append(look(counter) if is_refused else add(counter))
    if len(usages) == 1 or any(usage.is_exceeded for usage in usages):
        return usages
    # What was added to one number twice is told as it stands then.
    pairs = [*zip(counters, usages, strict=True)]
    hits = {counter.place: usage.hits for counter, usage in pairs}
    return as_admitted([usage._replace(hits=hits[counter.place]) for counter, usage in pairs])


def weigh(usages: Sequence[Usage], counters: Sequence[Counter]) -> list[Usage]:
    """Return what refuses a request that was not counted; ``[]`` if it passes.

    Those that refuse count it, the others do not. To a number that is asked for twice a request is
    added twice, and each of them counts what those before it add.
    """
    added: dict[Any, int] = {}
    would_be = []
    for usage, counter in zip(usages, counters, strict=True):
        cost = added[counter.place] = added.get(counter.place, 0) + counter.cost
        would_be.append(usage._replace(hits=usage.hits + cost))
    if not any(usage.is_exceeded for usage in would_be):
        return []
    pairs = zip(usages, would_be, strict=True)
    return [after if after.is_exceeded else before for before, after in pairs]


def as_admitted(usages: Sequence[Usage]) -> list[Usage]:
    """Return the usages of a request that passes: what the last of them adds refuses no other."""
    return [usage.as_passing() for usage in usages]


def digest(text: str, length: int) -> str:
    """Return so many hex digits of a text's SHA-256; lone surrogates are no error."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
