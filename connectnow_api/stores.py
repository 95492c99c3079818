"""Databases and caches that cannot be used now: what tells that from a mistake of ours.

A server that is down, that refuses connections, that does not answer in time or has no room left
is none, and neither is a lock that another request holds: the same request may do later. A table
that is not there, or a statement that cannot be read, will be no better then.
"""

from __future__ import annotations

from django.db import Error, InterfaceError, OperationalError, ProgrammingError, connections

SOON, LATER = 1, 30
"""Seconds to wait: for a lock, for a server."""

POSTGRESQL_LOCKS = ("40001", "40P01", "55P03")
"""SQLSTATE: serialization failure, deadlock, lock not available."""
POSTGRESQL_OUTAGES = ("08", "25006", "25P03", "25P04", "53", "57", "58")
"""Beginnings of SQLSTATE: connections, a server that may only be read, time-outs of transactions,
no memory or room, statements cancelled and servers shut down by an operator, failing disks."""
MYSQL_LOCKS = frozenset({1205, 1213})
"""Error numbers: waited too long for a lock, deadlock."""
MYSQL_OUTAGES = frozenset(
    {
        *(1021, 1030, 1114),  # no room, a failing storage engine
        *(1040, 1203, 1226),  # too many connections
        *(1042, 1043, 1044, 1045, 1047, 1049, 1053, 1077, 1078, 1079, 1129, 1130),  # none to be had
        *(1158, 1159, 1160, 1161, 1184, 1927, 4031),  # lost on the way
        *(1290, 1792, 1836),  # may only be read
        *(1317, 1969, 3024),  # cancelled, or took too long
        *(2002, 2003, 2005, 2006, 2012, 2013, 2026, 2055),  # what the client says of all that
    }
)
SQLITE_LOCKS = frozenset({5, 6})
"""Primary result codes: SQLITE_BUSY, SQLITE_LOCKED."""
SQLITE_OUTAGES = frozenset({7, 8, 10, 13, 14, 15})
"""No memory, read only, failing disk, no room, cannot be opened, locking protocol."""

CACHE_OUTAGES = frozenset(
    {
        *(
            f"{library}.exceptions.{name}"
            for library in ("redis", "valkey")
            for name in (
                *("ConnectionError", "TimeoutError", "ReadOnlyError", "OutOfMemoryError"),
                *("ClusterDownError", "TryAgainError", "SlotNotCoveredError"),
            )
        ),
        "pymemcache.exceptions.MemcacheServerError",
        "pymemcache.exceptions.MemcacheUnexpectedCloseError",
        *("_pylibmc.ConnectionError", "_pylibmc.HostLookupError", "_pylibmc.ServerDown"),
    }
)
"""Dotted names of exceptions: none of these libraries need be installed."""
REDIS_REFUSALS = frozenset({"redis.exceptions.ResponseError", "valkey.exceptions.ResponseError"})
REDIS_OUTAGES = ("BUSY ", "MISCONF ", "NOREPLICAS ")
"""First words of refusals that have no exception of their own: a script is running, the disk or the
replicas are missing."""


def seconds_to_retry(exc: BaseException | None) -> int | None:
    """Return after how many seconds a request that ended in ``exc`` may be tried again.

    ``None``: never, since it says of no store that it cannot be used now. Python's own
    ``ConnectionError`` and ``TimeoutError`` do say so, whatever it was that did not answer.
    """
    if isinstance(exc, Error):
        return _of_database(exc)
    names = {f"{cls.__module__}.{cls.__qualname__}" for cls in type(exc).__mro__}
    is_refused = names & REDIS_REFUSALS and str(exc).startswith(REDIS_OUTAGES)
    is_lost = isinstance(exc, ConnectionError | TimeoutError)
    return LATER if is_lost or is_refused or names & CACHE_OUTAGES else None


def _of_database(exc: Error) -> int | None:
    if isinstance(exc, InterfaceError | ProgrammingError) and _was_lost_in_transaction():
        # Django's own words, and they differ, for whatever is asked after the first failure.
        return LATER
    cause = exc.__cause__
    sqlite_code: int | None = getattr(cause, "sqlite_errorcode", None)
    if sqlite_code is not None:
        # The other bits say more than we ask.
        return _one_of(sqlite_code & 0xFF, SQLITE_LOCKS, SQLITE_OUTAGES)
    if isinstance(number := next(iter(exc.args), None), int) and number:
        return _one_of(number, MYSQL_LOCKS, MYSQL_OUTAGES)
    state: str | None = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state is not None:
        return _one_of_states(state)
    # No code: what a driver says of its connection, or a database that we do not know.
    return LATER if isinstance(exc, InterfaceError | OperationalError) else None


def _one_of(code: int, locks: frozenset[int], outages: frozenset[int]) -> int | None:
    if code in locks:
        return SOON
    return LATER if code in outages else None


def _one_of_states(state: str) -> int | None:
    if state in POSTGRESQL_LOCKS:
        return SOON
    return LATER if state.startswith(POSTGRESQL_OUTAGES) else None


def _was_lost_in_transaction() -> bool:
    """Tell whether a connection broke within a transaction that is not ended yet."""
    return any(found.closed_in_transaction for found in connections.all(initialized_only=True))
