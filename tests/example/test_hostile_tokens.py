"""Tokens in every placement, and headers without a valid token."""

from __future__ import annotations

import pytest

from tests.hostile.cases import AUTHORIZATIONS, FORM

from .help_desk import MESSAGE, TICKET
from .hostile import (
    PLACES,
    assert_refused,
    send,
)
from .support import Site, probe
from .test_issue_tracker_writes import ISSUE

pytestmark = pytest.mark.servers


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


def test_method_overrides_do_not_count(scratch: Site) -> None:
    headers = {"X-HTTP-Method-Override": "DELETE"}
    answer = scratch.request("/api/issues/1", headers=headers, token="valid")
    assert answer.status == 200
    body = {"_method": "DELETE"}
    answer = scratch.request("/api/issues/1", method="POST", json=body, token="valid")
    assert assert_refused(answer, 405)
