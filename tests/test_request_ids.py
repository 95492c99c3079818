"""The ids that other packages give requests: in events, in log lines, in the bodies of 5xx."""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api import handlers
from connectnow_api.events import TokenEvent
from connectnow_api.outages import Outages
from connectnow_api.request_ids import get_request_id

if importlib.util.find_spec("django_guid") is None:
    pytest.skip("django-guid is not installed", allow_module_level=True)

OURS = "connectnow_api.middleware.JSONErrorMiddleware"
GUID = "django_guid.middleware.guid_middleware"
SENT = "0123456789abcdef0123456789abcdef"


def crash(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


class View(APIView):
    authentication_classes = ()
    permission_classes = ()
    error: Any = ConnectionRefusedError

    def get(self, request: Any) -> Response:
        raise self.error


class ByHand(View):
    def get(self, request: Any) -> Response:
        return Response(*self.error)


@pytest.fixture(autouse=True)
def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_guid"]
    settings.MIDDLEWARE = [OURS, GUID]
    settings.CONNECTNOW_API = {"PREFIXES": {"/flat/": "connectnow"}, "REQUEST_ID_IN_ERRORS": True}
    settings.ROOT_URLCONF = (
        path("flat/crash", crash),
        path("flat/down", View.as_view()),
        path("flat/text", ByHand.as_view(error=("Broken.", 500))),
        path("flat/mapping", ByHand.as_view(error=({"detail": "Broken.", "step": 3}, 502))),
        path("flat/own", ByHand.as_view(error=({"message": "Broken.", "request_id": "own"}, 500))),
    )
    monkeypatch.setattr(handlers, "_outages", Outages(logging.getLogger(handlers.__name__)))


def ask(uri: str) -> Any:
    client = Client(raise_request_exception=False)
    return client.get(uri, headers={"Correlation-ID": SENT})


@pytest.mark.parametrize(
    ("uri", "status", "body"),
    [
        ("/flat/crash", 500, {"message": "Server Error", "request_id": SENT}),
        ("/flat/down", 503, {"message": "Service unavailable.", "request_id": SENT}),
        ("/flat/text", 500, {"message": "Broken.", "request_id": SENT}),
        ("/flat/mapping", 502, {"message": "Broken.", "detail": "Broken.", "step": 3}),
        ("/flat/own", 500, {"message": "Broken.", "request_id": "own"}),
        ("/flat/nowhere", 404, {"message": "Not found."}),
    ],
)
def test_bodies_of_5xx(uri: str, status: int, body: Any) -> None:
    if uri == "/flat/mapping":
        body = {**body, "request_id": SENT}
    response = ask(uri)
    assert (response.status_code, response.json()) == (status, body)
    assert response["Correlation-ID"] == SENT


def test_not_unless_it_is_wanted(settings: Any) -> None:
    settings.CONNECTNOW_API = {"PREFIXES": {"/flat/": "connectnow"}}
    assert ask("/flat/crash").json() == {"message": "Server Error"}
    assert ask("/flat/down").json() == {"message": "Service unavailable."}


def test_nor_where_nothing_gives_one(settings: Any) -> None:
    settings.MIDDLEWARE = [OURS]
    assert ask("/flat/crash").json() == {"message": "Server Error"}
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "REQUEST_ID": None}
    settings.MIDDLEWARE = [OURS, GUID]
    assert ask("/flat/crash").json() == {"message": "Server Error"}


def test_under_asgi() -> None:
    async def get(uri: str) -> Any:
        client = AsyncClient(raise_request_exception=False)
        return await client.get(uri, headers={"Correlation-ID": SENT})

    for uri in ("/flat/crash", "/flat/down"):
        assert async_to_sync(get)(uri).json()["request_id"] == SENT


def test_lines_of_outages(caplog: Any) -> None:
    ask("/flat/down")
    [line] = [r.getMessage() for r in caplog.records if r.name == "connectnow_api.handlers"]
    assert line.endswith(f" request_id={SENT}")


given: dict[str, Any] = {}


def get_given() -> Any:
    if isinstance(given["id"], Exception):
        raise given["id"]
    return given["id"]


@pytest.mark.parametrize("value", ["abc-1", "x" * 128, "!~", 17])
def test_ids_of_a_function_of_your_own(settings: Any, value: Any) -> None:
    settings.CONNECTNOW_API = {"REQUEST_ID": f"{__name__}.get_given"}
    given["id"] = value
    assert get_request_id() == str(value)
    assert str(TokenEvent("refused", "x")) == f'action="refused" kind="x" request_id="{value}"'


@pytest.mark.parametrize(
    "value", [None, "", "a b", "a\nb", "é", "x" * 129, b"x y", ZeroDivisionError()]
)
def test_what_is_no_id_is_left_out(settings: Any, value: Any) -> None:
    settings.CONNECTNOW_API = {"REQUEST_ID": f"{__name__}.get_given"}
    given["id"] = value
    assert get_request_id() == ""
    assert str(TokenEvent("refused", "x")) == 'action="refused" kind="x"'


def test_a_function_that_is_not_there(settings: Any) -> None:
    settings.CONNECTNOW_API = {"REQUEST_ID": "no.such.function"}
    assert get_request_id() == ""
