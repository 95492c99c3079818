"""The client's address through a real nginx, which appends, to gunicorn and to uvicorn."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from tests.defects.servers import SERVERS, Server
from tests.services import PATIENCE, Nginx, new_address

pytestmark = pytest.mark.servers

PLACES = [f"{program}-{kind}" for program in SERVERS for kind in ("port", "socket")]
SITE = {"ROOT_URLCONF": "tests.proxied.site"}
NO_DATABASE = "sqlite://:memory:"


class Proxied(NamedTuple):
    """Servers that are running, the nginx before them, and one more before that."""

    servers: dict[str, Server]
    inner: Nginx
    outer: Nginx


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """Each server at a port and at a Unix socket, all behind one nginx, and that behind another."""
    Nginx.find()
    logs = tmp_path_factory.mktemp("servers")
    with contextlib.ExitStack() as stack:
        # Elsewhere the paths would be longer than those of sockets may be.
        inside, outside = (
            Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)
        )
        sockets = {at: inside / at for at in PLACES if at.endswith("socket")}
        upstreams = {at: f"http://unix:{path}" for at, path in sockets.items()}
        servers: dict[str, Server] = {}
        for at in PLACES:
            program, _, _ = at.partition("-")
            servers[at] = Server(program, logs / at, NO_DATABASE, SITE, sockets.get(at))
            stack.callback(servers[at].stop)
            upstreams.setdefault(at, f"http://127.0.0.1:{servers[at].place}")
        inner = Nginx(inside, upstreams)
        stack.callback(inner.stop)
        outer = Nginx(outside, dict.fromkeys(PLACES, f"http://127.0.0.1:{inner.port}"))
        stack.callback(outer.stop)
        for server in servers.values():
            server.wait()
        yield Proxied(servers, inner, outer)
    assert [line for server in servers.values() for line in server.errors()] == []


def ask(
    port: int | Path, at: str, client: str, settings: dict[str, Any], *headers: tuple[str, str]
) -> Any:
    """Return how a request is seen that comes from ``client``, a header twice if it is given so."""
    assert isinstance(port, int)
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(client, 0))
    with contextlib.closing(connection):
        connection.putrequest("GET", f"/{at}/?settings={quote(json.dumps(settings))}", True)
        for name, value in (("Host", "testserver"), *headers):
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        assert response.status == 200
        return json.loads(response.read())


BELIEVED: list[dict[str, Any]] = [
    {"TRUSTED_PROXIES": 1},
    {"TRUSTED_PROXIES": ["127.0.0.1", "unix"]},
    {"CLIENT_ADDRESS_HEADER": "X-Real-IP"},
    {"CLIENT_ADDRESS_HEADER": "X-Real-IP", "TRUSTED_PROXIES": ["127.0.0.1", "unix"]},
]
FORWARDED = "X-Forwarded-For"
SPOOFED = [
    [],
    [(FORWARDED, "203.0.113.9")],
    [(FORWARDED, "203.0.113.9, 127.0.0.1")],
    [(FORWARDED, "unknown")],
    [(FORWARDED, "203.0.113.8"), (FORWARDED, "203.0.113.9")],
    [("X_Forwarded_For", "203.0.113.9")],
    [("X-Real-IP", "203.0.113.9")],
    [("X-Real-IP", "203.0.113.8"), ("X-Real-IP", "203.0.113.9")],
]


@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("settings", BELIEVED, ids=str)
def test_the_client_is_whom_nginx_has_seen(
    proxied: Proxied, at: str, settings: dict[str, Any]
) -> None:
    client = new_address()
    for headers in SPOOFED:
        seen = ask(proxied.inner.port, at, client, settings, *headers)
        assert (seen["address"], seen["counted"]) == (client, client), headers


@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("proxies", [2, ["127.0.0.1", "unix"]], ids=str)
def test_the_client_is_whom_the_first_of_two_has_seen(
    proxied: Proxied, at: str, proxies: Any
) -> None:
    client = new_address()
    for headers in SPOOFED:
        seen = ask(proxied.outer.port, at, client, {"TRUSTED_PROXIES": proxies}, *headers)
        assert seen["address"] == client, headers


@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("proxies", [0, [], ["10.0.0.0/8"]], ids=str)
def test_a_proxy_that_is_not_named_is_the_client(proxied: Proxied, at: str, proxies: Any) -> None:
    """Through a Unix socket there is no address: gunicorn says ``""``, uvicorn nothing."""
    remote = {"gunicorn-socket": "", "uvicorn-socket": None}.get(at, "127.0.0.1")
    for headers in SPOOFED:
        seen = ask(proxied.inner.port, at, new_address(), {"TRUSTED_PROXIES": proxies}, *headers)
        assert seen == {"remote": remote, "address": remote or None, "counted": remote or ""}


@pytest.mark.parametrize("at", [at for at in PLACES if at.endswith("port")])
def test_who_comes_past_nginx_is_itself(proxied: Proxied, at: str) -> None:
    client = new_address()
    for settings in (
        {"TRUSTED_PROXIES": ["127.0.0.1", "unix"]},
        {"TRUSTED_PROXIES": ["127.0.0.1", "unix"], "CLIENT_ADDRESS_HEADER": "X-Real-IP"},
    ):
        for headers in SPOOFED:
            seen = ask(proxied.servers[at].place, at, client, settings, *headers)
            assert seen["address"] == client, headers
