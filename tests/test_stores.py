"""What says that a database or a cache cannot be used now, by real refusals of real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymemcache
import pytest
import redis
from django.core.exceptions import ImproperlyConfigured
from django.db import (
    ConnectionHandler,
    DataError,
    Error,
    IntegrityError,
    OperationalError,
    connection,
    transaction,
)
from redis.backoff import NoBackoff
from redis.retry import Retry

from connectnow_api.stores import LATER, SOON, seconds_to_retry
from tests.conftest import CacheServers
from tests.library.models import Author
from tests.services import free_port

pytestmark = pytest.mark.django_db(transaction=True)

Connect = Callable[..., Any]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """Make a further connection to the database: ``connect(PORT=1)`` with values of its own.

    On SQLite to a file, since the tests' own database is in memory.
    """
    opened: list[Any] = []

    def connect(**values: Any) -> Any:
        found = {**connection.settings_dict, **values}
        if connection.vendor == "sqlite" and "NAME" not in values:
            options = {**found["OPTIONS"], "timeout": 0.1}
            found = {**found, "NAME": str(tmp_path / "database"), "OPTIONS": options}
        opened.append(ConnectionHandler({"default": found})["default"])
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def refusal(work: Callable[[], object]) -> BaseException:
    """Return what ``work`` is refused with."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what the test is about
        work()
    return caught.value


def execute(connection: Any, *statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_a_server_that_is_not_there(connect: Connect, tmp_path: Path) -> None:
    away = {"HOST": "127.0.0.1", "PORT": free_port()}
    if connection.vendor == "sqlite":
        away = {"NAME": str(tmp_path / "no" / "where")}
    exc = refusal(connect(**away).cursor)
    assert isinstance(exc, OperationalError)
    assert seconds_to_retry(exc) == LATER


LOCKED = {
    "sqlite": ("BEGIN EXCLUSIVE", ["BEGIN IMMEDIATE"]),
    "postgresql": (
        "BEGIN; LOCK TABLE auth_group",
        ["SET lock_timeout = 50", "SELECT 1 FROM auth_group"],
    ),
    "mysql": (
        "LOCK TABLES auth_group WRITE",
        ["SET lock_wait_timeout = 1", "SELECT 1 FROM auth_group"],
    ),
}


def test_what_another_request_has_locked(connect: Connect) -> None:
    holder, waiting = connect(), connect()
    lock, reading = LOCKED[connection.vendor]
    execute(holder, lock)
    exc = refusal(lambda: execute(waiting, *reading))
    assert isinstance(exc, OperationalError)
    assert seconds_to_retry(exc) == SOON


def backend(connection: Any) -> int:
    statement = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT CONNECTION_ID()"}
    with connection.cursor() as cursor:
        cursor.execute(statement[connection.vendor])
        found: int = cursor.fetchone()[0]
    return found


KILL = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}


def test_a_connection_that_is_lost(connect: Connect) -> None:
    if connection.vendor not in KILL:
        pytest.skip("SQLite has no connection that somebody else could end")
    lost, other = connect(), connect()
    execute(other, KILL[connection.vendor].format(backend(lost)))
    assert seconds_to_retry(refusal(lambda: execute(lost, "SELECT 1"))) == LATER


def test_whatever_is_asked_in_the_transaction_of_a_lost_connection(connect: Connect) -> None:
    """Django's own refusals then name no outage: the connection is closed, a new one forbidden."""
    if connection.vendor not in KILL:
        pytest.skip("SQLite has no connection that somebody else could end")
    kill = KILL[connection.vendor].format(backend(connection))
    found: list[BaseException] = []

    def lose() -> None:
        with transaction.atomic():
            execute(connect(), kill)
            found.append(refusal(lambda: execute(connection, "SELECT 1")))
            connection.close()
            found.append(refusal(Author.objects.exists))
            assert [seconds_to_retry(exc) for exc in found] == [LATER] * 2
            raise found[-1]

    assert refusal(lose) is found[-1]


TOO_LONG = {
    "postgresql": ("SET statement_timeout = 50", "SELECT pg_sleep(60)"),
    "mysql": ("SET max_statement_time = 0.05", "SELECT SLEEP(60)"),
}


def test_a_statement_that_takes_too_long(connect: Connect) -> None:
    if connection.vendor not in TOO_LONG:
        pytest.skip("SQLite has no time-out of statements")
    slow = connect()
    assert seconds_to_retry(refusal(lambda: execute(slow, *TOO_LONG[connection.vendor]))) == LATER


@pytest.mark.parametrize("statement", ["SELECT 1 FROM no_such_table", "SELEKT 1"])
def test_a_mistake(statement: str) -> None:
    exc = refusal(lambda: execute(connection, statement))
    assert isinstance(exc, Error)
    assert seconds_to_retry(exc) is None


def test_a_row_that_is_refused() -> None:
    Author.objects.create(pk=1, name="a")
    exc = refusal(lambda: Author.objects.create(pk=1, name="b"))
    assert isinstance(exc, IntegrityError)
    assert seconds_to_retry(exc) is None
    assert seconds_to_retry(DataError("numeric field overflow")) is None


def test_caches_that_are_not_there() -> None:
    address = ("127.0.0.1", free_port())
    asks = [
        redis.Redis(*address, retry=Retry(NoBackoff(), 0)).ping,
        lambda: pymemcache.Client(address).get("x"),
    ]
    assert [seconds_to_retry(refusal(ask)) for ask in asks] == [LATER] * 2


@pytest.mark.servers
def test_a_redis_that_takes_nothing(start_cache: CacheServers) -> None:
    with redis.from_url(start_cache("redis").location) as client:
        client.set("x", 1)
        assert seconds_to_retry(refusal(lambda: client.lpush("x", 1))) is None
        for option, without in (("maxmemory", "0"), ("min-replicas-to-write", "0")):
            client.config_set(option, "1")
            assert seconds_to_retry(refusal(lambda: client.set("x", 1))) == LATER
            client.config_set(option, without)


@pytest.mark.parametrize("name", ["TryAgainError", "SlotNotCoveredError", "ClusterDownError"])
def test_a_cluster_that_is_not_whole(name: str) -> None:
    assert seconds_to_retry(getattr(redis.exceptions, name)("x")) == LATER


@pytest.mark.parametrize("exc", [TimeoutError(), ConnectionResetError()])
def test_whatever_else_does_not_answer(exc: Exception) -> None:
    assert seconds_to_retry(exc) == LATER


@pytest.mark.parametrize(
    "exc",
    [None, ZeroDivisionError(), FileNotFoundError(), ImproperlyConfigured(), redis.DataError()],
)
def test_whatever_else_goes_wrong(exc: Exception | None) -> None:
    assert seconds_to_retry(exc) is None


def test_an_unknown_database() -> None:
    """Whose codes nobody has told us: its connection counts, its statements do not."""
    assert seconds_to_retry(OperationalError("ORA-12541: no listener")) == LATER
    assert seconds_to_retry(DataError("ORA-01722: invalid number")) is None
