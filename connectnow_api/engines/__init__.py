"""What counts requests: a Django cache, a storage of ``limits``, or this process."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from connectnow_api.settings import api_settings

from .caches import CacheEngine, get_alias
from .counting import WINDOWS, Counter, Engine, Unreachable, Usage, digest, weigh
from .memory import MemoryEngine

__all__ = [
    "WINDOWS",
    "CacheEngine",
    "Counter",
    "Engine",
    "MemoryEngine",
    "Unreachable",
    "Usage",
    "digest",
    "get_engine",
    "get_place",
    "say_what_failed",
    "using",
    "weigh",
]

_connected: dict[Any, Engine] = {}
_failed: dict[Any, tuple[float, Exception]] = {}
_connecting = threading.Lock()
_instead: list[Engine] = []


def get_engine() -> Engine:
    """Return what counts: the storage that ``LIMIT_STORAGE`` names, else django-ratelimit's cache.

    A storage keeps its connections for as long as the process lives. Raises whatever the library
    ``limits`` raises for a storage that it cannot make, and ``ImportError`` without it.
    """
    if _instead:
        return _instead[-1]
    uri = api_settings.limit_storage
    if uri is None:
        return CacheEngine()
    options = api_settings.limit_storage_options
    # A connection that another process has opened is that process's.
    key = (os.getpid(), uri, repr(sorted(options.items())) if options else "")
    return _connected.get(key) or _connect(key, uri, options)


def _connect(key: Any, uri: str, options: Mapping[str, Any]) -> Engine:
    """Make an engine, one thread for all; who waited for one that failed is told why at once.

    ``limits`` (5.8) takes a module that another thread is still importing for one that is there.
    """
    with _connecting:
        if key in _connected:
            return _connected[key]
        silent_until, why = _failed.get(key, (0.0, None))
        if why is not None and time.monotonic() < silent_until:
            raise why.with_traceback(None)
        try:
            # Only who names a storage needs the library.
            _connected[key] = import_module(f"{__name__}.storages").connect(uri, options)
        except Exception as exc:
            _failed[key] = (time.monotonic() + 1, exc)
            raise
        return _connected[key]


def get_place() -> str:
    """Return what counts, for people; of a storage's URI nothing that may be a password."""
    uri = api_settings.limit_storage
    if uri is None:
        return f"django-ratelimit's counters in the cache {get_alias()!r}"
    return _without_secrets(uri)


def say_what_failed(exc: Exception) -> str:
    """Return the first line of what a store's library says, without its URI's password."""
    text = str(exc).strip().partition("\n")[0].removesuffix(".") or type(exc).__name__
    uri = api_settings.limit_storage
    if uri is None:
        return text
    text = text.replace(uri, _without_secrets(uri))
    # A password that is not escaped may be taken for a port, and quoted.
    password = uri.partition("://")[2].rpartition("@")[0].partition(":")[2]
    for secret in (password, *re.split(r"[:@/?#&=]", password)):
        text = text.replace(secret, "…") if secret else text
    return text


def _without_secrets(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    # A password may have any character, where somebody has not escaped it.
    place = rest.rpartition("@")[2] if "@" in rest.partition("?")[0] else rest
    return f"{scheme}://{place.partition('?')[0]}"


@contextmanager
def using(engine: Engine) -> Iterator[None]:
    """Count with another engine inside, in all threads: for tests."""
    _instead.append(engine)
    try:
        yield
    finally:
        _instead.remove(engine)
