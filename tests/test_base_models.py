"""Issuing, finding and revoking tokens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from datetime import timezone as fixed
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectnow_api import tokens
from connectnow_api.base_models import AbstractAPIToken, get_token_models
from connectnow_api.models import APIToken

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]

WEST, EAST = fixed(timedelta(hours=-5)), fixed(timedelta(hours=5))


def test_issue_returns_the_row_and_the_plain_text(user: Any) -> None:
    token, plain_text = APIToken.objects.issue(user, "laptop", ["issues:read"], client="acme")
    row = APIToken.objects.get()
    assert row == token
    assert (row.owner, row.name, row.abilities, row.client) == (
        user,
        "laptop",
        ["issues:read"],
        "acme",
    )
    assert (row.prefix, row.tail, row.algorithm) == ("cn", plain_text[-4:], "sha256")
    assert row.digest == tokens.digest(plain_text)
    assert tokens.is_well_formed(plain_text, "cn")


def test_a_new_token_expires_in_a_year_and_may_do_nothing(issue: Issue) -> None:
    before = timezone.now()
    token, _ = issue()
    year = timedelta(days=365)
    assert before + year <= token.expires_at <= timezone.now() + year
    assert token.abilities == []
    assert not token.can("issues:read")


def test_lifetime_is_a_setting(issue: Issue, settings: Any) -> None:
    settings.CONNECTNOW_API = {"TOKEN_LIFETIME": timedelta(hours=1)}
    assert issue().token.expires_at < timezone.now() + timedelta(hours=2)
    settings.CONNECTNOW_API = {"TOKEN_LIFETIME": None}
    assert issue().token.expires_at is None


def test_a_token_that_never_expires_has_to_be_asked_for(issue: Issue) -> None:
    assert issue(expires_at=None).token.expires_at is None


def test_prefix_is_a_setting(issue: Issue, settings: Any) -> None:
    settings.CONNECTNOW_API = {"TOKEN_PREFIX": "acme"}
    token, plain_text = issue()
    assert plain_text.startswith("acme_")
    assert token.masked == f"acme_…{plain_text[-4:]}"


@pytest.mark.parametrize("client", ["acme,acme", "a\0", "x" * 256, "a\n"])
def test_a_client_is_one_plain_value(user: Any, client: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        APIToken.objects.issue(user, "laptop", client=client)
    assert [*refusal.value.message_dict] == ["client"]


@pytest.mark.parametrize("days", [-1, 0, 36_526, 999_999_999])
def test_an_idle_timeout_can_be_added_to_a_date(user: Any, days: int) -> None:
    with pytest.raises(ValidationError) as refusal:
        APIToken.objects.issue(user, "laptop", idle_timeout=timedelta(days=days))
    text = "An idle timeout is above zero, and 100 years at most."
    assert refusal.value.message_dict == {"idle_timeout": [text]}


def test_an_idle_timeout_of_100_years_is_one(issue: Issue) -> None:
    token = issue(idle_timeout=timedelta(days=36_525)).token
    assert list(APIToken.objects.active()) == [token]


@pytest.mark.parametrize(
    "expires_at", [datetime.max.replace(tzinfo=WEST), datetime.min.replace(tzinfo=EAST)]
)
def test_an_expiry_that_no_database_holds_is_refused(user: Any, expires_at: datetime) -> None:
    with pytest.raises(ValidationError) as refusal:
        APIToken.objects.issue(user, "laptop", expires_at=expires_at)
    assert [*refusal.value.message_dict] == ["expires_at"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 256, "a\0b"])
def test_a_token_needs_a_name(user: Any, name: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        APIToken.objects.issue(user, name)
    assert [*refusal.value.message_dict] == ["name"]
    assert not APIToken.objects.exists()


@pytest.mark.parametrize("ability", ["", "a b", 'a"b', "a\\b", "a\n", "ä"])
def test_an_ability_is_a_scope_of_rfc_6749(user: Any, ability: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        APIToken.objects.issue(user, "laptop", [ability])
    assert [*refusal.value.message_dict] == ["abilities"]


def test_abilities_are_a_list_of_names(user: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        APIToken.objects.issue(user, "laptop", "issues:read")
    assert refusal.value.message_dict == {"abilities": ["Abilities are a list of names."]}


def test_abilities_are_exact_names_or_the_star(issue: Issue) -> None:
    token, _ = issue(abilities=["issues:read", "issues:*", "issues:read"])
    assert token.abilities == ["issues:read", "issues:*"]
    assert token.can("issues:read")
    assert not token.can("issues:write")
    assert not token.can("issues")
    assert issue(abilities=["*"]).token.can("anything")


@pytest.mark.parametrize("abilities", [None, "issues:read", {"issues:read": True}, 1])
def test_an_abilities_column_that_holds_no_list_grants_nothing(abilities: Any) -> None:
    assert not APIToken(abilities=abilities).can("issues:read")


def test_find_costs_one_query_and_brings_the_owner(issue: Issue, user: Any) -> None:
    _, plain_text = issue()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = APIToken.objects.find(plain_text)
        assert found is not None
        assert found.owner == user
    assert len(queries) == 1


def test_find_knows_no_other_text(issue: Issue) -> None:
    token, plain_text = issue()
    for text in (plain_text.swapcase(), plain_text[:-1], plain_text + "0", token.digest, "\ud800"):
        assert APIToken.objects.find(text) is None


def test_revoke_is_final(issue: Issue) -> None:
    token, _ = issue()
    assert token.is_usable
    assert token.revoke()
    first = token.revoked_at
    assert not token.is_usable
    assert not token.revoke()
    assert token.revoked_at == first


def test_revoke_by_queryset_counts_those_that_were_usable(issue: Issue) -> None:
    issue().token.revoke()
    issue()
    issue()
    assert APIToken.objects.all().revoke() == 2
    assert not APIToken.objects.filter(revoked_at=None).exists()


def test_expiry_is_in_force_at_its_second(issue: Issue) -> None:
    assert not issue(expires_at=timezone.now()).token.is_usable
    assert issue(expires_at=timezone.now() + timedelta(minutes=1)).token.is_usable


def test_a_token_of_an_inactive_owner_is_not_usable(issue: Issue, user: Any) -> None:
    user.is_active = False
    assert not issue().token.is_usable


def test_the_database_refuses_a_second_successor(issue: Issue) -> None:
    first = issue().token
    for _ in range(2):
        successor = issue().token
        successor.rotated_from = first
        if not APIToken.objects.filter(rotated_from=first).exists():
            successor.save()
    with pytest.raises(IntegrityError):
        successor.save()


def test_neither_str_nor_repr_show_the_secret_or_the_digest(issue: Issue) -> None:
    new = issue()
    shown = f"{new} {new!r} {new.token} {new.token!r} {[new]} {(new.token,)}"
    assert new.plain_text not in shown
    assert new.plain_text[:-4] not in shown
    assert new.token.digest not in shown
    assert new.plain_text[-4:] in shown


def test_the_kinds_of_token_are_the_installed_concrete_models() -> None:
    assert get_token_models() == [APIToken]
    assert AbstractAPIToken._meta.abstract


def test_a_masked_token_of_unknown_prefix_is_its_tail() -> None:
    assert APIToken(tail="ab12").masked == "…ab12"
