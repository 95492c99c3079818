"""Laravel's way of counting requests in a few lines, and by which rules ours differs from it.

A recording proves the first: whatever a version of Laravel answered has to come out. The same lines
with ``OURS`` say what we have to answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

LIMIT, REMAINING = "X-RateLimit-Limit", "X-RateLimit-Remaining"
WAIT, RESET = "Retry-After", "X-RateLimit-Reset"

Step = dict[str, Any]
Number = int | str | None
"""So many requests; ``None`` where there is no limit, ``""`` where the limiter does not exist."""


class Recorded(NamedTuple):
    """One limit of a route."""

    key: str
    """What its counters are called, beside whoever asks."""
    guests: Number
    users: Number
    seconds: float
    by: str = "user"
    """Who is one asker: a key of ``ASKERS``."""
    own: Mapping[int, Number] = {}
    """The limits of single users, which replace ``users``."""
    attribute: str = ""
    """The user's attribute that these are read from."""
    statuses: Sequence[int] = ()
    """The answers that are counted; ``()``: all requests, when they come."""

    def number(self, step: Step) -> Number:
        """Return the limit of whoever asks."""
        return self.number_of(step.get("user"))

    def number_of(self, user: int | None) -> Number:
        return self.guests if user is None else self.own.get(user, self.users)

    def who(self, step: Step) -> str:
        """Return whose counter a request goes to."""
        return ASKERS[self.by](step)


def _address(step: Step) -> str:
    return str(step.get("ip", "127.0.0.1"))


def _user(step: Step, others: str) -> str:
    return f"user {step['user']}" if "user" in step else others


ASKERS = {
    "user": lambda step: _user(step, _address(step)),
    "everybody": lambda step: "",
    "address": _address,
    "account": lambda step: _user(step, ""),
}
"""Whom Laravel's ``by()`` tells apart: ``account`` has all guests in one."""


class Route(NamedTuple):
    """What limits a path."""

    layers: Sequence[Sequence[Recorded]]
    """The limits of each throttle middleware, the outermost first."""
    needs_user: bool = False

    @property
    def limits(self) -> list[Recorded]:
        """All of them, in the order in which they are asked."""
        return [limit for layer in self.layers for limit in layer]

    @property
    def counts_answers(self) -> bool:
        """Tell whether a request may be counted only when it is answered."""
        return any(limit.statuses for limit in self.limits)


class Way(NamedTuple):
    """How limits are counted."""

    looks_first: bool = False
    """Whether all limits of a middleware are asked before one of them counts."""
    keeps_ends: bool = False
    """Whether a window still holds the second that it ends in."""
    goes_below_zero: bool = False
    """Whether what remains of a limit may be less than nothing."""
    is_ours: bool = False
    goes_by_clock: bool = False
    """Whether windows follow one another, the first from the sequence's start on, and each rate has
    a counter of its own."""


OURS = Way(is_ours=True)
OURS_IN_CACHES = Way(is_ours=True, goes_by_clock=True)


class Answer(NamedTuple):
    """What is said of limits, with times from the sequence's start."""

    status: int
    limit: int | None = None
    remaining: int | None = None
    wait: float | None = None
    reset: float | None = None


def told(step: Step) -> Answer:
    """Return the recorded answer."""
    return Answer(step["status"], *(step[n] for n in (LIMIT, REMAINING, WAIT, f"{RESET}_minus_t0")))


def status_of(step: Step) -> int:
    """Return what the view answers to a request, or would have if that had not been refused."""
    is_refused = step["status"] == 429 or step[WAIT] is not None
    if is_refused or (step["status"] == 500 and step[LIMIT] is None):
        return 404 if step.get("fail") else 200
    return int(step["status"])


class Counts:
    """The counters of one sequence."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self._windows: dict[Any, tuple[int, float]] = {}

    def answer(self, step: Step, route: Route | None) -> Answer:
        """Count a request; return what is answered to it."""
        if route is None:
            return Answer(404)
        if route.needs_user and "user" not in step:
            return Answer(401)
        return self._enter(step, route) or self._leave(step, route)

    def _enter(self, step: Step, route: Route) -> Answer | None:
        """Count what is counted when a request comes; return what refuses it."""
        for group in self._groups(route, step):
            if any(limit.number(step) == "" for limit in group):
                return Answer(500)
            refused = self._refused(group, step)
            if refused is not None:
                return refused
            for limit in group:
                if not limit.statuses:
                    self._add(limit, step)
        return None

    def _groups(self, route: Route, step: Step) -> list[list[Recorded]]:
        """Return limits that are asked together before one of them counts."""
        if self.way.is_ours:
            limits = [limit for limit in route.limits if limit.number(step) not in (None, "")]
            # Whatever counts answers is looked at before the others count.
            answers = [limit for limit in limits if limit.statuses]
            return [answers, [limit for limit in limits if not limit.statuses]]
        layers = [
            [limit for limit in layer if limit.number(step) is not None] for layer in route.layers
        ]
        return layers if self.way.looks_first else [[limit] for layer in layers for limit in layer]

    def _refused(self, group: Sequence[Recorded], step: Step) -> Answer | None:
        refusals = []
        added: Counter[Any] = Counter()
        for limit in group:
            count, end = self._window(limit, step)
            number = int(limit.number(step) or 0)
            if self.way.is_ours:
                added[self._place(limit, step)] += 1
                refuses = count + added[self._place(limit, step)] > number
            else:
                # Where nothing is counted yet, Laravel lets one pass, whatever the limit.
                refuses = count >= max(1, number)
            if refuses:
                refusals.append(Answer(429, number, 0, end - step["t"], end))
        if self.way.is_ours:
            return max(refusals, key=lambda refusal: refusal.reset, default=None)
        return next(iter(refusals), None)

    def _leave(self, step: Step, route: Route) -> Answer:
        """Count what is counted when it is answered; return the answer, with the tightest limit."""
        answer = Answer(status_of(step))
        # Each middleware adds its headers to what those inside of it have answered.
        layers = self._groups(route, step) if self.way.is_ours else [*reversed(route.layers)]
        for limit in (limit for layer in layers for limit in layer):
            number = limit.number(step)
            if not isinstance(number, int):
                continue
            if answer.status in limit.statuses:
                self._add(limit, step)
            remaining = number - self._window(limit, step)[0]
            if not self.way.goes_below_zero:
                remaining = max(0, remaining)
            if answer.remaining is None or remaining < answer.remaining:
                answer = Answer(answer.status, number, remaining)
        return answer

    def _place(self, limit: Recorded, step: Step) -> tuple[Any, ...]:
        """Return where a request is counted."""
        rate = (limit.number(step), limit.seconds) if self.way.goes_by_clock else ()
        return (limit.key, limit.who(step), *rate)

    def _window(self, limit: Recorded, step: Step) -> tuple[int, float]:
        """Return count and end of a counter's window, or of the one that would begin now."""
        now, length = step["t"], limit.seconds
        count, end = self._windows.get(self._place(limit, step), (0, 0))
        is_over = end < now if self.way.keeps_ends else end <= now
        if count and not is_over:
            return count, end
        return 0, (now // length + 1) * length if self.way.goes_by_clock else now + length

    def _add(self, limit: Recorded, step: Step) -> None:
        count, end = self._window(limit, step)
        self._windows[self._place(limit, step)] = (count + 1, end)
