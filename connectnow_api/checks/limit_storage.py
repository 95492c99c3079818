"""The storage of ``limits`` that counts, and what can be counted where."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from connectnow_api.engines import (
    WINDOWS,
    Engine,
    MemoryEngine,
    get_engine,
    get_place,
    say_what_failed,
)
from connectnow_api.settings import api_settings

from .messages import check_id

STORAGE = 'Write "LIMIT_STORAGE": "redis://127.0.0.1:6379/0".'


class Counting(NamedTuple):
    """What counts, and what it can do."""

    place: str
    windows: frozenset[str]
    shares: bool
    """Whether limits may have a counter together."""


def what_counts() -> Counting | None:
    """Return what counts, ``None`` if it cannot be used."""
    if _is_cluster():
        return None if _missing() else Counting(get_place(), frozenset(WINDOWS), shares=True)
    engine = _engine()
    if isinstance(engine, Exception):
        return None
    return Counting(get_place(), engine.windows, engine.shares)


def check_storage() -> Iterator[CheckMessage]:
    """Report a storage that cannot be used."""
    place, problem = get_place(), _missing()
    if problem:
        message = f"Limits are counted in {place}, and the package {problem} is not installed."
        hint = "`pip install 'connectnow-api[limits]'`."
        if problem != "limits":
            hint = f"`pip install 'limits[{problem}]'`."
        yield Error(message, hint=hint, id=check_id("E009"))
        return
    if _scheme().startswith("async+"):
        message = f"Limits are counted in {place}, which is a storage for asynchronous code."
        yield Error(message, hint=STORAGE, id=check_id("E009"))
        return
    engine = None if _is_cluster() else _engine()
    if isinstance(engine, Exception):
        reason = say_what_failed(engine).rstrip(".")
        message = f"Limits are counted in {place}, which cannot be used: {reason}."
        yield Error(message, hint=_hint(reason), id=check_id("E009"))


def check_storage_in_memory() -> Iterator[CheckMessage]:
    """Report a storage that each process has for itself."""
    if not _is_cluster() and isinstance(_engine(), MemoryEngine):
        message = f"The storage {get_place()} is each process's own: so is each of their limits."
        yield CheckWarning(message, hint=STORAGE, id=check_id("W004"))


def _engine() -> Engine | Exception:
    try:
        engine = get_engine()
        # Libraries look at their options when they connect for the first time.
        try_options: Any = getattr(engine, "try_options", None)
        if try_options is not None:
            try_options()
        return engine
    except Exception as exc:  # noqa: BLE001 - each library has errors of its own
        return exc


def _scheme() -> str:
    return (api_settings.limit_storage or "").partition("://")[0]


def _is_cluster() -> bool:
    """Tell whether making the engine would ask a server, which a check shall not need."""
    return _scheme() in ("redis+cluster", "valkey+cluster")


def _missing() -> str | None:
    """Return the package without which nothing can be counted, if one is not there."""
    needed = ["limits"] if api_settings.limit_storage else []
    needed += [_scheme().partition("+")[0]] if _is_cluster() else []
    return next((name for name in needed if not _is_installed(name)), None)


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:
        return False


def _hint(reason: str) -> str:
    if "prerequisite" in reason or "minimum version" in reason:
        kind = {"rediss": "redis"}.get(_scheme(), _scheme().partition("+")[0])
        return f"`pip install 'limits[{kind}]'`."
    return STORAGE
