"""The second dialect, over HTTP: whole bodies, clients and filters."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .support import Answer, Site, probe

pytestmark = pytest.mark.servers

CONTACT = {
    "id": 1,
    "user_id": 1,
    "name": "Ada Archer",
    "value": "ada.archer.1@example.com",
    "email": "ada.archer.1@example.com",
    "type": "email",
}
TICKET = {
    "id": 1,
    "subject": "My lamp flickers",
    "channel": {"id": 1, "name": "Support", "value": "support@acme.example", "type": "email"},
    "from_contact": CONTACT,
    "status": "unassigned",
    "assignee": None,
    "team": {"id": 1, "name": "Billing", "email": "billing@acme.example"},
    "creator": None,
    "tags": ["Invoice"],
    "last_contact": "2021-09-03T18:54:43+00:00",
    "created_at": "2021-09-03T12:40:43+00:00",
    "updated_at": "2021-09-03T18:54:43+00:00",
    "deleted_at": None,
}
MESSAGE = {
    "id": 1,
    "from_contact": CONTACT,
    "type": "external",
    "to": ["support@acme.example"],
    "cc": [],
    "bcc": [],
    "body": "The lamp that arrived on Monday flickers in the evening.",
    "attachments": [],
    "inline_images": [],
    "created_at": "2021-09-03T12:40:43+00:00",
}
TAG = {
    "id": 1,
    "name": "Invoice",
    "slug": "invoice",
    "color": "#1f77b4",
    "type": "tickets",
    "created_at": "2021-09-03T12:40:43+00:00",
    "updated_at": "2021-09-03T12:40:43+00:00",
}


def every(site: Site, path: str, **options: Any) -> list[dict[str, Any]]:
    """Return the rows of all pages."""
    rows: list[dict[str, Any]] = []
    while path:
        page = site.as_acme(path, **options).json()
        rows += page["data"]
        path = (page["links"]["next"] or "").removeprefix(site.base_url)
    assert len(rows) == page["meta"]["total"]
    return rows


def test_one_ticket(site: Site) -> None:
    assert site.as_acme("/api/v1/tickets/1").json() == {"data": TICKET}


def test_a_ticket_with_everything(site: Site) -> None:
    ticket = site.as_acme("/api/v1/tickets/9").json()["data"]
    assert ticket["status"] == "escalated"
    assert ticket["assignee"] == ticket["creator"]
    assert ticket["assignee"] == {"id": 3, "name": "Priya Nair", "email": "priya@acme.example"}
    assert ticket["team"] == {"id": 3, "name": "Repairs", "email": "repairs@acme.example"}
    assert ticket["channel"]["type"] == "widget"


def test_a_page_of_tickets(site: Site) -> None:
    path = f"{site.base_url}/api/v1/tickets"

    def page(number: int) -> str:
        return f"{path}?per-page=30&page={number}"

    body = site.as_acme("/api/v1/tickets?per-page=30").json()
    rows = body.pop("data")
    assert [row["id"] for row in rows] == list(range(1, 31))
    assert rows[0] == TICKET
    assert body == {
        "links": {"first": page(1), "last": page(2), "prev": None, "next": page(2)},
        "meta": {
            "current_page": 1,
            "from": 1,
            "last_page": 2,
            "links": [
                {"url": None, "label": "« Previous", "active": False},
                {"url": page(1), "label": "1", "active": True},
                {"url": page(2), "label": "2", "active": False},
                {"url": page(2), "label": "Next »", "active": False},
            ],
            "path": path,
            "per_page": 30,
            "to": 30,
            "total": 60,
        },
    }


def test_50_rows_unless_fewer_are_asked_for(site: Site) -> None:
    for query in ("", "?per-page=51", "?per-page=x", "?per_page=3"):
        assert site.as_acme(f"/api/v1/tickets{query}").json()["meta"]["per_page"] == 50


def test_messages_of_a_ticket(site: Site) -> None:
    page = site.as_acme("/api/v1/tickets/1/messages").json()
    assert page["data"][0] == MESSAGE
    assert page["data"][1]["from_contact"] == {
        "id": 126,
        "user_id": None,
        "name": "Maria Lindqvist",
        "value": "maria@acme.example",
        "email": "maria@acme.example",
        "type": "email",
    }
    assert page["meta"]["total"] == 2


def test_one_message(site: Site) -> None:
    assert site.as_acme("/api/v1/tickets/1/messages/1").json() == {"data": MESSAGE}


def test_one_message_whatever_its_type(site: Site) -> None:
    body = site.as_acme("/api/v1/tickets/1/messages/3").json()
    assert body["data"]["type"] == "internal"


def test_one_customer(site: Site) -> None:
    assert site.as_acme("/api/v1/customers/1").json() == {
        "data": {
            "id": 1,
            "id_link": f"{site.base_url}/api/v1/customers/1",
            "name": "Ada Archer",
            "email": "ada.archer.1@example.com",
            "job_title": "Gardener",
            "address": "12 Mill Lane",
            "city": "Leeds",
            "state": "Yorkshire",
            "postal_code": "LS1 4AP",
            "timezone": "Europe/London",
            "country": "United Kingdom",
            "note": "",
            "locale": "en-GB",
            "created_at": "2021-09-03T12:40:43+00:00",
            "updated_at": "2021-09-03T12:40:43+00:00",
        }
    }


def test_tags(site: Site) -> None:
    assert site.as_acme("/api/v1/tags/1").json() == {"data": TAG}
    rows = site.as_acme("/api/v1/tags").json()["data"]
    assert rows[0] == TAG
    assert [row["id"] for row in rows] == list(range(1, 11))


# --- Clients ----------------------------------------------------------------------------------


def test_each_client_sees_its_own(site: Site) -> None:
    other = {"token": "other_user", "client": "other"}
    tickets = every(site, "/api/v1/tickets")
    assert [row["id"] for row in tickets] == list(range(1, 61))
    assert [row["id"] for row in every(site, "/api/v1/tickets", **other)] == list(range(61, 66))
    assert [row["id"] for row in every(site, "/api/v1/customers")] == list(range(1, 121))
    assert [row["id"] for row in every(site, "/api/v1/customers", **other)] == list(range(121, 126))
    assert every(site, "/api/v1/tags", **other) == []
    statuses = [row["status"] for row in tickets]
    assert {statuses.count(status) for status in set(statuses)} == {10}
    assert len(set(statuses)) == 6


@pytest.mark.parametrize(
    "path",
    [
        *("/api/v1/tickets/1", "/api/v1/tickets/1/messages", "/api/v1/tickets/1/messages/1"),
        *("/api/v1/customers/1", "/api/v1/tags/1"),
    ],
)
def test_rows_of_another_client_do_not_exist(site: Site, path: str) -> None:
    answer = site.request(path, token="other_user", client="other")
    assert (answer.status, answer.json()) == (404, {"message": "Object not found"})


def test_a_message_belongs_to_its_own_ticket(site: Site) -> None:
    assert site.as_acme("/api/v1/tickets/2/messages/1").status == 404


def refused(answer: Answer) -> bool:
    return (answer.status, answer.json()) == (401, {"message": "Unauthenticated."})


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Hs-Client-Id", "")],
        [("Hs-Client-Id", "other")],
        [("Hs-Client-Id", "ACME")],
        [("Hs-Client-Id", "acme"), ("Hs-Client-Id", "acme")],
        [("Hs-Client-Id", "acme"), ("Hs-Client-Id", "other")],
        [("Hs-Client-Id", "acme,acme")],
        [("Hs-Client-Id", "acme, other")],
        [("Hs-Client-Id", '["acme"]')],
        [("Hs-Client-Id[]", "acme")],
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/tags/99"])
def test_401_unless_the_header_names_the_token_s_client(
    site: Site, path: str, headers: list[tuple[str, str]]
) -> None:
    assert refused(site.request(path, token="valid", headers=headers))


def test_the_other_dialect_asks_for_no_client(site: Site) -> None:
    assert site.request("/api/user", token="valid").status == 200


# --- Filters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "types"),
    [
        ("", ["external", "external", "external", "forward"]),
        ("types[]=internal", ["internal"]),
        ("types[]=internal&types[]=forward", ["internal", "forward"]),
        ("types[0]=internal&types[1]=forward", ["internal", "forward"]),
        ("types%5B0%5D=internal", ["internal"]),
        ("types=forward", ["forward"]),
        ("types[]=bounce", []),
        ("types[]=", ["external", "external", "external", "forward"]),
        (
            "additional-types[]=internal",
            ["external", "external", "internal", "external", "forward"],
        ),
        (
            "additional-types[0]=internal&additional-types[1]=bounce",
            ["external", "external", "internal", "external", "forward"],
        ),
        ("types[]=forward&additional-types[]=internal", ["internal", "forward"]),
        ("types[a]=internal&typess[]=internal", ["external", "external", "external", "forward"]),
    ],
)
def test_types_of_messages(site: Site, query: str, types: list[str]) -> None:
    # The fifth ticket has one message of each kind.
    rows = every(site, f"/api/v1/tickets/5/messages?{query}")
    assert [row["type"] for row in rows] == types


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("types[]=nonsense", "types.0"),
        ("types[]=external&types[]=Internal", "types.1"),
        ("types[5]=%00", "types.0"),
        ("additional-types[]=nonsense", "additional-types.0"),
    ],
)
def test_422(site: Site, query: str, field: str) -> None:
    answer = site.as_acme(f"/api/v1/tickets/1/messages?{query}")
    assert answer.status == 422
    assert answer.json() == {
        "message": "The given data was invalid.",
        "errors": {field: ["This is no type of message."]},
    }


# --- Rows and queries -------------------------------------------------------------------------


def test_seeded_texts_are_plain_prose(site: Site) -> None:
    texts = [text for row in every(site, "/api/v1/tickets") for text in (row["subject"],)]
    for ticket in range(1, 8):
        query = "additional-types[]=internal"
        rows = every(site, f"/api/v1/tickets/{ticket}/messages?{query}")
        texts += [row["body"] for row in rows]
    texts += [row["note"] for row in every(site, "/api/v1/customers")]
    for issue in range(1, 121):
        row = site.request(f"/api/issues/{issue}").json()
        texts += [row["name"], row["description"]]
    for path in ("categories", "companies"):
        texts += [row["name"] for row in site.request(f"/api/{path}").json()["data"]]
    words = "select|insert|update|delete|drop|table|join|where|error|exception|traceback|null"
    for text in set(texts):
        assert not re.search(r"[^\w .,?:'-]|\.\w", text), text
        assert not re.search(rf"\b({words})\b", text, re.IGNORECASE), text


def test_no_list_costs_more_queries_for_more_rows(site: Site, site_database_url: str) -> None:
    expected = {
        # The token, the number of rows, the rows, and the tags of all of them.
        "/api/v1/tickets?per-page=1": 4,
        "/api/v1/tickets": 4,
        "/api/v1/tickets/9": 3,
        # The token, the ticket, the number of rows, the rows.
        "/api/v1/tickets/5/messages?per-page=1": 4,
        "/api/v1/tickets/5/messages": 4,
        "/api/v1/tickets/1/messages/1": 3,
        "/api/v1/customers?per-page=1": 3,
        "/api/v1/customers": 3,
        "/api/v1/customers/1": 2,
        "/api/v1/tags": 3,
        "/api/v1/tags/1": 2,
    }
    call = ["queries", site.tokens["valid"], list(expected)]
    assert probe(call, database_url=site_database_url) == [expected]
