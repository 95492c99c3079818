"""Counters on the storages of the package ``limits``: Redis, memcached and others, by URI.

On Redis, in a cluster too, and Valkey all counters of a request are asked and added to by one
script, ``count.lua``: one round trip, and nothing is counted that is refused. On others ``limits``
counts, and looking and adding are two steps.

Fixed windows start with the first request, as Laravel's do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import groupby
from operator import attrgetter
from typing import Any

from limits.storage import MemoryStorage, RedisStorage, Storage, storage_from_string

from .counting import FIXED, MOVING, SLIDING, WINDOWS, Counter, Engine, Usage, weigh
from .memory import MemoryEngine

PREFIX = "connectnow_api"
TIME_OUTS: Mapping[str, Mapping[str, float]] = {
    "redis": {"socket_connect_timeout": 1, "socket_timeout": 1},
    "valkey": {"socket_connect_timeout": 1, "socket_timeout": 1},
    "memcached": {"connect_timeout": 1, "timeout": 1},
}
"""Start of a URI to what no request waits longer for, in seconds, unless the options say more."""


def connect(uri: str, options: Mapping[str, Any]) -> Engine:
    """Return an engine for a storage of ``limits``; only of a cluster are the nodes asked for now.

    ``options`` are those of the storage, and ``key_prefix``: what all keys begin with, to be chosen
    where several sites share a server.
    Raises ``limits.errors.ConfigurationError`` for a URI that it does not know, or whose library is
    not installed.
    """
    kind = next((kind for kind in TIME_OUTS if uri.startswith(kind)), "")
    given = {**TIME_OUTS.get(kind, {}), **options}
    prefix = given.pop("key_prefix", PREFIX)
    storage = storage_from_string(uri, **given)
    if isinstance(storage, MemoryStorage):
        return MemoryEngine()
    if isinstance(storage, RedisStorage):
        return RedisEngine(storage, prefix)
    if not isinstance(storage, Storage):
        raise TypeError(f"{uri.partition(':')[0]} is a storage for asynchronous code.")
    return LimitsEngine(storage, prefix)


class RedisEngine:
    """One script for all counters of a request.

    ``clock`` returns seconds since 1970; unless given, the server's own clock is asked.
    """

    windows = frozenset(WINDOWS)

    def __init__(
        self, storage: RedisStorage, prefix: str, clock: Callable[[], float] | None = None
    ) -> None:
        self._connection: Any = storage.get_connection()
        self._prefix, self._clock = prefix, clock
        source = files(__package__).joinpath("count.lua").read_text("utf-8")
        self._script = self._connection.register_script(source)
        # The nodes of a cluster have one asker's counters in one place, and run no script for two.
        self._is_cluster = "cluster" in type(storage).__name__.lower()

    def hit(self, counters: Sequence[Counter]) -> list[Usage]:
        """Add to all, or to none if one would be exceeded.

        Of a cluster that is so for each asker. Counters of two are looked at first, then added to.
        """
        groups = self._groups(counters)
        if len(groups) > 1:
            refused = weigh(self.peek(counters), counters)
            if refused:
                return refused
        return [usage for group in groups for usage in self._hit(group)]

    def _hit(self, counters: Sequence[Counter]) -> list[Usage]:
        is_added, usages = self._run(counters, adds=True)
        return usages if is_added else weigh(usages, counters)

    def peek(self, counters: Sequence[Counter]) -> list[Usage]:
        """Return how each stands."""
        found = [self._run(group, adds=False) for group in self._groups(counters)]
        return [usage for _is_added, usages in found for usage in usages]

    def reset(self, counters: Sequence[Counter]) -> None:
        """Remove the counters."""
        for counter in counters:
            self._connection.delete(_key(self._prefix, counter))

    def keys(self, scope: str) -> Iterator[tuple[str, str, str]]:
        """Yield asker, rate and window of each counter of a scope; takes as long as Redis is full.

        A shared counter has no rate, ``""``.
        """
        for found in self._connection.scan_iter(match=f"{self._prefix}:*:{scope}:*", count=1000):
            text = found.decode() if isinstance(found, bytes) else found
            asker, _scope, rate, window = text.split(":")[-4:]
            yield asker.strip("{}"), rate, window

    def _groups(self, counters: Sequence[Counter]) -> list[list[Counter]]:
        if not self._is_cluster:
            return [[*counters]]
        return [[*group] for _asker, group in groupby(counters, attrgetter("asker"))]

    def _run(self, counters: Sequence[Counter], *, adds: bool) -> tuple[bool, list[Usage]]:
        now = "" if self._clock is None else int(self._clock() * 1000)
        keys = [_key(self._prefix, each) for each in counters]
        arguments: list[Any] = [now, int(adds)]
        for each in counters:
            limit, seconds = each.rate
            arguments.append(f"{each.window} {limit} {seconds * 1000} {each.cost}")
        said = self._script(keys, arguments)
        usages = [
            Usage(each.rate.limit, hits, reset / 1000, said[0] / 1000)
            for each, hits, reset in zip(counters, said[2::2], said[3::2], strict=True)
        ]
        return bool(said[1]), usages


class LimitsEngine:
    """The counting of ``limits``, for storages that are no Redis."""

    def __init__(self, storage: Storage, prefix: str) -> None:
        self._storage: Any = storage
        self._prefix = prefix
        can = {
            FIXED: True,
            MOVING: hasattr(storage, "acquire_entry"),
            SLIDING: hasattr(storage, "acquire_sliding_window_entry"),
        }
        self.windows = frozenset(window for window in WINDOWS if can[window])

    def hit(self, counters: Sequence[Counter]) -> list[Usage]:
        """Look first where a refusal would have to be undone, then add; what is added decides."""
        if len(counters) > 1 or counters[0].cost > 1:
            refused = weigh(self.peek(counters), counters)
            if refused:
                return refused
        return [getattr(self, f"_add_{counter.window}")(counter) for counter in counters]

    def peek(self, counters: Sequence[Counter]) -> list[Usage]:
        """Return how each stands."""
        return [getattr(self, f"_look_{counter.window}")(counter) for counter in counters]

    def reset(self, counters: Sequence[Counter]) -> None:
        """Remove the counters."""
        for counter in counters:
            if counter.window == SLIDING:
                self._storage.clear_sliding_window(self._key(counter), counter.rate.seconds)
            else:
                self._storage.clear(self._key(counter))

    def _key(self, counter: Counter) -> str:
        return _key(self._prefix, counter)

    def _add_fixed(self, counter: Counter) -> Usage:
        hits = self._storage.incr(self._key(counter), counter.rate.seconds, amount=counter.cost)
        return self._fixed(counter, hits)

    def _look_fixed(self, counter: Counter) -> Usage:
        return self._fixed(counter, self._storage.get(self._key(counter)))

    def _fixed(self, counter: Counter, hits: int) -> Usage:
        now = time.time()
        ends = self._storage.get_expiry(self._key(counter)) if hits else now + counter.rate.seconds
        return Usage(counter.rate.limit, hits, ends, now)

    def _add_moving(self, counter: Counter) -> Usage:
        rate = counter.rate
        is_added = self._storage.acquire_entry(
            self._key(counter), rate.limit, rate.seconds, amount=counter.cost
        )
        return _told(counter, self._look_moving(counter), is_added=is_added)

    def _look_moving(self, counter: Counter) -> Usage:
        limit, seconds = counter.rate
        start, hits = self._storage.get_moving_window(self._key(counter), limit, seconds)
        return Usage(limit, hits, start + seconds, time.time())

    def _add_sliding(self, counter: Counter) -> Usage:
        rate = counter.rate
        is_added = self._storage.acquire_sliding_window_entry(
            self._key(counter), rate.limit, rate.seconds, amount=counter.cost
        )
        return _told(counter, self._look_sliding(counter), is_added=is_added)

    def _look_sliding(self, counter: Counter) -> Usage:
        limit, seconds = counter.rate
        before, left, count, ends_in = self._storage.get_sliding_window(self._key(counter), seconds)
        now = time.time()
        hits = math.ceil(before * left / seconds + count)
        # A window's end is told one length late: it counts for as long once it is over.
        return Usage(limit, hits, now + max(0.0, ends_in - seconds), now)


def _told(counter: Counter, usage: Usage, *, is_added: bool) -> Usage:
    """Return a usage that says what ``limits`` has decided, whatever was counted since then."""
    if is_added:
        return usage._replace(hits=min(usage.hits, usage.limit))
    return usage._replace(hits=max(usage.hits + counter.cost, usage.limit + 1))


def _key(prefix: str, counter: Counter) -> str:
    rate = "" if counter.is_shared else str(counter.rate).replace("/", "-")
    # The braces tell a cluster that an asker's counters belong together.
    return f"{prefix}:{{{counter.asker}}}:{counter.scope}:{rate}:{counter.window}"
