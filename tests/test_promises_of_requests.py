"""Promises of what requests may hold and what errors say, each tried as it is worded.

The site is that of the defects; numbers are those of ``test_promises.py``.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.db import connection
from django.test import Client

from connectnow_api import tokens
from connectnow_api.renderers import JSONRenderer
from connectnow_api.wire import reading
from tests.defects.middleware import MIDDLEWARE
from tests.defects.site import (
    FORM,
    JSON,
    MALFORMED,
    MULTIPART,
    PREFIXES,
    ROUTES,
    answer,
    make_books,
    post,
)

from .digest import digest

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = [*MIDDLEWARE, *settings.MIDDLEWARE]
    settings.ROOT_URLCONF = "tests.defects.site"


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def crashes() -> Iterator[list[Any]]:
    """The paths of requests that something was raised through Django for."""
    seen: list[Any] = []

    def listen(request: Any, **kwargs: Any) -> None:
        seen.append((request.method, request.get_full_path()))

    got_request_exception.connect(listen)
    yield seen
    got_request_exception.disconnect(listen)


# --- 13: looking for a token in the body ------------------------------------------------------


BAD_BODIES = {
    "cut": b'{"api_token": ',
    "bytes": b'{"api_token": "\xff"}',
    "list": b'["api_token"]',
    "text": b'"api_token"',
    "twice": b'{"api_token": "a", "api_token": "b"}',
    "deep": b'{"api_token": ' + b"[" * 1000,
    "percent": b"api_token=%ff",
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_promise_13_a_request_that_needs_no_token_is_no_error(client: Client, body: bytes) -> None:
    for content_type, method in itertools.product((JSON, FORM, MULTIPART, "x/y"), ("GET", "HEAD")):
        response = client.generic(method, "/flat/items", body, content_type=content_type)
        assert response.status_code == 200
    # A view that does not look at its data does not hear of it.
    assert answer(post(client, "/flat/unread", body)) == (200, {"ok": True})
    assert answer(post(client, "/flat/unread", body, FORM)) == (200, {"ok": True})


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_promise_13_a_malformed_body_is_not_hidden_from_the_view(
    client: Client, issue: Issue, prefix: str, body: bytes
) -> None:
    assert answer(post(client, f"/{prefix}/raw", body)) == MALFORMED[prefix]
    bearer = {"headers": {"authorization": f"Bearer {issue().plain_text}"}}
    assert answer(post(client, f"/{prefix}/private", body, **bearer)) == MALFORMED[prefix]


# --- 15: where a token does not come back -----------------------------------------------------


@pytest.mark.parametrize("prefix", PREFIXES)
def test_promise_15_data_links_redirects_and_records_have_no_token(
    client: Client, issue: Issue, prefix: str, caplog: Any
) -> None:
    caplog.set_level("DEBUG", "connectnow_api")
    make_books(120)
    text = issue().plain_text
    query = f"api_token={text}"
    form = f"{query}&name=a".encode()
    answers = [
        post(client, f"/{prefix}/private", {"api_token": text, "name": "a"}),
        post(client, f"/{prefix}/private?{query}", form, FORM),
        client.get(f"/{prefix}/books?page=2&{query}"),
        client.get(f"/{prefix}/books?page=2&%61pi_token={text}"),
        client.get(f"/{prefix}/slash?{query}"),
        client.post(f"/{prefix}/slash?{query}"),
        client.get(f"/{prefix}/nope?{query}"),
        client.get(f"/{prefix}/private?{query}", headers={"authorization": "Bearer other"}),
    ]
    assert [a.status_code for a in answers] == [201, 201, 200, 200, 404, 404, 404, 400]
    assert [a.json()["data"] for a in answers[:2]] == [{"name": "a"}] * 2
    for said in (*(a.content.decode() + str(a.headers) for a in answers), caplog.text):
        assert text not in said
        assert "api_token=" not in said


# --- 17 and 18: errors below the prefixes -----------------------------------------------------

MB = 1_000_000
PART = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n1\r\n'
ERRORS: dict[str, tuple[int, Callable[[Client, str], Any]]] = {
    "no route": (404, lambda client, prefix: client.get(f"{prefix}/nope")),
    "no route, with a slash": (404, lambda client, prefix: client.post(f"{prefix}/nope/")),
    "the prefix": (404, lambda client, prefix: client.get(f"{prefix}/")),
    "host": (400, lambda client, prefix: client.get(f"{prefix}/items", headers={"host": "x.y"})),
    "no host": (400, lambda client, prefix: client.get(f"{prefix}/items", headers={"host": " "})),
    "large JSON": (413, lambda client, prefix: post(client, f"{prefix}/raw", b" " * 3 * MB)),
    "large form": (
        413,
        lambda client, prefix: post(client, f"{prefix}/raw", b"a" * 3 * MB, FORM),
    ),
    "fields": (400, lambda client, prefix: post(client, f"{prefix}/raw", b"a=1&" * 1001, FORM)),
    "query": (400, lambda client, prefix: client.get(f"{prefix}/books?{'a=1&' * 1001}")),
    "files": (
        400,
        lambda client, prefix: post(client, f"{prefix}/upload", PART * 101 + b"--x--", MULTIPART),
    ),
    "method": (405, lambda client, prefix: client.generic("BREW", f"{prefix}/items")),
    "media type": (415, lambda client, prefix: post(client, f"{prefix}/items", b"a", "text/csv")),
    "token": (401, lambda client, prefix: client.get(f"{prefix}/private?api_token=x")),
    "crash": (500, lambda client, prefix: client.get(f"{prefix}/crash")),
    "failed rendering": (500, lambda client, prefix: client.post(f"{prefix}/crash")),
}


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("case", ERRORS)
def test_promise_17_every_error_is_json_with_a_message(
    client: Client, settings: Any, case: str, prefix: str, debug: bool
) -> None:
    settings.DEBUG = debug
    status, ask = ERRORS[case]
    found, body = answer(ask(client, f"/{prefix}"))
    assert (found, {*body}) == (status, {"message"})


INSIDE = re.compile(
    r"Traceback|File \"|\.py|Error\b|Exception|SELECT|INSERT|sqlite|psycopg|MySQL|line \d|column|"
    r"position|codec|Expecting|char \d|Book|matches|tests\.|connectnow_api|object at|/",
)


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("case", ERRORS)
def test_promise_18_no_error_names_what_is_inside(
    client: Client, settings: Any, case: str, debug: bool
) -> None:
    settings.DEBUG = debug
    response = ERRORS[case][1](client, "/flat")
    assert response.json()["message"] != "Server Error" or response.status_code == 500
    assert not INSIDE.search(response.content.decode().replace("Server Error", ""))


# --- 19: a digest of hostile input ------------------------------------------------------------

PATHS = [route for route in ROUTES if "<" not in route and route != "crash"]


def test_promise_19_no_hostile_input_makes_a_500(client: Client, crashes: list[Any]) -> None:
    make_books(3)
    seen = set()
    for prefix, asked in zip(itertools.cycle(PREFIXES), digest(PATHS), strict=False):
        response = client.generic(
            asked.method,
            f"/{prefix}/{asked.path}",
            asked.body,
            content_type=asked.content_type,
            headers=asked.headers,
        )
        seen.add(response.status_code)
        assert response.status_code < 500, asked
        assert response.headers["Content-Type"] == JSON, asked
        json.loads(response.content)
    assert crashes == []
    assert {200, 201, 401, 404, 405, 415, 422} <= seen


# --- 21: bodies that are refused before anything is built --------------------------------------


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("content_type", [JSON, FORM])
def test_promise_21_a_short_body_is_refused(client: Client, prefix: str, content_type: str) -> None:
    body = b'{"name": "a"}' if content_type == JSON else b"name=a"
    short = {"CONTENT_LENGTH": str(len(body) + 1), "wsgi.input": io.BytesIO(body)}
    response = post(client, f"/{prefix}/items", body, content_type, **short)
    message = "The body is not as long as the request says."
    assert answer(response) == (400, {"message": message})


@pytest.mark.parametrize("prefix", PREFIXES)
def test_promise_21_deep_json_is_refused_before_it_is_built(
    client: Client, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def loads(text: str, **kwargs: Any) -> Any:
        built.append(text)
        return original(text, **kwargs)

    original = json.loads
    monkeypatch.setattr(reading.json, "loads", loads)
    for levels, status in ((100, 201), (101, MALFORMED[prefix][0])):
        inner = levels - 1
        body = b'{"meta": ' + b"[" * inner + b"]" * inner + b"}"
        assert post(client, f"/{prefix}/items", body).status_code == status
    monkeypatch.undo()
    assert len(built) == 1


class Endless(io.RawIOBase):
    """A stream that nobody may read."""

    def read(self, *args: Any) -> bytes:
        raise AssertionError("the body was read")

    readline = read  # type: ignore[assignment]


@pytest.mark.parametrize("route", ["items", "raw", "private"])
@pytest.mark.parametrize("content_type", [JSON, FORM])
def test_promise_21_a_large_body_is_refused_before_it_is_read(
    client: Client, issue: Issue, settings: Any, route: str, content_type: str
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    environ = {"CONTENT_LENGTH": "1001", "wsgi.input": Endless()}
    bearer = {"headers": {"authorization": f"Bearer {issue().plain_text}"}}
    response = post(client, f"/flat/{route}", b"x", content_type, **environ, **bearer)
    assert answer(response) == (413, {"message": "The request is too large."})


# --- 22: what no database and no encoder can hold ----------------------------------------------

UNUSABLE = ["\0", "a\0b", "\ud800", "a\udfffb"]


@pytest.mark.parametrize("text", UNUSABLE)
def test_promise_22_nul_and_surrogates_reach_no_database_and_no_renderer(
    client: Client, issue: Issue, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    make_books(1)
    reached: list[Any] = []

    def execute(run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        reached.append(params)
        return run(sql, params, many, context)

    def render(renderer: Any, data: Any, *args: Any, **kwargs: Any) -> bytes:
        reached.append(data)
        return original(renderer, data, *args, **kwargs)

    original = JSONRenderer.render
    monkeypatch.setattr(JSONRenderer, "render", render)
    quoted = "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
    bearer = {"headers": {"authorization": f"Bearer {issue().plain_text}"}}
    with connection.execute_wrapper(execute):
        answers = [
            *(
                post(client, f"/{prefix}/{route}", body, **bearer)
                for prefix in PREFIXES
                for route in ("raw", "items", "books", "private")
                for body in (
                    *({"title": text}, {"meta": {"a": [text]}}, {"meta": {text: 1}}, {text: 1}),
                    *({"api_token": text}, {"api_token": tokens.generate("cn") + text}),
                )
            ),
            *(
                client.get(f"/flat/{uri}", **bearer)
                for uri in (
                    f"books?year={quoted}",
                    f"books?page={quoted}",
                    f"books?x={quoted}",
                    f"books/{quoted}",
                    f"private?api_token={quoted}",
                )
            ),
            post(client, "/flat/raw", f"title={quoted}".encode(), FORM),
        ]
    assert reached
    assert {a.status_code for a in answers} <= {200, 201, 400, 401, 404, 422}
    for value in reached:
        assert not re.search("[\0\ud800-\udfff]", spelled(value)), value


def spelled(value: Any) -> str:
    """Return every text in a value, keys included, in one."""
    if isinstance(value, dict):
        return "".join(map(spelled, [*value, *value.values()]))
    if isinstance(value, list | tuple):
        return "".join(map(spelled, value))
    return str(value)
