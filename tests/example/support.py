"""The example project as its users meet it: a command, a server, and HTTP."""

from __future__ import annotations

import atexit
import dataclasses
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import Message
from http.client import HTTPConnection
from json import dumps, loads
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from tests.services import PATIENCE, PATIENT, REDIS_URL, free_port, new_address, wait_for_port

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "example_project"
DOCS = ROOT / "docs" / "example.md"
PROBE = Path(__file__).with_name("probe.py")

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
INVALID = "The given data was invalid."

Headers = dict[str, str] | Iterable[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Message
    text: str
    asked_at: float
    answered_at: float
    """Both in seconds since 1970; in between the server read its clock."""

    def json(self) -> Any:
        """Return the body, which has to say that it is JSON."""
        assert self.headers["Content-Type"] == JSON
        return loads(self.text)

    def errors(self) -> dict[str, list[str]]:
        """Return the errors of a 422, which has to look like one."""
        assert self.status == 422, self.text
        body = self.json()
        assert body == {"message": INVALID, "errors": body["errors"]}
        assert body["errors"]
        for texts in body["errors"].values():
            assert texts
            assert all(isinstance(text, str) and text for text in texts)
        return body["errors"]


class Site:
    """One server and what its clients were given."""

    def __init__(self, credentials: dict[str, Any], log: Path, address: str = "127.0.0.1") -> None:
        self.credentials = credentials
        self.address = address
        self.base_url: str = credentials["base_url"]
        self.tokens: dict[str, str] = credentials["tokens"]
        self.log = log

    def from_new_address(self) -> Site:
        """Return the same server as a client sees it that nobody has heard of."""
        return Site(self.credentials, self.log, new_address())

    def connect(self) -> HTTPConnection:
        """Return a connection, which may be used for several requests."""
        netloc = urlsplit(self.base_url).netloc
        return HTTPConnection(netloc, timeout=PATIENCE, source_address=(self.address, 0))

    def request(
        self,
        path: str,
        *,
        method: str = "GET",
        token: str | None = None,
        client: str | None = None,
        headers: Headers = (),
        json: Any = None,
        form: list[tuple[str, str]] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
    ) -> Answer:
        """Send one request; ``token`` is one of the kinds in the credentials, or plain text.

        With ``json``, ``form`` or ``body`` it has a body.
        """
        if json is not None:
            body = dumps(json).encode()
        if form is not None:
            body, content_type = urlencode(form).encode(), FORM
        asked_at, connection = time.time(), self.connect()
        try:
            connection.putrequest(method, path, skip_host="Host" in dict(headers))
            if token is not None:
                connection.putheader("Authorization", f"Bearer {self.tokens.get(token, token)}")
            if client is not None:
                connection.putheader("Hs-Client-Id", client)
            for name, value in headers.items() if isinstance(headers, dict) else headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Type", content_type)
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            text = response.read().decode()
            return Answer(response.status, response.headers, text, asked_at, time.time())
        finally:
            connection.close()

    def as_acme(self, path: str, **options: Any) -> Answer:
        """Send one request to the help desk as its first client."""
        return self.request(path, **{"token": "valid", "client": "acme", **options})

    def open(self) -> socket.socket:
        """Return a connection for what is no proper request."""
        parts = urlsplit(self.base_url)
        return socket.create_connection(
            (parts.hostname, parts.port), timeout=PATIENCE, source_address=(self.address, 0)
        )

    def send(self, data: bytes) -> bytes:
        """Send bytes that are no proper request, and return all that comes back."""
        with self.open() as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))


class Limit(NamedTuple):
    """So many requests in so many seconds."""

    number: int
    seconds: int


def until_429(call: Callable[[], Answer], limit: Limit) -> list[Answer]:
    """Return the answers up to the first 429; each window lets as many pass as the limit says."""
    answers: list[Answer] = []
    start, windows = time.monotonic(), 2
    while len(answers) <= limit.number * windows:
        answers.append(call())
        if answers[-1].status == 429:
            return answers
        took = time.monotonic() - start
        assert took < PATIENCE + limit.seconds, "the machine is too slow to reach the limit"
        windows = int(took / limit.seconds) + 2
    raise AssertionError("there is no limit")


def at_once(call: Callable[[], Answer]) -> list[Answer]:
    """Return the answers of eight simultaneous calls."""
    with ThreadPoolExecutor(8) as pool:
        return [future.result() for future in [pool.submit(call) for _ in range(8)]]


def one_of_eight(attempt: Callable[[int], Answer]) -> list[Answer]:
    """Make eight attempts at once, of which one has to get a 201; return the others' 422s."""
    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(attempt, range(8)), key=lambda answer: answer.status)
    assert [answer.status for answer in answers] == [201] + [422] * 7
    return answers[1:]


def environment(database_url: str) -> dict[str, str]:
    """Return the environment for the project's commands: nothing of the developer's own."""
    own = {"DJANGO_SETTINGS_MODULE", "DATABASE_URL", "ALLOWED_HOSTS", "SECRET_KEY"}
    own |= {"REDIS_URL", "MEMCACHED_URL", "LIMIT_STORAGE_URL"}
    kept = {name: value for name, value in os.environ.items() if name not in own}
    services = {"DATABASE_URL": database_url, "REDIS_URL": REDIS_URL}
    return {**kept, **services, "SECRET_KEY": "only for tests"}


def manage(
    *arguments: str | Path, database_url: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run ``manage.py`` with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE / "manage.py", *arguments],
        env=environment(database_url),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


class _Probe:
    """A process that runs ``probe.py`` over one database."""

    def __init__(self, database_url: str) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", PROBE],
            env=environment(database_url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout

    def call(self, calls: Iterable[list[Any]]) -> list[Any]:
        """Return the results of functions in ``probe.py``."""
        self._input.write(f"{dumps(calls)}\n".encode())
        self._input.flush()
        ready, _, _ = select.select([self._output], [], [], PATIENCE)
        if ready and (line := self._output.readline()):
            return loads(line)
        self._errors.seek(0)
        errors = self._errors.read()
        self.end()
        raise AssertionError(errors or f"{calls} took longer than {PATIENCE} seconds")

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._input.close()
        self._output.close()
        self._errors.close()


MAX_PROBES = 4
_probes: dict[str, _Probe] = {}
"""Database URL to its process, the one used last at the end."""


def probe(*calls: list[Any], database_url: str) -> list[Any]:
    """Return the results of functions in ``probe.py``, called inside the example project.

    Calls for one database share a process: starting Django takes longer than most calls.
    """
    found = _probes.pop(database_url, None) or _Probe(database_url)
    results = found.call(calls)
    _probes[database_url] = found
    end_probes(MAX_PROBES)
    return results


@atexit.register
def end_probes(left: int = 0) -> None:
    """End the processes of ``probe`` except those used last."""
    while len(_probes) > left:
        _probes.pop(next(iter(_probes))).end()


@contextmanager
def serve(
    folder: Path, database_url: str, **variables: str
) -> Iterator[tuple[Site, subprocess.Popen[str]]]:
    """Run ``demo`` at a free port; it is ended with the context, if it has not ended before.

    ``variables`` are further ones of its environment.
    """
    credentials, log = folder / "credentials.json", folder / "log"
    command = [sys.executable, "-W", "error", EXAMPLE / "manage.py", "demo", "--port", "0"]
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*command, "--credentials", credentials],
            env={**environment(database_url), **variables},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        # The last line of the explanation comes once the port is open.
        for line in process.stdout or ():
            if line.startswith("Serving at "):
                break
        else:
            raise AssertionError(log.read_text())
        yield Site(loads(credentials.read_text()), log), process
    finally:
        end(process)


def prepare(folder: Path, database_url: str) -> Path:
    """Write the example's rows, and return the file with its credentials."""
    credentials = folder / "credentials.json"
    manage("demo", "--no-serve", "--credentials", credentials, database_url=database_url)
    return credentials


@contextmanager
def serve_as_documented(
    program: str,
    folder: Path,
    database_url: str,
    *,
    credentials: Path | None = None,
    options: str = "",
    **variables: str,
) -> Iterator[Site]:
    """Run the command of docs/example.md that begins with ``program``, at a free port.

    ``credentials``: what ``prepare`` returned for the database; without it, prepare the database.
    ``options`` are further ones of the command, ``variables`` of its environment.
    """
    credentials, log = credentials or prepare(folder, database_url), folder / "log"
    port = free_port()
    words = [documented_command(program), *PATIENT[program], options]
    command = " ".join(words).replace("8000", str(port))
    with log.open("w") as output:
        process = subprocess.Popen(
            shlex.split(command),
            cwd=ROOT,
            env={**environment(database_url), **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        wait_for_port(port, process)
        site = {**loads(credentials.read_text()), "base_url": f"http://127.0.0.1:{port}"}
        yield Site(site, log)
    finally:
        assert end(process) == 0


def documented_command(program: str) -> str:
    """Return a line of docs/example.md, for the environment that the tests run in."""
    found = re.findall(rf"^[.]venv/bin/{program} .*", DOCS.read_text(), re.MULTILINE)
    assert len(found) == 1
    return found[0].replace(".venv/bin/", f"{Path(sys.executable).parent}/")


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    """End a server and return its exit code."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode


def wait_for(text: str, file: Path) -> str:
    """Return a file's content once ``text`` stands in it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if text in (content := file.read_text()):
            return content
        time.sleep(0.05)
    raise AssertionError(f"{text!r} is not in {content!r}")
