"""``api_tokens notify``."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from django.utils.dateformat import format as formatted

from connectnow_api.management.verbs import notify
from connectnow_api.models import APIToken

from .conftest import Run

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
Due = Callable[..., APIToken]


@pytest.fixture
def due(user: Any, events: Any) -> Due:
    """Add a token that expires in a number of days: ``due("laptop", 3)``."""

    def due(name: str, days: float | None = 3, **columns: Any) -> APIToken:
        expires_at = None if days is None else timezone.now() + timedelta(days=days)
        token = APIToken.objects.issue(columns.pop("owner", user), name, expires_at=None).token
        APIToken.objects.filter(pk=token.pk).update(expires_at=expires_at, **columns)
        token.refresh_from_db()
        events.clear()
        return token

    return due


def heard(events: Any) -> list[str]:
    keys = [key for action, key in events if action == "expiring"]
    return [APIToken.objects.get(pk=key).name for key in keys]


def test_each_token_is_told_of_once(run: Run, due: Due, events: Any) -> None:
    due("soon", 6.9)
    due("later", 7.1)
    due("never", None)
    due("expired", -1)
    due("revoked", revoked_at=LONG_AGO)
    due("rotated, in its grace", revoked_at=timezone.now() + timedelta(days=3))
    due("idle", idle_timeout=timedelta(days=1), last_used_at=LONG_AGO)

    assert run("notify") == ("Told of 1 token about to expire.\n", "", 0)
    assert run("notify") == ("Told of 0 tokens about to expire.\n", "", 0)
    assert heard(events) == ["soon"]
    assert run("notify", "--days", "8", "--format", "json").data == {
        "notified": 1,
        "mailed": 0,
        "without_address": 0,
        "failed": 0,
        "dry_run": False,
    }
    assert heard(events) == ["soon", "later"]
    assert mail.outbox == []


def test_a_token_that_is_extended_is_told_of_again(run: Run, due: Due, events: Any) -> None:
    token = due("laptop")
    run("notify")
    token.extend(timezone.now() + timedelta(days=4))
    run("notify")
    assert heard(events) == ["laptop", "laptop"]


def test_the_sites_maximum_counts(run: Run, due: Due, events: Any, settings: Any) -> None:
    due("old", 300, created_at=timezone.now() - timedelta(days=97))
    due("young", 300)
    settings.CONNECTNOW_API = {"MAX_TOKEN_LIFETIME": timedelta(days=100)}
    run("notify")
    assert heard(events) == ["old"]


def test_nobody_is_told_of_what_an_inactive_owner_could_not_use(
    run: Run, due: Due, events: Any, user: Any
) -> None:
    token = due("laptop")
    user.is_active = False
    user.save()
    assert run("notify").stdout == "Told of 0 tokens about to expire.\n"
    token.refresh_from_db()
    assert (events, token.expiry_notified_at) == ([], None)


def test_a_mail_to_the_owner(run: Run, due: Due, settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "api@example.com"
    token = due('<the> "lap & top"')
    APIToken.objects.update(expires_at=timezone.now() + timedelta(days=1, minutes=1))
    token.refresh_from_db()
    assert run("notify", "--mail") == (
        "Told of 1 token about to expire. Mails: 1, without an address: 0, failed: 0.\n",
        "",
        0,
    )
    (sent,) = mail.outbox
    assert (sent.to, sent.from_email) == (["ada@example.com"], "api@example.com")
    assert sent.subject == 'Your API token "<the> "lap & top"" is about to expire'
    assert sent.body == (
        "Hello ada,\n\n"
        f'your API token "<the> "lap & top"" ({token.masked}) expires on '
        f"{formatted(token.expires_at, 'N j, Y, P')} (UTC).\n\n"
        "After that, requests with it are refused. If something still uses it, give that a new "
        "token\nbefore then.\n\n"
    )
    assert token.digest not in str(sent.message())


def test_a_sender_of_its_own(run: Run, due: Due) -> None:
    due("laptop")
    run("notify", "--mail", "--from", "tokens@example.com")
    assert mail.outbox[0].from_email == "tokens@example.com"


def test_an_owner_without_an_address_is_told_of_by_signal(
    run: Run, due: Due, events: Any, django_user_model: Any
) -> None:
    due("laptop", owner=django_user_model.objects.create_user("bob"))
    assert run("notify", "--mail") == (
        "Told of 1 token about to expire. Mails: 0, without an address: 1, failed: 0.\n",
        "",
        0,
    )
    assert heard(events) == ["laptop"]


def test_a_project_has_templates_of_its_own(
    run: Run, due: Due, settings: Any, tmp_path: Path
) -> None:
    due("laptop")
    folder = tmp_path / "connectnow_api"
    folder.mkdir()
    (folder / "token_expiring_subject.txt").write_text("Two\nlines\n")
    (folder / "token_expiring.txt").write_text(
        "{{ owner_name }} {{ owner.email }} {{ token.name }} {{ expires_at|date:'e' }}"
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    run("notify", "--mail")
    assert mail.outbox[0].subject == "Two lines"
    assert mail.outbox[0].body == "ada ada@example.com laptop UTC"


def test_without_templates_nobody_is_told(run: Run, due: Due, events: Any, settings: Any) -> None:
    due("laptop")
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
    found = run("notify", "--mail")
    expected = (
        "The template connectnow_api/token_expiring_subject.txt cannot be used: "
        "connectnow_api/token_expiring_subject.txt\n"
    )
    assert found == ("", expected, 1)
    assert events == []
    assert run("notify").status == 0


@pytest.fixture
def broken_mail(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let mails about the tokens of these names fail."""
    broken: list[str] = []
    send = notify._send

    def send_or_fail(token: Any, *args: Any) -> None:
        if token.name in broken:
            raise ConnectionError("no server\nhere")
        send(token, *args)

    monkeypatch.setattr(notify, "_send", send_or_fail)
    return broken


def test_a_mail_that_fails_is_tried_again_and_the_rest_goes_on(
    run: Run, due: Due, events: Any, broken_mail: list[str]
) -> None:
    due("one")
    two = due("two")
    due("three")
    broken_mail.append("two")
    assert run("notify", "--mail") == (
        "Told of 2 tokens about to expire. Mails: 2, without an address: 0, failed: 1.\n",
        (
            f"Token {two.pk}: the mail could not be sent. ConnectionError: no server\\nhere\n"
            "Some mails could not be sent; they are tried again the next time.\n"
        ),
        1,
    )
    assert heard(events) == ["one", "three"]
    found = run("notify", "--mail", "--format", "json")
    assert json_lines(found.stderr)[0] == {
        "warning": f"Token {two.pk}: the mail could not be sent. ConnectionError: no server\\nhere"
    }
    broken_mail.clear()
    assert run("notify", "--mail").status == 0
    assert heard(events) == ["one", "three", "two"]


def json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_dry_run_sends_nothing_and_claims_nothing(run: Run, due: Due, events: Any) -> None:
    token = due("laptop")
    assert run("notify", "--mail", "--dry-run") == (
        "Would tell of 1 token about to expire. Mails: 1, without an address: 0, failed: 0.\n",
        "",
        0,
    )
    assert run("notify", "--dry-run", "--format", "json").data == {
        "notified": 1,
        "mailed": 0,
        "without_address": 0,
        "failed": 0,
        "dry_run": True,
    }
    token.refresh_from_db()
    assert (events, mail.outbox, token.expiry_notified_at) == ([], [], None)


def test_a_token_that_is_extended_between_reading_and_telling_is_left_alone(
    due: Due, events: Any
) -> None:
    token = due("laptop")
    rows = notify.expiring(APIToken, timezone.now() + timedelta(days=7))
    assert list(rows) == [token]
    token.extend(None)
    assert not notify._claim(rows, token)


def test_of_two_that_claim_one_wins(due: Due) -> None:
    token = due("laptop")
    rows = notify.expiring(APIToken, timezone.now() + timedelta(days=7))
    assert [notify._claim(rows, token) for _ in range(2)] == [True, False]


class Guest:
    email = "guest@example.com"


def test_an_address_is_found_on_any_owner(user: Any) -> None:
    assert notify.address_of(user) == "ada@example.com"
    assert notify.address_of(Guest()) == "guest@example.com"
    assert notify.address_of(object()) == ""
