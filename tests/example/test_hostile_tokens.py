"""Tokens where none should be, and values that are none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hostile.cases import (
    AUTHORIZATIONS,
    BODY_TOKENS,
    FORM,
    MULTIPART,
    PART,
    PLAIN,
    QUERY_TOKENS,
)

from .help_desk import MESSAGE, TICKET
from .hostile import (
    PLACES,
    UNAUTHENTICATED,
    assert_refused,
    send,
    with_token,
)
from .support import Site, probe
from .test_issue_tracker_writes import ISSUE


@pytest.mark.parametrize("place", PLACES)
def test_every_place_opens_every_method(scratch: Site, place: str) -> None:
    company = send(scratch, place, "/api/companies", {"name": "Kiosk"})
    assert company.status == 201
    path = f"/api/companies/{company.json()['id']}"
    assert send(scratch, place, path, {"name": "New kiosk"}, "PUT").json()["name"] == "New kiosk"
    assert send(scratch, place, path, {"x": "y"}, "DELETE").text == "{}"
    tag = send(scratch, place, "/api/v1/tags", {"name": f"By {place}"})
    assert tag.status == 201
    path = f"/api/v1/tags/{tag.json()['data']['id']}"
    assert send(scratch, place, path, {"color": "#123"}, "PATCH").status == 200
    assert send(scratch, place, path, {"x": "y"}, "DELETE").text == "{}"


def test_a_token_in_a_body_is_never_stored_or_echoed(
    scratch: Site, scratch_database_url: str
) -> None:
    token = scratch.tokens["valid"]
    for path, body in (
        ("/api/issues", ISSUE),
        ("/api/categories", {"name": "x", "company_id": 1}),
        ("/api/companies", {"name": "Stall"}),
        ("/api/v1/tickets", TICKET),
        ("/api/v1/tickets/1/messages", MESSAGE),
        ("/api/v1/customers", {"name": "x", "email": "holder@example.com"}),
        ("/api/v1/tags", {"name": "Held"}),
        ("/api/companies/1/users", {"email": "held@example.com"}),
        ("/api/webhooks", {"url": "https://held.example/"}),
        ("/api/issues/3/subscriptions", {"email": "held@example.com"}),
        ("/api/v1/webhook", {"webhooks": {"secret": "held"}}),
        ("/api/exports", {"x": 1}),
        ("/api/issues", {}),
        ("/api/v1/tickets", {"x": 1}),
    ):
        answer = send(scratch, "payload", path, body)
        assert answer.status in {201, 202, 422}
        assert token not in answer.text + str(answer.headers)
        assert "api_token" not in answer.text
    assert probe(["holds", token, "api_token"], database_url=scratch_database_url) == [[]]


def test_nothing_but_a_token_is_an_empty_body(scratch: Site) -> None:
    answer = send(scratch, "payload", "/api/v1/tags", {})
    assert assert_refused(answer, 400, 422)
    assert "errors" in assert_refused(send(scratch, "payload", "/api/companies", {}), 422)


def test_a_malformed_body_holds_no_token(scratch: Site) -> None:
    token = scratch.tokens["valid"].encode()
    for body in (b'{"api_token": "%s"', b'["%s"]', b'"%s"', b'{"api_token": ["%s"]}'):
        answer = scratch.request("/api/companies", method="POST", body=body % token)
        assert assert_refused(answer, 401) == UNAUTHENTICATED
    answer = scratch.request(
        "/api/companies", method="POST", body=PART % token, content_type=MULTIPART
    )
    assert assert_refused(answer, 401) == UNAUTHENTICATED


def test_a_repeated_token_key_is_malformed(scratch: Site) -> None:
    token = scratch.tokens["valid"].encode()
    twice = b'{"name": "x", "api_token": "%s", "api_token": "%s"}' % (token, token)
    answer = scratch.request("/api/companies", method="POST", body=twice, token="valid")
    assert assert_refused(answer, 400, 422)
    answer = scratch.request(
        "/api/companies",
        method="POST",
        body=b"name=x&api_token=%s&api_token=%s" % (token, token),
        content_type=FORM,
        token="valid",
    )
    assert assert_refused(answer, 400, 422)


@pytest.mark.parametrize("path", ["/api/companies", "/api/v1/tags"])
def test_400_with_two_tokens(scratch: Site, path: str) -> None:
    tokens = scratch.tokens
    body = with_token(scratch, {"name": "x"}, "read_only")
    for url in (path, f"{path}?api_token={tokens['valid']}"):
        options = {"method": "POST", "client": "acme", "json": body}
        token = "valid" if url == path else None
        answer = scratch.request(url, token=token, **options)
        assert set(assert_refused(answer, 400)) == {"message"}
        assert not any(token in answer.text for token in tokens.values())


def test_the_same_token_twice_is_one(scratch: Site) -> None:
    answer = scratch.request(
        "/api/companies", method="POST", json=with_token(scratch, {"name": "x"}), token="valid"
    )
    assert answer.status == 201


@pytest.mark.parametrize("token", BODY_TOKENS)
def test_tokens_in_bodies_that_open_nothing(scratch: Site, token: str) -> None:
    for path in ("/api/companies", "/api/v1/tags"):
        body = with_token(scratch, {"name": "x"}, token)
        answer = scratch.request(path, method="POST", json=body, client="acme")
        assert assert_refused(answer, 401) == UNAUTHENTICATED


@pytest.mark.parametrize("token", [None, 5, True, [], ["x"], {"a": "b"}])
def test_tokens_in_bodies_that_are_no_texts(scratch: Site, token: Any) -> None:
    body = {"name": "x", "api_token": token}
    answer = scratch.request("/api/companies", method="POST", json=body)
    assert assert_refused(answer, 401) == UNAUTHENTICATED


@pytest.mark.parametrize("value", AUTHORIZATIONS)
def test_headers_that_open_nothing(scratch: Site, value: str) -> None:
    headers = [("Authorization", value), ("Hs-Client-Id", "acme")]
    for path in ("/api/companies", "/api/v1/tags"):
        answer = scratch.request(path, method="POST", json={"name": "x"}, headers=headers)
        assert assert_refused(answer, 400, 401)
    token = scratch.tokens["valid"]
    twice = [("Authorization", f"Bearer {token}")] * 2
    answer = scratch.request("/api/companies", method="POST", json={"name": "x"}, headers=twice)
    assert assert_refused(answer, 400, 401)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"api_token": "x"}', b"\xff", b"x" * 100])
@pytest.mark.parametrize("path", ["/api/issues", "/api/issues/1", "/api/companies"])
def test_who_reads_may_send_anything(scratch: Site, path: str, body: bytes) -> None:
    for content_type in ("application/json", FORM, PLAIN, MULTIPART):
        answer = scratch.request(path, body=body, content_type=content_type)
        assert (answer.status, answer.text) == (200, scratch.request(path).text)


@pytest.mark.parametrize("token", QUERY_TOKENS)
def test_queries_that_open_nothing(scratch: Site, token: str) -> None:
    for path in ("/api/companies", "/api/v1/tags"):
        answer = scratch.request(f"{path}?api_token={token}", method="POST", json={"name": "x"})
        assert assert_refused(answer, 401) == UNAUTHENTICATED
    assert "Set-Cookie" not in answer.headers


def test_method_overrides_do_not_count(scratch: Site) -> None:
    headers = {"X-HTTP-Method-Override": "DELETE"}
    answer = scratch.request("/api/issues/1", headers=headers, token="valid")
    assert answer.status == 200
    body = {"_method": "DELETE"}
    answer = scratch.request("/api/issues/1", method="POST", json=body, token="valid")
    assert assert_refused(answer, 405)
