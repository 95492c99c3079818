"""``api_tokens revoke``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from connectnow_api.models import APIToken

from .conftest import Run

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def active() -> list[str]:
    return [token.name for token in APIToken.objects.active().order_by("pk")]


@pytest.fixture
def three(user: Any, django_user_model: Any) -> list[APIToken]:
    """Two tokens of ada, of which the first is stale, and one of bob."""
    bob = django_user_model.objects.create_user("bob")
    found = [
        APIToken.objects.issue(owner, name, expires_at=None).token
        for owner, name in ((user, "stale"), (user, "recent"), (bob, "of bob"))
    ]
    APIToken.objects.filter(pk=found[0].pk).update(created_at=LONG_AGO)
    return found


def test_named_tokens(run: Run, three: list[APIToken], events: Any) -> None:
    first, second, _ = (str(token.pk) for token in three)
    assert run("revoke", first) == ("1 token revoked.\n", "", 0)
    again = run("revoke", first, second, f"connectnow_api.APIToken:{second}")
    assert again == ("1 token revoked, 1 revoked before.\n", "", 0)
    assert run("revoke", first, "--format", "json").data == {
        "revoked": 0,
        "unchanged": 1,
        "dry_run": False,
    }
    assert active() == ["of bob"]
    assert events == [("revoked", first), ("revoked", second)]


def test_a_token_on_stdin(run: Run, user: Any) -> None:
    plain_texts = [APIToken.objects.issue(user, str(n)).plain_text for n in range(2)]
    found = run("revoke", "-", "-", stdin="\n".join(plain_texts))
    assert found == ("2 tokens revoked.\n", "", 0)


def test_with_one_that_is_unknown_nothing_is_revoked(run: Run, three: list[APIToken]) -> None:
    found = run("revoke", str(three[0].pk), "0")
    assert found == ("", "There is no token '0' of the kind connectnow_api.APIToken.\n", 3)
    assert active() == ["stale", "recent", "of bob"]


def test_all_of_an_owner(run: Run, three: list[APIToken]) -> None:
    assert run("revoke", "--owner", "ada", "--yes") == ("2 tokens revoked.\n", "", 0)
    assert run("revoke", "--owner", "ada", "--yes") == ("0 tokens revoked.\n", "", 0)
    assert run("revoke", "--owner", "nobody", "--yes").status == 3
    assert active() == ["of bob"]


def test_all_that_are_stale(run: Run, three: list[APIToken]) -> None:
    assert run("revoke", "--stale", "30", "--owner", "bob", "--yes").stdout == (
        "0 tokens revoked.\n"
    )
    assert run("revoke", "--stale", "30", "--yes").stdout == "1 token revoked.\n"
    assert active() == ["recent", "of bob"]


def test_a_rotated_token_loses_its_grace(run: Run, three: list[APIToken]) -> None:
    three[0].rotate(timedelta(days=1))
    run("revoke", str(three[0].pk))
    three[0].refresh_from_db()
    assert three[0].state == "revoked"


def test_a_choice_needs_a_yes(run: Run, three: list[APIToken]) -> None:
    expected = (
        "This revokes 2 tokens of the kind connectnow_api.APIToken. Say --yes, or --dry-run to "
        "try.\n"
    )
    assert run("revoke", "--owner", "ada") == ("", expected, 2)
    assert active() == ["stale", "recent", "of bob"]


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def ask(three: list[APIToken], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Revoke what is ada's on a terminal where somebody types an answer; return the question."""

    def ask(answer: str) -> str:
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        stderr = Terminal()
        call_command(
            *("api_tokens", "revoke", "--owner", "ada", "--no-color"),
            stdout=StringIO(),
            stderr=stderr,
        )
        return stderr.getvalue()

    return ask


@pytest.mark.parametrize("answer", ["y", "YES\n"])
def test_on_a_terminal_a_person_is_asked(ask: Any, answer: str) -> None:
    question = "Revoke 2 tokens of the kind connectnow_api.APIToken? [y/N] "
    assert ask(answer).startswith(question)
    assert active() == ["of bob"]


@pytest.mark.parametrize("answer", ["", "\n", "no\n"])
def test_who_does_not_agree_revokes_nothing(ask: Any, answer: str) -> None:
    with pytest.raises(CommandError, match=r"^Nothing was revoked\.$") as refusal:
        ask(answer)
    assert refusal.value.returncode == 1
    assert active() == ["stale", "recent", "of bob"]


def test_a_dry_run_revokes_nothing_and_tells_nobody(
    run: Run, three: list[APIToken], events: Any
) -> None:
    for arguments in (["--owner", "ada"], [str(token.pk) for token in three[:2]]):
        found = run("revoke", *arguments, "--dry-run")
        assert found == ("2 tokens would be revoked.\n", "", 0)
        found = run("revoke", *arguments, "--dry-run", "--format", "json")
        assert found.data == {"revoked": 2, "unchanged": 0, "dry_run": True}
    assert active() == ["stale", "recent", "of bob"]
    assert events == []


@pytest.mark.parametrize("arguments", [[], ["1", "--owner", "ada"], ["1", "--stale", "0"]])
def test_tokens_are_named_or_chosen(run: Run, arguments: list[str]) -> None:
    found = run("revoke", *arguments)
    assert found == ("", "Name tokens, or choose them by --owner or --stale.\n", 2)
