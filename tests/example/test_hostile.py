"""What no client of good will sends, and where a token must not turn up."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.hostile.cases import (
    BODIES,
    FORM,
    HOSTS,
    LENGTHS,
    MALFORMED_FORMS,
    MULTIPART,
    NUMBERS,
    PLAIN,
    UNSTORABLE,
    UNSUPPORTED_TYPES,
)

from .conftest import NewSeeded
from .help_desk import EMPTY, MESSAGE, TICKET
from .hostile import MALFORMED, PLACES, assert_refused, raw, send
from .support import Site, manage, probe, serve, wait_for
from .test_issue_tracker_writes import ISSUE

pytestmark = [pytest.mark.servers, pytest.mark.frameworks]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_malformed_bodies(scratch: Site, body: bytes) -> None:
    answer = scratch.request("/api/issues", method="POST", body=body, token="valid")
    assert assert_refused(answer, 422) == MALFORMED
    answer = scratch.as_acme("/api/v1/tickets/1", method="PATCH", body=body)
    assert assert_refused(answer, 400) == EMPTY


@pytest.mark.parametrize("body", MALFORMED_FORMS)
def test_malformed_forms(scratch: Site, body: bytes) -> None:
    options: dict[str, Any] = {"method": "POST", "body": body, "content_type": FORM}
    answer = scratch.request("/api/issues", token="valid", **options)
    assert assert_refused(answer, 422) == MALFORMED
    assert assert_refused(scratch.as_acme("/api/v1/tickets", **options), 400) == EMPTY


@pytest.mark.parametrize("text", UNSTORABLE)
def test_texts_that_no_database_can_hold(scratch: Site, text: str) -> None:
    attachment = {"file_name": [{"deep": text}]}
    for path, body, field in (
        ("tickets/1/messages", {**MESSAGE, "body": text}, "body"),
        (
            "tickets/1/messages",
            {**MESSAGE, "attachments": [{}, attachment]},
            "attachments.1.file_name.0.deep",
        ),
        ("tickets", {**TICKET, "tags": ["Invoice", text]}, "tags.1"),
        ("customers", {"name": "N", "email": text}, "email"),
        ("tags", {"name": text}, "name"),
        ("webhook", {"webhooks": {"secret": text}}, "webhooks.secret"),
    ):
        answer = scratch.as_acme(f"/api/v1/{path}", method="POST", json=body)
        assert list(assert_refused(answer, 422)["errors"]) == [field]
    for path, body in (
        ("issues", ISSUE),
        ("issues/2/close", {}),
        ("webhooks", {"url": "https://odd.example/"}),
    ):
        sent = {**body, "description": text}
        answer = scratch.request(f"/api/{path}", method="POST", json=sent, token="valid")
        assert list(assert_refused(answer, 422)["errors"]) == ["description"]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers(scratch: Site, number: str) -> None:
    for path, field in (
        ("/api/issues", '"category_ids"'),
        ("/api/issues", '"severity"'),
        ("/api/categories", '"name": "x", "company_id"'),
        ("/api/v1/tickets", '"team"'),
        ("/api/v1/tickets", '"tags"'),
        ("/api/v1/tickets", '"channel"'),
    ):
        for value in (number, f"[{number}]", f'{{"id": {number}}}'):
            body = f"{{{field}: {value}}}".encode()
            assert "errors" in assert_refused(scratch.as_acme(path, method="POST", body=body), 422)


def test_an_infinite_number_is_not_stored(scratch: Site) -> None:
    body = (
        b'{"body": "x", "from_contact": {"email": "x@example.com"}, "attachments": [{"a": 1e999}]}'
    )
    answer = scratch.as_acme("/api/v1/tickets/1/messages", method="POST", body=body)
    assert list(assert_refused(answer, 422)["errors"]) == ["attachments.0.a"]


def test_the_last_of_repeated_keys_counts(scratch: Site) -> None:
    body = b'{"name": 1, "name": "Last", "color": "#fff"}'
    answer = scratch.as_acme("/api/v1/tags", method="POST", body=body)
    assert (answer.status, answer.json()["data"]["name"]) == (201, "Last")


@pytest.mark.parametrize("content_type", UNSUPPORTED_TYPES)
def test_415(scratch: Site, content_type: str) -> None:
    for path in ("/api/issues", "/api/v1/tickets"):
        answer = scratch.as_acme(path, method="POST", body=b"{}", content_type=content_type)
        assert assert_refused(answer, 415) == {"message": "Unsupported media type."}


@pytest.mark.parametrize("content_type", [PLAIN, "application/xml", MULTIPART, "garbage"])
def test_an_empty_body_has_no_type(scratch: Site, content_type: str) -> None:
    options: dict[str, Any] = {"method": "POST", "body": b"", "content_type": content_type}
    assert "errors" in assert_refused(scratch.as_acme("/api/issues", **options), 422)
    assert assert_refused(scratch.as_acme("/api/v1/tickets", **options), 400) == EMPTY


@pytest.mark.parametrize(
    ("start", "content_type"),
    [(b"[" * 1000, "application/json"), (b"name=", FORM)],
)
def test_413(scratch: Site, start: bytes, content_type: str) -> None:
    body = start + b"x" * 3_000_000
    # A token in a body that is too large is not looked for.
    for token, status in (("valid", 413), (None, 401)):
        for path in ("/api/issues", "/api/v1/tickets"):
            answer = scratch.as_acme(
                path, method="POST", body=body, content_type=content_type, token=token
            )
            assert_refused(answer, status)


def test_too_many_fields(scratch: Site) -> None:
    body = b"&".join(b"category_ids[]=1" for _ in range(1001))
    options: dict[str, Any] = {"method": "POST", "body": body, "content_type": FORM}
    for path in ("/api/issues", "/api/v1/tickets"):
        assert_refused(scratch.as_acme(path, **options), 400)
    query = "&".join(f"x{number}=1" for number in range(1001))
    for path in ("/api/issues", "/api/v1/tickets", "/api/nowhere"):
        assert_refused(scratch.as_acme(f"{path}?{query}"), 400, 404)


def test_many_ids_cost_as_many_queries_as_one(scratch: Site, scratch_database_url: str) -> None:
    token = scratch.tokens["valid"]
    one, many = (
        probe(["write_queries", token, number], database_url=scratch_database_url)[0]
        for number in ("1", "90")
    )
    assert one == many


def head(site: Site, path: str, length: int | str) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {urlsplit(site.base_url).netloc}",
        f"Authorization: Bearer {site.tokens['valid']}",
        "Hs-Client-Id: acme",
        "Content-Type: application/json",
        f"Content-Length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize("path", ["/api/companies", "/api/v1/tags"])
def test_a_short_body_is_not_taken_for_a_whole_one(scratch: Site, path: str) -> None:
    status, _, body = raw(scratch, head(scratch, path, 500) + b'{"name": "short"}')
    assert status == 400
    assert set(body) == {"message"}


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths_that_are_none(scratch: Site, length: str) -> None:
    status, _, body = raw(scratch, head(scratch, "/api/companies", length) + b'{"name": "x"}')
    assert (status, set(body)) == (400, {"message"})


@pytest.mark.parametrize("host", HOSTS)
def test_hosts_that_are_not_ours(scratch: Site, host: str) -> None:
    token = scratch.tokens["valid"].encode()
    for path in (b"/api/issues", b"/api/v1/tickets", b"/api/nowhere"):
        request = b"GET %s?api_token=%s HTTP/1.1\r\nHost: %s\r\n\r\n"
        status, start, body = raw(scratch, request % (path, token, host.encode("latin-1")))
        assert (status, body) == (400, {"message": "Bad request."})
        assert b"nosniff" in start
    page = scratch.send(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert b" 400 " in page
    assert b"text/html" in page


@pytest.mark.parametrize("path", ["/api/issues/", "/api/v1/tags/", "/api/nowhere/"])
def test_no_redirect_carries_a_token(scratch: Site, path: str) -> None:
    url = f"{path}?api_token={scratch.tokens['valid']}"
    for method in ("GET", "POST"):
        answer = scratch.request(url, method=method, client="acme", body=b"{}")
        assert assert_refused(answer, 404)
        assert "Location" not in answer.headers


def test_no_log_line_shows_a_token(scratch: Site) -> None:
    """Whatever the other tests of this server did before is part of it."""
    token = scratch.tokens["valid"]
    for place in PLACES:
        for path in ("/api/companies", "/api/v1/tags", "/api/nowhere", "/nowhere"):
            send(scratch, place, path, {"name": "Logged"})
            send(scratch, place, path, {"name": "x" * 300})
    body = f'{{"api_token": "{token}", '.encode()
    scratch.request("/api/companies", method="POST", body=body)
    scratch.request("/api/logged", method="POST", body=body)
    log = wait_for('"POST /api/logged HTTP/1.1" 404', scratch.log)
    for secret in [*scratch.tokens.values(), "api_token"]:
        assert secret not in log
    assert "Internal Server Error" not in log


def test_a_new_start_brings_back_what_clients_changed(
    tmp_path: Path, new_seeded: NewSeeded
) -> None:
    url = new_seeded().url
    seeded = probe(["rows"], database_url=url)
    with serve(tmp_path, url) as (site, _):
        chat = site.credentials["chat"]
        code = chat["auth_code"]
        for path, body in (
            ("/api/issues", ISSUE),
            ("/api/companies", {"name": "New"}),
            ("/api/companies/1/users", {"email": "new@example.com"}),
            ("/api/webhooks", {"url": "https://new.example/"}),
            ("/api/categories/1/subscriptions", {"email": "new@example.com"}),
            ("/api/v1/webhook", {"webhooks": {"enabled": False}}),
            ("/api/chats/1/users/get-token", {"email": chat["email"], "auth-code": code}),
        ):
            assert site.as_acme(path, method="POST", json=body).status == 201
        for path, body in (("tickets", TICKET), ("tickets/2/messages", MESSAGE)):
            assert site.as_acme(f"/api/v1/{path}", method="POST", json=body).status == 201
        changed = site.request("/api/issues/1", method="PUT", json=ISSUE, token="valid")
        assert changed.status == 200
        for path in ("/api/companies/2", "/api/categories/1", "/api/issues/3"):
            assert site.request(path, method="DELETE", token="valid").status == 200
        for path in ("/api/v1/tickets/1", "/api/v1/customers/5", "/api/v1/tags/1"):
            assert site.as_acme(path, method="DELETE").status == 200
        tags = {"tags": ["Refund", "Damage"], "status": "closed"}
        assert site.as_acme("/api/v1/tickets/7", method="PATCH", json=tags).status == 200
        assert probe(["rows"], database_url=url) != seeded
    manage("demo", "--no-serve", database_url=url)
    assert probe(["rows"], database_url=url) == seeded
    (next_ids,) = probe(["new_ids"], database_url=url)
    assert (next_ids["issue_tracker.Issue"], next_ids["help_desk.Ticket"]) == (121, 66)
