"""Every recorded page of Laravel 8 and 12, cursors apart, against ours.

Where ours differs on purpose, the difference is stated here once as a rule:

* a token's parameter is in no link;
* a page number matches ``[1-9][0-9]{0,17}``, with nothing trimmed; anything else is page 1;
* ``per_page`` is always an integer;
* ``page`` is read from the query only, never from a body;
* names and values of the query are kept as they were sent, neither trimmed nor renamed.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from rest_framework import generics, serializers
from rest_framework.test import APIClient

from connectnow_api.pagination import LengthAwarePagination, SimplePagination
from connectnow_api.profiles import LARAVEL_8, LARAVEL_12
from tests.conftest import Mount, load_golden

PAGINATORS = {"length_aware": LengthAwarePagination, "simple": SimplePagination}
VERSIONS = {"expected": LARAVEL_8, "expected_12": LARAVEL_12}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        cases = load_golden(metafunc.config, "pagination")
        wanted = [c for c in cases if not c.values[0]["kind"].startswith("cursor")]
        metafunc.parametrize("case", wanted)
    if "setup" in metafunc.fixturenames:
        metafunc.parametrize("setup", load_golden(metafunc.config, "pagination-setup"))


class RowSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()


def view_of(case: dict[str, Any], profile: Any) -> Any:
    """Return a view that does what the recorded route did."""
    kind, _, shape = case["kind"].rpartition("_")
    rows = [{"id": number} for number in range(1, case["total"] + 1)]

    class Issues(generics.ListAPIView[Any]):
        serializer_class = RowSerializer
        pagination_class = PAGINATORS[kind]
        page_size = int(case["per_page"])
        page_query_param = case.get("page_name", "page")
        on_each_side = case.get("on_each_side", 3)
        keep_query = True if case.get("with_query_string") else (case["query"] or False)
        permission_classes = ()

        def get_queryset(self) -> Any:
            return rows

        def filter_queryset(self, queryset: Any) -> Any:
            return queryset

        def post(self, request: Any) -> Any:
            return self.list(request)

    Issues.shape = shape
    Issues.profile = profile
    return Issues.as_view()


def fetch(case: dict[str, Any], uri: str, client: APIClient) -> Any:
    """Send the recorded request to ``uri`` and return the body with rows reduced to ids."""
    place = urlsplit(case["path"])
    body = client.generic(
        case.get("method", "GET"),
        uri,
        case.get("body", ""),
        content_type="application/json",
        secure=place.scheme == "https",
        headers={"host": place.netloc},
    ).json()
    return reduced(body)


def reduced(body: dict[str, Any]) -> dict[str, Any]:
    rows = [row["id"] if isinstance(row, dict) else row for row in body["data"]]
    return {**body, "data": rows}


def asked_page(case: dict[str, Any]) -> list[str]:
    query = parse_qs(urlsplit(case["request_uri"]).query, keep_blank_values=True)
    return query.get(case.get("page_name", "page"), [])


def without_tokens(value: Any) -> Any:
    """Return a body with every ``api_token`` taken out of its URLs."""
    if isinstance(value, dict):
        return {key: without_tokens(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_tokens(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"(?<=[?&])api_token(%5B[^=&]*)?=[^&]*&", "", value)
    return value


def with_integer_per_page(body: dict[str, Any]) -> dict[str, Any]:
    if "meta" in body:
        return {**body, "meta": {**body["meta"], "per_page": int(body["meta"]["per_page"])}}
    return {**body, "per_page": int(body["per_page"])}


@pytest.mark.parametrize("version", VERSIONS)
def test_page_equals_the_recording(
    case: dict[str, Any], version: str, client: APIClient, mount: Mount, settings: Any
) -> None:
    """The whole body equals the recorded one, or the one that a rule above puts in its place."""
    place = urlsplit(case["path"])
    settings.ALLOWED_HOSTS = [place.hostname]
    route = unquote(urlsplit(case["request_uri"]).path).lstrip("/")
    mount({route: view_of(case, VERSIONS[version])})

    body = fetch(case, case["request_uri"], client)

    page = asked_page(case)
    unread_page = bool(page) and not re.fullmatch(r"[1-9][0-9]{0,17}", page[-1], re.ASCII)
    recorded = case[version].get("meta", case[version])["current_page"]
    if "body" in case or (unread_page and recorded != 1):
        query = f"?{case.get('page_name', 'page')}={page[-1]}" if page and not unread_page else ""
        first = {key: value for key, value in case.items() if key not in ("method", "body")}
        assert body == fetch(first, f"/{route}{query}", client)
        assert unread_page or body.get("meta", body)["current_page"] == int((page or ["1"])[-1])
    else:
        expected = with_integer_per_page(without_tokens(reduced(case[version])))
        assert body == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_setup_equals_the_recording(
    setup: dict[str, Any], version: str, client: APIClient, mount: Mount, settings: Any
) -> None:
    """Host, port, scheme, encoded paths and labels end up in the links as recorded."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.CONNECTNOW_API = {}
    if setup["prev_label"]:
        settings.CONNECTNOW_API["PREVIOUS_LABEL"] = setup["prev_label"]
        settings.CONNECTNOW_API["NEXT_LABEL"] = setup["next_label"]
    if re.search(r"\btrusted prox", setup["setup"]):
        settings.USE_X_FORWARDED_HOST = settings.USE_X_FORWARDED_PORT = True
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    case = {"kind": "length_aware_resource", "total": 100, "per_page": 15, "query": {}}
    view = view_of(case, VERSIONS[version])
    recorded_path = unquote(urlsplit(setup["request_uri"]).path).lstrip("/")
    mount({"api/issues": view} | ({recorded_path: view} if setup["status"] == 200 else {}))
    server = dict(setup["server"] or {})
    headers = dict(setup["headers"] or {})

    response = client.get(
        setup["request_uri"], secure=server.pop("HTTPS", "") == "on", headers=headers, **server
    )

    assert response.status_code == setup["status"]
    if setup["status"] == 200:
        meta = response.json()["meta"]
        recorded = {**setup, **setup.get("laravel_12", {})} if version == "expected_12" else setup
        assert meta["path"] == recorded["path"]
        assert meta["links"][-1]["label"] == recorded["next_label"]
        assert response.json()["links"]["next"] == recorded["next_page_url"]
        assert meta["links"][0] == json.loads(recorded["raw_first_link"])
