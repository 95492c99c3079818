"""Requests as bytes, over connections that are kept as long as the server keeps them."""

from __future__ import annotations

import json
import random
import select
import socket
from collections.abc import Iterable
from http.client import HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlencode

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PATIENCE = 60
"""Seconds that an answer may take."""
LINGER = b"\1\0\0\0\0\0\0\0"
"""Closes a socket by a reset."""


class Unanswered(Exception):  # noqa: N818 -- what became of a request
    """No whole answer came: what was asked for may have been done, or not."""


class Cut(Exception):  # noqa: N818 -- the same
    """The request was not sent to its end on purpose: it may not have been done."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        """Return the body; raise ``ValueError`` if it does not say that it is JSON, or is none."""
        if self.headers["Content-Type"] != JSON:
            raise ValueError(f"{self.headers['Content-Type']} is not JSON")
        return json.loads(self.body)


def encode(method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes | None) -> bytes:
    """Return a request. ``body``: with its length, unless it is ``None``."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def encode_form(body: dict[str, Any]) -> bytes:
    """Return a form with PHP's brackets."""
    return urlencode(list(_fields(body, ""))).encode()


def _fields(value: Any, name: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _fields(item, f"{name}[{key}]" if name else key)
    elif isinstance(value, list):
        for item in value:
            yield from _fields(item, f"{name}[]")
    else:
        yield name, str(value)


def fits_a_form(value: Any) -> bool:
    """Tell whether a form says the same as JSON: it has texts and numbers, and no empty lists."""
    if isinstance(value, dict):
        return all(map(fits_a_form, value.values()))
    if isinstance(value, list):
        return bool(value) and all(type(item) in (int, str) for item in value)
    return type(value) in (int, str)


class Connections:
    """One client's connections, one after the other, each from an address of its own.

    Refused tokens are counted by address, and no client shall be stopped by that unless it means
    to. A connection is given up after some requests, so that every process of the server gets some.
    """

    def __init__(self, host: str, port: int, number: int, rng: random.Random) -> None:
        self.host, self.port = host, port
        self.opened = self.reused = 0
        self._network, self._rng = 16 + number % 200, rng
        self._socket: socket.socket | None = None
        self._left = 0

    def address(self, position: int) -> str:
        """Return one of this client's own addresses; some systems have only one for all."""
        return f"127.{self._network}.{position // 250 % 250}.{position % 250 + 1}"

    def open(self, address: str | None = None) -> socket.socket:
        """Return a new connection. Raises ``Unanswered`` where nobody listens."""
        self.opened += 1
        source = address or self.address(self.opened)
        try:
            return socket.create_connection((self.host, self.port), PATIENCE, (source, 0))
        except OSError as error:
            raise Unanswered(f"no connection: {error}") from error

    def exchange(self, method: str, data: bytes) -> Answer:
        """Send a request and return its answer. Raises ``Unanswered``."""
        connection = self._get()
        try:
            answer, closes = receive(connection, method, data)
        except Unanswered:
            self.close()
            raise
        if closes or self._left <= 0:
            self.close()
        return answer

    def _get(self) -> socket.socket:
        if self._socket and select.select([self._socket], [], [], 0)[0]:
            # The server has closed it; or said what nobody asked, which is as bad.
            self.close()
        if self._socket is None:
            self._socket, self._left = self.open(), self._rng.randint(1, 60)
        else:
            self.reused += 1
        self._left -= 1
        return self._socket

    def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def abandon(self, data: bytes) -> None:
        """Send what may be half a request and go, in peace or by a reset."""
        connection = self.open()
        try:
            connection.sendall(data)
            if self._rng.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        except OSError:
            pass  # The server was faster.
        finally:
            connection.close()

    def send_raw(self, data: bytes, address: str | None = None) -> Answer:
        """Send what may be no request on a connection of its own, end it, and return the answer."""
        with self.open(address) as connection:
            return receive(connection, "GET", data, end=True)[0]


def receive(
    connection: socket.socket, method: str, data: bytes, *, end: bool = False
) -> tuple[Answer, bool]:
    """Return the answer, and whether the server closes the connection. Raises ``Unanswered``."""
    try:
        try:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # An answer may have come before all was sent.
        with HTTPResponse(connection, method=method) as response:
            response.begin()
            body = response.read()
            return Answer(response.status, response.headers, body), response.will_close
    except (OSError, HTTPException) as error:
        raise Unanswered(f"{type(error).__name__}: {error}") from error
