"""Databases and caches that are stopped, frozen and started again while clients go on asking.

The example behind gunicorn and behind uvicorn, each with several processes, which nobody restarts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from django.db import ConnectionHandler, connection

from project.databases import database
from tests.example.conftest import NewDatabase, new_database
from tests.example.help_desk import TICKET
from tests.example.support import (
    ROOT,
    Answer,
    Limit,
    Site,
    prepare,
    probe,
    serve_as_documented,
    until_429,
)
from tests.services import PATIENCE, CacheServer, DatabaseFile, DatabaseServer

from .load import Load

__all__ = ["new_database"]

pytestmark = pytest.mark.servers


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


@pytest.fixture(scope="module")
def credentials(database_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's credentials for this database."""
    return prepare(tmp_path_factory.mktemp("prepared"), database_server.url)


@pytest.mark.parametrize(
    "program", [pytest.param("gunicorn", marks=pytest.mark.databases), "uvicorn"]
)
def test_row_08_a_database_that_crashes_and_comes_back(
    program: str, database_server: Any, credentials: Path, tmp_path: Path
) -> None:
    """What needs it is 503, what does not is served; nothing is lost, nothing half written."""
    url = database_server.url
    with serve_as_documented(program, tmp_path, url, credentials=credentials) as site:
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
    assert acknowledged <= whole_tickets(load, url) <= acknowledged | unknown


def whole_tickets(load: Load, database_url: str) -> set[str]:
    """Return the subjects of the load's tickets; none is there twice, or in part."""
    [rows] = probe(["parts_of_tickets", load.prefix], database_url=database_url)
    found = [subject for subject, *_ in rows]
    assert len(found) == len({*found})
    for subject, *parts in rows:
        address = f"{subject.replace(' ', '.')}@example.com"
        assert parts == [address, [TICKET["message"]["body"]], [1], True]
    return {*found}


LOCKS = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "LOCK TABLE help_desk_ticket",
    "mysql": "SELECT * FROM help_desk_ticket WHERE id = 1 FOR UPDATE",
}
# The project's own values, only shorter; libpq takes no less than two seconds.
TIME_OUTS = {
    "sqlite": "timeout=1",
    "postgresql": "connect_timeout=2&options=-c%20lock_timeout%3D500",
    "mysql": "connect_timeout=2&read_timeout=2&init_command=SET%20innodb_lock_wait_timeout%3D1",
}


@pytest.fixture(scope="module")
def impatient(
    database_server: Any, credentials: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The example behind gunicorn, with short time-outs for its database."""
    url = f"{database_server.url}?{TIME_OUTS[connection.vendor]}"
    folder = tmp_path_factory.mktemp("impatient")
    with serve_as_documented("gunicorn", folder, url, credentials=credentials) as site:
        yield site


def test_a_database_that_does_not_answer(impatient: Site, database_server: Any) -> None:
    """Each request waits for its time-out and no longer, and those that need none do not wait."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no server that could be frozen")
    assert impatient.request("/api/issues").status == 200
    database_server.freeze()
    try:
        assert is_503(impatient.request("/api/issues"))
        assert is_503(impatient.request("/api/user", token="valid"))
        assert impatient.request("/api/user").status == 401
        assert impatient.request("/api/user", token="cn_wrong").status == 401
        assert impatient.request("/api/throttled").status == 200
    finally:
        database_server.thaw()
    deadline = time.monotonic() + PATIENCE
    # A server that was frozen may need longer for its first connection than its client waits.
    while impatient.request("/api/user", token="valid").status != 200:
        assert time.monotonic() < deadline, "the database does not answer again"


def test_a_row_that_somebody_has_locked(impatient: Site, database_server: Any) -> None:
    """It is 503, and may be tried again in a second."""
    holder = ConnectionHandler({"default": database(database_server.url)})["default"]
    change = {"method": "PATCH", "json": {"subject": "Locked"}}
    with closing(holder):
        holder.set_autocommit(False)
        with holder.cursor() as cursor:
            cursor.execute(LOCKS[connection.vendor])
        answer = impatient.as_acme("/api/v1/tickets/1", **change)
        assert is_503(answer)
        assert answer.headers["Retry-After"] == "1"
        holder.rollback()
    assert impatient.as_acme("/api/v1/tickets/1", **change).status == 200


# --- The cache --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cached(new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The URL of a database with the example's rows, and its credentials."""
    url = new_database()
    return url, prepare(tmp_path_factory.mktemp("cached"), url)


def assert_limited(site: Site) -> None:
    """The limit of ``/api/throttled`` is in force for an address that nobody has seen."""
    throttled = site.credentials["throttle"]
    fresh = site.from_new_address()
    until_429(lambda: fresh.request(throttled["path"]), Limit(throttled["limit"], 60))


@pytest.mark.parametrize(("program", "kind"), [("gunicorn", "memcached"), ("uvicorn", "redis")])
def test_rows_06_and_07_a_cache_that_crashes_and_comes_back(
    program: str, kind: str, cached: tuple[str, Path], tmp_path: Path
) -> None:
    """Limits that are ``"open"``: every request is served, and they are counted again later."""
    url, credentials = cached
    with ExitStack() as stack:
        server = CacheServer(kind)
        stack.callback(server.stop)
        variables = {
            "REDIS_URL": "",
            "MEMCACHED_URL": "",
            f"{kind.upper()}_URL": server.location,
            # A lost memcached is tried again after one second, not ten.
            "DJANGO_SETTINGS_MODULE": "tests.outages.settings",
            "PYTHONPATH": str(ROOT),
        }
        site = stack.enter_context(
            serve_as_documented(program, tmp_path, url, credentials=credentials, **variables)
        )
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
        assert whole_tickets(load, url) == load.written(lambda status: True)
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
