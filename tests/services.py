"""The databases and caches that the tests use, as the environment names them.

``TEST_DATABASE_URL``: the database server, as in ``postgres://user@host/name``; every run makes
databases of its own there, whose names begin with the URL's. SQLite unless given.
``TEST_REDIS_URL``: the cache, as in ``redis://host:6379/0``; memory unless given.
``TEST_MEMCACHED_URL``: another cache for the tests of all caches, as in ``host:11211``.
``TEST_REQUIRE_SERVICES``: with any value, tests that lack a service fail and are not skipped.

Runs do not notice one another, since each has a name of its own for what it stores.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest
from django.core.cache.backends import redis
from django.db import connection

from project.databases import database

DATABASE_URL = os.environ.get("TEST_DATABASE_URL") or "sqlite://:memory:"
REDIS_URL = os.environ.get("TEST_REDIS_URL", "")
MEMCACHED_URL = os.environ.get("TEST_MEMCACHED_URL", "")
REQUIRED = bool(os.environ.get("TEST_REQUIRE_SERVICES"))

RUN = secrets.token_hex(4)
PATIENCE = 120
"""Seconds that anything may take on a busy machine."""

_numbers = itertools.count(1)
_addresses = (f"127.1.{high}.{low}" for high in range(256) for low in range(1, 255))


def lack(what: str, *, required: bool = REQUIRED) -> NoReturn:
    """Skip the test that needs it, or fail it where it is required, as services may be."""
    if required:
        pytest.fail(what)
    pytest.skip(what)


# --- Databases --------------------------------------------------------------------------------


def database_settings() -> dict[str, Any]:
    """Return the value of ``DATABASES["default"]``."""
    found = database(DATABASE_URL)
    if found["NAME"] == ":memory:":
        return found
    return {**found, "TEST": {"NAME": f"{found['NAME']}_{RUN}"}}


def create_database(folder: Path) -> str:
    """Return the URL of an empty database for another process: a file, or one on the server."""
    number = next(_numbers)
    if connection.vendor == "sqlite":
        return f"sqlite:///{folder / f'{number}.sqlite3'}"
    url = urlsplit(DATABASE_URL)
    name = f"{url.path[1:]}_{RUN}_{number}"
    _execute(f"CREATE DATABASE {connection.ops.quote_name(name)}")
    return url._replace(path=f"/{name}").geturl()


def drop_database(url: str) -> None:
    """Remove from the server what ``create_database`` made."""
    name = connection.ops.quote_name(urlsplit(url).path[1:])
    if connection.vendor == "postgresql":
        _execute(f"DROP DATABASE {name} WITH (FORCE)")
    elif connection.vendor == "mysql":
        _execute(f"DROP DATABASE {name}")


def _execute(statement: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(statement)


# --- Caches -----------------------------------------------------------------------------------


class RedisCache(redis.RedisCache):
    """Django's, except that it is emptied of nobody else's keys."""

    def clear(self) -> None:
        """Remove what begins with the prefix; Django's own empties Redis for everybody."""
        client = self._cache.get_client(None, write=True)
        if keys := list(client.scan_iter(f"{self.key_prefix}:*", count=1000)):
            client.delete(*keys)


BACKENDS = {
    "locmem": "django.core.cache.backends.locmem.LocMemCache",
    "redis": "tests.services.RedisCache",
    "memcached": "django.core.cache.backends.memcached.PyMemcacheCache",
}
URLS = {"redis": REDIS_URL, "memcached": MEMCACHED_URL}


def cache_settings(kind: str, location: str) -> dict[str, Any]:
    """Return a value for ``CACHES["default"]`` in which nothing is stored yet."""
    prefix = f"{RUN}-{next(_numbers)}"
    return {"BACKEND": BACKENDS[kind], "LOCATION": location, "KEY_PREFIX": prefix}


def default_cache() -> dict[str, Any]:
    """Return the value of ``CACHES["default"]`` for tests that do not care."""
    return cache_settings("redis" if REDIS_URL else "locmem", REDIS_URL)


def shared_cache(kind: str) -> dict[str, Any]:
    """Return the same for one kind of cache; without its service the test is skipped, or fails."""
    if kind in URLS and not URLS[kind]:
        lack(f"TEST_{kind.upper()}_URL is not set")
    return cache_settings(kind, URLS.get(kind, ""))


class CacheServer:
    """A private Redis or memcached, which a test may stop and start again."""

    COMMANDS = {
        "redis": ["redis-server", "--bind", "127.0.0.1", "--save", "", "--port"],
        "memcached": ["memcached", "-l", "127.0.0.1", "-U", "0", "-u", "nobody", "-p"],
    }

    def __init__(self, kind: str) -> None:
        command = self.COMMANDS[kind]
        if shutil.which(command[0]) is None:
            lack(f"{command[0]} is not installed")
        self.port = free_port()
        self._command = [*command, str(self.port)]
        address = f"127.0.0.1:{self.port}"
        self.settings = cache_settings(kind, f"redis://{address}" if kind == "redis" else address)
        self.start()

    def start(self) -> None:
        """Start it, with nothing stored, and wait until it answers."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        wait_for_port(self.port, self.process)

    def stop(self) -> None:
        """End it at once, if it has not ended before: memcached takes its time to end in peace."""
        self.process.kill()
        self.process.wait(PATIENCE)


def free_port() -> int:
    """Return a port at which nobody listens.

    None of those that a system gives away itself: until somebody listens there, any connection
    could be given it.
    """
    while True:
        port = secrets.choice(range(20_000, 32_768))
        with contextlib.suppress(OSError), socket.socket() as unused:
            unused.bind(("127.0.0.1", port))
            return port


def new_address() -> str:
    """Return an address of this machine that no test has asked from.

    Limits count by it. Some systems have only one.
    """
    address = next(_addresses)
    with socket.socket() as probed:
        try:
            probed.bind((address, 0))
        except OSError:
            lack(f"{address} is no address of this machine; `ifconfig lo0 alias` adds one")
    return address


def wait_for_port(port: int, process: subprocess.Popen[Any]) -> None:
    """Return once a process, which has to stay alive, accepts connections."""
    wait_for_server(lambda: socket.create_connection(("127.0.0.1", port), timeout=1), process)


def wait_for_server(connect: Callable[[], socket.socket], process: subprocess.Popen[Any]) -> None:
    """The same for whatever ``connect`` connects to."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        try:
            connect().close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{process.args!r} does not listen")
