"""One request as bytes, and whatever comes back; and what may come back."""

from __future__ import annotations

import json
import re
from email.message import Message
from http.client import parse_headers
from io import BytesIO
from typing import Any, NamedTuple

from tests.example.hostile import LEAKS
from tests.example.support import Site

JSON = "application/json"
SERVERS_OWN = {
    # gunicorn's are made JSON by example_project/gunicorn.conf.py.
    b"Invalid HTTP request received.",
}
"""Bodies of refusals that a server wrote before Django was asked."""

CRASHES = ["Internal Server Error", "Exception in ASGI application", "Error handling request"]
"""What Django, uvicorn and gunicorn log of an exception that nobody caught."""


class Request(NamedTuple):
    """A request; head and body are sent as they are."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def __bytes__(self) -> bytes:
        own = {name.lower() for name, _ in self.headers}
        headers = [*self.headers, ("Connection", "close")]
        if "host" not in own:
            headers.insert(0, ("Host", "127.0.0.1"))
        if self.body is not None and "content-length" not in own:
            headers.append(("Content-Length", str(len(self.body))))
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{n}: {v}" for n, v in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (self.body or b"")


class Reply(NamedTuple):
    """What came back of one request."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def replies(data: bytes, methods: list[str]) -> list[Reply]:
    """Return the answers to requests of these methods that came over one connection."""
    stream, found = BytesIO(data), []
    for method in methods:
        line = stream.readline().split(None, 2)
        if not line:
            break
        status, headers = int(line[1]), parse_headers(stream)
        bare = method == "HEAD" or status in (204, 304)
        length = 0 if bare else int(headers.get("Content-Length") or 0)
        found.append(Reply(status, headers, stream.read(length)))
    return found


def ask(site: Site, request: Request) -> Reply | None:
    """Send a request from an address that nobody has heard of; ``None``: no answer came."""
    with site.from_new_address().open() as connection:
        connection.sendall(bytes(request))
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    return replies(data, [request.method])[0] if data else None


def check(request: Request, reply: Reply, secrets: list[str]) -> None:
    """The answer is one that the API may give, whatever was asked."""
    assert reply.status < 500, (request, reply)
    if reply.body.strip() in SERVERS_OWN:
        assert reply.status == 400
        return
    everything = reply.text + str(reply.headers)
    for secret in secrets:
        assert secret not in everything, request
    assert "api_token" not in str(reply.headers), request
    if reply.status == 304 or request.method == "HEAD":
        return
    assert reply.headers["Content-Type"] == JSON, (request, reply)
    assert reply.headers["X-Content-Type-Options"] == "nosniff", request
    check_body(request, reply.status, json.loads(reply.body), reply)


def check_body(request: Request, status: int, body: Any, reply: Reply) -> None:
    """A refusal has a message, a 422 may have errors, and nothing else."""
    if status < 400:
        return
    assert set(body) <= {"message", "errors"}, (request, reply)
    assert isinstance(body["message"], str), (request, reply)
    assert body["message"], (request, reply)
    assert not LEAKS.search(reply.text), (request, reply)
    if "errors" in body:
        assert status == 422
        assert body["errors"]
        for texts in body["errors"].values():
            assert texts, (request, reply)
            assert all(isinstance(text, str) and text for text in texts), (request, reply)
    needed = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}
    if status in needed:
        assert reply.headers[needed[status]], (request, reply)
    if status == 429:
        assert re.fullmatch("[1-9][0-9]*", reply.headers["Retry-After"])
