"""Show what a limit has counted, of one who is named or, on Redis, of those who asked most."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple

from django.core.management import CommandParser

from connectnow_api.engines import Counter, Usage
from connectnow_api.management.arguments import number
from connectnow_api.management.console import Console
from connectnow_api.management.limited import (
    Options,
    add_limit,
    ask,
    counters_for,
    enumerate_counters,
    find_limits,
    names_somebody,
    remark_on_counting,
)
from connectnow_api.site_limits import SiteLimit

HEADER = ("RATE", "WINDOW", "LIMIT", "COUNTED", "REMAINING", "RESET")
AT_ONCE = 500
SHOWN_DIGITS = 8
"""How much is shown of who asks, as in the log."""


class Standing(NamedTuple):
    """A counter and how it stands."""

    counter: Counter
    usage: Usage

    @property
    def counted(self) -> int:
        """What it has counted."""
        return self.usage.hits

    @property
    def asker(self) -> str:
        """What is shown of who asks: neither an address nor a token."""
        return self.counter.asker[:SHOWN_DIGITS]


def add_arguments(parser: CommandParser) -> None:
    """Declare which limit, and of whom."""
    add_limit(parser)
    parser.add_argument(
        "--top",
        type=number,
        default=20,
        metavar="N",
        help="of all who asked the N that were counted most (%(default)s)",
    )


def run(console: Console, options: dict[str, Any]) -> None:
    """Write a line for each counter."""
    found = find_limits(options["name"])
    remark_on_counting(console)
    if names_somebody(options):
        counters = counters_for(found, options)
        if not counters:
            console.remark("They may ask as often as they like.")
        console.rows(standings(counters), _describe, HEADER, _cells)
    else:
        _show_all(console, found[0], options)


def _show_all(console: Console, limit: SiteLimit, options: Options) -> None:
    counted = itertools.chain.from_iterable(map(standings, in_batches(limit, options)))
    top = heapq.nlargest(options["top"], counted, key=attrgetter("counted"))
    console.rows(
        top,
        lambda standing: {"asker": standing.asker, **_describe(standing)},
        ("ASKER", *HEADER),
        lambda standing: (standing.asker, *_cells(standing)),
    )


def in_batches(limit: SiteLimit, options: Options) -> Iterator[list[Counter]]:
    """Yield all counters of a limit that the store can name, so many at a time."""
    counters = enumerate_counters(limit, options)
    while batch := [*itertools.islice(counters, AT_ONCE)]:
        yield batch


def standings(counters: list[Counter]) -> list[Standing]:
    """Return how counters stand; raise ``VerbError`` if that cannot be told."""
    return [Standing(*pair) for pair in zip(counters, ask(counters), strict=True)]


def _describe(standing: Standing) -> dict[str, Any]:
    usage = standing.usage
    return {
        "rate": str(standing.counter.rate),
        "window": standing.counter.window,
        "limit": usage.limit,
        "counted": usage.hits,
        "remaining": usage.remaining,
        "reset": datetime.fromtimestamp(usage.reset, UTC) if usage.hits else None,
    }


def _cells(standing: Standing) -> tuple[str, ...]:
    shown = _describe(standing)
    reset = shown.pop("reset")
    return (*map(str, shown.values()), f"{reset:%Y-%m-%dT%H:%M:%SZ}" if reset else "-")
