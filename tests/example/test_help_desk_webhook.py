"""The second dialect's webhook: one for each client."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .help_desk import EMPTY, OTHER, REQUIRED, assert_dates, shown
from .support import Answer, Site

pytestmark = pytest.mark.servers

PATH = "/api/v1/webhook"
TICKET_EVENTS = [
    *("created", "assigned", "deleted", "status_updated", "tags_updated"),
    *("customer_message_created", "agent_message_created", "note_created"),
]
OFF = {
    "ticket": dict.fromkeys(TICKET_EVENTS, False),
    "customer": {"created": False, "updated": False, "deleted": False},
    "tag": {"created": False, "updated": False, "deleted": False},
}
WEBHOOK = {
    "id": 1,
    "version": "V1",
    "headers": [{"key": "X-Sender", "value": "help desk"}],
    "enabled": True,
    "failed_count": 2,
    "url": "https://acme.example/hook",
    "secret": "",
    "trigger": {**OFF, "tag": {"created": True, "updated": True, "deleted": False}},
    "created_at": "2021-09-03T12:40:43+00:00",
    "updated_at": "2021-09-03T12:40:43+00:00",
}
LOGS = [
    {
        "id": 1,
        "status": 503,
        "response": "Closed for the night. Please try again in the morning.",
        "created_at": "2021-09-04T12:40:43+00:00",
    },
    {
        "id": 2,
        "status": 410,
        "response": "Nobody lives here any more.",
        "created_at": "2021-09-05T12:40:43+00:00",
    },
]


def post(site: Site, webhooks: Any, **options: Any) -> Answer:
    return site.as_acme(PATH, method="POST", json={"webhooks": webhooks}, **options)


def change(site: Site, webhooks: dict[str, Any]) -> dict[str, Any]:
    """Change the webhook and return it."""
    answer = post(site, webhooks)
    assert answer.status == 201, answer.text
    body = answer.json()
    assert list(body) == ["data"]
    assert shown(site, PATH) == body["data"]
    return body["data"]


def test_each_client_has_a_webhook(site: Site) -> None:
    assert site.as_acme(PATH).json() == {"data": WEBHOOK}
    other = site.request(PATH, **OTHER).json()["data"]
    assert (other["id"], other["url"]) == (2, "https://other.example/hook")
    assert (other["enabled"], other["failed_count"]) == (False, 0)


def test_logs_are_a_page_of_the_client_s_own(site: Site) -> None:
    body = site.as_acme(f"{PATH}/logs").json()
    assert list(body) == ["data", "links", "meta"]
    assert (body["data"], body["meta"]["total"], body["meta"]["per_page"]) == (LOGS, 2, 50)
    assert site.request(f"{PATH}/logs", **OTHER).json()["data"] == []


def test_a_webhook_is_set(scratch: Site) -> None:
    values = {
        "enabled": True,
        "url": "https://acme.example/new",
        "secret": "whisper",
        "headers": [{"key": "X-One", "value": "1"}, {"key": "X-Two", "value": ""}],
        "trigger": {
            "ticket": dict.fromkeys(TICKET_EVENTS, True),
            "customer": {"created": True, "updated": False, "deleted": True},
            "tag": {"created": False, "updated": False, "deleted": False},
        },
    }
    webhook = change(scratch, values)
    assert_dates(webhook, "created_at", "updated_at")
    assert webhook == {"id": 1, "version": "V1", "failed_count": 2, **values}


def test_only_what_is_given_changes(scratch: Site) -> None:
    before = change(scratch, {"enabled": True, "trigger": OFF, "headers": []})
    trigger = {"ticket": {"assigned": True, "unknown": True}, "customer": [], "unknown": 1}
    after = change(scratch, {"trigger": trigger, "failed_count": 9, "version": "V2", "id": 9})
    assert after == {
        **before,
        "trigger": {**OFF, "ticket": {**OFF["ticket"], "assigned": True}},
        "updated_at": after["updated_at"],
    }
    same = change(scratch, {})
    assert same == {**after, "updated_at": same["updated_at"]}


def test_a_webhook_is_set_by_a_form(scratch: Site) -> None:
    change(scratch, {"enabled": True, "trigger": OFF})
    form = [
        ("webhooks[enabled]", "0"),
        ("webhooks[headers][0][key]", "X-Form"),
        ("webhooks[headers][0][value]", "yes"),
        ("webhooks[trigger][tag][deleted]", "1"),
    ]
    answer = scratch.as_acme(PATH, method="POST", form=form)
    assert answer.status == 201
    webhook = answer.json()["data"]
    assert webhook["enabled"] is False
    assert webhook["headers"] == [{"key": "X-Form", "value": "yes"}]
    assert webhook["trigger"] == {**OFF, "tag": {**OFF["tag"], "deleted": True}}


def test_simultaneous_changes_are_all_kept(scratch: Site) -> None:
    change(scratch, {"trigger": OFF})

    def attempt(event: str) -> int:
        return post(scratch, {"trigger": {"ticket": {event: True}}}).status

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, TICKET_EVENTS)) == [201] * 8
    assert all(shown(scratch, PATH)["trigger"]["ticket"].values())


@pytest.mark.parametrize(
    ("webhooks", "errors"),
    [
        (None, {"webhooks": ["This field may not be null."]}),
        *[(value, {"webhooks": ["Expected an object."]}) for value in (5, "x", [], [1])],
        ({"url": "x"}, {"webhooks.url": ["Enter a valid URL."]}),
        ({"enabled": "maybe"}, {"webhooks.enabled": ["Must be a valid boolean."]}),
        ({"secret": ["x"]}, {"webhooks.secret": ["Not a valid string."]}),
        (
            {"headers": [{"key": "X-A", "value": ""}, "x", {"key": "X A", "value": "a\r\nb"}]},
            {
                "webhooks.headers.1": ["Expected an object."],
                "webhooks.headers.2.key": ["This value does not match the required pattern."],
                "webhooks.headers.2.value": ["This value does not match the required pattern."],
            },
        ),
        (
            {"headers": [{}] * 21},
            {"webhooks.headers": ["Ensure this field has no more than 20 elements."]},
        ),
        (
            {"trigger": {"tag": {"created": "x"}}},
            {"webhooks.trigger.tag.created": ["Must be a valid boolean."]},
        ),
    ],
)
def test_422(scratch: Site, webhooks: Any, errors: dict[str, list[str]]) -> None:
    before = shown(scratch, PATH)
    assert post(scratch, webhooks).errors() == errors
    assert shown(scratch, PATH) == before


def test_422_without_the_key(scratch: Site) -> None:
    answer = scratch.as_acme(PATH, method="POST", json={"url": "https://acme.example/"})
    assert answer.errors() == {"webhooks": REQUIRED}


def test_refusals_in_their_order(scratch: Site) -> None:
    for token, client in ((None, "acme"), ("revoked", "acme"), ("valid", None), ("valid", "other")):
        answer = scratch.request(PATH, method="POST", body=b"{", token=token, client=client)
        assert (answer.status, answer.json()) == (401, {"message": "Unauthenticated."})
    answer = scratch.as_acme(PATH, method="POST", body=b"{", token="read_only")
    assert (answer.status, answer.json()) == (403, {"message": "This action is unauthorized."})
    assert 'scope="webhooks:write"' in answer.headers["WWW-Authenticate"]
    for body in (None, b"", b"{}", b"[]", b"{", b"null"):
        answer = scratch.as_acme(PATH, method="POST", body=body)
        assert (answer.status, answer.json()) == (400, EMPTY)
