"""Whose word a client's address is: proxies by number, by network, and headers of an edge."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectnow_api.addresses import find_address
from tests.conftest import fixtures_once

PROXIES = ["10.0.0.0/8", "fd00::/8", "unix"]
CLIENT = "203.0.113.7"


def found(remote: str | None, **headers: str) -> str | None:
    """Return the address of a request: ``found("10.0.0.1", X_FORWARDED_FOR="...")``."""
    meta = {f"HTTP_{name}": value for name, value in headers.items()}
    if remote is not None:
        meta["REMOTE_ADDR"] = remote
    address = find_address(SimpleNamespace(META=meta))
    return None if address is None else str(address)


# --- Networks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        # Whoever is no proxy is itself, whatever it writes.
        (CLIENT, "198.51.100.1", CLIENT),
        (CLIENT, "10.0.0.1", CLIENT),
        (CLIENT, "", CLIENT),
        ("2001:db8::1", "198.51.100.1", "2001:db8::1"),
        # One proxy, or several, each of which appends whom it saw.
        ("10.0.0.1", CLIENT, CLIENT),
        ("10.0.0.1", f"{CLIENT}, 10.0.0.2", CLIENT),
        ("10.0.0.1", f"{CLIENT}, fd00::2, 10.0.0.3", CLIENT),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", CLIENT, CLIENT),
        ("10.0.0.1", f"{CLIENT}, ::ffff:10.0.0.2", CLIENT),
        ("10.0.0.1", f"{CLIENT}:4711, 10.0.0.2:80, [fd00::2]:443", CLIENT),
        ("10.0.0.1:4711", CLIENT, CLIENT),
        # What stands left of the first stranger is that stranger's word.
        ("10.0.0.1", f"198.51.100.1, {CLIENT}", CLIENT),
        ("10.0.0.1", f"10.0.0.9, {CLIENT}, 10.0.0.2", CLIENT),
        ("10.0.0.1", f"unknown, {CLIENT}, 10.0.0.2", CLIENT),
        ("10.0.0.1", f",,, {CLIENT}", CLIENT),
        # Where all are proxies, the first of them asked by itself.
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        # What is no address is nobody's.
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", f"{CLIENT}, unknown", "10.0.0.1"),
        ("10.0.0.1", f"{CLIENT}, _hidden, 10.0.0.2", "10.0.0.1"),
        ("10.0.0.1", f"{CLIENT},", "10.0.0.1"),
        ("10.0.0.1", "unknown, 10.0.0.2", "10.0.0.1"),
        ("10.0.0.1", "unix", "10.0.0.1"),
        # A Unix socket.
        ("", CLIENT, CLIENT),
        (None, CLIENT, CLIENT),
        ("", f"198.51.100.1, {CLIENT}, 10.0.0.2", CLIENT),
        ("", "unknown", None),
        ("", "", None),
        # Not what a server took from a header.
        ("unix", CLIENT, None),
        ("unix:", CLIENT, None),
        ("unknown", CLIENT, None),
    ],
)
def test_networks(settings: Any, remote: str | None, forwarded: str, address: str | None) -> None:
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": PROXIES}
    assert found(remote, X_FORWARDED_FOR=forwarded) == address


@pytest.mark.parametrize(
    ("proxies", "remote", "address"),
    [
        (["10.0.0.0/8"], "", None),
        (["unix"], "10.0.0.1", "10.0.0.1"),
        (["unix"], "", CLIENT),
        ([], "10.0.0.1", "10.0.0.1"),
        ([], "", None),
        (("10.0.0.0/8",), "10.0.0.1", CLIENT),
        (["10.0.0.1"], "10.0.0.1", CLIENT),
        (["10.0.0.1"], "10.0.0.2", "10.0.0.2"),
        (["fe80::/10"], "fe80::1%eth0", CLIENT),
        (["::ffff:10.0.0.0/104"], "10.0.0.1", CLIENT),
        # What cannot be a network, as the check says, trusts nobody more.
        (["x", "10.0.0.0/8", None, {}], "10.0.0.1", CLIENT),
        (["x", "10.0.0.1/8", None, {}], "10.0.0.1", "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", "10.0.0.1"),
        ("unix", "", None),
        (None, "10.0.0.1", "10.0.0.1"),
        (-1, "10.0.0.1", "10.0.0.1"),
        (1, "10.0.0.1", CLIENT),
        (1, "", CLIENT),
        (2, "10.0.0.1", "10.0.0.1"),
        (0, "", None),
    ],
)
def test_only_who_is_named_is_believed(
    settings: Any, proxies: Any, remote: str, address: str | None
) -> None:
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": proxies}
    assert found(remote, X_FORWARDED_FOR=CLIENT) == address


def test_a_request_without_the_header_comes_from_its_connection(settings: Any) -> None:
    for proxies in (0, 1, PROXIES):
        settings.CONNECTNOW_API = {"TRUSTED_PROXIES": proxies}
        assert found("10.0.0.1") == "10.0.0.1"
        assert found("") is None


# --- Headers of an edge -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "remote", "told", "address"),
    [
        (0, "10.0.0.1", CLIENT, CLIENT),
        (0, "", CLIENT, CLIENT),
        (0, "10.0.0.1", f" {CLIENT}:4711 ", CLIENT),
        (0, "10.0.0.1", "2001:db8::1", "2001:db8::1"),
        (0, "10.0.0.1", "::ffff:203.0.113.7", CLIENT),
        # An edge writes one address: it did not write these.
        (0, "10.0.0.1", f"198.51.100.1, {CLIENT}", "10.0.0.1"),
        (0, "10.0.0.1", f"{CLIENT},", "10.0.0.1"),
        (0, "10.0.0.1", "unknown", "10.0.0.1"),
        (0, "10.0.0.1", "", "10.0.0.1"),
        (PROXIES, "10.0.0.1", CLIENT, CLIENT),
        (PROXIES, "", CLIENT, CLIENT),
        (PROXIES, "10.0.0.1", "10.0.0.9", "10.0.0.9"),
        (PROXIES, "10.0.0.1", f"198.51.100.1, {CLIENT}", "10.0.0.1"),
        (PROXIES, "198.51.100.1", CLIENT, "198.51.100.1"),
        ([], "10.0.0.1", CLIENT, "10.0.0.1"),
        # A header that proxies append to, by another name.
        (1, "10.0.0.1", f"198.51.100.1, {CLIENT}", CLIENT),
        (2, "10.0.0.1", f"198.51.100.1, {CLIENT}, 10.0.0.2", CLIENT),
        (2, "10.0.0.1", CLIENT, "10.0.0.1"),
        (-1, "10.0.0.1", CLIENT, "10.0.0.1"),
    ],
)
@pytest.mark.parametrize("name", ["X-Real-IP", "x-real-ip"])
def test_a_header_of_an_edge(
    settings: Any, name: str, proxies: Any, remote: str, told: str, address: str
) -> None:
    settings.CONNECTNOW_API = {"CLIENT_ADDRESS_HEADER": name, "TRUSTED_PROXIES": proxies}
    assert found(remote, X_REAL_IP=told, X_FORWARDED_FOR="192.0.2.99") == address


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x-forwarded-for"])
def test_the_usual_header_by_its_name_is_the_usual_header(settings: Any, name: str) -> None:
    settings.CONNECTNOW_API = {"CLIENT_ADDRESS_HEADER": name}
    assert found("10.0.0.1", X_FORWARDED_FOR=CLIENT) == "10.0.0.1"
    settings.CONNECTNOW_API["TRUSTED_PROXIES"] = PROXIES
    assert found("10.0.0.1", X_FORWARDED_FOR=f"{CLIENT}, 10.0.0.2") == CLIENT


# --- Whatever is written ----------------------------------------------------------------------

ADDRESSES = st.ip_addresses().map(str)
STRANGERS = ADDRESSES.filter(
    lambda text: (
        not any(
            ipaddress.ip_address(text) in ipaddress.ip_network(network)
            for network in ("10.0.0.0/8", "fd00::/8", "::ffff:0:0/96")
        )
    )
)
OURS = st.integers(0, 2**24 - 1).map(lambda bits: str(ipaddress.IPv4Address((10 << 24) | bits)))
GARBAGE = ADDRESSES | st.text() | st.text("[]:%.,/0123456789abcdef ") | st.sampled_from(["unix"])
HEADERS = st.lists(GARBAGE).map(",".join)
ENTRIES = [*PROXIES, "x", "10.0.0.1/8", None]


@fixtures_once
@given(HEADERS, STRANGERS, st.lists(OURS, max_size=3), OURS | st.just(""))
def test_what_a_client_writes_changes_nothing(
    settings: Any, written: str, client: str, proxies: list[str], last: str
) -> None:
    """Each proxy appends whom it saw: the client, then the proxies before the last."""
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": PROXIES}
    appended = [client, *proxies]
    assert found(last, X_FORWARDED_FOR=", ".join([written, *appended])) == client
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": len(appended)}
    assert found(last, X_FORWARDED_FOR=", ".join([written, *appended])) == client


@fixtures_once
@given(HEADERS, HEADERS, STRANGERS, st.sampled_from(["X-Forwarded-For", "CF-Connecting-IP"]))
def test_who_comes_by_no_proxy_is_itself(
    settings: Any, written: str, edge: str, client: str, header: str
) -> None:
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": PROXIES, "CLIENT_ADDRESS_HEADER": header}
    assert found(client, X_FORWARDED_FOR=written, CF_CONNECTING_IP=edge) == client


@fixtures_once
@given(
    GARBAGE | st.none(),
    HEADERS,
    st.integers(-2, 4) | st.lists(st.sampled_from(ENTRIES)),
    st.sampled_from(["X-Forwarded-For", "CF-Connecting-IP"]),
)
def test_nothing_raises_and_nothing_but_an_address_is_found(
    settings: Any, remote: str | None, written: str, proxies: Any, header: str
) -> None:
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": proxies, "CLIENT_ADDRESS_HEADER": header}
    address = found(remote, X_FORWARDED_FOR=written, CF_CONNECTING_IP=written)
    assert address is None or str(ipaddress.ip_address(address)) == address
