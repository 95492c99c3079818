"""Several at once on one database: processes on a server, threads on a SQLite file.

A process is a run of this file. Each has read the token before any of them may change it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
import pytest
from django.apps import apps
from django.db import connection, connections
from django.test import RequestFactory
from django.utils import timezone

from .services import PATIENCE

LATER = timedelta(days=30)


def rotate(token: Any) -> Any:
    return token.rotate().token.pk


def rotate_with_grace(token: Any) -> Any:
    return token.rotate(grace=timedelta(hours=1)).token.pk


def revoke(token: Any) -> Any:
    return token.revoke()


def revoke_all(token: Any) -> Any:
    return type(token).objects.order_by("pk").revoke()


def extend(token: Any) -> Any:
    return token.extend(timezone.now() + LATER)


def rename(token: Any) -> Any:
    return token.rename("renamed")


def use(token: Any) -> Any:
    """Use a token and return how many rows were changed by that."""
    from connectnow_api import last_used

    changed = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith("UPDATE"):
            changed.append(context["cursor"].rowcount)
        return result

    with connection.execute_wrapper(count):
        last_used.record(token, RequestFactory().get("/"))
    return sum(changed)


ACTIONS: dict[str, Callable[[Any], Any]] = {
    action.__name__: action
    for action in (rotate, rotate_with_grace, revoke, revoke_all, extend, rename, use)
}


def find_token(key: int) -> Any:
    """Return a token with its owner."""
    return apps.get_model("connectnow_api", "APIToken").objects.select_related("owner").get(pk=key)


def perform(name: str, token: Any) -> Any:
    """Return what an action returns, or the state that a ``TokenConflict`` names."""
    from connectnow_api.exceptions import TokenConflict

    try:
        return ACTIONS[name](token)
    except TokenConflict as conflict:
        return f"conflict: {conflict.state}"


# --- Threads ----------------------------------------------------------------------------------


def in_threads(work: Callable[[], Any], count: int = 1) -> list[Any]:
    """Do ``work`` in so many threads at once, each with a connection of its own."""
    return _in_threads([work] * count)


def _in_threads(works: Sequence[Callable[[], Any]]) -> list[Any]:
    def run(work: Callable[[], Any]) -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@contextmanager
def shared_file(folder: Path, models: Sequence[Any]) -> Iterator[None]:
    """Let threads that are started inside share a SQLite file with the tables of ``models``.

    A database server they share anyway, with a test that commits.
    """
    if connection.vendor != "sqlite":
        yield
        return

    def create_tables() -> None:
        with connection.schema_editor() as editor:
            for model in models:
                editor.create_model(model)

    values = connections.settings["default"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(values, "NAME", str(folder / "db.sqlite3"))
        patch.setitem(values, "OPTIONS", {"timeout": PATIENCE})
        in_threads(create_tables)
        yield


# --- Processes --------------------------------------------------------------------------------


class Crew:
    """Performs several actions on one token at once, each by somebody of its own."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []

    def perform(self, key: int, names: Sequence[str]) -> list[Any]:
        """Return what each of the actions came to."""
        if connection.vendor == "sqlite":
            return self._by_threads(key, names)
        while len(self._processes) < len(names):
            self._processes.append(_start())
        at_work = self._processes[: len(names)]
        for process, name in zip(at_work, names, strict=True):
            _say(process, [connection.settings_dict["NAME"], name, key])
        for process in at_work:
            assert _hear(process) == "ready"
        for process in at_work:
            _say(process, "go")
        return [_hear(process) for process in at_work]

    def _by_threads(self, key: int, names: Sequence[str]) -> list[Any]:
        ready = threading.Barrier(len(names), timeout=PATIENCE)

        def work(name: str) -> Any:
            token = find_token(key)
            ready.wait()
            return perform(name, token)

        return _in_threads([lambda name=name: work(name) for name in names])  # type: ignore[misc]

    def dismiss(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.communicate(timeout=PATIENCE)


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.at_once"],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _say(process: subprocess.Popen[str], value: Any) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{json.dumps(value)}\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def main() -> None:
    """Read what to do with which token, get ready, wait for the word; until there is no more."""
    django.setup()
    for line in sys.stdin:
        database, name, key = json.loads(line)
        connections.settings["default"]["NAME"] = database
        token = find_token(key)
        _tell("ready")
        sys.stdin.readline()
        _tell(perform(name, token))
        # Nobody can remove a database that is in use.
        connections.close_all()


def _tell(value: Any) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
