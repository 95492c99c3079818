"""Limits."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import path

from connectnow_api.limits import hit, parse_rate
from connectnow_api.throttling import AnonRateThrottle
from tests.asking import Plan, address_with_time_left, ask_at_once
from tests.conftest import CacheServers

from .site import (
    Items,
)

pytestmark = pytest.mark.django_db


class Limited(Items):
    """Lets 20 requests of an address pass."""

    throttle_classes = [type("Twenty", (AnonRateThrottle,), {"rate": "20/d"})]


@pytest.fixture
def limited(limits: None, settings: Any) -> None:
    """Switch the limits on, and add a view that has one."""
    settings.ROOT_URLCONF = (*settings.ROOT_URLCONF, path("flat/limited", Limited.as_view()))


def ask_limited(client: Client, **headers: str) -> int:
    status: int = client.get("/flat/limited", headers=headers).status_code
    return status


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_row_01_four_processes_of_eight_threads(start_cache: CacheServers, kind: str) -> None:
    server = start_cache(kind)
    address = address_with_time_left("21/d")
    plan = Plan(server.settings, "21/d", address, requests=75, threads=8)
    statuses = [status for status, _ in ask_at_once(plan, processes=4)]
    assert (statuses.count(200), statuses.count(429)) == (20, 280)


@pytest.mark.usefixtures("limited", "clock")
def test_row_03_a_new_forwarded_address_in_each_request(client: Client) -> None:
    found = [ask_limited(client, **{"x-forwarded-for": f"203.0.113.{n}"}) for n in range(100)]
    assert (found.count(200), found.count(429)) == (20, 80)


@pytest.mark.parametrize("forwarded", ["x" * 300, "\x7f", "[]", "203.0.113.1"])
@pytest.mark.parametrize("proxies", [0, 1])
def test_row_04_headers_that_are_no_key(
    client: Client,
    limited: None,
    start_cache: CacheServers,
    settings: Any,
    forwarded: str,
    proxies: int,
    crashes: Any,
) -> None:
    """memcached refuses keys of more than 250 characters, and control characters."""
    start_cache("memcached")
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "TRUSTED_PROXIES": proxies}
    response = client.get("/flat/limited", headers={"x-forwarded-for": forwarded})
    assert (response.status_code, response["X-RateLimit-Remaining"]) == (200, "19")
    assert not crashes


@pytest.mark.usefixtures("limited", "clock")
def test_row_05_bad_tokens(client: Client) -> None:
    found = [ask_limited(client, authorization=f"Bearer x{n}") for n in range(100)]
    assert (found.count(401), found.count(429)) == (30, 70)


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_rows_06_and_07_no_cache_server(
    client: Client, start_cache: CacheServers, kind: str, crashes: Any, caplog: Any
) -> None:
    """Each request passes, not only the second one, and it does not do so in silence."""
    start_cache(kind).stop()
    assert [ask_limited(client) for _ in range(5)] == [200] * 5
    assert not crashes
    assert [r.name for r in caplog.records] == ["connectnow_api.limits"]


@pytest.mark.usefixtures("limits", "clock")
def test_row_50_counters_and_rates_of_their_own() -> None:
    """Joined without a separator, ``api`` at 15/m and ``api1`` at 5/m are one text."""
    for scope, rate in (("api", "15/m"), ("api1", "5/m")):
        usage = hit(scope, rate, "x")
        assert usage is not None
        assert usage.hits == 1
    for text in ("5/x", "5/ m"):
        with pytest.raises(ValueError, match="no rate"):
            parse_rate(text)


@pytest.mark.usefixtures("limited", "clock")
@pytest.mark.parametrize(
    "address", ["192.0.2.7:80", "192.0.2.7, 192.0.2.8", "unknown", "[::1]", ""]
)
def test_row_50_addresses_that_are_none(client: Client, address: str, crashes: Any) -> None:
    response = client.get("/flat/limited", REMOTE_ADDR=address)
    assert (response.status_code, response["X-RateLimit-Remaining"]) == (200, "19")
    assert not crashes


@pytest.mark.usefixtures("limits", "clock")
@pytest.mark.parametrize("rate", ["5", "5/x", "5/month"])
def test_row_51_rates_that_are_none(client: Client, settings: Any, rate: str, crashes: Any) -> None:
    throttle = type("Odd", (AnonRateThrottle,), {"rate": rate})
    view = Items.as_view(throttle_classes=[throttle])
    settings.ROOT_URLCONF = (path("flat/odd", view),)
    assert client.get("/flat/odd").status_code == 200
    assert not crashes


@pytest.mark.usefixtures("limits")
def test_row_51_five_in_ten_seconds() -> None:
    assert parse_rate("5/10s") == (5, 10)
