"""Let counters of a limit begin anew: those of one who is named or, on Redis, all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management import CommandParser

from connectnow_api.engines import get_engine
from connectnow_api.management.console import Console
from connectnow_api.management.errors import UsageError
from connectnow_api.management.limited import (
    Options,
    add_limit,
    counters_for,
    find_limits,
    names_somebody,
    remark_on_counting,
    store_errors,
)
from connectnow_api.management.tables import printable
from connectnow_api.site_limits import SiteLimit

from .show import in_batches, standings


def add_arguments(parser: CommandParser) -> None:
    """Declare which limit, and of whom."""
    add_limit(parser)
    parser.add_argument("--all", action="store_true", help="of all who asked")
    parser.add_argument("--no-input", action="store_true", help="do not ask before --all is done")


def run(console: Console, options: dict[str, Any]) -> None:
    """Reset, and say how many counters that were."""
    found = find_limits(options["name"])
    if options["all"] == names_somebody(options):
        raise UsageError("Name who asks, as by --user or --address, or say --all.")
    remark_on_counting(console)
    if options["all"]:
        _reset_all(console, found[0], options)
    else:
        _reset_one(console, found, options)


def _reset_one(console: Console, found: Sequence[SiteLimit], options: Options) -> None:
    standing = standings(counters_for(found, options))
    with store_errors():
        get_engine().reset([each.counter for each in standing])
    if not any(each.counted for each in standing):
        console.remark("Nothing was counted of them: is that who a request is counted for?")
    lines = [f"{each.counted} of {each.counter.rate} forgotten." for each in standing]
    _tell(console, options, len(standing), lines)


def _reset_all(console: Console, limit: SiteLimit, options: Options) -> None:
    name = printable(limit.limiter.name)
    batches = [*in_batches(limit, options)]
    if batches and not options["no_input"]:
        what = f"all {sum(map(len, batches)):,} counters of the limit {name!r}"
        console.confirm(
            f"Reset {what}?",
            unasked=f"This resets {what}. Say --no-input.",
            declined="Nothing was reset.",
        )
    with store_errors():
        for batch in batches:
            get_engine().reset(batch)
    _tell(console, options, sum(map(len, batches)), [])


def _tell(console: Console, options: Options, number: int, lines: Sequence[str]) -> None:
    counters = "1 counter" if number == 1 else f"{number:,} counters"
    text = f"{counters} of the limit {printable(options['name'])} reset."
    console.result("\n".join([text, *lines]), {"limit": options["name"], "reset": number})
