"""Changes of one token at the same time: one is first, and a revocation is never undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from connectnow_api.models import APIToken
from tests.at_once import Crew, in_threads, shared_file

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shared_database")]

ROUNDS = 3
TABLES = [ContentType, Permission, Group, User, APIToken]


@pytest.fixture
def shared_database(tmp_path: Path) -> Iterator[None]:
    with shared_file(tmp_path, TABLES):
        yield


def outside(work: Callable[[], Any]) -> Any:
    """Ask the database that the others use."""
    return in_threads(work)[0]


def issue(count: int = 1) -> list[int]:
    def issue() -> list[int]:
        owner, _ = User.objects.get_or_create(username="ada")
        return [APIToken.objects.issue(owner, "laptop").token.pk for _ in range(count)]

    return outside(issue)


def stored(key: int) -> APIToken:
    return outside(lambda: APIToken.objects.select_related("rotated_to").get(pk=key))


@pytest.mark.parametrize("rotation", ["rotate", "rotate_with_grace"])
def test_promise_8_of_several_rotations_one_makes_a_successor(crew: Crew, rotation: str) -> None:
    conflict = "conflict: revoked" if rotation == "rotate" else "conflict: rotated"
    for key in issue(ROUNDS):
        found = crew.perform(key, [rotation] * 4)
        successors = [outcome for outcome in found if outcome != conflict]
        assert len(successors) == 1
        assert stored(key).rotated_to == APIToken(pk=successors[0])


def test_of_several_revocations_one_counts(crew: Crew) -> None:
    for key in issue(ROUNDS):
        found = crew.perform(key, ["revoke"] * 4)
        assert sorted(found) == [False, False, False, True]


def test_revocations_of_many_at_once_count_each_token_once(crew: Crew) -> None:
    keys = issue(20)
    assert sum(crew.perform(keys[0], ["revoke_all"] * 4)) == 20
    assert outside(APIToken.objects.all().revoked().count) == 20


@pytest.mark.parametrize("other", ["rotate", "rotate_with_grace", "extend", "rename", "use"])
def test_promise_7_what_is_revoked_meanwhile_stays_revoked(crew: Crew, other: str) -> None:
    for key in issue(ROUNDS):
        before = timezone.now()
        outcomes = crew.perform(key, [other, "revoke", other])
        token = stored(key)
        assert token.state == "revoked"
        assert token.revoked_at is not None
        assert before <= token.revoked_at <= timezone.now()
        # Without a grace a rotation revokes as well.
        assert outcomes[1] is True or other == "rotate"


def test_promise_9_of_several_uses_one_is_written(crew: Crew) -> None:
    """The action counts the rows that its UPDATE changed."""
    for key in issue(ROUNDS):
        assert sorted(crew.perform(key, ["use"] * 8)) == [0] * 7 + [1]
        token = stored(key)
        assert (token.state, token.last_used_at is not None) == ("active", True)
