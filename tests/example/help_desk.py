"""What the help desk is sent, and what comes back of it."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

from .support import Answer, Site

DATE = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
REQUIRED = ["This field is required."]
UNKNOWN = ["This is unknown."]
TAKEN = ["This field must be unique."]
EMPTY = {"message": "Empty request, check your JSON syntax."}
SUPPORT = {"id": 1, "name": "Support", "value": "support@acme.example", "type": "email"}
AGENT = {"id": 1, "name": "Maria Lindqvist", "email": "maria@acme.example"}
TICKET = {
    "subject": "The door squeaks",
    "from_contact": {"email": "squeaky@example.com", "name": "Sam Squeak"},
    "channel": {"id": 1},
    "message": {"body": " It squeaks.\n"},
}
MESSAGE = {"body": "Oil it.", "from_contact": {"email": "squeaky@example.com"}}
OTHER = {"token": "other_user", "client": "other"}
numbers = count(1)


def post(site: Site, path: str, **values: Any) -> Answer:
    return site.as_acme(f"/api/v1/{path}", method="POST", json=values)


def create(site: Site, kind: str, **values: Any) -> dict[str, Any]:
    """Create an object and return it."""
    number = next(numbers)
    usual = {
        "tickets": TICKET,
        "customers": {"name": "Nora", "email": f"nora.{number}@example.com"},
        "tags": {"name": f"Tag {number}"},
        "tickets/1/messages": MESSAGE,
    }[kind]
    answer = post(site, kind, **{**usual, **values})
    assert answer.status == 201, answer.text
    body = answer.json()
    assert list(body) == ["data"]
    return body["data"]


def path_of(kind: str, row: dict[str, Any]) -> str:
    return f"/api/v1/{kind}/{row['id']}"


def shown(site: Site, path: str) -> dict[str, Any]:
    return site.as_acme(path).json()["data"]


def assert_dates(row: dict[str, Any], *names: str) -> None:
    for name in names:
        assert DATE.fullmatch(row.pop(name))
