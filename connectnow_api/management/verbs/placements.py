"""Show how many tokens were sent in the header, the query and the body, day by day."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandParser

from connectnow_api.management.arguments import add_kind, number
from connectnow_api.management.console import Console
from connectnow_api.management.errors import VerbError
from connectnow_api.management.finding import get_kinds
from connectnow_api.placement_counts import DAYS, Count, counts
from connectnow_api.settings import api_settings

HEADER = ("DAY", "KIND", "PLACEMENT", "TOKENS")


def add_arguments(parser: CommandParser) -> None:
    """Declare how far to look back."""
    add_kind(parser, default="all kinds")
    parser.add_argument(
        "--days",
        type=number,
        default=30,
        metavar="DAYS",
        help=f"so many days, today included, at most {DAYS} (%(default)s)",
    )


def run(console: Console, options: dict[str, Any]) -> None:
    """Write what was counted; nothing is where nothing is counted."""
    if not api_settings.count_placements:
        console.remark('Nothing is counted: set CONNECTNOW_API["COUNT_PLACEMENTS"] = True.')
    kinds = [kind._meta.label for kind in get_kinds(options["kind"])]
    try:
        found = [*counts(kinds, options["days"])]
    except Exception as exc:
        # Each cache library has errors of its own.
        raise VerbError(f"The cache cannot be read: {exc}") from exc
    console.rows(found, Count._asdict, HEADER, _cells)


def _cells(count: Count) -> tuple[str, ...]:
    return (str(count.day), count.kind, count.placement, f"{count.number:,}")
