"""``api_tokens list`` and ``show``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectnow_api import last_used, tokens
from connectnow_api.management.batches import newest_first
from connectnow_api.management.verbs import listing
from connectnow_api.models import APIToken

from .conftest import Run

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2020, 1, 2, 3, 4, tzinfo=UTC)
Add = Callable[..., APIToken]


@pytest.fixture
def add(user: Any) -> Add:
    """Add a token whose columns say what no ``issue`` would."""

    def add(name: str, **columns: Any) -> APIToken:
        token = APIToken.objects.issue(columns.pop("owner", user), "x", expires_at=None).token
        APIToken.objects.filter(pk=token.pk).update(name=name, **columns)
        token.refresh_from_db()
        return token

    return add


def names(run: Run, *arguments: str) -> list[str]:
    return [row["name"] for row in run("list", *arguments, "--format", "json").data]


def test_a_table_is_aligned_and_safe_to_show(run: Run, add: Add) -> None:
    first = add("漢字", last_used_at=LONG_AGO)
    second = add("e\u0301\x1b[31m", expires_at=LONG_AGO)
    third = add("x" * 41, revoked_at=LONG_AGO)
    id_width = max(2, len(str(third.pk)))
    long = "x" * 39 + "…"
    assert run("list") == (
        (
            f"{'ID':{id_width}}  {'NAME':40}  OWNER  TOKEN     STATE    {'EXPIRES':20}  LAST USED\n"
            f"{third.pk:<{id_width}}  {long:40}  ada    {third.masked}  revoked  {'-':20}  -\n"
            f"{second.pk:<{id_width}}  e\u0301\\x1b[31m{' ' * 31}  ada    {second.masked}  expired"
            "  2020-01-02 03:04 UTC  -\n"
            f"{first.pk:<{id_width}}  漢字{' ' * 36}  ada    {first.masked}  active   {'-':20}"
            "  2020-01-02 03:04 UTC\n"
        ),
        "",
        0,
    )


def test_a_script_gets_a_list_of_objects(run: Run, add: Add) -> None:
    token = add(
        "laptop",
        abilities=["a"],
        created_at=LONG_AGO,
        last_used_at=LONG_AGO,
        last_used_address="192.0.2.1",
        revoked_at=LONG_AGO,
    )
    found = run("list", "--format", "json")
    assert found.data == [
        {
            "kind": "connectnow_api.APIToken",
            "id": token.pk,
            "name": "laptop",
            "owner": "ada",
            "owner_id": token.owner.pk,
            "masked": token.masked,
            "fingerprint": token.digest[:8],
            "state": "revoked",
            "usable": False,
            "abilities": ["a"],
            "allowed_networks": [],
            "rate": "",
            "client": "",
            "created_at": "2020-01-02T03:04:00Z",
            "expires_at": None,
            "idle_timeout": None,
            "last_used_at": "2020-01-02T03:04:00Z",
            "last_used_address": "192.0.2.1",
            "revoked_at": "2020-01-02T03:04:00Z",
            "rotated_from": None,
        }
    ]
    assert found.stdout.isascii()
    assert (found.stderr, token.digest in found.stdout) == ("", False)


def test_nothing_is_a_header_or_an_empty_list(run: Run) -> None:
    assert run("list") == ("ID  NAME  OWNER  TOKEN  STATE  EXPIRES  LAST USED\n", "", 0)
    assert run("list", "--format", "json") == ("[]\n", "", 0)


def test_filters_combine(run: Run, add: Add, django_user_model: Any) -> None:
    bob = django_user_model.objects.create_user("bob")
    recent = timezone.now() - timedelta(days=1)
    add("active", last_used_at=recent)
    add("of bob", owner=bob, client="acme", last_used_at=recent)
    add("expired", expires_at=LONG_AGO, last_used_at=LONG_AGO)
    add("idle", idle_timeout=timedelta(days=1), last_used_at=LONG_AGO)
    add("revoked", revoked_at=LONG_AGO, last_used_at=recent)
    add("never used", created_at=LONG_AGO)
    tail = add("by tail", last_used_at=recent).tail

    assert names(run, "--owner", "bob") == ["of bob"]
    assert names(run, "--state", "active") == ["by tail", "of bob", "active", "never used"]
    assert names(run, "--state", "expired") == ["idle", "expired"]
    assert names(run, "--state", "revoked") == ["revoked"]
    assert names(run, "--stale", "30") == ["idle", "expired", "never used"]
    assert names(run, "--unused") == ["never used"]
    assert names(run, "--search", "ACTIV") == ["active"]
    assert names(run, "--search", "acme") == ["of bob"]
    assert names(run, "--search", "bo") == ["of bob"]
    assert "by tail" in names(run, "--search", tail)
    assert names(run, "--limit", "2") == ["by tail", "revoked"]
    assert names(run, "--stale", "30", "--state", "expired", "--search", "id") == ["idle"]
    assert names(run, "--kind", "connectnow_api.APIToken", "--owner", "bob") == ["of bob"]
    assert run("list", "--owner", "bobby").stderr == (
        "There is no user 'bobby'. Did you mean bob?\n"
    )


def test_rows_are_read_in_batches(run: Run, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        add(str(number))
    monkeypatch.setattr(listing, "newest_first", functools.partial(newest_first, size=2))
    with CaptureQueriesContext(connection) as queries:
        assert names(run) == ["4", "3", "2", "1", "0"]
    assert len(queries) == 1 + 3
    with CaptureQueriesContext(connection) as queries:
        assert names(run, "--limit", "2") == ["4", "3"]
    assert len(queries) == 1 + 1


def test_the_newest_is_the_first_whatever_its_key(run: Run, add: Add) -> None:
    add("newest", created_at=LONG_AGO + timedelta(days=2))
    for name in ("as old", "as old, with a higher key"):
        add(name, created_at=LONG_AGO)
    add("newer", created_at=LONG_AGO + timedelta(days=1))
    expected = ["newest", "newer", "as old, with a higher key", "as old"]
    assert names(run) == expected
    assert names(run, "--limit", "3") == expected[:3]


def test_uses_that_wait_in_the_cache_are_written_before(run: Run, add: Add, settings: Any) -> None:
    settings.CONNECTNOW_API = {"LAST_USED": "cache"}
    token = add("laptop")
    cache.set(last_used.FLUSHED, 1)
    last_used.record(token, RequestFactory().get("/"))
    assert APIToken.objects.get().last_used_at is None
    assert names(run, "--unused") == []
    assert APIToken.objects.get().last_used_at is not None


def test_a_cache_that_is_gone_is_an_error(
    run: Run, add: Add, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> int:
        raise ConnectionError("gone")

    settings.CONNECTNOW_API = {"LAST_USED": "cache"}
    monkeypatch.setattr(last_used, "flush", gone)
    assert run("list") == (
        "",
        "The uses of tokens that wait in the cache cannot be written: gone\n",
        1,
    )


# --- show -------------------------------------------------------------------------------------


def test_show_has_a_line_for_each_field(run: Run, add: Add) -> None:
    token = add(
        "a\nb", abilities=["a", "b"], created_at=LONG_AGO, idle_timeout=timedelta(days=36500)
    )
    assert run("show", str(token.pk)) == (
        (
            "kind               connectnow_api.APIToken\n"
            f"id                 {token.pk}\n"
            "name               a\\nb\n"
            "owner              ada\n"
            f"owner id           {token.owner.pk}\n"
            f"masked             {token.masked}\n"
            f"fingerprint        {token.digest[:8]}\n"
            "state              active\n"
            "usable             yes\n"
            "abilities          a, b\n"
            "allowed networks   -\n"
            "rate               -\n"
            "client             -\n"
            "created at         2020-01-02 03:04 UTC\n"
            "expires at         -\n"
            "idle timeout       36500 days, 0:00:00\n"
            "last used at       -\n"
            "last used address  -\n"
            "revoked at         -\n"
            "rotated from       -\n"
            "rotated to         -\n"
        ),
        "",
        0,
    )


def test_show_has_the_successor(run: Run, add: Add) -> None:
    token = add("laptop")
    successor = token.rotate(timedelta(days=1)).token
    data = run("show", str(token.pk), "--format", "json").data
    assert (data["rotated_from"], data["rotated_to"]) == (None, successor.pk)
    data = run("show", str(successor.pk), "--format", "json").data
    assert (data["rotated_from"], data["rotated_to"]) == (token.pk, None)


def test_the_expiry_is_the_one_that_counts(run: Run, add: Add, settings: Any) -> None:
    token = add("laptop", created_at=LONG_AGO)
    settings.CONNECTNOW_API = {"MAX_TOKEN_LIFETIME": timedelta(days=1)}
    data = run("show", str(token.pk), "--format", "json").data
    assert (data["expires_at"], data["state"]) == ("2020-01-03T03:04:00Z", "expired")


def test_a_token_is_named_by_id_or_kind_and_id_or_read_from_stdin(run: Run, user: Any) -> None:
    token, plain_text = APIToken.objects.issue(user, "laptop")
    expected = run("show", str(token.pk))
    assert expected.status == 0
    assert run("show", f"connectnow_api.apitoken:{token.pk}") == expected
    assert run("show", "-", stdin=f"{plain_text}\n") == expected
    assert run("show", "-", "--kind", "connectnow_api.APIToken", stdin=plain_text) == expected


@pytest.mark.parametrize(
    ("reference", "stdin", "expected", "status"),
    [
        ("0", "", "There is no token '0' of the kind connectnow_api.APIToken.", 3),
        ("x", "", "There is no token 'x' of the kind connectnow_api.APIToken.", 3),
        ("9" * 30, "", f"There is no token '{'9' * 30}' of the kind connectnow_api.APIToken.", 3),
        (
            "connectnow_api.Token:1",
            "",
            (
                "There is no kind of token 'connectnow_api.Token'. "
                "Did you mean connectnow_api.APIToken?"
            ),
            3,
        ),
        ("-", "cn_unknown", "The token on stdin is not known.", 3),
        ("-", "\n", "There is no token on stdin.", 2),
    ],
)
def test_a_token_that_is_not_there(
    run: Run, reference: str, stdin: str, expected: str, status: int
) -> None:
    assert run("show", reference, stdin=stdin) == ("", f"{expected}\n", status)


CREATE = ("create", "--owner", "ada", "--name", "laptop")


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        *[(("show",), form) for form in ("{}", "Bearer {}", "connectnow_api.APIToken:{}")],
        *[((*CREATE, "--client"), form) for form in ("Bearer {}", "connectnow_api.APIToken:{}")],
        (("rotate",), "{}"),
        (("revoke", "1"), "{}"),
        (("list", "--owner"), "{}"),
        (("list", "--search"), "{}"),
        (("list", "--kind"), "{}"),
        (("create", "--name", "laptop", "--owner"), "{}"),
        (("create", "--owner", "ada", "--name"), "{}"),
        ((*CREATE, "--client"), "{}"),
        ((*CREATE, "--ability"), "{}"),
    ],
)
def test_a_plain_token_as_an_argument_is_refused(
    run: Run, user: Any, arguments: tuple[str, ...], form: str
) -> None:
    expected = (
        "That looks like a token itself, and arguments stay in the shell's history and in the list "
        "of processes. Name the token by its id, or use - and give it on stdin. This one should be "
        "revoked or rotated.\n"
    )
    for prefix in ("cn", "chat"):
        found = run(*arguments, form.format(tokens.generate(prefix)))
        assert found == ("", expected, 2)
    assert not APIToken.objects.exists()
