"""What is no proper request, sent as bytes to real servers.

Much of it they refuse themselves, before Django is asked and in words of their own. What counts is
that nothing comes of it, nobody crashes, and whoever asks next is answered.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.library.models import Book

from .servers import SERVERS, LiveClient, behind
from .site import FORM, JSON, MULTIPART, answer

pytestmark = [pytest.mark.django_db, behind(*SERVERS, marks=["frameworks"])]

GET = "GET /flat/private HTTP/1.1\r\nHost: testserver\r\nConnection: close\r\n"
BOOK = b'{"title": "a", "isbn": "1"}'
PART = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nabc'
CUT_OFF = {JSON: BOOK, FORM: b"title=a&isbn=1", MULTIPART: PART}
SHORT = {"message": "The body is not as long as the request says."}


def post_of(length: str, content_type: str = JSON, body: bytes = BOOK) -> bytes:
    """Return a request to make a book, or to upload something, of a length that is not its own."""
    path = "upload" if content_type == MULTIPART else "books"
    lines = ["Host: testserver", f"Content-Type: {content_type}", f"Content-Length: {length}"]
    return "\r\n".join([f"POST /flat/{path} HTTP/1.1", *lines, "", ""]).encode() + body


def converse(client: LiveClient, request: bytes, *, ends: bool = False) -> tuple[int, Any]:
    """Send bytes; return status and body, ``(0, None)`` for no answer.

    With ``ends`` nothing more can come, and the server is told so.
    """
    with client.open() as connection:
        # Servers may have enough before all is sent.
        with contextlib.suppress(OSError):
            connection.sendall(request)
            if ends:
                connection.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                received += piece
    if not received:
        return 0, None
    head, _, body = received.partition(b"\r\n\r\n")
    is_json = b"\r\ncontent-type: application/json" in head.lower()
    return int(head.split()[1]), json.loads(body) if is_json else body.decode()


@pytest.fixture(autouse=True)
def survival(client: LiveClient) -> Iterator[None]:
    """Whatever came before, good requests are answered, as many at once as there are processes."""
    yield
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: answer(client.get("/flat/items")), range(8)))
    assert answers == [(200, {"ok": True})] * 8


@pytest.mark.parametrize("content_type", CUT_OFF)
def test_row_16_a_client_resets_its_connection(client: LiveClient, content_type: str) -> None:
    with client.open() as connection:
        at_once = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        connection.sendall(post_of("500", content_type, CUT_OFF[content_type]))


@pytest.mark.parametrize("content_type", CUT_OFF)
def test_row_17_a_body_ends_too_early(
    client: LiveClient, transport: str, content_type: str
) -> None:
    """Behind uvicorn whoever stops sending has gone, and is told nothing."""
    found = converse(client, post_of("500", content_type, CUT_OFF[content_type]), ends=True)
    assert found == ((400, SHORT) if transport == "gunicorn" else (0, None))
    assert not Book.objects.exists()


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "12.0", "+5", "0x10", "1_0", "", "1, 2"])
def test_row_18_lengths_that_are_none(client: LiveClient, length: str) -> None:
    assert converse(client, post_of(length), ends=True)[0] == 400
    assert not Book.objects.exists()


@pytest.mark.parametrize("digits", [19, 30, 5000])
def test_row_18_lengths_beyond_any_body(client: LiveClient, digits: int) -> None:
    """Where the server believes the number, it is too large to us, or the rest never comes."""
    status, body = converse(client, post_of("9" * digits), ends=True)
    assert status in (0, 400, 413)
    assert status != 413 or body == {"message": "The request is too large."}
    assert not Book.objects.exists()


@pytest.mark.parametrize("digits", [5000, 100_000])
def test_row_36_request_lines_longer_than_servers_read(
    client: LiveClient, transport: str, digits: int
) -> None:
    uri = f"/flat/books?page={'9' * digits}"
    status, body = converse(client, GET.replace("/flat/private", uri).encode() + b"\r\n")
    if transport == "gunicorn":
        assert status == 414
    else:
        assert (status, body["current_page"]) == (200, 1)


@pytest.mark.parametrize(
    "value",
    ["Bearer cn_\0", "Bearer a\rb", "Bearer\r\n cn_x", "Bearer " + "x" * 9000, "x" * 100_000],
    ids=["NUL", "CR", "folded", "9 kB", "100 kB"],
)
def test_row_43_headers_that_servers_refuse(client: LiveClient, value: str) -> None:
    """Those that come through are no token."""
    status, body = converse(client, f"{GET}Authorization: {value}\r\n\r\n".encode())
    assert status in (400, 401, 431)
    assert status != 401 or body == {"message": "Unauthenticated."}


def test_row_43_two_headers_are_no_token(client: LiveClient, issue: Any) -> None:
    line = f"Authorization: Bearer {issue().plain_text}\r\n"
    assert converse(client, f"{GET}{line}\r\n".encode())[0] == 200
    twice = converse(client, f"{GET}{line}{line}\r\n".encode())
    assert twice == (401, {"message": "Unauthenticated."})


@pytest.mark.parametrize("request_line", ["GET /flat/items", "\x16\x03\x01", "GET  HTTP/1.1", ""])
def test_what_is_no_http(client: LiveClient, request_line: str) -> None:
    assert converse(client, f"{request_line}\r\n\r\n".encode(), ends=True)[0] in (0, 400)
