"""What the help desk finds invalid, and what only one of many may have."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .help_desk import MESSAGE, OTHER, REQUIRED, TAKEN, TICKET, UNKNOWN, numbers, post, shown
from .support import Answer, Site

pytestmark = [pytest.mark.servers, pytest.mark.frameworks]

NOT_ALLOWED = ["The chosen value is not one of those allowed."]
BAD_EMAIL = ["Enter a valid email address."]
NO_ID = ["A valid integer is required."]


def missing(id_: int) -> list[str]:
    return [f'Invalid pk "{id_}" - object does not exist.']


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({"subject": ""}, {"subject": ["This field may not be blank."]}),
        (
            {"subject": "s" * 256},
            {"subject": ["Ensure this field has no more than 255 characters."]},
        ),
        *[
            ({"from_contact": value}, {"from_contact.email": REQUIRED})
            for value in (None, "x", {"name": "x"})
        ],
        ({"from_contact": {"email": "x"}}, {"from_contact.email": BAD_EMAIL}),
        ({"from_contact": {"email": f"{'x' * 250}@a.example"}}, {"from_contact.email": None}),
        ({"from_contact": {"email": ["x"]}}, {"from_contact.email": BAD_EMAIL}),
        (
            {"from_contact": {"email": "a@example.com", "name": "n" * 256}},
            {"from_contact.name": ["Ensure this field has no more than 255 characters."]},
        ),
        *[({"channel": value}, {"channel.id": REQUIRED}) for value in (None, 1, {"name": 1})],
        ({"channel": {"id": None}}, {"channel.id": ["This field may not be null."]}),
        ({"channel": {"id": 4}}, {"channel.id": missing(4)}),
        ({"channel": {"id": 999}}, {"channel.id": missing(999)}),
        *[({"channel": {"id": id_}}, {"channel.id": NO_ID}) for id_ in (0, 10**30, True)],
        *[({"message": value}, {"message.body": REQUIRED}) for value in (None, [1], {})],
        ({"message": {"body": " \n"}}, {"message.body": ["This field may not be blank."]}),
        ({"message": {"body": ["x"]}}, {"message.body": ["Not a valid string."]}),
        (
            {"message": {"body": "x", "attachments": [{}, "x"]}},
            {"message.attachments.1": ["Expected an object."]},
        ),
        *[({"status": value}, {"status": NOT_ALLOWED}) for value in ("Open", 1, [], {"x": 1})],
        ({"status": None}, {"status": ["This field may not be null."]}),
        *[({"team": value}, {"team": UNKNOWN}) for value in (4, "Nope", [1], True, {"id": 10**40})],
        # The fourth agent is another client's.
        *[({"assignee": value}, {"assignee": UNKNOWN}) for value in (4, "Tomas Novak", {"id": 4})],
        ({"tags": "Invoice"}, {"tags": ["Expected a list of items."]}),
        ({"tags": ["Invoice", "Nope"]}, {"tags.1": UNKNOWN}),
        ({"tags": [999, 1, None, {}, [1], 2**63]}, {f"tags.{i}": UNKNOWN for i in (0, 2, 3, 4, 5)}),
        ({"tags": [1] * 101}, {"tags": ["Ensure this field has no more than 100 elements."]}),
        (
            {"subject": None, "channel": None, "from_contact": None, "message": None},
            {
                "subject": ["This field may not be null."],
                "channel.id": REQUIRED,
                "from_contact.email": REQUIRED,
                "message.body": REQUIRED,
            },
        ),
    ],
)
def test_422_for_a_ticket(
    scratch: Site, values: dict[str, Any], errors: dict[str, list[str] | None]
) -> None:
    found = post(scratch, "tickets", **{**TICKET, **values}).errors()
    assert found == {name: texts or found[name] for name, texts in errors.items()}


def test_422_for_what_is_missing(scratch: Site) -> None:
    errors = post(scratch, "tickets", other=1).errors()
    names = ["subject", "channel.id", "from_contact.email", "message.body"]
    assert errors == dict.fromkeys(names, REQUIRED)
    errors = post(scratch, "tickets/1/messages", other=1).errors()
    assert errors == dict.fromkeys(["body", "from_contact.email"], REQUIRED)
    assert post(scratch, "customers", other=1).errors() == {"name": REQUIRED, "email": REQUIRED}
    assert post(scratch, "tags", other=1).errors() == {"name": REQUIRED}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"channel": {}}, "channel.id"),
        ({"channel": None}, "channel.id"),
        ({"from_contact": {"name": "x"}}, "from_contact.email"),
        ({"subject": ""}, "subject"),
        ({"tags": [1, 999]}, "tags.1"),
        ({"status": "new"}, "status"),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_422_for_an_update(scratch: Site, method: str, values: dict[str, Any], field: str) -> None:
    before = shown(scratch, "/api/v1/tickets/4")
    answer = scratch.as_acme("/api/v1/tickets/4", method=method, json={"team": 1, **values})
    assert list(answer.errors()) == [field]
    assert shown(scratch, "/api/v1/tickets/4") == before


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"body": ""}, "body"),
        ({"type": "other"}, "type"),
        ({"to": "a@example.com"}, "to"),
        ({"cc": ["a@example.com", "b"]}, "cc.1"),
        ({"bcc": [{}]}, "bcc.0"),
        ({"to": ["a@example.com"] * 101}, "to"),
        ({"attachments": {}}, "attachments"),
        ({"attachments": [[]]}, "attachments.0"),
    ],
)
def test_422_for_a_message(scratch: Site, values: dict[str, Any], field: str) -> None:
    errors = post(scratch, "tickets/1/messages", **{**MESSAGE, **values}).errors()
    assert list(errors) == [field]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": "ada.archer.1@example.com"}, "email"),
        ({"postal_code": "1" * 15}, "postal_code"),
        ({"note": "n" * 1501}, "note"),
        ({"timezone": ["x"]}, "timezone"),
        ({"city": "c" * 256}, "city"),
    ],
)
def test_422_for_a_customer(scratch: Site, values: dict[str, Any], field: str) -> None:
    body = {"name": "Nils", "email": f"nils.{next(numbers)}@example.com", **values}
    assert list(post(scratch, "customers", **body).errors()) == [field]
    for method in ("PATCH", "PUT"):
        answer = scratch.as_acme("/api/v1/customers/2", method=method, json=values)
        assert list(answer.errors()) == [field]


def test_an_address_is_unique_per_client(scratch: Site) -> None:
    body = {"name": "Ada", "email": "ada.archer.1@example.com"}
    answer = scratch.request("/api/v1/customers", method="POST", json=body, **OTHER)
    assert answer.status == 201
    assert post(scratch, "customers", **body).errors() == {"email": TAKEN}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": "n" * 256}, "name"),
        ({"slug": "invoice"}, "slug"),
        ({"slug": "a b"}, "slug"),
        *[
            ({"color": value}, "color")
            for value in ("red", "#12345g", "#1234567", "#fff\n#fff", [])
        ],
        ({"type": "Tickets"}, "type"),
    ],
)
def test_422_for_a_tag(scratch: Site, values: dict[str, Any], field: str) -> None:
    assert list(post(scratch, "tags", **{"name": "New", **values}).errors()) == [field]


def test_eight_simultaneous_messages_of_one_stranger(scratch: Site) -> None:
    email = f"stranger.{next(numbers)}@example.com"

    def attempt(number: int) -> Answer:
        values = {"body": f"{number}", "from_contact": {"email": email}}
        return post(scratch, "tickets/5/messages", **values)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(8)))
    assert [answer.status for answer in answers] == [201] * 8
    assert len({answer.json()["data"]["from_contact"]["id"] for answer in answers}) == 1
