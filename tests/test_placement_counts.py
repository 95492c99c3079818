"""How many accepted tokens were sent where; and the signal that is sent of each."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import BaseCache
from django.test import Client
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api import placement_counts
from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.events import TokenEvent
from connectnow_api.outages import Outages
from connectnow_api.placement_counts import counts
from connectnow_api.signals import token_used
from connectnow_api.tokens import digest, fingerprint

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
TODAY = NOW.date()

KIND = "connectnow_api.APIToken"
Issue = Callable[..., Any]


class View(APIView):
    authentication_classes = [APITokenAuthentication]
    permission_classes = ()

    def get(self, request: Any) -> Response:
        return Response({"ok": True})

    post = get


@pytest.fixture(autouse=True)
def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ROOT_URLCONF = (path("flat/x", View.as_view()),)
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "COUNT_PLACEMENTS": True}
    monkeypatch.setattr(placement_counts, "_outages", Outages(placement_counts.logger))
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


def send(client: Client, text: str) -> None:
    """Send a token once in the header, twice in the query, once in a body."""
    assert client.get("/flat/x", headers={"authorization": f"Bearer {text}"}).status_code == 200
    for _ in range(2):
        assert client.get(f"/flat/x?api_token={text}").status_code == 200
    assert client.post("/flat/x", {"api_token": text}, format="json").status_code == 200


def counted(days: int = 30) -> list[tuple[Any, ...]]:
    return [tuple(count) for count in counts([KIND], days)]


def test_what_is_counted(each_cache: BaseCache, client: Client, issue: Issue) -> None:
    send(client, issue().plain_text)
    numbers = [("header", 1), ("query", 2), ("payload", 1)]
    assert counted() == [(TODAY, KIND, placement, number) for placement, number in numbers]


def test_a_token_sent_in_two_places_is_counted_in_the_first(client: Client, issue: Issue) -> None:
    """The first of the view's placements, not the last."""
    text = issue().plain_text
    headers = {"authorization": f"Bearer {text}"}
    assert client.get(f"/flat/x?api_token={text}", headers=headers).status_code == 200
    assert counted() == [(TODAY, KIND, "header", 1)]


def test_refused_tokens_are_not(client: Client) -> None:
    assert client.get("/flat/x?api_token=x").status_code == 401
    assert counted() == []


def test_nothing_is_counted_unless_it_is_wanted(
    client: Client, issue: Issue, settings: Any, caplog: Any
) -> None:
    settings.CONNECTNOW_API = {"PREFIXES": {"/flat/": "connectnow"}}
    caplog.set_level(logging.INFO)
    send(client, issue().plain_text)
    assert counted() == []
    assert "A token in the query" not in caplog.text


def test_days_come_in_order(client: Client, issue: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    text = issue().plain_text
    for ago in (0, 2, 1):
        monkeypatch.setattr(placement_counts, "_today", lambda ago=ago: TODAY - timedelta(days=ago))
        client.get("/flat/x", headers={"authorization": f"Bearer {text}"})
    monkeypatch.setattr(placement_counts, "_today", lambda: TODAY)
    assert [row[0] for row in counted()] == [TODAY - timedelta(days=ago) for ago in (2, 1, 0)]
    assert [row[0] for row in counted(days=2)] == [TODAY - timedelta(days=1), TODAY]
    assert len(counted(days=10_000)) == 3


def test_the_first_of_a_day_may_be_several_at_once(each_cache: BaseCache) -> None:
    def count(key: str) -> None:
        placement_counts._count(key)
        # Each thread has a connection of its own, which nobody else would close.
        each_cache.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, ["key"] * 200))
    assert each_cache.get("key") == 200


def test_a_token_in_the_query_is_logged_once_a_day(
    client: Client, issue: Issue, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, placement_counts.logger.name)
    token, text = issue()
    send(client, text)
    [record] = [r for r in caplog.records if r.name == placement_counts.logger.name]
    said = fingerprint(digest(text))
    assert record.getMessage() == (
        f'A token in the query: action="used" kind="{KIND}" token_id="{token.pk}" name="laptop" '
        f'owner="{token.owner_id}" fingerprint="{said}" placement="query" address="127.0.0.1"'
    )


def test_an_outage_fails_no_request(
    client: Client, issue: Issue, settings: Any, caplog: Any
) -> None:
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.Gone"}}
    send(client, issue().plain_text)
    lines = [r.getMessage() for r in caplog.records if r.name == placement_counts.logger.name]
    assert lines == ["The placement of a token cannot be counted: ConnectionRefusedError: gone"]


class Gone(BaseCache):
    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def incr(self, *args: Any, **kwargs: Any) -> int:
        raise ConnectionRefusedError("gone")


def test_the_signal(client: Client, issue: Issue) -> None:
    token, text = issue()
    heard: list[tuple[Any, TokenEvent]] = []

    def hear(sender: Any, event: TokenEvent, token: Any, **kwargs: Any) -> None:
        heard.append((token, event))
        raise ZeroDivisionError

    token_used.connect(hear)
    try:
        send(client, text)
        client.get("/flat/x?api_token=x")
    finally:
        token_used.disconnect(hear)
    assert [event.placement for _, event in heard] == ["header", "query", "query", "payload"]
    assert {(row, event.action, event.token_id) for row, event in heard} == {
        (token, "used", str(token.pk))
    }
