"""Find the databases and caches that suites need; a missing one is an error.

PostgreSQL, MariaDB and Redis have to answer at their usual ports of localhost, or at the addresses
in TEST_POSTGRESQL_URL, TEST_MARIADB_URL and TEST_REDIS_URL. memcached is started here. Tests that
stop a server start redis-server, memcached, nginx, PostgreSQL or MariaDB themselves.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from programs import install

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "example_project")]

import django  # noqa: E402
import django.db  # noqa: E402
import redis  # noqa: E402
from django.conf import settings  # noqa: E402

from project.databases import database  # noqa: E402
from tests.services import CacheServer  # noqa: E402

SERVICES = {
    "PostgreSQL": ("TEST_POSTGRESQL_URL", "postgres://postgres@127.0.0.1/test_connectnow_api"),
    "MariaDB": ("TEST_MARIADB_URL", "mysql://root@127.0.0.1/test_connectnow_api"),
    "Redis": ("TEST_REDIS_URL", "redis://127.0.0.1/0"),
}
"""Service to the variable that holds its address, and the default address."""
PACKAGES = {"memcached": "memcached", "redis-server": "redis-server", "nginx": "nginx-light"}


@contextmanager
def services(*databases: str) -> Iterator[dict[str, dict[str, str]]]:
    """Return each database's variables for the tests: ``services("PostgreSQL", "MariaDB")``.

    Redis and a memcached that lives as long as the context are in all of them. Exit with status 1
    and a line for each service or program that is missing.
    """
    urls = {
        name: os.environ.get(variable) or default
        for name, (variable, default) in SERVICES.items()
        if name in {*databases, "Redis"}
    }
    if problems := [*install(PACKAGES), *unreachable(urls)]:
        sys.exit("\n".join(["The tests need services that are missing:", *problems]))
    memcached = CacheServer("memcached")
    caches = {
        "TEST_REDIS_URL": urls["Redis"],
        "TEST_MEMCACHED_URL": f"127.0.0.1:{memcached.port}",
        "TEST_REQUIRE": "1",
    }
    try:
        yield {name: {"TEST_DATABASE_URL": urls[name], **caches} for name in databases}
    finally:
        memcached.stop()


def unreachable(urls: dict[str, str]) -> list[str]:
    """Return a line for each service, by name to URL, that does not answer."""
    connect = {
        "PostgreSQL": lambda url: _connect_to_database({**database(url), "NAME": "postgres"}),
        "MariaDB": lambda url: _connect_to_database({**database(url), "NAME": ""}),
        "Redis": lambda url: redis.from_url(url).ping(),
    }
    settings.configure()
    django.setup()
    problems = []
    for service, url in urls.items():
        try:
            connect[service](url)
        except (django.db.Error, redis.RedisError) as error:
            host, variable = urlsplit(url).netloc.rpartition("@")[2], SERVICES[service][0]
            problems.append(f"- {service} at {host} ({variable} sets another address): {error}")
    return problems


def _connect_to_database(values: dict[str, object]) -> None:
    connection = django.db.ConnectionHandler({"default": values})["default"]
    connection.ensure_connection()
    connection.close()
