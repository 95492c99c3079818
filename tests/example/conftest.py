"""One server for all tests that only read, and one for those that write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.services import DATABASE_URL, create_database, drop_database

from .support import ROOT, Site, end_probes, manage, probe, serve

NewDatabase = Callable[..., str]


@pytest.fixture(scope="session")
def new_database(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Iterator[NewDatabase]:
    """Make an empty database, and return its URL: ``url = new_database()``.

    ``new_database(url)`` makes a copy of a database that no process uses.
    """
    folder, urls = tmp_path_factory.mktemp("databases"), []

    def new_database(template: str = "") -> str:
        with django_db_blocker.unblock():
            urls.append(create_database(folder, template))
        return urls[-1]

    yield new_database
    end_probes()
    with django_db_blocker.unblock():
        for url in urls:
            drop_database(url)


class Seeded(NamedTuple):
    """A database with the rows of the demo, and the output of the command that made them."""

    url: str
    file: Path
    credentials: dict[str, Any]
    printed: str


def seed(folder: Path, database_url: str, *options: str) -> Seeded:
    """Prepare a database without serving it."""
    file = folder / "credentials.json"
    done = manage("demo", "--no-serve", "--credentials", file, *options, database_url=database_url)
    assert done.stderr == ""
    return Seeded(database_url, file, json.loads(file.read_text()), done.stdout)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Seeded:
    """One run of the command; no process may use its database."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "credentials.json").touch(mode=0o644)
    return seed(folder, new_database(), "--host", "localhost", "--port", "8123")


NewSeeded = Callable[[], Seeded]


@pytest.fixture(scope="session")
def new_seeded(
    tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase, template: Seeded
) -> NewSeeded:
    """Make a database with the rows of the demo: ``seeded = new_seeded()``."""

    def new_seeded() -> Seeded:
        if DATABASE_URL.startswith("mysql"):
            # MariaDB cannot copy a database.
            return seed(tmp_path_factory.mktemp("seeded"), new_database())
        return template._replace(url=new_database(template.url))

    return new_seeded


@pytest.fixture(scope="session")
def site_database_url(new_seeded: NewSeeded) -> str:
    """The database of the server that the tests share."""
    return new_seeded().url


@pytest.fixture(scope="session")
def site_server(tmp_path_factory: pytest.TempPathFactory, site_database_url: str) -> Iterator[Site]:
    """A running ``demo`` with the documented rows, which nobody changes."""
    with serve(tmp_path_factory.mktemp("demo"), site_database_url) as (site, _):
        yield site


@pytest.fixture
def site(site_server: Site) -> Site:
    """The server that nobody changes, asked from an address that no other test has."""
    return site_server.from_new_address()


@pytest.fixture(scope="session")
def scratch_database_url(new_seeded: NewSeeded) -> str:
    """The database of the server that tests write to."""
    return new_seeded().url


@pytest.fixture(scope="session")
def scratch_server(
    tmp_path_factory: pytest.TempPathFactory, scratch_database_url: str
) -> Iterator[Site]:
    """A running ``demo`` to write to; tests change and remove only what they created."""
    with serve(tmp_path_factory.mktemp("scratch-demo"), scratch_database_url) as (site, _):
        yield site


@pytest.fixture
def scratch(scratch_server: Site) -> Site:
    """The server to write to, asked from an address that no other test has."""
    return scratch_server.from_new_address()


class Clock:
    """The clock of a server: it stops between two calls of ``go_on``."""

    def __init__(self, file: Path) -> None:
        self.file, self.now = file, 1_700_000_000
        self.go_on(0)

    def go_on(self, seconds: int) -> None:
        """Set the clock forward."""
        self.now += seconds
        self.file.touch()
        os.utime(self.file, (self.now, self.now))


class Stopped(NamedTuple):
    """A running ``demo`` whose limits count by a stopped clock."""

    site: Site
    clock: Clock
    database_url: str


@pytest.fixture(scope="session")
def stopped_server(
    tmp_path_factory: pytest.TempPathFactory, new_seeded: NewSeeded
) -> Iterator[Stopped]:
    """A running ``demo`` with a stopped clock; no window of a limit ends by itself."""
    folder, url = tmp_path_factory.mktemp("stopped-demo"), new_seeded().url
    clock = Clock(folder / "clock")
    variables = {
        "DJANGO_SETTINGS_MODULE": "tests.example.stopped_settings",
        "PYTHONPATH": str(ROOT),
        "CLOCK": str(clock.file),
        # Redis has a clock of its own, by which it forgets keys.
        "REDIS_URL": "",
    }
    with serve(folder, url, **variables) as (site, _):
        yield Stopped(site, clock, url)


@pytest.fixture
def stopped(stopped_server: Stopped) -> Stopped:
    """The server with a stopped clock, asked from an address that no other test has."""
    return stopped_server._replace(site=stopped_server.site.from_new_address())


@pytest.fixture(scope="session")
def new_tokens(site_server: Site, site_database_url: str) -> Iterator[str]:
    """Tokens of acme's that read tickets and reports, and that no limit has counted yet."""
    call = ["issue", ["tickets:read", "reports:read"]]
    return iter(probe(*[call] * 200, database_url=site_database_url))
