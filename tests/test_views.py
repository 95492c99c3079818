"""Django's error views, for sites that cannot add the middleware."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest
from django.test import Client
from django.urls import path

HTML = "text/html; charset=utf-8"


def view_raising(exc: Exception) -> Any:
    def view(request: HttpRequest) -> None:
        raise exc

    return view


@pytest.fixture(autouse=True)
def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = types.ModuleType("tests.urls_of_error_views")
    urls.urlpatterns = [  # type: ignore[attr-defined]
        path(f"{prefix}/{status}", view_raising(exc))
        for prefix in ("flat", "site")
        for status, exc in (
            (400, SuspiciousOperation("x")),
            (403, PermissionDenied("x")),
            (500, ValueError("x")),
        )
    ]
    for status, name in (
        (400, "bad_request"),
        (403, "permission_denied"),
        (404, "page_not_found"),
        (500, "server_error"),
    ):
        setattr(urls, f"handler{status}", f"connectnow_api.views.{name}")
    monkeypatch.setitem(sys.modules, urls.__name__, urls)
    settings.ROOT_URLCONF = urls.__name__


def test_a_body_over_the_limit_is_413(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    client = Client(raise_request_exception=False)
    form = "application/x-www-form-urlencoded"
    response = client.post("/flat/400", "a=" + "x" * 100, content_type=form)
    message = {"message": "The request is too large."}
    assert (response.status_code, response.json()) == (413, message)
    image = client.post("/flat/400", b"x" * 100, content_type="image/png")
    assert (image.status_code, image.json()) == (400, {"message": "Bad request."})


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "Bad request."),
        (403, "This action is unauthorized."),
        (404, "Not found."),
        (500, "Server Error"),
    ],
)
def test_json_below_the_prefixes_and_the_sites_pages_elsewhere(status: int, text: str) -> None:
    client = Client(raise_request_exception=False)
    response = client.get(f"/flat/{status}")
    assert (response.status_code, response.json()) == (status, {"message": text})
    answer = client.get(f"/flat/{status}?api_token=x")
    assert (answer["Cache-Control"], answer["Referrer-Policy"]) == (
        "private, no-store",
        "no-referrer",
    )
    page = client.get(f"/site/{status}")
    assert (page.status_code, page["Content-Type"]) == (status, HTML)
