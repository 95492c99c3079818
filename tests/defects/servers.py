"""Real servers with the site, and a client that asks them over a socket."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.http.response import ResponseHeaders
from django.test import RequestFactory
from django.utils.encoding import force_bytes, iri_to_uri

from connectnow_api.audit.models import TokenAuditEntry
from connectnow_api.models import APIToken
from project.databases import database
from tests.library.models import Author, Book
from tests.services import PATIENCE, PATIENT, default_cache, free_port, new_address, wait_for_server

SERVERS = {
    "gunicorn": [
        # Preloaded, many servers start in the time of one.
        *("--workers", "4", "--preload", *PATIENT["gunicorn"], "--log-level", "warning"),
        "tests.defects.applications:wsgi_application",
    ],
    "uvicorn": [
        *("--workers", "2", "--log-level", "warning", "--no-access-log", "--no-proxy-headers"),
        *PATIENT["uvicorn"],
        "tests.defects.applications:asgi_application",
    ],
}
"""The servers, one of WSGI and one of ASGI, to their options."""
BOTH = {
    *(1, 47, 49),  # many requests at once: processes and threads
    *(11, 36, 39),  # paths and query strings
    *(13, 14, 25, 42, 43, 44, 45),  # methods, headers, and the script's name
    *(15, 16, 17, 18, 20, 22, 32, 41),  # bodies and their lengths
    12,  # crashes
}
"""Rows on which WSGI and ASGI, or the servers, can differ. Other rows need one server witness."""
AT_PORT = {"gunicorn": ["--bind", "127.0.0.1:{}"], "uvicorn": ["--port", "{}"]}
AT_SOCKET = {"gunicorn": ["--bind", "unix:{}"], "uvicorn": ["--uds", "{}"]}
ERROR = re.compile(
    r"^(?:\[.*\] )?\[(?:ERROR|CRITICAL)\](?! connectnow_api\.).*|^(?:ERROR|CRITICAL):.*",
    re.MULTILINE,
)
"""What a server's log says where something crashed; what the package logs was handled."""


def behind(*programs: str, marks: Iterable[str] = ()) -> pytest.MarkDecorator:
    """Return a decorator that runs a test once behind each of these servers."""
    return pytest.mark.parametrize("transport", variants(*programs, marks=marks))


def variants(*programs: str, marks: Iterable[str] = ()) -> list[Any]:
    """Return the parameters of ``behind``, with the mark ``servers`` and further ones."""
    found = [getattr(pytest.mark, name) for name in ("servers", *marks)]
    return [pytest.param(program, marks=found) for program in programs]


class Server:
    """One that is running, with the site; at a port, or where a Unix socket's path is given."""

    def __init__(
        self, program: str, log: Path, database_url: str, settings: Any, path: Path | None = None
    ) -> None:
        self.place: int | Path = free_port() if path is None else path
        self.log = log
        where = (AT_PORT if path is None else AT_SOCKET)[program]
        options = [*(option.format(self.place) for option in where), *SERVERS[program]]
        with self.log.open("w") as log_file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", program, *options],
                env=environment(database_url, settings),
                stdout=log_file,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> None:
        """Return once it accepts connections."""
        wait_for_server(lambda: self.connect("127.0.0.1"), self.process)

    def connect(self, address: str) -> socket.socket:
        """Return a connection from an address."""
        if isinstance(self.place, int):
            source = (address, 0)
            return socket.create_connection(("127.0.0.1", self.place), PATIENCE, source)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        try:
            connection.connect(str(self.place))
        except OSError:
            connection.close()
            raise
        return connection

    def client(self) -> LiveClient:
        """Return a client from an address that no other has."""
        return LiveClient(self, new_address())

    def stop(self) -> None:
        """End it in peace; it has to have lived until now."""
        assert self.process.poll() is None, self.log.read_text()
        self.process.terminate()
        self.process.wait(PATIENCE)

    def errors(self) -> list[str]:
        """Return the lines of its log that say that something crashed."""
        return [line for line in self.log.read_text().splitlines() if ERROR.match(line)]

    def watch(self) -> Crashes:
        """Return what crashes from now on."""
        return Crashes(self.log)


class Crashes:
    """What a server's log tells of crashes."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.clear()

    def clear(self) -> None:
        """Forget what has been seen."""
        self._start = self.log.stat().st_size

    def __len__(self) -> int:
        text = self.text
        return len(ERROR.findall(text)) or text.count("Traceback")

    def __repr__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """What was logged meanwhile."""
        return self.log.read_bytes()[self._start :].decode()


def environment(database_url: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of a process with the site."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.defects.served_settings",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "SERVED_DATABASE": database_url,
        "SERVED": json.dumps({"CACHES": {"default": default_cache()}, **settings}),
    }


def migrate(database_url: str) -> None:
    """Make the site's tables. Some of its views are what checks refuse."""
    options = ["--run-syncdb", "--skip-checks", "--verbosity", "0"]
    subprocess.run(
        [sys.executable, "-m", "django", "migrate", *options],
        env=environment(database_url, {}),
        timeout=PATIENCE,
        check=True,
    )


# --- The database, as this process sees it ----------------------------------------------------


def connect(database_url: str) -> Any:
    """Return a connection to the database that the servers read."""
    connection = connections.create_connection("default")
    connection.settings_dict = {**connection.settings_dict, **database(database_url)}
    return connection


@contextlib.contextmanager
def as_default(connection: Any) -> Iterator[None]:
    """Let the ORM of this thread use a connection, at first with no rows in its tables.

    What is written is committed at once, so that others see it.
    """
    outer = connections["default"]
    connections["default"] = connection
    try:
        APIToken.objects.update(rotated_from=None)
        for model in (TokenAuditEntry, APIToken, User, Book, Author):
            model._base_manager.all()._raw_delete("default")
        yield
    finally:
        connections["default"] = outer


# --- The client -------------------------------------------------------------------------------


class Answer:
    """What came back, by the names that Django's test client has for it."""

    def __init__(self, response: HTTPResponse) -> None:
        self.content = response.read()
        self.status_code = response.status
        self.headers = ResponseHeaders(dict(response.getheaders()))

    def __getitem__(self, name: str) -> str:
        return self.headers[name]

    def json(self) -> Any:
        return json.loads(self.content)


class LiveClient(RequestFactory):
    """Django's test client, as far as requests go, that asks a server over a socket.

    What of an environ is no header cannot be sent, and is refused.
    """

    def __init__(self, server: Server, address: str) -> None:
        super().__init__()
        self.server, self.address = server, address

    def generic(  # type: ignore[override]
        self,
        method: str,
        path: str,
        data: Any = b"",
        content_type: str = "application/octet-stream",
        secure: bool = False,
        *,
        headers: Mapping[str, str] | None = None,
        query_params: None = None,
        **extra: Any,
    ) -> Answer:
        """Send one request and return the answer."""
        query = extra.pop("QUERY_STRING", "")
        data = force_bytes(data)
        lines = {"Host": "testserver", "Connection": "close"}
        if data or method in ("POST", "PUT", "PATCH"):
            lines |= {"Content-Type": content_type, "Content-Length": str(len(data))}
        lines |= {name.title(): value for name, value in (headers or {}).items()}
        for name, value in extra.items():
            assert name.startswith("HTTP_"), f"{name} is no header"
            lines[name.removeprefix("HTTP_").replace("_", "-").title()] = value
        uri = iri_to_uri(f"{path}?{query}" if query else path)
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return self.send(f"{method} {uri} HTTP/1.1\r\n{head}\r\n".encode("latin-1"), data, method)

    def send(self, head: bytes, body: bytes = b"", method: str = "POST") -> Answer:
        """Send bytes, be they a proper request or not, and return the answer."""
        with self.open() as connection:
            # Who is told that it is too much may be told so before it has sent all.
            with contextlib.suppress(ConnectionError):
                connection.sendall(head)
                connection.sendall(body)
            response = HTTPResponse(connection, method=method)
            response.begin()
            return Answer(response)

    def open(self) -> socket.socket:
        """Return a connection from the client's address."""
        return self.server.connect(self.address)
