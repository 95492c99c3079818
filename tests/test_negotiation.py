"""Which renderer answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api.renderers import EnvelopeJSONRenderer
from tests.conftest import Mount


class CSVRenderer(BaseRenderer):
    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        return b"a,b"


class View(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Any) -> Response:
        return Response({"id": 1})


@pytest.fixture
def ask(mount: Mount, client: APIClient) -> Callable[..., Any]:
    """Get a view with these renderers and this ``Accept`` (``None``: no header)."""

    def ask(accept: str | None, *renderers: Any, query: str = "", **attributes: Any) -> Any:
        if renderers:
            attributes["renderer_classes"] = renderers
        mount({"flat/x": type("V", (View,), attributes).as_view()})
        headers = {} if accept is None else {"accept": accept}
        return client.get(f"/flat/x{query}", headers=headers)

    return ask


Ask = Callable[..., Any]

ODD = [
    None,
    "",
    "text/html",
    "application/xml;q=0.9",
    "*/*",
    "application/json, text/plain, */*",
    "application/*",
    "garbage",
    ";;;,,/",
    "application/json;q=0",
]


@pytest.mark.parametrize("accept", ODD)
def test_json_is_the_answer_whatever_is_accepted(ask: Ask, accept: str | None) -> None:
    response = ask(accept)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.json() == {"id": 1}


def test_a_view_with_other_renderers_goes_by_drfs_rule(ask: Ask) -> None:
    renderers = (EnvelopeJSONRenderer, CSVRenderer)
    assert ask("text/csv", *renderers)["Content-Type"] == "text/csv; charset=utf-8"
    assert ask("application/json", *renderers)["Content-Type"] == "application/json"
    assert ask(None, *renderers)["Content-Type"] == "application/json"
    html = ask("text/html", EnvelopeJSONRenderer, BrowsableAPIRenderer)
    assert html["Content-Type"].startswith("text/html")


def test_where_none_fits_the_json_renderer_answers_else_the_first(ask: Ask) -> None:
    assert ask("text/xml", CSVRenderer, EnvelopeJSONRenderer).json() == {"id": 1}
    assert ask("text/xml", CSVRenderer).content == b"a,b"


def test_the_format_parameter_is_off(ask: Ask, settings: Any) -> None:
    assert ask(None, query="?format=zzz").json() == {"id": 1}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "URL_FORMAT_OVERRIDE": "format"}
    assert ask(None, query="?format=zzz").json() == {"id": 1}


STRICT = [
    ("application/json", 200),
    ("application/json; charset=utf-8", 200),
    ("text/html, application/json;q=0.1", 200),
    ("application/*", 200),
    ("*/*", 200),
    (None, 200),
    ("text/html", 406),
    ("application/xml", 406),
    ("application/json;q=0", 406),
    ("garbage", 406),
]


@pytest.mark.parametrize(("accept", "status"), STRICT)
def test_the_strict_rule_wants_json_to_be_accepted(
    ask: Ask, settings: Any, accept: str | None, status: int
) -> None:
    """ConnectNow's document: pass an accept header with the value of application/json."""
    settings.CONNECTNOW_API = {"STRICT_ACCEPT": True}
    response = ask(accept)
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    assert status == 200 or response.json() == {"message": "Not acceptable."}


def test_the_strict_rule_of_a_view(ask: Ask) -> None:
    assert ask("text/html", strict_accept=True).status_code == 406
