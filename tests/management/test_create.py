"""``api_tokens create``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectnow_api import tokens
from connectnow_api.management.errors import VerbError
from connectnow_api.models import APIToken

from .conftest import Run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ada(user: Any) -> Any:
    return user


def test_the_plain_text_alone_goes_to_stdout(run: Run) -> None:
    found = run("create", "--owner", "ada", "--name", "laptop")
    token = APIToken.objects.get()
    assert tokens.is_well_formed(found.stdout.removesuffix("\n"), "cn")
    assert token.digest == tokens.digest(found.stdout.removesuffix("\n"))
    expiry = token.expires_at.strftime("%Y-%m-%d %H:%M UTC")
    assert found.stderr == (f"Token {token.pk}: laptop of ada, may do nothing, expires {expiry}.\n")
    assert found.status == 0


def test_verbosity_0_says_the_token_and_nothing_else(run: Run) -> None:
    found = run("create", "--owner", "ada", "--name", "laptop", "--verbosity", "0")
    assert found == (found.stdout, "", 0)
    assert APIToken.objects.find(found.stdout.strip()) is not None


def test_a_new_token_may_do_nothing_and_expires(run: Run) -> None:
    run("create", "--owner", "ada", "--name", "laptop")
    token = APIToken.objects.get()
    assert token.abilities == []
    assert abs(token.expires_at - timezone.now() - timedelta(days=365)) < timedelta(minutes=5)


def test_every_option(run: Run) -> None:
    found = run(
        *("create", "--kind", "connectnow_api.apitoken", "--owner", "ada", "--name", "läptop 🧑‍💻"),
        *("--ability", "issues:read", "--ability", "*", "--expires-at", "2099-12-31T18:00:00Z"),
        *("--network", "192.0.2.0/24", "--network", "2001:db8::/32", "--rate", "60/m"),
        *("--idle-days", "30", "--client", "acme", "--format", "json"),
    )
    token = APIToken.objects.get()
    data = found.data
    assert APIToken.objects.find(data.pop("token")) == token
    assert data == {
        "kind": "connectnow_api.APIToken",
        "id": token.pk,
        "name": "läptop 🧑‍💻",
        "owner": "ada",
        "owner_id": token.owner.pk,
        "masked": token.masked,
        "fingerprint": token.digest[:8],
        "state": "active",
        "usable": True,
        "abilities": ["issues:read", "*"],
        "allowed_networks": ["192.0.2.0/24", "2001:db8::/32"],
        "rate": "60/m",
        "client": "acme",
        "created_at": data["created_at"],
        "expires_at": "2099-12-31T18:00:00Z",
        "idle_timeout": "P30DT00H00M00S",
        "last_used_at": None,
        "last_used_address": None,
        "revoked_at": None,
        "rotated_from": None,
    }
    assert abs(datetime.fromisoformat(data["created_at"]) - timezone.now()) < timedelta(minutes=5)
    assert (found.stderr, found.status) == ("", 0)
    assert token.digest not in found.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2099-12-31", datetime(2099, 12, 31, tzinfo=UTC)),
        ("2099-12-31T18:00", datetime(2099, 12, 31, 18, tzinfo=UTC)),
        ("2099-12-31 18:00+02:00", datetime(2099, 12, 31, 16, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_a_date_with_a_time_or_without(
    run: Run, text: str, expected: datetime
) -> None:
    run("create", "--owner", "ada", "--name", "laptop", "--expires-at", text)
    assert APIToken.objects.get().expires_at == expected


def test_an_expiry_in_days(run: Run) -> None:
    run("create", "--owner", "ada", "--name", "laptop", "--days", "3")
    expiry = APIToken.objects.get().expires_at
    assert abs(expiry - timezone.now() - timedelta(days=3)) < timedelta(minutes=5)


def test_a_token_never_expires_if_that_is_said(run: Run) -> None:
    found = run("create", "--owner", "ada", "--name", "laptop", "--never")
    token = APIToken.objects.get()
    assert token.expires_at is None
    assert found.stderr == f"Token {token.pk}: laptop of ada, may do nothing, never expires.\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], timedelta(days=14)), (["--idle-days", "3"], timedelta(days=3)), (["--no-idle"], None)],
)
def test_the_sites_idle_timeout_is_taken_unless_another_is_said(
    run: Run, settings: Any, arguments: list[str], expected: timedelta | None
) -> None:
    settings.CONNECTNOW_API = {"TOKEN_IDLE_TIMEOUT": timedelta(days=14)}
    run("create", "--owner", "ada", "--name", "laptop", *arguments)
    assert APIToken.objects.get().idle_timeout == expected


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_created(run: Run, events: Any) -> None:
    found = run(
        *("create", "--owner", "ada", "--name", " ", "--ability", "a b", "--network", "x"),
        *("--rate", "7", "--client", "a,b", "--expires-at", "2001-01-01"),
    )
    assert found == (
        "",
        (
            "--name: This field cannot be blank.\n"
            "--ability: 'a b' is no ability: use printable ASCII without space, quote and \\.\n"
            "--expires-at: The expiry lies in the past.\n"
            "--network: 'x' is no network such as 192.0.2.0/24 or 2001:db8::/32.\n"
            "--rate: '7' is no rate such as 60/m or 10/5s.\n"
            "--client: A client is a text of printable characters without a comma.\n"
        ),
        2,
    )
    assert not APIToken.objects.exists()
    assert events == []


def test_a_name_may_be_as_long_as_its_column(run: Run) -> None:
    assert run("create", "--owner", "ada", "--name", "ä" * 255).status == 0
    assert run("create", "--owner", "ada", "--name", "ä" * 256).status == 2


def test_the_sites_maximum_is_told(run: Run, settings: Any) -> None:
    settings.CONNECTNOW_API = {"MAX_TOKEN_LIFETIME": timedelta(days=30)}
    found = run("create", "--owner", "ada", "--name", "laptop", "--never")
    assert found == ("", "--expires-at: On this site every token expires.\n", 2)


def test_an_ability_that_is_not_offered_is_told_with_those_that_may_be_meant(
    run: Run, settings: Any
) -> None:
    settings.CONNECTNOW_API = {"ABILITIES": {"issues:read": "Read", "issues:write": "Write"}}
    found = run("create", "--owner", "ada", "--name", "laptop", "--ability", "issue:read")
    assert found == (
        "",
        (
            "--ability: This site does not offer the ability 'issue:read'. "
            "Did you mean issues:read or issues:write?\n"
        ),
        2,
    )


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("adda", "There is no user 'adda'. Did you mean ada?\n"),
        ("zoe", "There is no user 'zoe'.\n"),
        ("\x1b[2J", "There is no user '\\x1b[2J'.\n"),
    ],
)
def test_an_unknown_owner(run: Run, owner: str, expected: str) -> None:
    assert run("create", "--owner", owner, "--name", "laptop") == ("", expected, 3)


def test_what_may_be_meant_is_escaped(run: Run, django_user_model: Any) -> None:
    django_user_model.objects.create_user("bob\x1b[2Jx\n")
    expected = "There is no user 'bob[2J'. Did you mean bob\\x1b[2Jx\\n?\n"
    assert run("create", "--owner", "bob[2J", "--name", "laptop") == ("", expected, 3)


def test_what_others_say_is_escaped_in_errors() -> None:
    assert str(VerbError("a mail\x1b[2J\na cache\u202e")) == "a mail\\x1b[2J\na cache\\u202e"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("connectnow_api.APItokens", " Did you mean connectnow_api.APIToken?"),
        ("auth.User", " There are: connectnow_api.APIToken."),
    ],
)
def test_an_unknown_kind(run: Run, kind: str, expected: str) -> None:
    found = run("create", "--kind", kind, "--owner", "ada", "--name", "laptop")
    assert found == ("", f"There is no kind of token '{kind}'.{expected}\n", 3)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--days", "0"], "argument --days: '0' is no whole number from 1 to 36500"),
        (["--days", "٣"], "argument --days: '٣' is no whole number from 1 to 36500"),
        (
            ["--expires-at", "soon"],
            "argument --expires-at: 'soon' is no date such as 2030-12-31 or 2030-12-31T18:00Z",
        ),
        (
            ["--expires-at", "2030-02-30"],
            "argument --expires-at: '2030-02-30' is no date of the calendar",
        ),
        (["--days", "1", "--never"], "argument --never: not allowed with argument --days"),
        (
            ["--idle-days", "1", "--no-idle"],
            "argument --no-idle: not allowed with argument --idle-days",
        ),
    ],
)
def test_an_argument_that_cannot_be(run: Run, arguments: list[str], expected: str) -> None:
    found = run("create", "--owner", "ada", "--name", "laptop", *arguments)
    assert found.stderr.startswith(f"Error: {expected}")
    assert not APIToken.objects.exists()


def test_an_owner_who_is_not_active_is_told_of(run: Run, ada: Any) -> None:
    ada.is_active = False
    ada.save()
    create = ("create", "--owner", "ada", "--name", "laptop", "--verbosity", "0")
    warning = "ada is not active: the token opens nothing as long as that is so."
    assert run(*create, "--dry-run") == ("", f"{warning}\n", 0)
    found = run(*create, "--format", "json")
    assert json.loads(found.stderr) == {"warning": warning}
    assert (found.data["usable"], found.status) == (False, 0)


def test_a_dry_run_creates_nothing_and_tells_nobody(run: Run, events: Any) -> None:
    arguments = ("create", "--owner", "ada", "--name", "laptop", "--never", "--dry-run")
    assert run(*arguments) == (
        "Would be issued: laptop of ada, may do nothing, never expires.\n",
        "",
        0,
    )
    data = run(*arguments, "--format", "json").data
    assert (data["dry_run"], data["id"], "token" in data) == (True, None, False)
    assert run(*arguments, "--rate", "7").status == 2
    assert not APIToken.objects.exists()
    assert events == []


def test_what_a_name_does_to_a_terminal_is_escaped(run: Run) -> None:
    found = run("create", "--owner", "ada", "--name", "a\u200eb", "--never")
    token = APIToken.objects.get()
    assert found.stderr == f"Token {token.pk}: a\\u200eb of ada, may do nothing, never expires.\n"
