"""Requests that end because a database or a cache cannot be used: 503, wherever that shows."""

from __future__ import annotations

import logging
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from django.core.signals import got_request_exception
from django.db import ConnectionHandler, IntegrityError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api import handlers
from connectnow_api.mixins import APIViewMixin
from connectnow_api.outages import Outages
from tests.library.models import Author
from tests.services import free_port

from .conftest import Nowhere

pytestmark = pytest.mark.django_db(transaction=True)

OURS = "connectnow_api.middleware.JSONErrorMiddleware"
HTML = "text/html; charset=utf-8"
LATER = (503, {"message": "Service unavailable."}, "30")


asked: dict[str, ConnectionHandler] = {}
"""The database that the views of a test ask."""


def ask_database() -> None:
    asked["down"]["default"].cursor()


def ask_cache() -> None:
    redis.from_url(f"redis://127.0.0.1:{free_port()}").ping()


class View(APIView):
    """Needs what ``ask`` asks."""

    authentication_classes = ()
    permission_classes = ()
    ask: Callable[[], None] = staticmethod(ask_database)

    def get(self, request: Any) -> Response:
        self.ask()
        return Response({"ok": True})

    def post(self, request: Any) -> Response:
        Author.objects.create(name="half")
        return self.get(request)


class Idle(View):
    def get(self, request: Any) -> Response:
        return Response({"ok": True})


def plain(request: HttpRequest) -> HttpResponse:
    ask_database()
    return HttpResponse("fine")


def crash(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


def needy_middleware(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        ask_database()
        return get_response(request)

    return middleware


ROUTES = {
    "view": View.as_view(),
    "cache": View.as_view(ask=ask_cache),
    "mixed": type("Mixed", (APIViewMixin, View), {}).as_view(),
    "idle": Idle.as_view(),
    "plain": plain,
    "crash": crash,
}


@pytest.fixture(autouse=True)
def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MIDDLEWARE = [OURS]
    settings.ROOT_URLCONF = tuple(
        path(f"{prefix}/{name}", view)
        for prefix in ("flat", "site")
        for name, view in ROUTES.items()
    )
    monkeypatch.setattr(handlers, "_outages", Outages(logging.getLogger(handlers.__name__)))


@pytest.fixture
def down(nowhere: Nowhere) -> None:
    """Let the views ask a database that is not there."""
    asked["down"] = nowhere()


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def said(response: Any) -> tuple[int, Any, str | None]:
    """Return status, body and ``Retry-After`` of what has to be JSON."""
    assert response["Content-Type"] == "application/json"
    return response.status_code, response.json(), response.get("Retry-After")


def test_promise_20_a_view_that_needs_a_database(client: Client, down: None) -> None:
    assert said(client.get("/flat/view")) == LATER


def test_promise_20_a_view_that_needs_a_cache(client: Client) -> None:
    assert said(client.get("/flat/cache")) == LATER


def test_a_view_that_needs_neither(client: Client, down: None) -> None:
    assert said(client.get("/flat/idle")) == (200, {"ok": True}, None)


def test_a_view_of_an_existing_site_without_the_middleware(
    client: Client, down: None, settings: Any
) -> None:
    settings.MIDDLEWARE = []
    assert said(client.get("/site/mixed")) == LATER


def test_promise_20_what_is_no_view_of_rest_framework(client: Client, down: None) -> None:
    assert said(client.get("/flat/plain")) == LATER
    assert said(client.get("/flat/crash")) == (500, {"message": "Server Error"}, None)


def test_the_sites_own_pages(client: Client, down: None) -> None:
    response = client.get("/site/plain")
    assert (response.status_code, response["Content-Type"]) == (500, HTML)


def test_a_middleware(client: Client, down: None, settings: Any) -> None:
    settings.MIDDLEWARE = [OURS, f"{__name__}.needy_middleware"]
    assert said(client.get("/flat/idle")) == LATER


def test_a_transaction_that_cannot_begin(client: Client, nowhere: Nowhere) -> None:
    """Under ATOMIC_REQUESTS each view needs the database, also one that asks it nothing."""
    nowhere(ATOMIC_REQUESTS=True)
    assert said(client.get("/flat/idle")) == LATER


def test_what_was_written_before_is_rolled_back(
    client: Client, down: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    assert said(client.post("/flat/view")) == LATER
    assert not Author.objects.exists()


def test_under_asgi(down: None) -> None:

    async def ask(uri: str) -> Any:
        return await AsyncClient(raise_request_exception=False).get(uri)

    for uri in ("/flat/view", "/flat/plain"):
        assert said(async_to_sync(ask)(uri)) == LATER


def test_error_views(
    client: Client, down: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For sites without the middleware."""
    urls = types.ModuleType("tests.urls_of_outages")
    urls.urlpatterns = [*settings.ROOT_URLCONF]  # type: ignore[attr-defined]
    urls.handler500 = "connectnow_api.views.server_error"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, urls.__name__, urls)
    settings.ROOT_URLCONF, settings.MIDDLEWARE = urls.__name__, []
    assert said(client.get("/flat/plain")) == LATER
    assert said(client.get("/flat/crash")) == (500, {"message": "Server Error"}, None)


@pytest.mark.parametrize("debug", [True, False])
def test_the_answer_says_nothing_of_the_cause(
    client: Client, down: None, settings: Any, debug: bool
) -> None:
    settings.DEBUG = debug
    for name in ("view", "plain"):
        assert said(client.get(f"/flat/{name}")) == LATER


def test_a_crash_is_described_beside_it_if_that_is_wanted(
    client: Client, down: None, settings: Any
) -> None:
    settings.DEBUG = True
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "DEBUG_ERRORS": True}
    status, body, _wait = said(client.get("/flat/plain"))
    assert (status, body["message"]) == (503, "Service unavailable.")
    assert body["exception"] == "OperationalError"


def test_one_line_a_minute_and_each_crash_to_monitors(
    client: Client, down: None, caplog: Any
) -> None:
    seen: list[Any] = []

    def listen(**kwargs: Any) -> None:
        seen.append((kwargs["request"].path, sys.exc_info()[0]))

    got_request_exception.connect(listen)
    try:
        for _ in range(3):
            client.get("/flat/view")
    finally:
        got_request_exception.disconnect(listen)
    assert seen == [("/flat/view", OperationalError)] * 3
    lines = [r.getMessage() for r in caplog.records if r.name == "connectnow_api.handlers"]
    assert len(lines) == 1
    assert lines[0].startswith("A request cannot be served: OperationalError: ")
    assert "\n" not in lines[0]


def test_a_mistake_stays_a_crash(client: Client, settings: Any) -> None:
    """A table that is not there will not be there in 30 seconds either."""

    def no_table() -> None:
        connection.cursor().execute("SELECT 1 FROM no_such_table")

    settings.ROOT_URLCONF = (path("flat/x", View.as_view(ask=no_table)),)
    assert said(client.get("/flat/x")) == (500, {"message": "Server Error"}, None)


def test_a_refused_row_stays_what_it_was(client: Client, settings: Any) -> None:
    def no_parent() -> None:
        raise IntegrityError("FOREIGN KEY constraint failed")

    settings.ROOT_URLCONF = (path("flat/x", View.as_view(ask=no_parent)),)
    assert said(client.get("/flat/x"))[0] == 500
