"""List tokens, of each kind the newest first; never a secret or a digest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from django.core.management import CommandParser
from django.db.models import Q

from connectnow_api.management.arguments import add_kind, days, number
from connectnow_api.management.batches import newest_first, write_last_uses
from connectnow_api.management.console import Console
from connectnow_api.management.errors import NotFoundError
from connectnow_api.management.finding import Kind, Rows, get_kinds, get_owner, owner_model, rows_of
from connectnow_api.management.rows import HEADER, describe, summarize


def add_arguments(parser: CommandParser) -> None:
    """Declare the filters, which combine."""
    add_kind(parser, default="all kinds")
    parser.add_argument("--owner", help="of this owner: a user's name, or a primary key")
    parser.add_argument(
        "--state",
        choices=["active", "expired", "revoked"],
        help="active, expired (or unused for too long), or revoked",
    )
    parser.add_argument(
        "--stale", type=days, metavar="DAYS", help="not used for so long, or never since issued"
    )
    parser.add_argument("--unused", action="store_true", help="never used")
    parser.add_argument("--search", metavar="TEXT", help="in name, client, owner, last characters")
    parser.add_argument("--limit", type=number, metavar="N", help="the first N of the list")


def run(console: Console, options: dict[str, Any]) -> None:
    """Write rows while they are read."""
    write_last_uses()
    limit: int | None = options["limit"]
    found = itertools.chain.from_iterable(
        itertools.chain.from_iterable(newest_first(_filtered(rows, options), limit))
        for rows in _rows(options)
    )
    limited = itertools.islice(found, limit)
    console.rows(limited, describe, HEADER, summarize)


def _rows(options: dict[str, Any]) -> list[Rows]:
    """Return the rows of each kind, of the owner if one is named."""
    kinds = get_kinds(options["kind"])
    if options["owner"] is None:
        return [rows_of(kind) for kind in kinds]
    found = list(_rows_of_owner(kinds, options["owner"]))
    if not found:
        # Asked once more, for its words.
        get_owner(kinds[0], options["owner"])
    return found


def _rows_of_owner(kinds: list[Kind], text: str) -> Iterator[Rows]:
    """Yield rows of those kinds of which somebody is called so."""
    for kind in kinds:
        try:
            owner = get_owner(kind, text)
        except NotFoundError:
            continue
        yield rows_of(kind).for_owner(owner)


def _filtered(rows: Rows, options: dict[str, Any]) -> Rows:
    states = {"active": rows.active, "expired": rows.expired, "revoked": rows.revoked}
    if options["state"]:
        rows = states[options["state"]]()
    if options["stale"] is not None:
        rows = rows.stale(options["stale"])
    if options["unused"]:
        rows = rows.unused()
    return rows.filter(_matches(rows, options["search"])) if options["search"] else rows


def _matches(rows: Rows, text: str) -> Q:
    found = Q(name__icontains=text) | Q(client__icontains=text) | Q(tail=text)
    username = getattr(owner_model(rows.model), "USERNAME_FIELD", None)
    return found | Q(**{f"owner__{username}__icontains": text}) if username else found
