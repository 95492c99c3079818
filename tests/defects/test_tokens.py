"""Changes of one token by several processes at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType

from connectnow_api.exceptions import TokenConflict
from connectnow_api.models import APIToken
from tests.at_once import ACTIONS, Crew, in_threads, shared_file

from .servers import SERVERS, behind
from .site import Issue, answer, post

PROCESSES, ROUNDS = 4, 20


def test_row_46_no_change_of_a_row_read_before_a_revocation_undoes_it(
    db: None, user: Any, crashes: Any
) -> None:
    """Whatever the instance still holds, the columns that are written are those of the change."""
    for name, change in ACTIONS.items():
        key = APIToken.objects.issue(user, name).token.pk
        before = APIToken.objects.get(pk=key)
        assert APIToken.objects.get(pk=key).revoke()
        revoked_at = APIToken.objects.get(pk=key).revoked_at
        with contextlib.suppress(TokenConflict):
            change(before)
        row = APIToken.objects.get(pk=key)
        assert (row.revoked_at, row.name) == (revoked_at, name)


@pytest.mark.django_db
@pytest.mark.parametrize("change", ACTIONS)
def test_row_46_what_was_revoked_within_a_request_stays_so(
    client: Any, issue: Issue, change: str
) -> None:
    bearer = {"authorization": f"Bearer {issue().plain_text}"}
    response = post(client, "/flat/stale", {"change": change}, headers=bearer)
    assert answer(response) == (200, {"state": "revoked"})
    assert answer(client.get("/flat/private", headers=bearer))[0] == 401


@pytest.fixture
def shared_database(tmp_path: Path) -> Iterator[None]:
    with shared_file(tmp_path, [ContentType, Permission, Group, User, APIToken]):
        yield


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("shared_database")
def test_row_47_one_rotation_of_four_makes_a_successor(crew: Crew) -> None:
    def issue() -> list[int]:
        owner = User.objects.create(username="ada")
        return [APIToken.objects.issue(owner, "laptop").token.pk for _ in range(ROUNDS)]

    keys = in_threads(issue)[0]
    for key in keys:
        outcomes = crew.perform(key, ["rotate"] * PROCESSES)
        assert outcomes.count("conflict: revoked") == PROCESSES - 1
    successors = in_threads(APIToken.objects.filter(rotated_from__in=keys).count)[0]
    assert successors == ROUNDS


@pytest.mark.django_db
@behind(*SERVERS)
def test_row_47_one_request_of_eight_makes_a_successor(client: Any, issue: Issue) -> None:
    conflict = {"message": "The API token cannot be changed any more."}
    for _ in range(3):
        key = issue().token.pk
        with ThreadPoolExecutor(8) as pool:
            tries = [pool.submit(client.post, f"/flat/rotate/{key}") for _ in range(8)]
            answers = sorted((answer(t.result()) for t in tries), key=lambda answer: answer[0])
        successor = APIToken.objects.get(rotated_from=key)
        assert answers == [(200, {"id": successor.pk})] + [(409, conflict)] * 7
