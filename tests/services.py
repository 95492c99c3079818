"""The databases, caches and proxies that the tests use, as the environment names them.

``TEST_DATABASE_URL``: the database server, as in ``postgres://user@host/name``; every run makes
databases of its own there, whose names begin with the URL's. SQLite unless given.
``TEST_REDIS_URL``: the cache, as in ``redis://host:6379/0``; memory unless given.
``TEST_MEMCACHED_URL``: another cache for the tests of all caches, as in ``host:11211``.
``TEST_REQUIRE``: with any value, a test that lacks a service or a program fails, not skips.

Runs do not notice one another, since each has a name of its own for what it stores.
"""

from __future__ import annotations

import fcntl
import inspect
import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest
import uvicorn
from django.core.cache.backends import redis
from django.db import Error, connection
from django.db.utils import ConnectionHandler

from project.databases import database

DATABASE_URL = os.environ.get("TEST_DATABASE_URL") or "sqlite://:memory:"
REDIS_URL = os.environ.get("TEST_REDIS_URL", "")
MEMCACHED_URL = os.environ.get("TEST_MEMCACHED_URL", "")
REQUIRED = bool(os.environ.get("TEST_REQUIRE"))

RUN = secrets.token_hex(4)
PATIENCE = 120
"""Seconds that anything may take on a busy machine."""

PATIENT: dict[str, list[str]] = {
    "gunicorn": ["--timeout", str(PATIENCE)],
    # Older versions of uvicorn do not ask whether their processes are well.
    "uvicorn": ["--timeout-worker-healthcheck", str(PATIENCE)]
    if "timeout_worker_healthcheck" in inspect.signature(uvicorn.Config).parameters
    else [],
}
"""What makes servers take no process for dead that is only busy."""

_numbers = itertools.count(1)
_addresses = (f"127.1.{high}.{low}" for high in range(256) for low in range(1, 255))


def lack(what: str) -> NoReturn:
    """Skip the test, or fail it if ``TEST_REQUIRE`` is set: ``what`` names what is missing."""
    if REQUIRED:
        pytest.fail(what)
    pytest.skip(what)


# --- Databases --------------------------------------------------------------------------------


def database_settings() -> dict[str, Any]:
    """Return the value of ``DATABASES["default"]``."""
    found = database(DATABASE_URL)
    if found["NAME"] == ":memory:":
        return found
    return {**found, "TEST": {"NAME": f"{found['NAME']}_{RUN}"}}


def create_database(folder: Path, template: str = "") -> str:
    """Return the URL of an empty database for another process: a file, or one on the server.

    With ``template``, the URL of a database that no process uses, it is a copy of that one.
    MariaDB cannot copy.
    """
    number = next(_numbers)
    if connection.vendor == "sqlite":
        # The example's keys in Redis begin with this name: no other process may use it.
        file = folder / f"{RUN}-{number}.sqlite3"
        if template:
            shutil.copyfile(template.removeprefix("sqlite:///"), file)
        return f"sqlite:///{file}"
    url = urlsplit(DATABASE_URL)
    name = f"{url.path[1:]}_{RUN}_{number}"
    quote = connection.ops.quote_name
    copied = f" TEMPLATE {quote(urlsplit(template).path[1:])}" if template else ""
    _execute(f"CREATE DATABASE {quote(name)}{copied}")
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
        if connection.vendor == "postgresql":
            # Dropping a database waits for a checkpoint: more than half a minute on a busy disk.
            cursor.execute("SET statement_timeout = 0")
        cursor.execute(statement)


class DatabaseServer:
    """A private PostgreSQL or MariaDB, of the kind that the tests run on, to be stopped under load.

    ``DatabaseServer("postgresql")``, or ``"mysql"`` as Django calls both. ``url`` names an empty
    database.
    """

    STARTED_WITHIN = PATIENCE

    def __init__(self, vendor: str) -> None:
        self.vendor, self.port = vendor, free_port()
        self._programs = {name: _program(name) for name in self._NEEDED[vendor]}
        self._folder = Path(tempfile.mkdtemp(prefix="connectnow_api-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            # Neither server runs as root.
            owner = {"postgresql": "postgres", "mysql": "mysql"}[vendor]
            shutil.chown(self._folder, owner)
            self._as = {"user": owner, "group": pwd.getpwnam(owner).pw_gid, "extra_groups": ()}
        data = self._folder / "data"
        user = {"postgresql": "postgres://postgres", "mysql": "mysql://root"}[vendor]
        self._address = f"{user}@127.0.0.1:{self.port}"
        prepare, self._command = getattr(self, f"_{vendor}")(data)
        subprocess.run(prepare, check=True, capture_output=True, cwd=self._folder, **self._as)
        self.start()
        self.url = f"{self._address}/outages"
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE outages")

    _NEEDED = {
        "postgresql": ("initdb", "postgres"),
        "mysql": ("mariadb-install-db", "mariadbd"),
    }

    def _postgresql(self, data: Path) -> tuple[list[str], list[str]]:
        initdb, postgres = self._programs.values()
        prepare = [initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"]
        # Whatever the system has written outlives a crash of the server, which is all that comes.
        options = {"port": self.port, "unix_socket_directories": self._folder, "fsync": "off"}
        said = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        return prepare, [postgres, "-D", str(data), *said]

    def _mysql(self, data: Path) -> tuple[list[str], list[str]]:
        install, mariadbd = self._programs.values()
        # Root without a password, as on the servers that tests are given.
        auth = "--auth-root-authentication-method=normal"
        own = ["--no-defaults", f"--datadir={data}"]
        prepare = [install, *own, auth, "--skip-test-db"]
        said = [f"--port={self.port}", f"--socket={self._folder / 'socket'}"]
        where = ["--bind-address=127.0.0.1", f"--pid-file={self._folder / 'pid'}"]
        return prepare, [mariadbd, *own, *said, *where]

    def start(self) -> None:
        """Start it, with what it held, and wait until it answers."""
        self.process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._as,
        )
        deadline = time.monotonic() + self.STARTED_WITHIN
        while True:
            try:
                self._connect().close()
            except Error:
                assert self.process.poll() is None, "the server has ended"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.1)
            else:
                return

    def crash(self) -> None:
        """End it at once, without a word to whoever is connected."""
        # PostgreSQL's processes all end by this; whoever kills one of them has the others to find.
        self.process.send_signal(signal.SIGQUIT if self.vendor == "postgresql" else signal.SIGKILL)
        self.process.wait(PATIENCE)

    def freeze(self) -> None:
        """Let it answer nobody who comes, and keep whoever came from noticing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """End it, if it has not ended before, and remove what it held."""
        if self.process.poll() is None:
            self.thaw()
            self.crash()
        shutil.rmtree(self._folder)

    def _connect(self) -> Any:
        """Connect to no database of anybody's; raise ``Error`` if that cannot be."""
        name = {"postgresql": "postgres", "mysql": ""}[self.vendor]
        values = {**database(f"{self._address}/x"), "NAME": name}
        found = ConnectionHandler({"default": values})["default"]
        found.ensure_connection()
        return found


class DatabaseFile:
    """The same of SQLite, whose file can be out of reach."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="connectnow_api-"))
        self._away = self._folder.with_name(f"{self._folder.name}-away")
        self.url = f"sqlite:///{self._folder / 'database.sqlite3'}"

    def crash(self) -> None:
        """Put it out of reach."""
        self._folder.rename(self._away)

    def start(self) -> None:
        """Put it back, with what it held."""
        self._away.rename(self._folder)

    def remove(self) -> None:
        """Remove it, wherever it is."""
        for folder in (self._folder, self._away):
            shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    """Return the path of a server's program; Debian keeps PostgreSQL's out of the way."""
    usual = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin") or (usual and str(usual[-1]))
    return found or lack(f"{name} is not installed")


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
        self.location = f"redis://{address}" if kind == "redis" else address
        self.settings = cache_settings(kind, self.location)
        self.start()

    def start(self) -> None:
        """Start it, with nothing stored, and wait until it answers."""
        # Redis may write dump.rdb into the folder that it is started in.
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, cwd=tempfile.gettempdir()
        )
        wait_for_port(self.port, self.process)

    def freeze(self) -> None:
        """Let it answer nobody, and keep whoever asks from noticing."""
        self.process.send_signal(signal.SIGSTOP)
        # On a busy machine some of its threads go on for a while.
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it at once, if it has not ended before: memcached takes its time to end in peace."""
        self.process.kill()
        self.process.wait(PATIENCE)


# --- Proxies ----------------------------------------------------------------------------------


class Nginx:
    """A private nginx, which passes what is asked below ``/name/`` on to one of its upstreams.

    ``upstreams``: name to what ``proxy_pass`` takes, ``http://127.0.0.1:8000`` or
    ``http://unix:/run/socket``. Of what a client sends it keeps ``X-Forwarded-For``, and appends.
    ``folder`` is where its own files are, and nobody else's.
    """

    HEAD = """
        daemon off;
        pid {folder}/pid;
        error_log stderr;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {folder}/body;
            proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/fastcgi;
            uwsgi_temp_path {folder}/uwsgi;
            scgi_temp_path {folder}/scgi;
            server {{
                listen 127.0.0.1:{port};
                proxy_set_header Host $host;
                proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                proxy_set_header X-Real-IP $remote_addr;
    """
    LOCATION = "location /{name}/ {{ proxy_pass {upstream}; }}\n"

    def __init__(self, folder: Path, upstreams: dict[str, str]) -> None:
        program = self.find()
        self.port = free_port()
        places = [self.LOCATION.format(name=name, upstream=at) for name, at in upstreams.items()]
        head = self.HEAD.format(folder=folder, port=self.port)
        file = folder / "nginx.conf"
        file.write_text("".join([head, *places, "}}"]))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            # It needs no rights, and has none.
            nobody = pwd.getpwnam("nobody")
            shutil.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
        self.process = subprocess.Popen(
            [program, "-e", "stderr", "-p", str(folder), "-c", str(file)], **self._as
        )
        wait_for_port(self.port, self.process)

    @staticmethod
    def find() -> str:
        """Return the program's path; without it the test is skipped, or fails."""
        return _program("nginx")

    def stop(self) -> None:
        """End it; it has to have lived until now."""
        assert self.process.poll() is None, "nginx has ended"
        self.process.terminate()
        self.process.wait(PATIENCE)


def free_port() -> int:
    """Return a port at which nothing listens, and reserve it until this process ends.

    The reservation is a lock on a file named after the port, in a folder that all test processes
    of this user share. The system releases the lock when the process ends, however it ends. So
    two runs never choose one port, although a server binds it only later. The range is outside of
    the ports that the system assigns to connections. A port that another program uses, or used
    until a moment ago, cannot be bound and is not chosen.
    """
    folder = Path(tempfile.gettempdir(), f"connectnow_api-ports-{os.getuid()}")
    folder.mkdir(exist_ok=True)
    while True:
        port = secrets.choice(range(20_000, 32_768))
        # Left open: the lock lasts as long as the descriptor, which servers do not inherit.
        lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT, 0o600)
        with socket.socket() as unused:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                unused.bind(("127.0.0.1", port))
            except OSError:
                os.close(lock)
            else:
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
