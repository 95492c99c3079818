"""``api_tokens prune``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection, transaction
from django.db.models.signals import post_delete
from django.test import RequestFactory
from django.utils import timezone

from connectnow_api import last_used
from connectnow_api.management.finding import rows_of
from connectnow_api.management.progress import Stop
from connectnow_api.management.verbs import prune
from connectnow_api.models import APIToken

from .conftest import Run

pytestmark = pytest.mark.django_db

Old = Callable[..., APIToken]
DELETED = "connectnow_api.APIToken: {} deleted.\n"


def ago(days: float) -> Any:
    return timezone.now() - timedelta(days=days)


@pytest.fixture
def old(user: Any, events: Any) -> Old:
    """Add a token with these columns: ``old("revoked", revoked_at=...)``."""

    def old(name: str, **columns: Any) -> APIToken:
        token = APIToken.objects.issue(user, name, expires_at=None).token
        APIToken.objects.filter(pk=token.pk).update(**columns)
        token.refresh_from_db()
        events.clear()
        return token

    return old


def names() -> list[str]:
    return [token.name for token in APIToken.objects.order_by("pk")]


def test_what_is_over_since_30_days_goes(run: Run, old: Old, events: Any) -> None:
    gone = [
        old("revoked", revoked_at=ago(31)),
        old("expired", expires_at=ago(31)),
        old("revoked after it expired", expires_at=ago(31), revoked_at=ago(1)),
        old("idle", idle_timeout=timedelta(days=10), created_at=ago(60), last_used_at=ago(42)),
        old("never used", idle_timeout=timedelta(days=10), created_at=ago(60)),
    ]
    old("revoked of late", revoked_at=ago(29))
    old("expired of late", expires_at=ago(29))
    old("idle of late", idle_timeout=timedelta(days=10), last_used_at=ago(39), created_at=ago(60))
    old("in its grace", revoked_at=ago(-1))
    old("active", created_at=ago(400))

    assert run("prune") == (DELETED.format("5 tokens"), "", 0)
    assert names() == [
        "revoked of late",
        "expired of late",
        "idle of late",
        "in its grace",
        "active",
    ]
    assert events == [("pruned", str(token.pk)) for token in gone]
    assert run("prune", "--format", "json").data == {
        "pruned": {"connectnow_api.APIToken": 0},
        "total": 0,
        "dry_run": False,
    }


def test_days_may_be_none(run: Run, old: Old) -> None:
    old("revoked", revoked_at=ago(0.001))
    old("active")
    assert run("prune", "--days", "1").stdout == DELETED.format("0 tokens")
    assert run("prune", "--days", "0").stdout == DELETED.format("1 token")
    assert names() == ["active"]


def test_the_sites_maximum_counts(run: Run, old: Old, settings: Any) -> None:
    old("too old", created_at=ago(132))
    old("too old of late", created_at=ago(129))
    settings.CONNECTNOW_API = {"MAX_TOKEN_LIFETIME": timedelta(days=100)}
    assert run("prune").stdout == DELETED.format("1 token")
    assert names() == ["too old of late"]


@pytest.mark.parametrize("batch", ["1", "2", "3", "5", "10000"])
def test_batches_of_any_size(run: Run, old: Old, batch: str, events: Any) -> None:
    for number in range(5):
        old(str(number), revoked_at=ago(31))
        old("active")
    assert run("prune", "--batch", batch, "--verbosity", "0") == ("", "", 0)
    assert names() == ["active"] * 5
    assert len(events) == 5


def test_a_successor_outlives_what_it_came_from(run: Run, old: Old) -> None:
    first = old("first")
    second = first.rotate().token
    third = second.rotate().token
    APIToken.objects.filter(pk__in=[first.pk, second.pk]).update(revoked_at=ago(31))
    assert run("prune").stdout == DELETED.format("2 tokens")
    assert APIToken.objects.get() == third
    assert APIToken.objects.get().rotated_from is None


def test_who_listens_to_djangos_signals_hears_of_each(run: Run, old: Old) -> None:
    first = old("first")
    second = first.rotate().token
    APIToken.objects.filter(pk=first.pk).update(revoked_at=ago(31))
    heard: list[str] = []

    def hear(instance: APIToken, **kwargs: Any) -> None:
        heard.append(instance.name)

    post_delete.connect(hear, sender=APIToken)
    try:
        assert run("prune").stdout == DELETED.format("1 token")
    finally:
        post_delete.disconnect(hear, sender=APIToken)
    second.refresh_from_db()
    assert (heard, second.rotated_from) == (["first"], None)


def test_a_dry_run_counts_and_leaves_all(run: Run, old: Old, events: Any) -> None:
    old("revoked", revoked_at=ago(31))
    expected = "connectnow_api.APIToken: 1 token would be deleted.\n"
    assert run("prune", "--dry-run") == (expected, "", 0)
    assert run("prune", "--dry-run", "--format", "json").data == {
        "pruned": {"connectnow_api.APIToken": 1},
        "total": 1,
        "dry_run": True,
    }
    assert names() == ["revoked"]
    assert events == []


def test_a_token_that_is_extended_meanwhile_stays(user: Any, old: Old) -> None:
    token, other = old("expired", expires_at=ago(31)), old("other", expires_at=ago(31))
    rows = prune.prunable(APIToken, ago(30))
    keys = list(rows.values_list("pk", flat=True))
    token.extend(None)
    assert prune.delete_batch(rows, keys) == [other]
    assert names() == ["expired"]


def test_uses_that_wait_in_the_cache_are_written_before(run: Run, old: Old, settings: Any) -> None:
    settings.CONNECTNOW_API = {"LAST_USED": "cache"}
    token = old("idle", idle_timeout=timedelta(days=10), created_at=ago(60))
    cache.set(last_used.FLUSHED, 1)
    last_used.record(token, RequestFactory().get("/"))
    assert run("prune").stdout == DELETED.format("0 tokens")
    assert names() == ["idle"]


def test_a_pause_comes_between_batches(run: Run, old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(Stop, "wait", lambda self, seconds: waits.append(seconds))
    for _ in range(5):
        old("revoked", revoked_at=ago(31))
    run("prune", "--batch", "2", "--pause", "1.5")
    assert waits == [1.5, 1.5, 0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--pause", "-1"], "'-1' is no number of seconds such as 0.5"),
        (["--pause", "9999"], "'9999' is no number of seconds such as 0.5"),
        (["--batch", "0"], "'0' is no whole number from 1 to 10000"),
        (["--days", "1e3"], "'1e3' is no whole number from 0 to 36500"),
    ],
)
def test_an_argument_that_cannot_be(run: Run, arguments: list[str], expected: str) -> None:
    assert run("prune", *arguments).stderr == f"Error: argument {arguments[0]}: {expected}\n"


def test_who_comes_into_a_deadlock_tries_again(
    run: Run, old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    old("revoked", revoked_at=ago(31))
    locked, refusals = prune._locked, [OperationalError("deadlock"), OperationalError("again")]

    def refuse_first(rows: Any) -> Any:
        if refusals:
            raise refusals.pop()
        return locked(rows)

    monkeypatch.setattr(prune, "_locked", refuse_first)
    assert run("prune").stdout == DELETED.format("1 token")


def test_what_went_before_an_error_is_told(
    run: Run, old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        old("revoked", revoked_at=ago(31))
    delete = prune.delete_batch

    def fail_later(rows: Any, keys: Any) -> Any:
        if APIToken.objects.count() == 1:
            raise OperationalError("gone\x1b\nHINT: look")
        return delete(rows, keys)

    monkeypatch.setattr(prune, "delete_batch", fail_later)
    assert run("prune", "--batch", "1") == (
        DELETED.format("2 tokens"),
        "The database refuses: gone\\x1b\n",
        1,
    )


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_holds_is_not_waited_for(old: Old, django_db_blocker: Any) -> None:
    """Whoever writes the last use, or changes a token, stops no batch."""
    if not connection.features.has_select_for_update_skip_locked:
        return  # there, nobody holds a row
    from threading import Event, Thread

    held, other = old("held", revoked_at=ago(31)), old("other", revoked_at=ago(31))
    is_held, may_end = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            list(APIToken.objects.filter(pk=held.pk).select_for_update())
            is_held.set()
            may_end.wait()
        connection.close()

    thread = Thread(target=hold)
    thread.start()
    try:
        assert is_held.wait(60)
        rows = prune.prunable(APIToken, ago(30))
        assert prune.delete_batch(rows, [held.pk, other.pk]) == [other]
    finally:
        may_end.set()
        thread.join()
    assert list(rows_of(APIToken)) == [held]
