"""What has become of a token: said of one row in Python, and of many by the database."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import example, given
from hypothesis import strategies as st

from connectnow_api.models import APIToken
from tests.conftest import fixtures_once

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TICK, MINUTE, DAY = timedelta(microseconds=1), timedelta(minutes=1), timedelta(days=1)
EDGES = [timedelta(0), TICK, MINUTE, MINUTE + TICK, DAY, DAY + MINUTE, 400 * DAY]
MOMENTS = sorted({NOW + sign * edge for edge in EDGES for sign in (-1, 1)})
MAYBE = st.none() | st.sampled_from(MOMENTS)
TIMEOUTS = [timedelta(0), -DAY, TICK, MINUTE, DAY, DAY - TICK, DAY + TICK, 100_000_000 * DAY]
TOKENS = st.fixed_dictionaries(
    {
        "created_at": st.sampled_from(MOMENTS),
        "expires_at": MAYBE,
        "revoked_at": MAYBE,
        "last_used_at": MAYBE,
        "idle_timeout": st.none() | st.sampled_from(TIMEOUTS),
    }
)
NEVER = {"created_at": NOW - DAY, "expires_at": None, "revoked_at": None, "last_used_at": None}


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock, so that the edges are hit."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)


def store(user: Any, tokens: list[dict[str, Any]]) -> list[APIToken]:
    APIToken.objects.all().delete()
    rows = [APIToken(owner=user, digest=f"{n:064}", **token) for n, token in enumerate(tokens)]
    APIToken.objects.bulk_create(rows)
    return [*APIToken.objects.order_by("digest")]


@fixtures_once
@given(
    st.lists(TOKENS, min_size=1, max_size=20),
    st.sampled_from([None, *filter(None, EDGES)]),
    st.sampled_from([TICK, MINUTE, DAY]),
)
@example([{**NEVER, "idle_timeout": DAY - MINUTE}], None, MINUTE)
@example([{**NEVER, "idle_timeout": DAY - MINUTE + TICK}], None, MINUTE)
@example([{**NEVER, "idle_timeout": None}], DAY, MINUTE)
@example([{**NEVER, "idle_timeout": None}], DAY + TICK, MINUTE)
def test_the_querysets_share_all_tokens_among_them_as_the_state_says(
    user: Any,
    settings: Any,
    at_noon: None,
    tokens: list[dict[str, Any]],
    maximum: timedelta | None,
    interval: timedelta,
) -> None:
    settings.CONNECTNOW_API = {"MAX_TOKEN_LIFETIME": maximum, "LAST_USED_INTERVAL": interval}
    rows = store(user, tokens)
    by_state = {
        "active": APIToken.objects.active(),
        "expired": APIToken.objects.expired(),
        "revoked": APIToken.objects.revoked(),
    }
    said = Counter((row.pk, "expired" if row.state == "idle" else row.state) for row in rows)
    found = Counter((row.pk, state) for state, queryset in by_state.items() for row in queryset)
    assert said == found


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({}, "active"),
        ({"expires_at": NOW + TICK}, "active"),
        ({"expires_at": NOW}, "expired"),
        ({"revoked_at": NOW + TICK}, "active"),
        ({"revoked_at": NOW}, "revoked"),
        ({"revoked_at": NOW, "expires_at": NOW}, "revoked"),
        ({"revoked_at": NOW + TICK, "expires_at": NOW}, "expired"),
        ({"idle_timeout": DAY}, "active"),
        ({"idle_timeout": DAY - MINUTE}, "idle"),
        ({"idle_timeout": DAY - MINUTE, "last_used_at": NOW - DAY + TICK}, "active"),
        ({"idle_timeout": DAY - MINUTE, "last_used_at": NOW - DAY}, "idle"),
        ({"idle_timeout": TICK, "expires_at": NOW}, "expired"),
        ({"idle_timeout": timedelta.max}, "active"),
    ],
)
def test_a_state_is_in_force_at_its_second(
    at_noon: None, columns: dict[str, Any], state: str
) -> None:
    """A use may be unwritten for an interval, so a token is idle only after that."""
    assert APIToken(**{**NEVER, **columns}).state == state


def test_stale_tokens_were_not_used_for_so_long(user: Any, at_noon: None) -> None:
    ages = [3 * DAY - TICK, 3 * DAY, 9 * DAY]
    used = [
        {"created_at": NOW - 99 * DAY, "last_used_at": NOW - age, "name": f"used {age}"}
        for age in ages
    ]
    unused = [{"created_at": NOW - age, "name": f"unused {age}"} for age in ages]
    store(user, [*used, *unused])
    names = APIToken.objects.stale(3).order_by("digest").values_list("name", flat=True)
    assert [*names] == [f"{use} {age}" for use in ("used", "unused") for age in ages[1:]]
    assert APIToken.objects.unused().count() == 3


def test_tokens_are_found_by_their_owner(user: Any, django_user_model: Any) -> None:
    from django.contrib.auth.models import AnonymousUser

    other = django_user_model.objects.create_user("grace")
    mine, theirs = (APIToken.objects.issue(owner, "laptop").token for owner in (user, other))
    assert [*APIToken.objects.for_owner(user)] == [mine]
    assert [*APIToken.objects.for_owner(other)] == [theirs]
    for nobody in (None, AnonymousUser(), django_user_model()):
        assert [*APIToken.objects.for_owner(nobody)] == []
