"""A client that does what the example's clients do, and notes what it was told."""

from __future__ import annotations

import itertools
import json
import math
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from .connections import (
    FORM,
    JSON,
    Answer,
    Connections,
    Cut,
    Unanswered,
    encode,
    encode_form,
    fits_a_form,
)
from .ledger import Key, State, Write

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
MAY_BE_THERE = {"contact", "desk_webhook"}
"""Kinds of which a 201 does not say that it has made the row."""
MOST = 30
"""Rows of a kind that a client keeps; beyond that it deletes more than it makes."""
Effect = Callable[[Answer | None], dict[Key, State | None]]


@dataclass(frozen=True)
class Person:
    """A user of the site, who asks the help desk for one of its clients."""

    id: int
    email: str
    client: str
    tokens: dict[str, str]
    """``valid``, ``read_only``, ``expired`` and ``revoked``."""


@dataclass(frozen=True)
class HelpDesk:
    """Rows of one client of the help desk that are there from the start and stay."""

    tickets: dict[int, int | None]
    """Ticket to whoever made it."""
    tags: list[int]
    teams: list[int]
    channels: dict[int, list[str]]
    """Channel to the addresses that its messages go to."""
    contacts: dict[str, State]
    """Addresses that several clients write from, and what is then known of them."""


@dataclass(frozen=True)
class Target:
    """The server, who asks it, and what is there."""

    host: str
    port: int
    people: list[tuple[Person, Person]]
    """Two for each client, of two clients of the help desk."""
    desks: dict[str, HelpDesk]
    issues: list[int]
    """Open issues that everybody may change, and nobody deletes."""
    categories: list[int]
    """What those issues may have."""
    chat_token: str


class Limited(NamedTuple):
    """A request to what answers five times a minute."""

    address: str
    asked: float
    answered: float
    """Both in seconds since 1970."""
    reset: int | None
    """When the window ends, of a request that was refused."""


@dataclass
class Report:
    """What a client saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Answers that a request must not get."""
    unanswered: list[str] = field(default_factory=list)
    """Requests that got no answer, though the client waited for one."""
    broken: Counter[str] = field(default_factory=Counter)
    """Requests that the client broke off on purpose."""
    limited: list[Limited] = field(default_factory=list)
    opened: int = 0
    reused: int = 0

    def add(self, other: Report) -> None:
        """Add what another client saw."""
        for name in ("statuses", "actions", "broken"):
            getattr(self, name).update(getattr(other, name))
        for name in ("seconds", "writes", "problems", "unanswered", "limited"):
            getattr(self, name).extend(getattr(other, name))
        self.opened += other.opened
        self.reused += other.reused


WORDS = [
    *("door", "stairs", "lamp", "Ärger", "naïve", "漢字", "🎈", "Привет", "O'Neill", '"quoted"'),
    *("<b>bold</b>", "a&b=c", "50%", "back\\slash", "semi;colon", "--", "${x}", "null", "0", "é́"),
]


class Caller:
    """Sends requests, checks that each answer is one that it may get, and writes the ledger."""

    def __init__(
        self, number: int, target: Target, seed: int, tolerated: frozenset[int] = frozenset()
    ) -> None:
        self.number, self.target, self.tolerated = number, target, tolerated
        self.rng = random.Random(f"{seed}-{number}")
        self.people = target.people[number]
        self.connections = Connections(target.host, target.port, number, self.rng)
        self.report = Report()
        self.fault = ""
        """How the next write is broken off: ``cut``, ``vanish`` or not at all."""
        self._numbers = itertools.count(1)
        self._requests = itertools.count(1)

    @property
    def sent(self) -> int:
        """How many requests were sent, whatever became of them."""
        return self.connections.opened + self.connections.reused

    # --- Texts --------------------------------------------------------------------------------

    def name(self) -> str:
        """Return a name that no other row has."""
        return f"soak {self.number}.{next(self._numbers)}"

    def words(self, most: int = 6) -> str:
        """Return some words, which may be odd ones."""
        return " ".join(self.rng.choices(WORDS, k=self.rng.randint(1, most)))

    def number_of(self, name: str) -> str:
        """Return the number of a name, for places that take no blank."""
        return name.removeprefix("soak ").replace(".", "-")

    # --- Requests -----------------------------------------------------------------------------

    def ask(
        self,
        method: str,
        path: str,
        expected: int | tuple[int, ...] = 200,
        *,
        person: Person | None = None,
        token: str | None = None,
        body: dict[str, Any] | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        fault: str = "",
    ) -> Answer:
        """Send a request by somebody and return the answer, whose status has to be expected.

        The token, the person's valid one unless another is given, is sent in any of the ways there
        are. ``fault``: how the request is broken off. Raises ``Unanswered`` and ``Cut``.
        """
        sent = {"Host": f"{self.target.host}:{self.target.port}", **headers}
        url = path
        if person and path.startswith("/api/v1/"):
            sent["Hs-Client-Id"] = person.client
        if person and (token := token or person.tokens["valid"]):
            url, body = self._place(method, path, token, body, sent)
        data = self._encode_body(body, sent) if method in UNSAFE else None
        request = encode(method, url, sent.items(), data)
        if fault:
            self._break_off(fault, request)
        return self.exchange(method, path, request, expected)

    def _place(
        self,
        method: str,
        path: str,
        token: str,
        body: dict[str, Any] | None,
        headers: dict[str, str],
    ) -> tuple[str, dict[str, Any] | None]:
        """Put a token into one of the three places; return the URL and the body."""
        parameter = "chat_user_token" if token.startswith("chat_") else "api_token"
        place = self.rng.choices(["header", "query", "body"], [6, 2, 2 * (method in UNSAFE)])[0]
        self.report.actions[f"token in the {place}"] += 1
        if place == "query":
            return f"{path}{'&' if '?' in path else '?'}{parameter}={token}", body
        if place == "body":
            return path, {**(body or {}), parameter: token}
        headers["Authorization"] = f"Bearer {token}"
        return path, body

    def _encode_body(self, body: dict[str, Any] | None, headers: dict[str, str]) -> bytes | None:
        if body is None:
            return None if self.rng.random() < 0.5 else b""
        if fits_a_form(body) and self.rng.random() < 0.3:
            headers["Content-Type"] = FORM
            self.report.actions["form"] += 1
            return encode_form(body)
        headers["Content-Type"] = JSON
        return json.dumps(body, ensure_ascii=self.rng.random() < 0.5).encode()

    def exchange(
        self, method: str, path: str, data: bytes, expected: int | tuple[int, ...]
    ) -> Answer:
        """Send the bytes of a request and return the answer. Raises ``Unanswered``."""
        start = time.perf_counter()
        try:
            answer = self.connections.exchange(method, data)
        except Unanswered as error:
            self.report.unanswered.append(f"{_route(method, path)}: {error}")
            raise
        self.report.seconds.append(time.perf_counter() - start)
        self.check(_route(method, path), answer, expected)
        return answer

    def send_raw(
        self, what: str, data: bytes, expected: int | tuple[int, ...], address: str | None = None
    ) -> Answer | None:
        """Send bytes on a connection of their own; return the answer, or ``None`` if none came."""
        try:
            answer = self.connections.send_raw(data, address)
        except Unanswered as error:
            self.report.unanswered.append(f"{what}: {error}")
            return None
        self.check(what, answer, expected)
        return answer

    def _break_off(self, fault: str, data: bytes) -> None:
        self.report.broken[fault] += 1
        if fault == "cut":
            self.connections.abandon(data[: self.rng.randrange(1, len(data))])
            raise Cut
        self.connections.abandon(data)
        raise Unanswered("nobody waited")

    def check(self, what: str, answer: Answer, expected: int | tuple[int, ...]) -> None:
        """Note an answer, and whether it is wrong. An error has to be JSON with a message."""
        self.report.statuses[answer.status] += 1
        if answer.status in self.tolerated:
            return
        allowed = (expected,) if isinstance(expected, int) else expected
        problem = ""
        if answer.status not in allowed:
            problem = f"{answer.status} instead of {expected}"
        elif answer.status >= 400:
            try:
                message = answer.json()["message"]
            except (ValueError, KeyError, TypeError) as error:
                message, problem = None, f"{answer.status} without a message: {error!r}"
            if message == "":
                problem = f"{answer.status} with an empty message"
        if problem:
            self.report.problems.append(f"{what}: {problem}: {answer.body[:200]!r}")

    def compare(self, what: str, answer: Answer, expected: Mapping[str, Any]) -> None:
        """Note whether a 200 shows something else than it has to."""
        if answer.status != 200:
            return
        found = data_of(answer)
        wrong = {name: found.get(name) for name in expected if found.get(name) != expected[name]}
        if wrong:
            self.report.problems.append(f"{what}: shows {wrong}, expected {expected}")

    # --- Writes -------------------------------------------------------------------------------

    def write(
        self,
        method: str,
        path: str,
        expected: int | tuple[int, ...],
        effect: Effect,
        *,
        refused: tuple[int, ...] = (),
        **options: Any,
    ) -> Answer | None:
        """Send a request that changes rows, and note what it makes of them.

        ``effect``: the rows afterwards, by the answer, or by ``None`` if none came. ``refused``:
        statuses that mean that nothing was done, and may come. Returns the answer if it was done,
        otherwise ``None``; then the rows may be what they were or not.
        """
        done = (expected,) if isinstance(expected, int) else expected
        request, begun = f"{self.number}/{next(self._requests)}", time.monotonic()
        fault, self.fault = self.fault, ""
        try:
            answer = self.ask(method, path, (*done, *refused), fault=fault, **options)
        except Cut:
            return None
        except Unanswered:
            self._note(effect(None), request, begun)
            return None
        if answer.status in done:
            self._note(effect(answer), request, begun, time.monotonic(), answer.status == 201)
            return answer
        if answer.status >= 500:
            self._note(effect(None), request, begun)
        return None

    def _note(
        self,
        rows: Mapping[Key, State | None],
        request: str,
        begun: float,
        ended: float = math.inf,
        made: bool = False,
    ) -> None:
        for key, state in rows.items():
            first = made and state is not None and key[0] not in MAY_BE_THERE
            self.report.writes.append(Write(key, state, request, begun, ended, first))


def find_exceeded(limited: Iterable[Limited], limit: int = 5, seconds: int = 60) -> list[str]:
    """Return the windows in which more than ``limit`` were let pass for sure.

    Windows are known by those who were refused. Those who asked around the end of one may belong
    to either.
    """
    by_address: dict[str, list[Limited]] = defaultdict(list)
    for request in limited:
        by_address[request.address].append(request)
    problems = []
    for address, requests in by_address.items():
        for end in sorted({r.reset for r in requests if r.reset is not None}):
            begin = end - seconds
            passed = [
                r for r in requests if r.reset is None and begin <= r.asked and r.answered < end
            ]
            if len(passed) > limit:
                problems.append(f"{len(passed)} of {limit} passed from {address} until {end}")
    return problems


def data_of(answer: Answer) -> dict[str, Any]:
    """Return the object in an answer of either dialect."""
    body = answer.json()
    return body.get("data", body)


def _route(method: str, path: str) -> str:
    """Return what was asked for, without a query: a token might be in it."""
    return f"{method} {path.partition('?')[0][:80]}"
