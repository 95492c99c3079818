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


def in_key_order(
    rows: QuerySet[Any, RowT], size: int = AT_ONCE, *, newest_first: bool = False
) -> Iterator[list[RowT]]:
    """Yield rows by primary key, each batch read when it is asked for.

    The next batch begins behind the last key, so that rows may change or go meanwhile; rows that
    are no instances have to be the keys.
    """
    order, beyond = ("-pk", "pk__lt") if newest_first else ("pk", "pk__gt")
    ordered = rows.order_by(order)
    found = list(ordered[:size])
    while found:
        yield found
        last = getattr(found[-1], "pk", found[-1])
        found = list(ordered.filter(**{beyond: last})[:size]) if len(found) == size else []


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
