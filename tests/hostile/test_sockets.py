"""Bytes that are no proper requests, to gunicorn: refused in JSON, and nobody else notices.

Lengths, chunks, pipelines, folded headers and the like. uvicorn's parser is its own affair; of it
it is asked that it goes on.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable

import pytest

from tests.example.support import Site

from .exchange import CRASHES, Reply, Request, ask, replies

TOKEN = "cn_" + "x" * 46
VALID = "cn_" + "v" * 46
"""Stands for a token of the site's."""


def send(site: Site, data: bytes, *, keep_open: bool = False, methods: str = "GET") -> list[Reply]:
    """Send bytes, and return what comes back until the server closes the connection.

    Unless ``keep_open``, the client says that nothing more will come.
    """
    with site.open() as connection:
        connection.sendall(with_token(site, data))
        if not keep_open:
            connection.shutdown(socket.SHUT_WR)
        found = b"".join(iter(lambda: connection.recv(65536), b""))
    return replies(found, methods.split())


def with_token(site: Site, data: bytes) -> bytes:
    return data.replace(VALID.encode(), site.tokens["valid"].encode())


def assert_goes_on(site: Site) -> None:
    """Each of the processes still answers, and none of them has noted a crash."""
    for _ in range(8):
        reply = ask(site, Request("GET", "/api/issues?per_page=1"))
        assert reply is not None
        assert reply.status == 200
    log = site.log.read_text()
    assert not any(line in log for line in CRASHES), log
    assert TOKEN not in log


def assert_refused(reply: Reply, *statuses: int) -> None:
    assert reply.status in statuses
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    body = json.loads(reply.body)
    assert set(body) <= {"message", "errors"}
    assert body["message"]
    assert TOKEN not in reply.text


@pytest.fixture(scope="session")
def gunicorn(target: Site) -> Site:
    if "gunicorn" not in target.log.parent.name:
        pytest.skip("this is about gunicorn's parser")
    return target


@pytest.fixture
def site(gunicorn: Site) -> Site:
    return gunicorn.from_new_address()


def post(*headers: str, body: str = "", path: str = "/api/companies") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines.append(f"Authorization: Bearer {VALID}")
    return "\r\n".join([*lines, *headers, "", body]).encode("latin-1")


def get(*headers: str, path: str = "/api/issues", version: str = "HTTP/1.1") -> bytes:
    lines = [f"GET {path} {version}".rstrip(), "Host: 127.0.0.1", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


REFUSED = {
    # Lengths.
    "a length that is no number": (post("Content-Length: abc"), 400),
    "a negative length": (post("Content-Length: -1"), 400),
    "a length with a sign": (post("Content-Length: +1", body="x"), 400),
    "a length in other digits": (post("Content-Length: \xb2", body="xx"), 400),
    "two lengths": (post("Content-Length: 2", "Content-Length: 3", body="{}"), 400),
    "two lengths in one line": (post("Content-Length: 2, 2", body="{}"), 400),
    "a body that ends too soon": (post("Content-Length: 50", body='{"name": "x"}'), 400),
    "a whole object that is too short": (post("Content-Length: 14", body='{"name": "x"}'), 400),
    "a length beyond the limit": (post("Content-Length: 9999999", body="{}"), 413),
    # Chunks.
    "a size that is no number": (
        post("Transfer-Encoding: chunked", body="zz\r\n{}\r\n0\r\n\r\n"),
        400,
    ),
    "a negative size": (post("Transfer-Encoding: chunked", body="-2\r\n{}\r\n0\r\n\r\n"), 400),
    "a size in other clothes": (
        post("Transfer-Encoding: chunked", body="0x2\r\n{}\r\n0\r\n\r\n"),
        400,
    ),
    "a chunk without an end": (post("Transfer-Encoding: chunked", body="2\r\n{}XX0\r\n\r\n"), 400),
    "chunks without a last one": (post("Transfer-Encoding: chunked", body="2\r\n{}\r\n"), 400),
    "a chunk that is too short": (post("Transfer-Encoding: chunked", body="50\r\n{}"), 400),
    "chunks and a length": (
        post("Transfer-Encoding: chunked", "Content-Length: 2", body="0\r\n\r\n"),
        400,
        422,
    ),
    "another coding": (post("Transfer-Encoding: gzip", body="x"), 400, 501),
    "a coding that is hidden": (post("Transfer-Encoding: \x0bchunked", body="0\r\n\r\n"), 400, 501),
    "a coding twice": (post("Transfer-Encoding: chunked, chunked", body="0\r\n\r\n"), 400, 501),
    # Headers.
    "a folded header": (get("X-Long: a", " b"), 400),
    "a NUL in a header": (get("X-Odd: a\0b"), 400),
    "a bare CR in a header": (get("X-Odd: a\rb"), 400),
    "a space in a name": (get("X Odd: a"), 400),
    "a space behind a name": (get("Authorization : Bearer x"), 400),
    "no name": (get(": a"), 400),
    "no colon": (get("X-Odd"), 400),
    "a header of 9 kB": (get(f"Authorization: Bearer {'x' * 9000}"), 431),
    "200 headers": (get(*(f"X-{number}: a" for number in range(200))), 431),
    # Request lines.
    "a long line": (get(path="/api/issues?a=" + "x" * 5000), 400, 414),
    "no version": (get(version=""), 400, 505),
    "a version that is none": (get(version="HTTP/9.9"), 400, 505),
    "a method that is none": (get().replace(b"GET", b"G@T"), 400),
    "a token in a line that is none": (get(path=f"/api/user?api_token={TOKEN} x"), 400),
    "a control character in a path": (get(path="/api/issues\x01"), 400, 404),
    "a line that is none": (b"hello\r\n\r\n", 400),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "HTTP/2 at once": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 505),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(site: Site, case: str) -> None:
    data, *statuses = REFUSED[case]
    assert isinstance(data, bytes)
    [reply] = send(site, data)
    assert_refused(reply, *(int(status) for status in statuses))
    assert_goes_on(site)


def test_what_is_understood_all_the_same(site: Site) -> None:
    """Chunks of any size, with extensions; an absolute address; an old version."""
    chunked = post("Transfer-Encoding: chunked", body="1;a=b\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
    [reply] = send(site, chunked, keep_open=False)
    assert_refused(reply, 400, 422)
    [reply] = send(site, get("Connection: close", path="http://127.0.0.1/api/issues"))
    assert reply.status in (200, 404)
    [reply] = send(site, get("Connection: close", version="HTTP/1.0"))
    assert reply.status == 200
    assert_goes_on(site)


def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    found = send(
        site,
        get(path="/api/issues/1")
        + get(path="/api/nowhere")
        + get("Connection: close", path="/api/issues/2"),
        methods="GET GET GET",
    )
    assert [reply.status for reply in found] == [200, 404, 200]
    assert [json.loads(reply.body).get("id") for reply in found] == [1, None, 2]


def test_a_refused_request_takes_none_of_those_behind_it_along(site: Site) -> None:
    """Nor is its body taken for another one: what comes behind is answered, or nothing is."""
    smuggled = get(path="/api/issues/2").decode()
    short = post("Content-Length: 5", body="{}")
    found = send(site, short + get("Connection: close", path="/api/issues/1"), methods="POST GET")
    assert found[0].status in (400, 422)
    assert all(json.loads(reply.body).get("id") != 2 for reply in found)
    both = post("Transfer-Encoding: chunked", "Content-Length: 4", body="0\r\n\r\n" + smuggled)
    found = send(site, both, methods="POST GET")
    assert found[0].status in (400, 422)
    assert [json.loads(reply.body).get("id") for reply in found[1:]] in ([], [2])
    assert_goes_on(site)


def test_a_client_that_waits_holds_nobody_up(site: Site) -> None:
    """Fewer than a process has threads: more have to be held back by a server in front."""
    waiting = [site.open() for _ in range(3)]
    try:
        for connection in waiting:
            connection.sendall(post("Content-Length: 100", body="{"))
        assert_goes_on(site)
    finally:
        for connection in waiting:
            connection.close()
    assert_goes_on(site)


def trickle(connection: socket.socket) -> None:
    for byte in get("Connection: close", path="/api/issues/1"):
        connection.sendall(bytes([byte]))
        time.sleep(0.001)
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def vanish_within_a_body(connection: socket.socket) -> None:
    connection.sendall(post("Content-Length: 100", body="{"))


def vanish_within_a_line(connection: socket.socket) -> None:
    connection.sendall(b"GET /api/iss")


def vanish_before_the_answer(connection: socket.socket) -> None:
    connection.sendall(get(path="/api/issues?per_page=249"))


def reset_before_the_answer(connection: socket.socket) -> None:
    connection.sendall(get(path="/api/issues?per_page=249"))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.mark.parametrize(
    "client",
    [
        trickle,
        vanish_within_a_body,
        vanish_within_a_line,
        vanish_before_the_answer,
        reset_before_the_answer,
    ],
)
def test_clients_that_take_their_time_or_go(
    site: Site, client: Callable[[socket.socket], None]
) -> None:
    for _ in range(5):
        with site.open() as connection:
            client(connection)
    assert_goes_on(site)


def test_uvicorn_goes_on(target: Site) -> None:
    for data, *_ in REFUSED.values():
        assert isinstance(data, bytes)
        with target.open() as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    reply = ask(target, Request("GET", "/api/issues?per_page=1"))
    assert reply is not None
    assert reply.status == 200
