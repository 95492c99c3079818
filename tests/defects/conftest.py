"""The application that the defects were seen in, mounted for every test here and behind servers."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.test import Client

from tests.services import create_database, drop_database

from .middleware import MIDDLEWARE
from .servers import BOTH, SERVERS, Server, as_default, connect, migrate, variants

HERE = "in-process"
OF_THIS_PROCESS = {"settings", "monkeypatch", "caplog", "limits", "clock", "start_cache"}
"""Fixtures that change or watch this process, which no server would notice."""


ROW = re.compile(r"test_row_(\d+)_")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks a ``client`` here and behind servers, unless it says where."""
    given = list(metafunc.definition.iter_markers())
    asked_for = {*metafunc.definition._fixtureinfo.argnames}
    asked_for |= {name for mark in given if mark.name == "usefixtures" for name in mark.args}
    says = any(mark.name == "parametrize" and "transport" in mark.args[0] for mark in given)
    if "client" in asked_for and not says and not OF_THIS_PROCESS & asked_for:
        row = ROW.match(metafunc.function.__name__)
        programs = SERVERS if row is None or int(row[1]) in BOTH else ["uvicorn"]
        # Reading a body depends on the versions of Django and Django REST framework.
        marks = ["frameworks"] if metafunc.module.__name__.endswith(".test_bodies") else []
        metafunc.parametrize("transport", [HERE, *variants(*programs, marks=marks)])


@pytest.fixture
def transport() -> str:
    """Where the client's requests are answered: in this process, or by a server."""
    return HERE


# --- Servers ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[str]:
    """The database that the servers share, with its tables."""
    with django_db_blocker.unblock():
        url = create_database(tmp_path_factory.mktemp("database"))
    migrate(url)
    yield url
    with django_db_blocker.unblock():
        drop_database(url)


@pytest.fixture(scope="session")
def their_database(database_url: str, django_db_blocker: Any) -> Iterator[Any]:
    """A connection of this process to it."""
    connection = connect(database_url)
    yield connection
    with django_db_blocker.unblock():
        connection.close()


Serve = Callable[..., contextlib.AbstractContextManager[Server]]


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Serve:
    """Run a server with the site: ``with serve("gunicorn", DEBUG=True) as server:``.

    With ``unix=True`` it listens at a Unix socket.
    """

    @contextlib.contextmanager
    def serve(program: str, *, unix: bool = False, **settings: Any) -> Iterator[Server]:
        log = tmp_path_factory.mktemp("server") / "log"
        with tempfile.TemporaryDirectory() as folder:
            # Where a test's own folder is, the path would be longer than such a path may be.
            path = Path(folder, "socket") if unix else None
            server = Server(program, log, database_url, settings, path)
            try:
                server.wait()
                yield server
            finally:
                server.stop()
        # Also what no test has waited for.
        assert [line for line in server.errors() if "/crash" not in line] == []

    return serve


@pytest.fixture(scope="session")
def servers(serve: Serve) -> Iterator[Callable[[str], Server]]:
    """Return the one of a program that all tests share: ``servers("gunicorn")``."""
    running: dict[str, Server] = {}
    with contextlib.ExitStack() as stack:

        def find(program: str) -> Server:
            if program not in running:
                running[program] = stack.enter_context(serve(program))
            return running[program]

        yield find


@pytest.fixture
def server(transport: str, servers: Callable[[str], Server]) -> Server:
    """The server that answers the client."""
    return servers(transport)


# --- For every test ---------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def site(settings: Any, request: pytest.FixtureRequest, transport: str) -> Iterator[None]:
    """Mount the site. Where a server answers, rows are written where it reads them."""
    settings.MIDDLEWARE = [*MIDDLEWARE, *settings.MIDDLEWARE]
    settings.ROOT_URLCONF = "tests.defects.site"
    settings.RATELIMIT_ENABLE = True
    if transport == HERE:
        yield
        return
    request.getfixturevalue("db")
    with as_default(request.getfixturevalue("their_database")):
        yield


@pytest.fixture
def client(site: None, request: pytest.FixtureRequest, transport: str) -> Any:
    """Django's test client, or one like it that asks a server, from an address of its own."""
    if transport == HERE:
        return Client(raise_request_exception=False)
    return request.getfixturevalue("server").client()


@pytest.fixture
def own_client() -> Client:
    """Django's test client, for what only this process can be given: a setting, a broken stream."""
    return Client(raise_request_exception=False)


@pytest.fixture(autouse=True)
def crashes(request: pytest.FixtureRequest, transport: str) -> Iterator[Any]:
    """What was raised through Django: nothing, unless a test says that it expects some."""
    if transport != HERE:
        watch = request.getfixturevalue("server").watch()
        yield watch
        assert not watch
        return
    seen: list[Any] = []

    def listen(**kwargs: Any) -> None:
        seen.append(kwargs)

    got_request_exception.connect(listen)
    yield seen
    got_request_exception.disconnect(listen)
