"""Databases and caches that are stopped, frozen and started again while clients go on asking.

The example behind gunicorn and behind uvicorn, each with several processes, which nobody restarts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from django.db import ConnectionHandler, connection

from project.databases import database
from tests.example.conftest import NewDatabase, new_database
from tests.example.help_desk import TICKET
from tests.example.support import ROOT, Answer, Limit, Site, probe, serve_as_documented, until_429
from tests.services import PATIENCE, CacheServer, DatabaseFile, DatabaseServer

from .load import NAME, Load

__all__ = ["new_database"]

each_server = pytest.mark.parametrize("program", ["gunicorn", "uvicorn"])
each_cache = pytest.mark.parametrize("kind", ["redis", "memcached"])


def is_503(answer: Answer) -> bool:
    """Tell whether an answer is a 503, which has to look like one."""
    if answer.status != 503:
        return False
    assert answer.json() == {"message": "Service unavailable."}
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return True


# --- The database -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database_server(django_db_blocker: Any) -> Iterator[Any]:
    """A database of the kind that the tests run on, which can be stopped."""
    with django_db_blocker.unblock():
        is_file = connection.vendor == "sqlite"
        server = DatabaseFile() if is_file else DatabaseServer(connection.vendor)
        yield server
    server.remove()


@each_server
def test_row_08_a_database_that_crashes_and_comes_back(
    program: str, database_server: Any, tmp_path: Path
) -> None:
    """What needs it is 503, what does not is served; nothing is lost, nothing half written."""
    with serve_as_documented(program, tmp_path, database_server.url) as site:
        load = Load(site)
        with load.running():
            for _ in range(2):
                load.until(("read", 200), ("write", 201), ("idle", 404))
                database_server.crash()
                load.until(("read", 503), ("write", 503), ("idle", 404))
                database_server.start()
            load.until(("read", 200), ("write", 201), ("idle", 404))
        assert load.statuses("idle") == {404}
        assert load.statuses("read") == {200, 503}
        assert load.statuses("write") == {201, 503}
        assert all(is_503(told.answer) for told in load.told if told.answer.status == 503)
    acknowledged = load.written(lambda status: status == 201)
    # Who lost the connection while a transaction was committed cannot be told whether it was.
    unknown = load.written(lambda status: status == 503)
    assert acknowledged <= whole_tickets(database_server.url) <= acknowledged | unknown


def whole_tickets(database_url: str) -> set[str]:
    """Return the subjects of the tickets that were opened here; none is there twice, or in part."""
    [rows] = probe(["parts_of_tickets", NAME], database_url=database_url)
    found = [subject for subject, *_ in rows]
    assert len(found) == len({*found})
    for subject, *parts in rows:
        address = f"{subject.replace(' ', '.')}@example.com"
        assert parts == [address, [TICKET["message"]["body"]], [1], True]
    return {*found}


@each_server
def test_a_database_that_does_not_answer(
    program: str, database_server: Any, tmp_path: Path
) -> None:
    """Each request waits for its time-out and no longer, and those that need none do not wait."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no server that could be frozen")
    # The project's own values, only shorter; less than two seconds libpq does not take.
    url = f"{database_server.url}?connect_timeout=2"
    url += "&read_timeout=2" if connection.vendor == "mysql" else ""
    with serve_as_documented(program, tmp_path, url) as site:
        assert site.request("/api/issues").status == 200
        database_server.freeze()
        try:
            assert is_503(site.request("/api/issues"))
            assert is_503(site.request("/api/user", token="valid"))
            assert site.request("/api/user").status == 401
            assert site.request("/api/user", token="cn_wrong").status == 401
            assert site.request("/api/throttled").status == 200
        finally:
            database_server.thaw()
        assert site.request("/api/user", token="valid").status == 200


LOCKS = {
    "sqlite": ("timeout=1", "BEGIN IMMEDIATE"),
    "postgresql": ("options=-c%20lock_timeout%3D500", "LOCK TABLE help_desk_ticket"),
    "mysql": (
        "init_command=SET%20innodb_lock_wait_timeout%3D1",
        "SELECT * FROM help_desk_ticket WHERE id = 1 FOR UPDATE",
    ),
}


def test_a_row_that_somebody_has_locked(database_server: Any, tmp_path: Path) -> None:
    """It is 503, and may be tried again in a second."""
    option, lock = LOCKS[connection.vendor]
    url = f"{database_server.url}?{option}"
    with serve_as_documented("gunicorn", tmp_path, url) as site:
        holder = ConnectionHandler({"default": database(database_server.url)})["default"]
        change = {"method": "PATCH", "json": {"subject": "Locked"}}
        with closing(holder):
            holder.set_autocommit(False)
            with holder.cursor() as cursor:
                cursor.execute(lock)
            answer = site.as_acme("/api/v1/tickets/1", **change)
            assert is_503(answer)
            assert answer.headers["Retry-After"] == "1"
            holder.rollback()
        assert site.as_acme("/api/v1/tickets/1", **change).status == 200


# --- The cache --------------------------------------------------------------------------------


Serve = Callable[..., tuple[Site, CacheServer]]


@pytest.fixture
def serve(new_database: NewDatabase, tmp_path: Path) -> Iterator[Serve]:
    """Serve the example with a cache of its own: ``site, server = serve("gunicorn", "redis")``."""
    with ExitStack() as stack:

        def serve(
            program: str, kind: str, url: str = "", **variables: str
        ) -> tuple[Site, CacheServer]:
            server = CacheServer(kind)
            stack.callback(server.stop)
            caches = {"REDIS_URL": "", "MEMCACHED_URL": "", f"{kind.upper()}_URL": server.location}
            running = serve_as_documented(
                program, tmp_path, url or new_database(), **caches, **variables
            )
            return stack.enter_context(running), server

        yield serve


def assert_limited(site: Site) -> None:
    """The limit of ``/api/throttled`` is in force for an address that nobody has seen."""
    throttled = site.credentials["throttle"]
    fresh = site.from_new_address()
    until_429(lambda: fresh.request(throttled["path"]), Limit(throttled["limit"], 60))


@each_cache
@each_server
def test_a_cache_that_crashes_and_comes_back(
    program: str, kind: str, serve: Serve, new_database: NewDatabase
) -> None:
    """Limits that are ``"open"``: every request is served, and they are counted again later."""
    url = new_database()
    site, server = serve(program, kind, url)
    assert_limited(site)
    load = Load(site)
    with load.running():
        load.until(("read", 200), ("write", 201), ("idle", 404))
        server.stop()
        load.until(("read", 200), ("write", 201), ("idle", 404))
        path, asked = site.credentials["throttle"]["path"], site.from_new_address()
        assert {asked.request(path).status for _ in range(12)} == {200}
        server.start()
    assert load.statuses("read") == {200}
    assert load.statuses("write") == {201}
    assert whole_tickets(url) == load.written(lambda status: True)
    wait_until_counted(site)
    assert_limited(site)


def wait_until_counted(site: Site) -> None:
    """Return once each of the processes counts again: memcached is asked later whether it is back.

    So many answers in a row do not come from one process.
    """
    path, counted = site.credentials["throttle"]["path"], 0
    deadline = time.monotonic() + PATIENCE
    while counted < 30:
        assert time.monotonic() < deadline, "limits are not counted again"
        answer = site.from_new_address().request(path)
        counted = counted + 1 if "X-RateLimit-Remaining" in answer.headers else 0


@each_cache
def test_limits_that_are_closed(kind: str, serve: Serve) -> None:
    """503 for what is limited, and for nothing else."""
    site, server = serve(
        "gunicorn",
        kind,
        DJANGO_SETTINGS_MODULE="tests.outages.closed_settings",
        PYTHONPATH=str(ROOT),
    )
    assert site.request("/api/throttled").status == 200
    server.stop()
    assert is_503(site.request("/api/throttled"))
    assert site.request("/api/nowhere").status == 404
    assert site.request("/api/user").status == 401


@each_cache
def test_a_cache_that_does_not_answer(kind: str, serve: Serve) -> None:
    """Requests wait for its time-out, and pass."""
    site, server = serve("gunicorn", kind)
    assert site.request("/api/issues").status == 200
    server.freeze()
    try:
        assert [site.request("/api/issues").status for _ in range(2)] == [200, 200]
    finally:
        server.thaw()
