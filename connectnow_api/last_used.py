"""When a token was last used: one conditional write per token and interval, or none.

``LAST_USED`` is ``"database"`` (one UPDATE within the request), ``"cache"`` (uses wait in Django's
default cache, and once in an interval one request writes them all) or ``"off"``. Tokens with an
idle timeout wait in no cache: what a token's end depends on is not left to one. Whatever goes wrong
here is logged, and fails no request.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.apps import apps
from django.core.cache import cache
from django.db import connections, router, transaction
from django.db.models import Q
from django.utils import timezone

from . import tokens
from .addresses import Address, find_address
from .outages import Outages
from .settings import api_settings

KEY = "connectnow_api.last_used"
HEAD, TAIL, FLUSHED = f"{KEY}.head", f"{KEY}.tail", f"{KEY}.flushed"
"""The number of the newest use that waits, of the newest that was written, and when that was."""
KEPT = 24 * 60 * 60
"""Seconds for which a use waits in the cache to be written."""
AT_ONCE = 500
"""How many uses one request writes at the most."""
ROUNDS = 20
"""How often that much is written for a page that asks who was unused."""

_outages = Outages(logging.getLogger(__name__))


def record(token: Any, request: Any) -> None:
    """Note that ``token`` is used by ``request``, unless that was noted within the interval."""
    mode, now = api_settings.last_used, timezone.now()
    due = now - api_settings.last_used_interval
    if mode == "off" or (token.last_used_at is not None and token.last_used_at > due):
        return
    address = _text(find_address(request)) if api_settings.last_used_address else None
    if mode == "cache" and token.idle_timeout is None:
        _attempt(lambda: _keep(token, now, address))
    else:
        kind = type(token)
        _after_request(kind, lambda: _write(kind, token.pk, due, now, address))


def _attempt(work: Callable[[], object]) -> None:
    """Do what may fail, and log it if it does."""
    try:
        work()
    except Exception as exc:  # noqa: BLE001 - each database and cache has errors of its own
        _outages.report("The last use of a token cannot be kept", exc)


def _after_request(kind: type[Any], work: Callable[[], object]) -> None:
    """Write now; under ``ATOMIC_REQUESTS`` once the request's transaction is committed.

    Within it a slow request would hold the row's lock, and a revocation would have to wait for it.
    """
    database = router.db_for_write(kind)
    connection = connections[database]
    if connection.settings_dict["ATOMIC_REQUESTS"] and connection.in_atomic_block:
        transaction.on_commit(lambda: _attempt(work), using=database)
    else:
        _attempt(work)


def _text(address: Address | None) -> str | None:
    """Return an address as a column may hold it: without the interface of a link-local one."""
    return None if address is None else str(address).partition("%")[0]


def _write(kind: Any, key: Any, due: datetime, now: datetime, address: str | None) -> None:
    """Write a use, unless a later one than ``due`` is written."""
    database = router.db_for_write(kind)
    due_rows = (
        kind._base_manager.using(database)
        .filter(pk=key)
        .filter(Q(last_used_at=None) | Q(last_used_at__lte=due))
    )
    values = {"last_used_at": now, **({"last_used_address": address} if address else {})}
    can_skip = connections[database].features.has_select_for_update_skip_locked
    # What fails in it breaks no transaction around it.
    with transaction.atomic(using=database):
        # Another request that writes the same may hold the row for as long as it takes.
        if not can_skip or due_rows.select_for_update(skip_locked=True).values("pk"):
            due_rows.update(**values)


def _keep(token: Any, now: datetime, address: str | None) -> None:
    """Let a use wait in the cache, and write what waits if nobody did for an interval."""
    interval = max(1, math.ceil(api_settings.last_used_interval.total_seconds()))
    kind = token._meta.label
    if not cache.add(f"{KEY}.of.{tokens.digest(f'{kind}:{token.pk}')}", 1, interval):
        return
    cache.add(HEAD, 0, None)
    cache.set(_key(cache.incr(HEAD)), (kind, token.pk, now, address), KEPT)
    if cache.add(FLUSHED, 1, interval):
        _after_request(type(token), flush)


def _key(number: int) -> str:
    return f"{KEY}.{number}"


def flush() -> int:
    """Write the uses that wait in the cache, up to ``AT_ONCE`` of them; return how many."""
    head, tail = cache.get(HEAD) or 0, cache.get(TAIL) or 0
    # A cache that forgot the head counts from zero again.
    first = tail + 1 if tail <= head else 1
    keys = [_key(number) for number in range(first, min(head, first + AT_ONCE - 1) + 1)]
    cache.set(TAIL, first + len(keys) - 1, None)
    uses = cache.get_many(keys)
    cache.delete_many(keys)
    for use in uses.values():
        _attempt(partial(_write_kept, *use))
    if first + len(keys) <= head:
        cache.delete(FLUSHED)
    return len(keys)


def catch_up() -> None:
    """Write what waits in the cache, if it answers: before that is written, tokens look unused."""
    if api_settings.last_used == "cache":
        _attempt(lambda: any(flush() < AT_ONCE for _round in range(ROUNDS)))


def _write_kept(kind: str, key: Any, now: datetime, address: str | None) -> None:
    _write(apps.get_model(kind), key, now, now, address)
