"""Bytes on a connection, and the answers that are made of what comes back."""

from __future__ import annotations

import socket
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from tests.example.support import Site

from .oracle import Answer


class Replay(socket.socket):
    """Something that ``HTTPResponse`` takes for a connection, with bytes that came before."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def makefile(self, *args: Any, **kwargs: Any) -> Any:
        """Return the bytes, from where the last answer ended."""
        return self.file


class Unclosed:
    """A file that stays open when an answer has been read from it."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        """Leave it to the next answer."""

    def flush(self) -> None:
        """Do nothing: it is only read."""


class Connection:
    """One connection to a server, for what is no proper request."""

    def __init__(self, site: Site) -> None:
        self.socket = site.open()
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *args: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes; a server that has refused what came before may have gone already."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def end(self) -> None:
        """Say that nothing more comes; the answer can still be read."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def answer(self, method: str = "GET") -> Answer | None:
        """Return the next answer, ``None`` once the server has closed the connection."""
        try:
            if not self.file.peek(1):
                return None
            response = HTTPResponse(Replay(Unclosed(self.file)), method=method)
            response.begin()
            body = response.read()
        except ConnectionResetError:
            # It closed while there was more to read for it, and that is lost.
            return None
        assert response.version in (10, 11)
        return Answer(response.status, response.getheaders(), body, method)

    def answers(self) -> list[Answer]:
        """Return all answers that come."""
        return list(iter(self.answer, None))


def exchange(site: Site, data: bytes) -> list[Answer]:
    """Send bytes and nothing more, and return all answers."""
    with Connection(site) as connection:
        connection.send(data)
        connection.end()
        return connection.answers()


def netloc(site: Site) -> str:
    """Return host and port, as in ``Host``."""
    return urlsplit(site.base_url).netloc
