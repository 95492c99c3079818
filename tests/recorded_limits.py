"""Recorded sequences of requests to limited routes of Laravel: what limited them, and how to ask.

What a route was limited by is read from its middleware. A limiter that is only named is what its
description says, or what its answers tell: of all the limits that it could have had those are
taken with which Laravel's way of counting gives the recorded answers. What none of them explains,
and what comes after that, is not compared.

A method that a view lacks is counted like any other, where Laravel looks for a route first; so what
Laravel has found no route for is not asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations, product
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from tests.laravel_limits import (
    LIMIT,
    REMAINING,
    RESET,
    WAIT,
    Counts,
    Number,
    Recorded,
    Route,
    Step,
    Way,
    status_of,
    told,
)

NAMES = (LIMIT, REMAINING, WAIT, RESET)
REFUSED = {"message": "Too Many Attempts."}
WAYS = {
    "8.83": ("steps", Way(keeps_ends=True, goes_below_zero=True)),
    "8.83-file": ("laravel_8_file_store_steps", Way(goes_below_zero=True)),
    "12.67": ("laravel_12_steps", Way()),
    "13": ("laravel_13_steps", Way(looks_first=True)),
}
"""Where the steps of each version are, and how that counts; 8.83 with a store for tests, too."""

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
DESCRIBED = re.compile(r"(\d+) (?:an?|per|each|every) (?:(\d+) )?(second|minute|hour|day)s?\b")
CALLED = re.compile(r"per(Second|Minute|Hour|Day)(s?)\((\d+)(?:, ?(\d+))?\)")
UNSAID = (60, 1, 3600, 86400)
"""The lengths that a limit may have of which no refusal tells how long it was."""

Case = dict[str, Any]
Paths = dict[str | None, Route]


# What there is to be compared.


class Recording(NamedTuple):
    """The requests of one recording in one version, and what limited them."""

    start: int
    steps: list[Step]
    paths: Paths
    """What limits each path; ``None`` is the path of a sequence that names none."""
    explained: int
    """How many of the steps Laravel's way of counting explains."""
    is_named: bool

    def route(self, step: Step) -> Route | None:
        return self.paths.get(step.get("path"))

    @property
    def has_whole_seconds(self) -> bool:
        limits = [limit for route in self.paths.values() for limit in route.limits]
        return all(limit.seconds >= 1 and limit.seconds % 1 == 0 for limit in limits)


def steps_of(case: Case) -> dict[str, list[Step]]:
    """Return the steps of each version that has any."""
    only = str(case.get("only_in", ""))
    found = {version: case[name] for version, (name, _way) in WAYS.items() if name in case}
    if only.startswith("12"):
        found.setdefault("12.67", found.pop("8.83", []))
    if not only and case.get("laravel_12_same", True):
        found.setdefault("12.67", found["8.83"])
    return {version: steps for version, steps in found.items() if steps}


def read(case: Case, version: str) -> Recording:
    """Return what is to be asked, and the limits that explain most of the answers."""
    _name, way = WAYS[version]
    steps = [step for step in steps_of(case)[version] if has_route(step)]
    best: tuple[int, Paths] = (-1, {})
    is_named = False
    for paths, is_named in readings(case, steps):
        explained = count_explained(steps, paths, way, is_named=is_named)
        if explained > best[0]:
            best = (explained, paths)
        if explained == len(steps):
            break
    return Recording(case["t0_unix"], steps, best[1], best[0], is_named)


def has_route(step: Step) -> bool:
    is_answered_for_it = step.get("method") == "OPTIONS" and step[LIMIT] is None
    return step["status"] != 405 and not is_answered_for_it


def count_explained(steps: list[Step], paths: Paths, way: Way, *, is_named: bool) -> int:
    """Return how many steps come out, the first ones, if these were the limits.

    A limiter with a name may have answered to what it refused with whatever it liked.
    """
    counts = Counts(way)
    for number, step in enumerate(steps):
        said, recorded = counts.answer(step, paths.get(step.get("path"))), told(step)
        is_own = is_named and said.wait is not None and recorded[1:] in (said[1:], (None,) * 4)
        if said != recorded and not is_own:
            return number
    return len(steps)


# What limited the recorded routes.


def readings(case: Case, steps: list[Step]) -> Iterator[tuple[Paths, bool]]:
    """Yield what the limits of each path may have been, and whether any of them had a name."""
    found = case["middleware"]
    by_path = found["paths"] if isinstance(found, dict) else {None: found}
    listed = {path: [m] if isinstance(m, str) else m or [] for path, m in by_path.items()}
    texts = {
        path: [name.partition(":")[2] for name in names if name.partition(":")[0] == "throttle"]
        for path, names in listed.items()
    }
    words = dict.fromkeys(text for each in texts.values() for text in each if is_name(text))
    told_by = {
        word: [step for step in steps if word in texts.get(step.get("path"), ())] for word in words
    }
    candidates = [named(word, case["description"], told_by[word]) for word in words]
    for chosen in product(*candidates):
        layers = dict(zip(words, chosen, strict=True))
        yield (
            {
                path: Route(
                    [
                        layers[text] if text in words else [unnamed(text, of(steps, path))]
                        for text in texts[path]
                    ],
                    any(name.partition(":")[0] == "auth" for name in names),
                )
                for path, names in listed.items()
            },
            bool(words),
        )


def of(steps: list[Step], path: str | None) -> list[Step]:
    return [step for step in steps if step.get("path") == path]


def is_name(text: str) -> bool:
    """Tell whether a middleware has one parameter that is no number of requests."""
    return bool(text) and "," not in text and "|" not in text and not is_number(text)


def is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]+", text) is not None


def unnamed(text: str, steps: list[Step]) -> Recorded:
    """Return what ``throttle:5,1``, ``throttle:1|2,1,prefix`` or ``throttle:attribute,1`` says."""
    limit, minutes, prefix = (
        given or default
        for given, default in zip([*text.split(","), "", ""], ("60", "1", ""), strict=False)
    )
    guests, has_two, users = limit.partition("|")
    users = users if has_two else guests
    return Recorded(
        key=f"unnamed {prefix}",
        guests=int(guests) if is_number(guests) else lacking(steps),
        users=int(users) if is_number(users) else lacking(steps),
        seconds=float(minutes) * 60,
        own={} if is_number(users) else own_limits(steps),
        attribute="" if is_number(users) else users,
    )


def lacking(steps: list[Step]) -> Number:
    """Return the limit of whoever lacks an attribute: none in Laravel 8, a mistake later."""
    return "" if is_missing(steps) else 0


def is_missing(steps: list[Step]) -> bool:
    return any(step["status"] == 500 and step[LIMIT] is None for step in steps)


def own_limits(steps: list[Step]) -> dict[int, Number]:
    """Return the limit that each user was told first."""
    users = dict.fromkeys(step["user"] for step in steps if "user" in step)
    first = {
        user: next(iter(told_limits(s for s in steps if s.get("user") == user)), None)
        for user in users
    }
    return {user: limit for user, limit in first.items() if limit is not None}


def told_limits(steps: Iterable[Step]) -> list[int]:
    """Return the different limits that were told, the first one first."""
    return list(dict.fromkeys(step[LIMIT] for step in steps if step[LIMIT] is not None))


def named(name: str, description: str, steps: list[Step]) -> list[list[Recorded]]:
    """Return what a limiter may have been, the likeliest first; at last, an attribute of users."""
    found = []
    for limits in shapes(description, steps):
        apart = [limit._replace(key=f"{name} {n}") for n, limit in enumerate(limits)]
        together = [[limit._replace(key=name) for limit in limits]] if len(limits) > 1 else []
        for keyed in (apart, *together):
            found += [
                [
                    limit._replace(by=by, statuses=counted)
                    for limit, counted in zip(keyed, answers, strict=True)
                ]
                for answers in product(counted_answers(steps), repeat=len(keyed))
                for by in ("user", "everybody", "address", "account")
            ]
    return [*found, [unnamed(f"{name},1", steps)]]


def shapes(description: str, steps: list[Step]) -> Iterator[Sequence[Recorded]]:
    """Yield the limits that a limiter may have had: those described, the one told, those told."""
    described = [
        Recorded("", limit, limit, seconds) for limit, seconds in described_in(description)
    ]
    if described:
        yield from permutations(described)
    guests = [step for step in steps if "user" not in step]
    own = own_limits(steps)
    mistake = "" if is_missing(steps) else None
    for_guests = next(iter(told_limits(guests)), mistake)
    for seconds in lengths(steps):
        yield [Recorded("", for_guests, mistake, seconds, own=own)]
    limits = told_limits(steps)
    if 1 < len(limits) <= 3:
        possible = [
            [Recorded("", limit, limit, seconds) for seconds in lengths(steps, limit)]
            for limit in limits
        ]
        for found in product(*possible):
            yield from permutations(found)


def described_in(text: str) -> Iterator[tuple[int, float]]:
    """Yield limits and seconds of "5 a minute" and ``perMinutes(10, 5)``."""
    for limit, number, unit in DESCRIBED.findall(text):
        yield int(limit), int(number or 1) * SECONDS[unit]
    for unit, has_length_first, first, second in CALLED.findall(text):
        limit, number = (second, first) if has_length_first else (first, second)
        yield int(limit or 1), int(number or 1) * SECONDS[unit.lower()]


def lengths(steps: list[Step], limit: int | None = None) -> list[float]:
    """Return how long a window may have been: until it was told to end, from a request before."""
    ends = {
        (number, step[f"{RESET}_minus_t0"])
        for number, step in enumerate(steps)
        if step[WAIT] is not None and limit in (None, step[LIMIT])
    }
    found = {end - step["t"] for number, end in ends for step in steps[:number]} - {0}
    usual = [length for length in UNSAID if length in found]
    return [*usual, *sorted(found.difference(usual), reverse=True)] or [*UNSAID]


def counted_answers(steps: list[Step]) -> list[tuple[int, ...]]:
    """Return what may have counted: all requests, or if some were not, answers of some statuses."""
    passed = [step for step in steps if step[LIMIT] is not None and step[WAIT] is None]
    if not any(step[LIMIT] == step[REMAINING] > 0 for step in passed):
        return [()]
    statuses = sorted({step["status"] for step in passed})
    failed = tuple(status for status in statuses if status >= 400)
    return [(), *((status,) for status in statuses), failed, NONE_OF_THESE]


NONE_OF_THESE = (0,)
"""The statuses of answers that nobody was given."""


# The same route in our words.


class Signed(BaseAuthentication):
    """The user that a header names, with the attributes that the view knows of."""

    def authenticate(self, request: Any) -> Any:
        key = request.headers.get("X-User")
        if key is None:
            return None
        user = User(pk=int(key))
        for limit in request.parser_context["view"].recorded:
            number = limit.own.get(user.pk)
            if limit.attribute and number is not None:
                setattr(user, limit.attribute, rate_of(limit, number))
        return user, None

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


class View(APIView):
    """Answers with the status that a header names."""

    authentication_classes = [Signed]
    permission_classes: Any = ()
    recorded: Sequence[Recorded] = ()

    def get(self, request: Any) -> Response:
        status = int(request.headers["X-Status"])
        if status < 400:
            return Response({}, status)
        refused = APIException()
        refused.status_code = status
        raise refused

    post = put = patch = delete = get


def view_of(route: Route, throttles: list[Any]) -> Any:
    attributes = {
        "recorded": route.limits,
        "throttle_classes": throttles,
        "permission_classes": [IsAuthenticated] if route.needs_user else (),
    }
    return type("Routed", (View,), attributes).as_view()


def rate_of(limit: Recorded, number: Number) -> str | None:
    return f"{number}/{limit.seconds:.0f}s" if isinstance(number, int) else number


def account_of(request: Any) -> str:
    """Return the user, or one asker for all guests."""
    return str(request.user.pk)


BY = {"user": "user", "everybody": "everybody", "address": "address", "account": account_of}
"""Our names for whom Laravel's limits tell apart."""


def address_of(path: str | None) -> str:
    return f"flat{path or '/t'}"


def send(client: APIClient, step: Step) -> Any:
    user = {"x-user": str(step["user"])} if "user" in step else {}
    return client.generic(
        step.get("method", "GET"),
        f"/{address_of(step.get('path'))}",
        REMOTE_ADDR=step.get("ip", "127.0.0.1"),
        headers={"x-status": str(status_of(step)), **user},
    )


# What comes back.


def headers_of(response: Any, start: int) -> dict[str, int]:
    """Return what a response says of limits, with times from the sequence's start."""
    found = {name: int(response[name]) for name in NAMES if name in response}
    return {name: value - start if name == RESET else value for name, value in found.items()}


def assert_body(response: Any, step: Step) -> None:
    """Assert that a refusal says what it has to."""
    if response.status_code == 429:
        assert response["Cache-Control"] == "no-store"
        assert response["Content-Type"] == "application/json"
        assert step.get("method") == "HEAD" or response.json() == REFUSED
