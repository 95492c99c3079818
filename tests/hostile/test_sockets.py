"""What is no proper HTTP, or only just, at both servers of the example.

Whatever a server makes of it: no 5xx, no secret, a good request afterwards is answered, and the log
has no traceback. What gunicorn refuses by itself, ``oracle.is_servers_own`` knows.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.example.support import Site

from .cases import LENGTHS
from .conftest import effort
from .oracle import Answer, Secrets, assert_good, assert_outside, is_servers_own
from .sockets import Connection, exchange, netloc

pytestmark = pytest.mark.hostile

GET = "GET /api/issues/1 HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"
POST = (
    "POST /api/companies HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
    "Content-Type: application/json\r\n{headers}\r\n"
)
BODY = b'{"name": "Socket"}'
CHUNKED = "Transfer-Encoding: chunked\r\n"
WHOLE = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
REFUSED = {400, 411, 417, 431, 501, 505}


def get(site: Site, headers: str = "") -> bytes:
    """Return a good request, with further headers."""
    return GET.format(host=netloc(site), headers=headers).encode("latin-1")


def post(site: Site, headers: str) -> bytes:
    """Return the head of a request with a body."""
    host, token = netloc(site), site.tokens["valid"]
    return POST.format(host=host, token=token, headers=headers).encode("latin-1")


def secrets_of(site: Site) -> Secrets:
    """Return what no answer may say."""
    return Secrets([*site.tokens.values(), str(site.credentials["chat"]["token"])])


def assert_sound(site: Site, answers: list[Answer]) -> list[int]:
    """Return the statuses of answers that hold what all have to hold."""
    for answer in answers:
        if is_servers_own(answer):
            assert_outside(answer, secrets_of(site))
        else:
            assert_good(answer, secrets_of(site))
    return [answer.status for answer in answers]


def ask(site: Site, data: bytes) -> list[int]:
    """Send bytes and return the statuses of what comes back."""
    return assert_sound(site, exchange(site, data))


@pytest.fixture(autouse=True)
def goes_on(site: Site) -> Iterator[None]:
    """After each test a good request is answered, and none of the processes has told of a crash."""
    yield
    assert site.request("/api/issues/1").status == 200
    log = site.log.read_text()
    assert "Traceback" not in log
    assert not [secret for secret in secrets_of(site).texts if secret in log]


@pytest.fixture(scope="module", autouse=True)
def all_go_on(gunicorn_server: Site) -> Iterator[None]:
    """In the end none of the processes hangs: there are fewer of them than requests at once."""
    yield
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: gunicorn_server.request("/api/issues/1"), range(32))
    assert [answer.status for answer in answers] == [200] * 32


# --- Bodies and their length ------------------------------------------------------------------


@pytest.mark.parametrize("length", ["19", "500", "70000"])
def test_a_body_that_ends_early(site: Site, length: str) -> None:
    assert ask(site, post(site, f"Content-Length: {length}\r\n") + BODY) == [400]


def test_bodies_that_never_come_hold_nobody_up(site: Site) -> None:
    """As many as there are processes, less one: each of gunicorn's waits for one client."""
    waiting = [Connection(site) for _ in range(3)]
    for connection in waiting:
        connection.send(post(site, "Content-Length: 500\r\n") + BODY)
    assert [site.request("/api/issues/1").status for _ in range(4)] == [200] * 4
    for connection in waiting:
        connection.end()
        assert assert_sound(site, connection.answers()) == [400]
        connection.__exit__()


@pytest.mark.parametrize("length", [text for text in LENGTHS if not text.startswith("9")])
def test_lengths_that_are_none(site: Site, length: str) -> None:
    assert ask(site, post(site, f"Content-Length: {length}\r\n") + BODY) == [400]


def test_a_length_beyond_all_bounds(site: Site) -> None:
    [status] = ask(site, post(site, f"Content-Length: {'9' * 30}\r\n") + BODY)
    assert status in {400, 413}


@pytest.mark.parametrize("second", ["18", "19", "0", ""])
def test_two_lengths(site: Site, second: str) -> None:
    headers = f"Content-Length: 18\r\nContent-Length: {second}\r\n"
    assert ask(site, post(site, headers) + BODY) == [400]


def test_more_than_the_length_is_another_request(site: Site) -> None:
    """What follows a body is never part of it, nor of the answer."""
    first, *rest = ask(site, post(site, "Content-Length: 18\r\n") + BODY + b"garbage\r\n\r\n")
    assert first == 201
    assert set(rest) <= {400}


# --- Chunks -----------------------------------------------------------------------------------


def reads_chunks(site: Site) -> bool:
    """Tell which server it is: that of the demo refuses chunks, good or bad, with 411."""
    return site.log.parent.name.startswith("gunicorn")


@pytest.mark.parametrize(
    "body",
    [
        WHOLE,
        WHOLE.replace(b"\r\n", b";name=value\r\n", 1),
        WHOLE.replace(b"\r\n", b";" + b"x" * 5000 + b"\r\n", 1),
        WHOLE[:-2] + b"X-Trailer: x\r\n\r\n",
    ],
)
def test_bodies_in_chunks(site: Site, body: bytes) -> None:
    first, *rest = ask(site, post(site, CHUNKED) + body)
    assert first == (201 if reads_chunks(site) else 411)
    assert set(rest) <= REFUSED


def test_no_chunks_are_an_empty_body(site: Site) -> None:
    [status] = ask(site, post(site, CHUNKED) + b"0\r\n\r\n")
    assert status == (422 if reads_chunks(site) else 411)


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n" + WHOLE,
        b"-1\r\n" + WHOLE,
        b"0x12\r\n" + WHOLE,
        b"+12\r\n" + WHOLE,
        b"f" * 30 + b"\r\n" + WHOLE,
        b"13\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"11\r\n" + BODY + b"\r\n0\r\n\r\n",
        WHOLE[:-5],
        WHOLE[:-2],
        b"",
        b"\r\n",
        WHOLE.replace(b"\r\n", b"\n"),
    ],
)
def test_chunks_that_are_none_are_refused(site: Site, body: bytes) -> None:
    first, *rest = ask(site, post(site, CHUNKED) + body)
    assert first in {400, 411}
    assert set(rest) <= REFUSED


@pytest.mark.parametrize(
    "headers",
    [
        f"{CHUNKED}Content-Length: 5\r\n",
        f"Content-Length: 5\r\n{CHUNKED}",
        f"Content-Length: 0\r\n{CHUNKED}",
        CHUNKED * 2,
        *(f"Transfer-Encoding: {text}\r\n" for text in ("gzip", "identity", "xchunked", "")),
        *(f"Transfer-Encoding: {text}\r\n" for text in ("chunked, identity", "chunked\x0b", "\tx")),
        *("Transfer-Encoding : chunked\r\n", " Transfer-Encoding: chunked\r\n"),
        *("Transfer-Encoding\r\n : chunked\r\n", "X: y\rTransfer-Encoding: chunked\r\n"),
    ],
)
def test_no_request_is_smuggled(site: Site, headers: str) -> None:
    """Where a body ends must be beyond doubt: one refusal, and nothing that follows is read."""
    hidden = get(site).replace(b"/api/issues/1", b"/api/user")
    [status] = ask(site, post(site, headers) + b"0\r\n\r\n" + hidden)
    assert status in REFUSED


# --- Several requests on one connection -------------------------------------------------------


def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    """gunicorn's plain workers close after the first."""
    paths = ["issues/1", "issues/2", "nowhere", "issues/3", "user", "issues/4"]
    requests = [get(site).replace(b"issues/1", path.encode()) for path in paths]
    answers = exchange(site, b"".join(requests))
    expected = [200, 200, 404, 200, 401, 200]
    assert assert_sound(site, answers) in (expected, expected[:1])
    ids = [b'"id":%d,' % number for number in (1, 2, 3, 4)]
    found = [answer.body for answer in answers if answer.status == 200]
    assert all(id_ in body for id_, body in zip(ids, found, strict=False))


def test_a_body_that_nobody_reads_is_no_request(site: Site) -> None:
    inner = get(site)
    outer = post(site, f"Content-Length: {len(inner)}\r\n").replace(b"companies", b"user")
    assert ask(site, outer + inner) == [405]


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_an_unread_body_does_not_spoil_the_next_request(site: Site, size: int) -> None:
    refused = post(site, f"Content-Length: {size}\r\n").replace(b"companies", b"user")
    statuses = ask(site, refused + b"x" * size + get(site))
    assert statuses in ([405, 200], [405], [])


def test_a_request_that_cannot_be_read_is_the_last(site: Site) -> None:
    [status] = ask(site, get(site).replace(b"HTTP/1.1", b"HTTP/9.9") + get(site))
    assert status in {400, 505}


# --- Headers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        *("X-A: b\r\n c", "X-A: b\r\n\tc", "X-A: b\0c", "X-A: b\rc", "X\0A: b", "X A: b", "X-A"),
        *(
            ": b",
            "X-A : b",
            "\0",
            "X(A): b",
            "X-A: \x01",
            "X-A: \x7f",
            "Authorization: Bearer\r\n x",
        ),
    ],
)
def test_headers_that_others_may_read_otherwise(site: Site, header: str) -> None:
    assert ask(site, get(site, f"{header}\r\n")) == [400]


def test_many_and_long_headers(site: Site) -> None:
    [status] = ask(site, get(site, "X-A: y\r\n" * 200))
    assert status == 431
    [status] = ask(site, get(site, f"X-A: {'x' * 9000}\r\n"))
    assert status in {200, 431}
    assert ask(site, get(site, f"X-A: {'x' * 100_000}\r\n")) in ([400], [431], [])
    assert ask(site, get(site, "X-A: y\r\n" * 90)) == [200]


@pytest.mark.parametrize("second", ["evil.example", "localhost"])
def test_two_hosts(site: Site, second: str) -> None:
    assert ask(site, get(site, f"Host: {second}\r\n")) == [400]


@pytest.mark.parametrize(
    "headers",
    [
        "SCRIPT_NAME: /x\r\nPATH_INFO: /y\r\n",
        "Script-Name: /x\r\nPath-Info: /y\r\n",
        "X-Forwarded-Proto: https\r\nX-Forwarded-Protocol: ssl\r\nX-Forwarded-Ssl: off\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n",
        "Remote-User: root\r\nREMOTE_USER: root\r\nREMOTE_ADDR: 1.2.3.4\r\n",
        "X-Accel-Redirect: /etc/passwd\r\nX-Sendfile: /etc/passwd\r\n",
    ],
)
def test_headers_meant_for_servers_change_nothing(site: Site, headers: str) -> None:
    assert ask(site, get(site, headers)) == [200]


# --- Request lines ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        *("GET /api/issues/1", "GET", "", " ", "GET  HTTP/1.1", "GET /api/issues/1 and HTTP/1.1"),
        *("GET /api/issues/1 HTTP/9.9", "GET /api/issues/1 HTTP/x", "GET /api/issues/1 HTTP/2.0"),
        *("PRI * HTTP/2.0", "\x16\x03\x01\x02", "\0", "GET\0/api/issues/1 HTTP/1.1"),
        *("GET http://[::1/api/issues/1 HTTP/1.1", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2"),
    ],
)
def test_lines_that_are_no_request(site: Site, line: str) -> None:
    statuses = ask(site, line.encode("latin-1") + get(site)[len("GET /api/issues/1 HTTP/1.1") :])
    assert len(statuses) <= 1
    assert set(statuses) <= REFUSED


def test_a_long_request_line(site: Site) -> None:
    [status] = ask(site, get(site).replace(b"issues/1", b"x" * 100_000))
    assert status == 414
    [status] = ask(site, get(site).replace(b"issues/1", b"x" * 5000))
    assert status in {404, 414}


@pytest.mark.parametrize("method", [b"BREW", b"PROPFIND", b"TRACE", b"A" * 20])
def test_unknown_methods(site: Site, method: bytes) -> None:
    assert ask(site, get(site).replace(b"GET", method)) == [405]


@pytest.mark.parametrize("method", [b"get", b"G@T", b"A" * 100, b"\xff", b"G:T"])
def test_methods_that_a_server_may_refuse(site: Site, method: bytes) -> None:
    [status] = ask(site, get(site).replace(b"GET", method))
    assert status in {200, 400, 405}


def test_the_absolute_form(site: Site) -> None:
    whole = get(site).replace(b"/api", f"http://{netloc(site)}/api".encode())
    assert ask(site, whole) == [200]
    foreign = get(site).replace(b"/api", b"http://evil.example/api")
    [status] = ask(site, foreign)
    assert status in {200, 400}


@pytest.mark.parametrize(
    "path",
    [
        b"/api/%zz",
        b"/api/\xc3\xa9?x=\xc3\xa9",
        b"/api/issues/1#x",
        b"/api/\\",
        b"http:///api/issues/1",
    ],
)
def test_odd_paths(site: Site, path: bytes) -> None:
    [status] = ask(site, get(site).replace(b"/api/issues/1", path))
    assert status in {200, 400, 404}


# --- Time -------------------------------------------------------------------------------------


def test_expect_continue(site: Site) -> None:
    """The body is asked for, and may come at once or later."""
    with Connection(site) as connection:
        connection.send(post(site, f"Content-Length: {len(BODY)}\r\nExpect: 100-continue\r\n"))
        assert connection.file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert connection.file.readline() == b"\r\n"
        connection.send(BODY)
        connection.end()
        assert assert_sound(site, connection.answers()) == [201]


def test_other_expectations(site: Site) -> None:
    headers = f"Content-Length: {len(BODY)}\r\nExpect: 200-ok\r\n"
    [status] = ask(site, post(site, headers) + BODY)
    assert status in {201, 417}


def test_a_request_that_trickles(site: Site) -> None:
    data = post(site, f"Content-Length: {len(BODY)}\r\n") + BODY
    with Connection(site) as connection:
        for start in range(0, len(data), 20):
            connection.send(data[start : start + 20])
            time.sleep(0.02)
        connection.end()
        assert assert_sound(site, connection.answers()) == [201]


@pytest.mark.parametrize("size", [0, 1, 20, -2])
def test_a_request_that_is_cut(site: Site, size: int) -> None:
    statuses = ask(site, get(site)[:size])
    assert statuses in ([], [400])


def test_clients_that_vanish(site: Site) -> None:
    """While they send, after it, and while the answer is written."""
    large = get(site).replace(b"issues/1", b"issues?per_page=249")
    for data in (get(site)[:30], get(site), large * 20, post(site, "Content-Length: 9\r\n") + b"{"):
        for _ in range(4):
            with Connection(site) as connection:
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
                connection.socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                )
                connection.send(data)


# --- Anything ---------------------------------------------------------------------------------


def test_random_bytes(site: Site) -> None:
    parts = [b"GET ", b"POST ", b"/api/issues/1", b" HTTP/1.1", b"\r\n", b"\n", b"\r", b": ", b" "]
    parts += [b"Host: localhost", b"Content-Length: 3", CHUNKED.encode(), b"\0", b"0\r\n\r\n", b"x"]
    mixed = st.lists(st.one_of(st.sampled_from(parts), st.binary(max_size=9)), max_size=14)

    @settings(
        **effort(40),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(mixed.map(b"".join))
    def no_bytes_make_a_crash(data: bytes) -> None:
        for answer in exchange(site, data + b"\r\n\r\n"):
            assert_outside(answer, secrets_of(site))

    no_bytes_make_a_crash()
