"""Counters on the storages of the package ``limits``: Redis, memcached and others, by URI.

On Redis, in a cluster too, and Valkey all counters of a request are asked and added to by one
script, ``count.lua``: one round trip, and nothing is counted that is refused. On others ``limits``
counts, and looking and adding are two steps.

Fixed windows start with the first request, as Laravel's do.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import groupby
from operator import attrgetter
from typing import Any

from limits.storage import (
    MemcachedStorage,
    MemoryStorage,
    RedisStorage,
    Storage,
    storage_from_string,
)

from .counting import (
    FIXED,
    MOVING,
    SLIDING,
    WINDOWS,
    Counter,
    Engine,
    Usage,
    as_admitted,
    look_and_add,
    weigh,
)
from .memory import MemoryEngine, SlidingWindow

PREFIX = "connectnow_api"
TIME_OUTS: Mapping[str, Mapping[str, float]] = {
    "redis": {"socket_connect_timeout": 1, "socket_timeout": 1},
    "valkey": {"socket_connect_timeout": 1, "socket_timeout": 1},
    "memcached": {"connect_timeout": 1, "timeout": 1},
}
"""Start of a URI to what no request waits longer for, in seconds, unless the options say more."""
MONTH = 30 * 24 * 60 * 60
"""What memcached keeps for more seconds than these, it takes for a time of day."""


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
    if "+sentinel://" in uri:
        # What asks sentinels has time-outs of its own, and would go on trying for a minute.
        patience = {**TIME_OUTS["redis"], "retry": None}
        given["sentinel_kwargs"] = {**patience, **given.get("sentinel_kwargs", {})}
    storage = storage_from_string(uri, **given)
    if isinstance(storage, MemoryStorage):
        return MemoryEngine()
    if isinstance(storage, RedisStorage):
        return RedisEngine(storage, prefix)
    if not isinstance(storage, Storage):
        raise TypeError(f"{uri.partition(':')[0]} is a storage for asynchronous code.")
    if isinstance(storage, MemcachedStorage):
        storage.client_getter = _client_getter(storage)
    return LimitsEngine(storage, prefix)


def _client_getter(storage: MemcachedStorage) -> Callable[..., _Client]:
    stale = (
        ConnectionResetError,
        BrokenPipeError,
        storage.dependency.MemcacheUnexpectedCloseError,
    )
    get_client = storage.client_getter
    return lambda *args, **kwargs: _Client(get_client(*args, **kwargs), stale)


class _Client:
    """memcached's client, for windows of any length, and for a memcached that was restarted.

    What is asked over a connection that has been closed meanwhile is asked once more.
    """

    def __init__(self, client: Any, stale: tuple[type[Exception], ...]) -> None:
        self._client, self._stale = client, stale

    def __getattr__(self, name: str) -> Callable[..., Any]:
        ask = getattr(self._client, name)

        def ask_again(*args: Any, **kwargs: Any) -> Any:
            try:
                return ask(*args, **kwargs)
            except self._stale:
                return ask(*args, **kwargs)

        return ask_again

    def add(self, key: str, value: Any, expire: int, **kwargs: Any) -> Any:
        """Store what is not there."""
        return self.__getattr__("add")(key, value, _until(expire), **kwargs)

    def set(self, key: str, value: Any, expire: int, **kwargs: Any) -> Any:
        """Store."""
        return self.__getattr__("set")(key, value, _until(expire), **kwargs)


def _until(expire: int) -> int:
    return expire if expire <= MONTH else expire + int(time.time())


class RedisEngine:
    """One script for all counters of a request.

    ``clock`` returns seconds since 1970; unless given, the server's own clock is asked.
    """

    windows, shares = frozenset(WINDOWS), True

    def __init__(
        self, storage: RedisStorage, prefix: str, clock: Callable[[], float] | None = None
    ) -> None:
        self._connection: Any = storage.get_connection()
        self._prefix, self._clock = prefix, clock
        self._source = files(__package__).joinpath("count.lua").read_text("utf-8")
        self._sha = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()
        library = storage.dependencies[storage.target_server].module
        self._no_script: type[Exception] = library.exceptions.NoScriptError
        # The nodes of a cluster have one asker's counters in one place, and run no script for two.
        self._is_cluster = "cluster" in type(storage).__name__.lower()

    def try_options(self) -> None:
        """Make a connection, which asks nobody yet; raise what the library says of its options."""
        pool = getattr(self._connection, "connection_pool", None)
        if pool is not None:
            pool.connection_class(**pool.connection_kwargs)

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
        return as_admitted(usages) if is_added else weigh(usages, counters)

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

        The rate is a ``Counter.rate_name``.
        """
        prefix = re.sub(r"([\\*?\[\]])", r"\\\1", self._prefix)
        for found in self._connection.scan_iter(match=f"{prefix}:{{*}}:{scope}:*", count=1000):
            text = found.decode() if isinstance(found, bytes) else found
            asker, _scope, rate, window = text.split(":")[-4:]
            yield asker.strip("{}"), rate, window

    def _groups(self, counters: Sequence[Counter]) -> list[list[Counter]]:
        if not self._is_cluster:
            return [[*counters]]
        return [[*group] for _asker, group in groupby(counters, attrgetter("asker"))]

    def _run(self, counters: Sequence[Counter], *, adds: bool) -> tuple[bool, list[Usage]]:
        keys = [_key(self._prefix, each) for each in counters]
        wanted = [f"{c.window} {c.rate.limit} {c.rate.seconds * 1000} {c.cost}" for c in counters]
        now = [] if self._clock is None else [int(self._clock() * 1000)]
        said = self._ask(keys, [int(adds), *wanted, *now])
        usages = [
            Usage(each.rate.limit, hits, reset / 1000, said[0] / 1000)
            for each, hits, reset in zip(counters, said[2::2], said[3::2], strict=True)
        ]
        return bool(said[1]), usages

    def _ask(self, keys: list[str], arguments: list[Any]) -> Any:
        """Return what the script returns; a server that was started meanwhile is told it again.

        The clients' own way of running a script takes some microseconds more.
        """
        ask, given = self._connection.execute_command, (len(keys), *keys, *arguments)
        try:
            return ask("EVALSHA", self._sha, *given)
        except self._no_script:
            return ask("EVAL", self._source, *given)


class LimitsEngine:
    """The counting of ``limits``, for storages that are no Redis."""

    shares = True

    def __init__(self, storage: Storage, prefix: str) -> None:
        self._storage: Any = storage
        self._prefix = prefix
        can = {
            FIXED: True,
            MOVING: hasattr(storage, "acquire_entry"),
            SLIDING: hasattr(storage, "acquire_sliding_window_entry"),
        }
        self.windows = frozenset(window for window in WINDOWS if can[window])

    def try_options(self) -> None:
        """Make memcached's client, which asks nobody yet; raise what its library says."""
        if isinstance(self._storage, MemcachedStorage):
            _ = self._storage.storage

    def hit(self, counters: Sequence[Counter]) -> list[Usage]:
        """Look where that is needed, then add; what is added decides."""
        return look_and_add(counters, self._look, self._add)

    def peek(self, counters: Sequence[Counter]) -> list[Usage]:
        """Return how each stands."""
        return [self._look(counter) for counter in counters]

    def _add(self, counter: Counter) -> Usage:
        usage: Usage = getattr(self, f"_add_{counter.window}")(counter)
        return usage

    def _look(self, counter: Counter) -> Usage:
        usage: Usage = getattr(self, f"_look_{counter.window}")(counter)
        return usage

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
        return self._fixed(counter, _counted(hits))

    def _look_fixed(self, counter: Counter) -> Usage:
        return self._fixed(counter, self._storage.get(self._key(counter)))

    def _fixed(self, counter: Counter, hits: int) -> Usage:
        ends = self._storage.get_expiry(self._key(counter)) if hits else 0
        now = time.time()
        # memcached is told the end after the first request was counted.
        ends = ends if ends > now else now + counter.rate.seconds
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
        usage = self._look_sliding(counter)
        # On memcached limits (5.8) leaves the window before out of account once it has added.
        return _told(counter, usage, is_added=is_added and not usage.is_exceeded)

    def _look_sliding(self, counter: Counter) -> Usage:
        limit, seconds = counter.rate
        before, _left, count, ends_in = self._storage.get_sliding_window(
            self._key(counter), seconds
        )
        now = int(time.time() * 1000)
        window = SlidingWindow(seconds * 1000)
        # A window's end is told one length late: it counts for as long once it is over.
        ends = now + int(1000 * max(0.0, ends_in - seconds))
        window.start, window.before, window.count = ends - window.length, before, count
        reset = window.reset(now, limit, counter.cost)
        return Usage(limit, window.hits(now), reset / 1000, now / 1000)


def _counted(hits: int) -> int:
    """Return what was counted; where one of several servers is gone, their clients say 0."""
    if not hits:
        raise ConnectionError("the storage does not count")
    return hits


def _told(counter: Counter, usage: Usage, *, is_added: bool) -> Usage:
    """Return a usage that says what ``limits`` has decided, whatever was counted since then."""
    if is_added:
        return usage._replace(hits=min(_counted(usage.hits), usage.limit))
    return usage._replace(hits=max(usage.hits + counter.cost, usage.limit + 1))


def _key(prefix: str, counter: Counter) -> str:
    # The braces tell a cluster that an asker's counters belong together.
    return f"{prefix}:{{{counter.asker}}}:{counter.scope}:{counter.rate_name}:{counter.window}"
