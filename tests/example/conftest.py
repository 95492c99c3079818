"""One server for all tests that only read, and one for those that write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.services import create_database, drop_database

from .support import Site, probe, serve

NewDatabase = Callable[[], str]


@pytest.fixture(scope="session")
def new_database(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Iterator[NewDatabase]:
    """Make an empty database, and return its URL: ``url = new_database()``."""
    folder, urls = tmp_path_factory.mktemp("databases"), []

    def new_database() -> str:
        with django_db_blocker.unblock():
            urls.append(create_database(folder))
        return urls[-1]

    yield new_database
    with django_db_blocker.unblock():
        for url in urls:
            drop_database(url)


@pytest.fixture(scope="session")
def site_database_url(new_database: NewDatabase) -> str:
    """The database of the server that the tests share."""
    return new_database()


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
def scratch_database_url(new_database: NewDatabase) -> str:
    """The database of the server that tests write to."""
    return new_database()


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


@pytest.fixture(scope="session")
def new_tokens(site_server: Site, site_database_url: str) -> Iterator[str]:
    """Tokens of acme's that read tickets and reports, and that nobody has counted yet."""
    call = ["issue", ["tickets:read", "reports:read"]]
    return iter(probe(*[call] * 200, database_url=site_database_url))
