"""Going through a table of any size, a batch at a time and without a lock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from django.db.models import QuerySet

from connectnow_api import last_used
from connectnow_api.settings import api_settings

from .errors import VerbError

RowT = TypeVar("RowT")

AT_ONCE = 500
"""How many rows are read by one query, unless told otherwise."""


def in_key_order(rows: QuerySet[Any, RowT], size: int = AT_ONCE) -> Iterator[list[RowT]]:
    """Yield rows by primary key, each batch read when it is asked for.

    The next batch begins behind the last key, so that rows may change or go meanwhile; rows that
    are no instances have to be the keys.
    """
    ordered = rows.order_by("pk")
    found = list(ordered[:size])
    while found:
        yield found
        last = getattr(found[-1], "pk", found[-1])
        found = list(ordered.filter(pk__gt=last)[:size]) if len(found) == size else []


def newest_first(
    rows: QuerySet[Any, RowT], limit: int | None, size: int = AT_ONCE
) -> Iterator[list[RowT]]:
    """Yield tokens of one kind, ``limit`` at most, each batch read when it is asked for.

    Keys may be random, and no index has the dates: so the table is sorted once, and only its keys
    are held.
    """
    keys = list(rows.order_by("-created_at", "-pk").values_list("pk", flat=True)[:limit])
    for start in range(0, len(keys), size):
        batch = keys[start : start + size]
        found = rows.in_bulk(batch)
        yield [found[key] for key in batch if key in found]


def write_last_uses() -> None:
    """Write all uses that wait in the cache: before they are, a token looks unused."""
    if api_settings.last_used != "cache":
        return
    try:
        while last_used.flush() >= last_used.AT_ONCE:
            pass
    except Exception as exc:
        # Each cache library has errors of its own.
        text = f"The uses of tokens that wait in the cache cannot be written: {exc}"
        raise VerbError(text) from exc
