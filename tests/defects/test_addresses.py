"""What a URL, a page number or a header can do."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from connectnow_api import tokens
from tests.library.models import Book

from .site import (
    FORM,
    JSON,
    PREFIXES,
    Issue,
    answer,
    invalid,
    make_books,
    post,
)

pytestmark = pytest.mark.django_db


def test_row_11_nul_in_a_header(own_client: Client, crashes: Any) -> None:
    """Where no server has refused it before."""
    response = own_client.get("/flat/private", headers={"authorization": "Bearer cn_\0"})
    assert answer(response) == (401, {"message": "Unauthenticated."})
    assert not crashes


def test_row_11_nul_and_surrogates_in_tokens(client: Client, crashes: Any) -> None:
    assert answer(client.get("/flat/private?api_token=cn_%00"))[0] == 401
    for text in (rb"\u0000", rb"\ud800", rb"cn_\udfff"):
        assert answer(post(client, "/flat/private", b'{"api_token": "' + text + b'"}'))[0] == 401
    assert not crashes


def test_row_12_crashes_in_view_and_renderer(client: Client, crashes: Any) -> None:
    for response in (client.get("/flat/crash"), client.post("/flat/crash")):
        assert answer(response) == (500, {"message": "Server Error"})
    assert len(crashes) == 2
    crashes.clear()


def unrouted(client: Any) -> None:
    """Whatever has no route is JSON below the prefixes."""
    assert answer(client.get("/flat/nope")) == (404, {"message": "Not found."})
    assert answer(client.post("/resource/nope/")) == (404, {"message": "Object not found"})


def test_row_13_unrouted_paths(client: Client) -> None:
    unrouted(client)
    response = client.get("/nope")
    assert (response.status_code, response.headers["Content-Type"][:9]) == (404, "text/html")
    assert b"slash/" not in response.content


def test_row_13_unrouted_paths_with_debug(own_client: Client, settings: Any) -> None:
    settings.DEBUG = True
    unrouted(own_client)


@pytest.mark.parametrize("host", ["evil.example", "a b", "%00", "[", "x" * 300])
def test_row_14_hosts(client: Client, host: str) -> None:
    response = client.get("/flat/items", headers={"host": host})
    assert answer(response) == (400, {"message": "Bad request."})


@pytest.mark.parametrize("prefix", PREFIXES)
def test_row_24_the_token_is_in_no_link(client: Client, issue: Issue, prefix: str) -> None:
    make_books(60)
    text = issue().plain_text
    response = client.get(f"/{prefix}/books?api_token={text}&a=b&page=2")
    status, body = answer(response)
    link = body.get("next_page_url") or body.get("links", {}).get("prev")
    assert (status, "a=b" in link) == (200, True)
    assert text not in response.content.decode()
    assert "api_token" not in response.content.decode()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_row_25_no_redirect_repeats_a_token(client: Client, issue: Issue, method: str) -> None:
    response = client.generic(method, f"/flat/slash?api_token={issue().plain_text}")
    assert answer(response) == (404, {"message": "Not found."})
    assert "Location" not in response.headers


def test_row_29_session_authentication_first(client: Client) -> None:
    for headers in ({}, {"authorization": f"Bearer {tokens.generate('cn')}"}):
        response = client.get("/flat/sessions", headers=headers)
        assert answer(response) == (401, {"message": "Unauthenticated."})
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm="')


def page(client: Client, prefix: str, query: str) -> tuple[int, int, int]:
    """Return page, page size and number of rows of a list."""
    status, body = answer(client.get(f"/{prefix}/books?{query}"))
    assert status == 200
    facts = body.get("meta", body)
    return facts["current_page"], facts["per_page"], len(body["data"])


SIZES = {"flat": ("per_page", 15), "resource": ("per-page", 50)}


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("number", ["1" + "0" * 400, "1" * 3900, "9" * 19])
def test_row_36_huge_pages(client: Client, prefix: str, number: str) -> None:
    make_books(3)
    assert page(client, prefix, f"page={number}") == (1, SIZES[prefix][1], 3)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_row_36_pages_beyond_what_a_server_may_read(own_client: Client, prefix: str) -> None:
    make_books(3)
    assert page(own_client, prefix, f"page={'9' * 5000}") == (1, SIZES[prefix][1], 3)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("number", ["%D9%A3", "0_1", "%20+1%0A", "%2B1", "1_0", "01", "1.0", "%00"])
def test_row_37_numbers_in_other_spellings(client: Client, prefix: str, number: str) -> None:
    name, default = SIZES[prefix]
    make_books(3)
    assert page(client, prefix, f"page={number}&{name}={number}") == (1, default, 3)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_row_38_pages_that_are_not_there(client: Client, prefix: str) -> None:
    make_books(3)
    size = SIZES[prefix][1]
    for number in ("0", "-1", "abc", ""):
        assert page(client, prefix, f"page={number}") == (1, size, 3)
    assert page(client, prefix, "page=2") == (2, size, 0)
    assert page(client, prefix, f"page={10**17}") == (10**17, size, 0)


@pytest.mark.parametrize(
    "key", ["99999999999999999999", "9" * 3900, "%00", "%ff", "abc", "-1", "1.0", "0", "%20"]
)
def test_row_39_keys_of_no_row(client: Client, crashes: Any, key: str) -> None:
    make_books(3)
    for method in ("get", "put", "delete"):
        ask = getattr(client, method)
        response = ask(f"/flat/books/{key}", content_type=JSON)
        assert answer(response) == (404, {"message": "Not found."})
        assert answer(ask(f"/resource/books/{key}", content_type=JSON))[0] == 404
    assert not crashes


def test_row_39_a_key_is_ascii(client: Client) -> None:
    """Where the route says that it is a number, as the documentation's and the example's do."""
    first = make_books(1)[0].pk
    arabic = str(first).translate({ord(str(n)): chr(0x660 + n) for n in range(10)})
    assert answer(client.get(f"/flat/numbered/{first}"))[0] == 200
    assert answer(client.get(f"/flat/numbered/{arabic}"))[0] == 404
    assert answer(client.get(f"/flat/numbered/{'9' * 3900}"))[0] == 404


def test_row_40_filters_by_hand(client: Client, crashes: Any) -> None:
    """``.filter(year=text)``: what the text is worth is no crash, whoever forgot to ask."""
    make_books(3)
    values = ("abc", "9" * 30, "%00", "1.5", "%D9%A3x", "")
    statuses = {value: answer(client.get(f"/flat/books?year={value}"))[0] for value in values}
    assert set(statuses.values()) <= {200, 422}, statuses
    assert not crashes


@pytest.mark.parametrize("method", ["BREW", "TRACE", "DELETE", "PROPFIND"])
def test_row_42_methods(client: Client, method: str) -> None:
    response = client.generic(method, "/flat/items")
    assert answer(response) == (405, {"message": "Method not allowed."})
    allowed = set(response.headers["Allow"].split(", "))
    assert allowed == {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH"}


def test_row_42_nothing_overrides_the_method(client: Client) -> None:
    make_books(1)
    for extra in ({"headers": {"x-http-method-override": "DELETE"}}, {}):
        response = post(client, "/flat/books?_method=DELETE", b"_method=DELETE", FORM, **extra)
        invalid(response, "title", "isbn")
    assert Book.objects.count() == 1


def test_row_43_authorization_headers(client: Client, issue: Issue, crashes: Any) -> None:
    text = issue().plain_text
    for header in (
        *("", "Basic YTpi", "Digest x", f"Token {text}", "Bearer", "Bearer ", f"Bearer={text}"),
        *(f"Bearer {text},Bearer {text}", f"Basic x,Bearer {text}", f"Bearer {text}, Basic x"),
        *("Bearer \xe9", "Bearer caf\xc3\xa9", "\xff\xfe", "Bearer " + "x" * 7000, "," * 100),
    ):
        response = client.get("/flat/private", HTTP_AUTHORIZATION=header)
        assert answer(response) == (401, {"message": "Unauthenticated."})
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm="')
    assert answer(client.get("/flat/private", HTTP_AUTHORIZATION=f"Bearer {text}"))[0] == 200
    assert not crashes


@pytest.mark.parametrize("raw", [b"\xff", b"\x80abc", b"cn_\xc3\x28"])
def test_row_44_bytes_that_are_no_utf_8(client: Client, crashes: Any, raw: bytes) -> None:
    header = f"Bearer {raw.decode('latin-1')}"
    response = client.get("/flat/private", HTTP_AUTHORIZATION=header)
    assert answer(response) == (401, {"message": "Unauthenticated."})
    response = client.get(f"/flat/private?api_token={'%'.join(['', *raw.hex(' ').split()])}")
    assert answer(response)[0] == 401
    assert not crashes


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", "garbage", "", "*", "a/b;q=x,,"]
)
def test_row_45_json_whatever_is_accepted(client: Client, accept: str) -> None:
    for uri in ("/flat/items", "/flat/items?format=zzz", "/flat/items?format=api"):
        response = client.get(uri, headers={"accept": accept})
        assert answer(response) == (200, {"ok": True})
    assert answer(client.get("/flat/nope", headers={"accept": accept}))[0] == 404
