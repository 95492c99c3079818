"""Who asks through a Unix socket: a peer without an address, until it is believed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.defects.servers import SERVERS, LiveClient, Server

pytestmark = pytest.mark.servers

SITE = {"ROOT_URLCONF": "tests.proxied.site"}
CLIENT = "203.0.113.7"


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Server]:
    """One at a Unix socket."""
    log = tmp_path_factory.mktemp("server") / "log"
    with tempfile.TemporaryDirectory() as folder:
        server = Server(request.param, log, "sqlite://:memory:", SITE, Path(folder, "socket"))
        server.wait()
        yield server
        server.stop()
    assert server.errors() == []


def ask(server: Server, proxies: Any) -> Any:
    settings = quote(json.dumps({"TRUSTED_PROXIES": proxies}))
    headers = {"x-forwarded-for": f"198.51.100.9, {CLIENT}"}
    client = LiveClient(server, "127.0.0.1")
    return client.generic("GET", f"/at/?settings={settings}", headers=headers).json()


def test_the_server_knows_no_address_and_neither_do_we(server: Server) -> None:
    for proxies in (0, [], ["127.0.0.1", "10.0.0.0/8"]):
        seen = ask(server, proxies)
        assert not seen["remote"]
        assert (seen["address"], seen["counted"]) == (None, "")


def test_it_is_believed_once_it_is_named(server: Server) -> None:
    for proxies in (1, ["unix"], ["10.0.0.0/8", "unix"]):
        seen = ask(server, proxies)
        assert not seen["remote"]
        assert (seen["address"], seen["counted"]) == (CLIENT, CLIENT)
