"""``api_tokens rotate``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectnow_api import base_models
from connectnow_api.models import APIToken

from .conftest import Run

pytestmark = pytest.mark.django_db


def test_the_new_plain_text_alone_goes_to_stdout(run: Run, issue: Any) -> None:
    old = issue(abilities=["a"]).token
    found = run("rotate", str(old.pk))
    new = APIToken.objects.get(rotated_from=old)
    assert APIToken.objects.find(found.stdout.removesuffix("\n")) == new
    old.refresh_from_db()
    expires, ends = (f"{date:%Y-%m-%d %H:%M} UTC" for date in (new.expires_at, old.revoked_at))
    assert found.stderr == (
        f"Token {new.pk}: laptop of ada, may do a, expires {expires}. "
        f"Token {old.pk} works until {ends}.\n"
    )
    assert (found.status, old.state) == (0, "revoked")


def test_the_old_one_works_on_for_a_grace(run: Run, issue: Any) -> None:
    new = issue()
    data = run(
        *("rotate", "-", "--grace", "7d", "--days", "3", "--format", "json"), stdin=new.plain_text
    ).data
    old = APIToken.objects.get(pk=new.token.pk)
    assert old.state == "active"
    assert abs(old.revoked_at - timezone.now() - timedelta(days=7)) < timedelta(minutes=5)
    assert APIToken.objects.find(data["token"]).pk == data["id"]
    assert data["rotated_from"] == old.pk
    expiry = datetime.fromisoformat(data["expires_at"])
    assert abs(expiry - timezone.now() - timedelta(days=3)) < timedelta(minutes=5)


def test_a_token_is_rotated_once(run: Run, issue: Any) -> None:
    key = str(issue().token.pk)
    run("rotate", key, "--grace", "1w")
    expected = f"Token {key} cannot be rotated: it is rotated.\n"
    for arguments in ([], ["--dry-run"]):
        assert run("rotate", key, *arguments) == ("", expected, 4)
    assert APIToken.objects.count() == 2


def test_a_revoked_token_is_not_rotated(run: Run, issue: Any) -> None:
    token = issue().token
    token.revoke()
    expected = f"Token {token.pk} cannot be rotated: it is revoked.\n"
    for arguments in ([], ["--dry-run"]):
        assert run("rotate", str(token.pk), *arguments) == ("", expected, 4)


def test_a_token_that_is_pruned_meanwhile(
    run: Run, issue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issue().token
    store = base_models.store_successor

    def prune_first(*args: Any) -> Any:
        APIToken.objects.all().delete()
        return store(*args)

    monkeypatch.setattr(base_models, "store_successor", prune_first)
    expected = f"Token {token.pk} cannot be rotated: it is gone.\n"
    assert run("rotate", str(token.pk)) == ("", expected, 4)


def test_an_expiry_that_cannot_be(run: Run, issue: Any) -> None:
    key = str(issue().token.pk)
    expected = "--expires-at: The expiry lies in the past.\n"
    for arguments in ([], ["--dry-run"]):
        found = run("rotate", key, "--expires-at", "2001-01-01", *arguments)
        assert found == ("", expected, 2)
    assert APIToken.objects.get().state == "active"


@pytest.mark.parametrize("grace", ["7", "d", "-1d", "1.5h", "7 d", "99999999w", "٣d"])
def test_a_grace_that_cannot_be(run: Run, issue: Any, grace: str) -> None:
    found = run("rotate", str(issue().token.pk), f"--grace={grace}")
    expected = f"Error: argument --grace: {grace!r} is no duration such as 30m, 24h or 7d\n"
    assert found.stderr == expected


def test_a_dry_run_stores_nothing_and_tells_nobody(run: Run, issue: Any, events: Any) -> None:
    token = issue(expires_at=None).token
    events.clear()
    assert run("rotate", str(token.pk), "--dry-run") == (
        f"Would succeed token {token.pk}: laptop of ada, may do nothing, never expires.\n",
        "",
        0,
    )
    data = run("rotate", str(token.pk), "--dry-run", "--format", "json").data
    assert (data["dry_run"], data["rotated_from"], "token" in data) == (True, token.pk, False)
    assert APIToken.objects.get().revoked_at is None
    assert events == []
