"""Limits over real Redis and memcached that go, and come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from connectnow_api.limits import hit
from connectnow_api.signals import cache_unavailable
from connectnow_api.throttling import AnonRateThrottle
from tests.asking import address_with_time_left
from tests.conftest import CacheServers, Mount

from .views import CLOSED, View, limited, shown

pytestmark = [
    pytest.mark.servers,
    pytest.mark.usefixtures("limits"),
    pytest.mark.parametrize("kind", ["redis", "memcached"]),
]

REMEMBERED = 61
"""Seconds after which memcached's client asks a server again that was gone."""


Ask = Callable[..., Any]


@pytest.fixture
def ask(mount: Mount, client: APIClient) -> Ask:
    """Ask a view with one throttle: ``ask("5/d", address, on_cache_failure="closed")``."""

    def ask(rate: str, address: str, **attributes: Any) -> Any:
        throttle = limited(AnonRateThrottle, rate, **attributes)
        view = View.as_view(throttle_classes=[throttle], authentication_classes=())
        mount({"flat/x": view})
        return client.get("/flat/x", REMOTE_ADDR=address)

    return ask


def test_a_server_that_goes_and_comes_back(
    kind: str,
    start_cache: CacheServers,
    ask: Ask,
    caplog: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Requests pass, the log has one line, and counting goes on without a restart."""
    server = start_cache(kind)
    address = address_with_time_left("3/d")
    assert [ask("3/d", address).status_code for _ in range(3)] == [200, 200, 429]
    told = []

    def receive(sender: str, **kwargs: Any) -> None:
        told.append(sender)

    server.stop()
    cache_unavailable.connect(receive)
    caplog.clear()
    answers = [ask("3/d", address) for _ in range(10)]
    cache_unavailable.disconnect(receive)
    assert [(answer.status_code, shown(answer)) for answer in answers] == [(200, {})] * 10
    assert [record.name for record in caplog.records] == ["connectnow_api.limits"]
    assert told == ["anon"] * 10

    server.start()
    now = time.time
    monkeypatch.setattr("time.time", lambda: now() + REMEMBERED)
    answers = [ask("3/d", address) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [shown(answer)["Remaining"] for answer in answers] == [2, 1, 0, 0]


def test_closed_throttles_while_the_server_is_gone(
    kind: str, start_cache: CacheServers, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_cache(kind)
    address = address_with_time_left("3/d")
    server.stop()
    for _ in range(5):
        response = ask("3/d", address, on_cache_failure="closed")
        assert (response.status_code, response.json()) == (503, CLOSED)
        assert shown(response) == {"After": 30}
    server.start()
    now = time.time
    monkeypatch.setattr("time.time", lambda: now() + REMEMBERED)
    response = ask("3/d", address, on_cache_failure="closed")
    assert (response.status_code, shown(response)) == (200, {"Limit": 3, "Remaining": 2})


def test_a_server_that_is_gone_from_the_start(
    kind: str, start_cache: CacheServers, ask: Ask
) -> None:
    start_cache(kind).stop()
    assert [ask("1/d", "192.0.2.1").status_code for _ in range(3)] == [200] * 3
    assert ask("1/d", "192.0.2.1", on_cache_failure="closed").status_code == 503


def test_any_text_is_a_good_key(kind: str, start_cache: CacheServers) -> None:
    start_cache(kind)
    for who in ("x" * 3000, "\x7f\x00 \n", "\ud800", ""):
        usages = [hit("a" * 300, "2/366d", who) for _ in range(2)]
        assert [usage.hits for usage in usages if usage] == [1, 2]


def test_the_longest_windows_are_counted(kind: str, start_cache: CacheServers) -> None:
    start_cache(kind)
    usages = [hit("a", "2/366d", "x") for _ in range(2)]
    assert [usage.hits for usage in usages if usage] == [1, 2]
