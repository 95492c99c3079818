"""From the signals of tokens to the table.

A change (created, revoked, …) is written at once, so that it is rolled back with the transaction
that it belongs to. A refusal has to outlive the transaction that it ends: ``ATOMIC_REQUESTS`` rolls
back what a request wrote before its 401. So within a transaction a refusal waits, and is written
when Django says that the request is finished.

What happens to many tokens at once, such as their revocation, is written by one statement.
"""

from __future__ import annotations

import logging
from typing import Any

from asgiref.local import Local
from django.core.signals import request_finished, request_started
from django.db import connections, router, transaction

from connectnow_api.events import MALFORMED, REFUSALS, TokenEvent, batch_told, is_batch
from connectnow_api.outages import Outages
from connectnow_api.settings import api_settings
from connectnow_api.signals import TOKEN_SIGNALS

from .models import TokenAuditEntry

UID = "connectnow_api.audit"

_outages = Outages(logging.getLogger(__name__))

# One for each thread, as Django's connections are: whatever thread an ASGI server has a request's
# transaction in, its signals are received in the same one, also if the client has gone meanwhile.
_thread = Local(thread_critical=True)


def connect() -> None:
    """Begin to listen; twice is as good as once."""
    for signal in TOKEN_SIGNALS.values():
        signal.connect(record, dispatch_uid=UID)
    batch_told.connect(finish_batch, dispatch_uid=UID)
    request_started.connect(begin, dispatch_uid=UID)
    request_finished.connect(finish, dispatch_uid=UID)


def record(event: TokenEvent, **kwargs: Any) -> None:
    """Write an event, or let it wait for the end of its request.

    Not of what was no token: anybody may send that, and it never comes to the database otherwise.
    """
    if event.action not in api_settings.audit_actions or event.reason == MALFORMED:
        return
    entry = TokenAuditEntry.from_event(event)
    waiting = getattr(_thread, "waiting", None)
    if is_batch():
        _batch().append(entry)
    elif waiting is not None and event.action in REFUSALS and _is_in_transaction():
        waiting.append(entry)
    else:
        _write([entry])


def finish_batch(**kwargs: Any) -> None:
    """Write what was told of many tokens."""
    entries, _thread.batch = _batch(), []
    if entries:
        _write(entries)


def begin(**kwargs: Any) -> None:
    """Let refusals wait from now on: the end of a request will be told."""
    _thread.waiting = []


def finish(**kwargs: Any) -> None:
    """Write what waits."""
    waiting, _thread.waiting = getattr(_thread, "waiting", None), None
    if not waiting:
        return
    connection = connections[_database()]
    was_closed = connection.connection is None
    _write(waiting)
    if was_closed:
        # Django has closed what is not to be kept, and will not be asked again.
        connection.close_if_unusable_or_obsolete()


def _batch() -> list[TokenAuditEntry]:
    if not hasattr(_thread, "batch"):
        _thread.batch = []
    entries: list[TokenAuditEntry] = _thread.batch
    return entries


def _is_in_transaction() -> bool:
    return connections[_database()].in_atomic_block


def _write(entries: list[TokenAuditEntry]) -> None:
    """Insert entries, or log why that cannot be; the current transaction goes on either way."""
    database = _database()
    try:
        # A failure inside a transaction would otherwise be the end of it on PostgreSQL.
        with transaction.atomic(using=database):
            TokenAuditEntry.objects.using(database).bulk_create(entries)
    except Exception as exc:  # noqa: BLE001 - a request is worth more than its entry
        _outages.report("The audit table cannot be written", exc)


def _database() -> str:
    return router.db_for_write(TokenAuditEntry)
