"""The audit table in the admin: nobody adds or changes an entry."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from django.test import Client

from connectnow_api.audit.models import TokenAuditEntry
from connectnow_api.signals import TOKEN_SIGNALS

from .conftest import AsStaff

pytestmark = pytest.mark.django_db

LIST = "/admin/connectnow_api_audit/tokenauditentry/"
ENTRIES = [
    {"action": "created", "kind": "a.Token", "token_id": "7", "name": "laptop", "owner": "31"},
    {"action": "refused", "kind": "a.Token", "fingerprint": "0123abcd", "address": "192.0.2.7"},
    {"action": "revoked", "kind": "b.Token", "token_id": "8", "actor": "auth.User:1"},
    {"action": "renamed", "kind": "b.Token", "token_id": "70", "reason": "from <b>desk</b>"},
]


@pytest.fixture
def entries() -> list[TokenAuditEntry]:
    return [TokenAuditEntry.objects.create(**values) for values in ENTRIES]


@pytest.fixture
def as_staff(as_staff: AsStaff) -> AsStaff:
    """Log in a member of staff with these permissions on entries."""
    return functools.partial(as_staff, model="tokenauditentry")


def listed(client: Client, query: str = "") -> list[str]:
    """Return the actions of the entries on the page, from top to bottom."""
    response = client.get(f"{LIST}{query}")
    assert response.status_code == 200
    return [entry.action for entry in response.context["cl"].result_list]


def test_the_newest_comes_first(as_staff: AsStaff, entries: Any) -> None:
    assert listed(as_staff("view")) == ["renamed", "revoked", "refused", "created"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?action=refused", ["refused"]),
        ("?action=pruned", []),
        ("?kind=b.Token", ["renamed", "revoked"]),
        ("?kind=b.Token&action=revoked", ["revoked"]),
        ("?q=0123ABCD", ["refused"]),
        ("?q=7", ["created"]),
        ("?q=31", ["created"]),
        ("?q=LAPT", ["created"]),
        ("?q=192.0.2.7", ["refused"]),
        ("?q=auth.User:1", ["revoked"]),
        ("?q=desk", ["renamed"]),
        ("?created_at__year=1999", []),
    ],
)
def test_entries_are_found(as_staff: AsStaff, entries: Any, query: str, found: list[str]) -> None:
    assert listed(as_staff("view"), query) == found


def test_each_action_can_be_chosen(as_staff: AsStaff) -> None:
    page = as_staff("view").get(LIST).content.decode()
    for action in TOKEN_SIGNALS:
        assert f"?action={action}" in page


def test_an_entry_is_shown_whole_and_escaped(as_staff: AsStaff, entries: Any) -> None:
    client = as_staff("view")
    for page in (LIST, f"{LIST}{entries[3].pk}/change/"):
        html = client.get(page).content.decode()
        assert "from &lt;b&gt;desk&lt;/b&gt;" in html
        assert "<b>desk</b>" not in html


def test_nobody_adds_or_changes_an_entry(as_staff: AsStaff, entries: Any) -> None:
    client = as_staff("view", "add", "change", "delete")
    detail = f"{LIST}{entries[0].pk}/change/"
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}add/", ENTRIES[0]).status_code == 403
    assert 'name="_save"' not in client.get(detail).content.decode()
    assert client.post(detail, {**ENTRIES[0], "name": "changed"}).status_code == 403
    entries[0].refresh_from_db()
    assert entries[0].name == "laptop"


def delete(client: Client, entry: TokenAuditEntry) -> None:
    """Ask for an entry to be deleted, by its own page and by the action of the list."""
    client.post(f"{LIST}{entry.pk}/delete/", {"post": "yes"})
    selected = {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"}
    client.post(LIST, selected)


def test_deleting_needs_the_permission(as_staff: AsStaff, entries: Any) -> None:
    delete(as_staff("view", "add", "change"), entries[0])
    assert TokenAuditEntry.objects.count() == 4


def test_an_entry_can_be_deleted(as_staff: AsStaff, entries: Any) -> None:
    delete(as_staff("view", "delete"), entries[0])
    assert list(TokenAuditEntry.objects.order_by("pk")) == entries[1:]


def test_nothing_is_shown_without_the_permission(as_staff: AsStaff, entries: Any) -> None:
    client = as_staff()
    assert client.get(LIST).status_code == 403
    assert client.get(f"{LIST}{entries[0].pk}/change/").status_code == 403
