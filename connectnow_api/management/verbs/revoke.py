"""Revoke tokens: those that are named, or all of an owner, or all that are stale."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandParser

from connectnow_api.management.arguments import add_dry_run, add_kind, days
from connectnow_api.management.batches import in_key_order, write_last_uses
from connectnow_api.management.console import Console
from connectnow_api.management.errors import InterruptedVerbError, UsageError
from connectnow_api.management.finding import Rows, get_kind, get_owner, get_tokens, rows_of
from connectnow_api.management.progress import stoppable
from connectnow_api.management.rows import how_many
from connectnow_api.managers import revoke_rows
from connectnow_api.states import is_standing


def add_arguments(parser: CommandParser) -> None:
    """Declare which tokens."""
    parser.add_argument(
        "token", nargs="*", help="an id, app.Model:id, or - to read a token from stdin"
    )
    add_kind(parser)
    parser.add_argument("--owner", help="all of this owner: a user's name, or a primary key")
    parser.add_argument(
        "--stale", type=days, metavar="DAYS", help="all not used for so long; with --owner, of it"
    )
    parser.add_argument(
        "--yes", action="store_true", help="do not ask before --owner or --stale is done"
    )
    add_dry_run(parser)


def run(console: Console, options: dict[str, Any]) -> None:
    """Revoke those that are not revoked yet; a token that is revoked already is no error."""
    is_choice = options["owner"] is not None or options["stale"] is not None
    if is_choice == bool(options["token"]):
        raise UsageError("Name tokens, or choose them by --owner or --stale.")
    if is_choice:
        _revoke_chosen(console, _chosen(options), options)
    else:
        _revoke_named(console, options)


def _revoke_named(console: Console, options: dict[str, Any]) -> None:
    found = [*dict.fromkeys(get_tokens(options["token"], options["kind"]))]
    if options["dry_run"]:
        revoked = sum(token.state != "revoked" for token in found)
    else:
        revoked = sum(token.revoke() for token in found)
    _tell(console, options, revoked, len(found) - revoked)


def _chosen(options: dict[str, Any]) -> Rows:
    kind = get_kind(options["kind"])
    rows = rows_of(kind).filter(is_standing())
    if options["owner"] is not None:
        rows = rows.for_owner(get_owner(kind, options["owner"]))
    if options["stale"] is not None:
        write_last_uses()
        rows = rows.stale(options["stale"])
    return rows


def _revoke_chosen(console: Console, rows: Rows, options: dict[str, Any]) -> None:
    total = rows.count()
    if options["dry_run"] or not total:
        _tell(console, options, total)
        return
    if not options["yes"]:
        what = f"{how_many(total)} of the kind {rows.model._meta.label}"
        console.confirm(
            f"Revoke {what}?",
            unasked=f"This revokes {what}. Say --yes, or --dry-run to try.",
            declined="Nothing was revoked.",
        )
    revoked = 0
    with stoppable() as stop, console.progress("Revoking", lambda: total) as progress:
        for batch in in_key_order(rows):
            revoked += len(revoke_rows(batch))
            progress.advance(len(batch))
            if stop:
                break
    _tell(console, options, revoked)
    if stop:
        raise InterruptedVerbError(f"Interrupted: {how_many(total - revoked)} may be left.")


def _tell(console: Console, options: dict[str, Any], revoked: int, unchanged: int = 0) -> None:
    word = "would be revoked" if options["dry_run"] else "revoked"
    before = f", {unchanged} revoked before" if unchanged else ""
    console.result(
        f"{how_many(revoked)} {word}{before}.",
        {"revoked": revoked, "unchanged": unchanged, "dry_run": options["dry_run"]},
    )
