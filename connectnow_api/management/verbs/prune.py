"""Delete the rows of tokens that were revoked or expired long ago, in short transactions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.management import CommandParser
from django.db import OperationalError, connections, transaction
from django.db.models import F, Q
from django.db.models.signals import post_delete, pre_delete
from django.utils import timezone

from connectnow_api import events
from connectnow_api.management.arguments import (
    add_dry_run,
    add_kind,
    batch_size,
    days,
    seconds,
)
from connectnow_api.management.batches import in_key_order, write_last_uses
from connectnow_api.management.console import Console
from connectnow_api.management.errors import InterruptedVerbError
from connectnow_api.management.finding import Kind, Rows, get_kinds, rows_of
from connectnow_api.management.progress import Stop, stoppable
from connectnow_api.management.rows import how_many
from connectnow_api.states import is_expired

ATTEMPTS = 3


def add_arguments(parser: CommandParser) -> None:
    """Declare what is old, and how it is deleted."""
    add_kind(parser, default="all kinds")
    parser.add_argument(
        "--days",
        type=days,
        default=30,
        metavar="N",
        help="revoked, expired or unused for too long since N days (%(default)s)",
    )
    parser.add_argument(
        "--batch",
        type=batch_size,
        default=1000,
        metavar="ROWS",
        help="rows of one transaction (%(default)s)",
    )
    parser.add_argument(
        "--pause",
        type=seconds,
        default=0.0,
        metavar="SECONDS",
        help="wait between two transactions (%(default)s)",
    )
    add_dry_run(parser)


def run(console: Console, options: dict[str, Any]) -> None:
    """Delete, and tell how many of each kind went, whatever ends it."""
    write_last_uses()
    kinds = get_kinds(options["kind"])
    before = timezone.now() - timedelta(days=options["days"])
    counts = Counter({kind._meta.label: 0 for kind in kinds})
    with stoppable() as stop:
        try:
            for kind in kinds:
                rows = prunable(kind, before)
                if options["dry_run"]:
                    counts[kind._meta.label] = rows.count()
                elif not stop:
                    _prune(console, rows, options, stop, counts)
        finally:
            _tell(console, options, counts)
    if stop:
        raise InterruptedVerbError("Interrupted; the rest is left for the next time.")


def prunable(kind: Kind, before: datetime) -> Rows:
    """Return the tokens that have opened nothing since ``before``, for revocation or age."""
    rows: Rows = rows_of(kind).select_related(None)
    return rows.filter(Q(revoked_at__lte=before) | is_expired(before))


def _prune(
    console: Console, rows: Rows, options: dict[str, Any], stop: Stop, counts: Counter[str]
) -> None:
    label = rows.model._meta.label
    with console.progress(f"Pruning {label}", rows.count) as progress:
        for keys in in_key_order(rows.values_list("pk", flat=True), options["batch"]):
            deleted = delete_batch(rows, keys)
            counts[label] += len(deleted)
            with events.batch():
                for token in deleted:
                    events.emit_deleted(token)
            progress.advance(len(keys))
            # A short batch was the last one, and there is nothing to wait for.
            stop.wait(options["pause"] if len(keys) == options["batch"] else 0)
            if stop:
                return


def delete_batch(rows: Rows, keys: Sequence[Any]) -> list[Any]:
    """Delete those of ``rows`` that have these keys and return them, in one transaction.

    Rows that somebody else holds, and those that are no longer among ``rows``, stay.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return _delete_batch(rows, keys)
        except OperationalError:
            # Two that prune at once may each hold a token and want its successor's row.
            continue
    return _delete_batch(rows, keys)


def _delete_batch(rows: Rows, keys: Sequence[Any]) -> list[Any]:
    with transaction.atomic(using=rows.db):
        # What events tell of a token is all that is needed of it. Without an order the database
        # may return the rows, and so the events, in any.
        told = _locked(rows.filter(pk__in=keys)).only("name", "owner", "digest").order_by("pk")
        found = list(told)
        _delete(rows, [token.pk for token in found])
    return found


def _delete(rows: Rows, keys: Sequence[Any]) -> None:
    same: Any = rows.model._base_manager.using(rows.db)
    if _has_dependents(rows.model):
        same.filter(pk__in=keys).delete()
        return
    # What Django's delete() would do here too, in two statements instead of one for each hundred
    # rows, and without reading them all once more: locks are held several times shorter.
    same.filter(rotated_from__in=keys).update(rotated_from=None)
    same.filter(pk__in=keys)._raw_delete(rows.db)


def _has_dependents(kind: Kind) -> bool:
    """Tell whether a project has something of its own that follows the deletion of a token."""
    meta: Any = kind._meta
    pointers = [
        field
        for field in meta.get_fields(include_hidden=True)
        if field.auto_created and not field.concrete and field.field.name != "rotated_from"
    ]
    is_heard = pre_delete.has_listeners(kind) or post_delete.has_listeners(kind)
    return is_heard or bool(pointers or meta.parents or meta.private_fields)


def _locked(rows: Rows) -> Rows:
    """Return rows that nobody else can change until the transaction ends."""
    features = connections[rows.db].features
    if features.has_select_for_update:
        return rows.select_for_update(skip_locked=features.has_select_for_update_skip_locked)
    # SQLite knows one writer at a time, who has to say so before reading.
    rows.update(revoked_at=F("revoked_at"))
    return rows


def _tell(console: Console, options: dict[str, Any], counts: Counter[str]) -> None:
    word = "would be deleted" if options["dry_run"] else "deleted"
    lines = [f"{label}: {how_many(count)} {word}." for label, count in counts.items()]
    console.result(
        "\n".join(lines),
        {"pruned": dict(counts), "total": counts.total(), "dry_run": options["dry_run"]},
    )
