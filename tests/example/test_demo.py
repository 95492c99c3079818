"""The command: what it makes, writes and prints."""

from __future__ import annotations

import re
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from .conftest import NewDatabase, NewSeeded, Seeded, seed
from .support import manage, probe

pytestmark = pytest.mark.servers

ROWS = {
    "issue_tracker.Company": (4, 4),
    "issue_tracker.CompanyUser": (4, 4),
    "issue_tracker.Category": (12, 12),
    "issue_tracker.Issue": (120, 120),
    "chats.Chat": (3, 3),
    "chats.ChatUser": (5, 5),
    "chats.AuthCode": (1, 1),
    "chats.ChatUserToken": (1, 1),
    "help_desk.Client": (2, 2),
    "help_desk.Customer": (125, 125),
    "help_desk.Channel": (4, 4),
    "help_desk.Team": (3, 3),
    "help_desk.Tag": (10, 10),
    "help_desk.Ticket": (65, 65),
    "help_desk.Webhook": (2, 2),
}
"""Model to number of rows and highest id."""


@pytest.fixture
def new_url(new_database: NewDatabase) -> str:
    """A database without tables."""
    return new_database()


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory, new_seeded: NewSeeded) -> dict[str, Any]:
    """The rows and answers after a run, and after a second one that had much to put right."""
    first = new_seeded()
    url = first.url
    rows, new_ids, stranger, _ = probe(
        ["rows"], ["new_ids"], ["stranger"], ["disturb"], database_url=url
    )
    second = seed(tmp_path_factory.mktemp("twice"), url)
    chat_tokens = [run.credentials["chat"]["token"] for run in (first, second)]
    old_tokens, new_tokens = (list(run.credentials["tokens"].values()) for run in (first, second))
    audited, rows_again, new_ids_again, chat_user_s, old, new, stranger_s = probe(
        *(["audited_actions"], ["rows"], ["new_ids"], ["chat_answers", chat_tokens]),
        *(["answers", old_tokens], ["answers", new_tokens], ["answers", [stranger]]),
        database_url=url,
    )
    return {
        "audited": audited,
        "rows": [rows, rows_again],
        "new_ids": [new_ids, new_ids_again],
        "credentials": [first.credentials, second.credentials],
        "answers": {"old": old, "new": new, "stranger": stranger_s, "chat": chat_user_s},
    }


def test_the_documented_rows_are_there(twice: dict[str, Any]) -> None:
    found = twice["rows"][0]
    assert {name: tuple(found[name][:2]) for name in ROWS} == ROWS


def test_a_second_run_brings_back_every_row(twice: dict[str, Any]) -> None:
    assert twice["rows"][1] == twice["rows"][0]


def test_the_next_row_gets_the_next_free_id(twice: dict[str, Any]) -> None:
    highest = {name: row[1] or 0 for name, row in twice["rows"][0].items()}
    expected = {name: highest[name] + 1 for name in twice["new_ids"][0]}
    assert twice["new_ids"] == [expected, expected]


def test_a_second_run_replaces_every_secret(twice: dict[str, Any]) -> None:
    first, second = twice["credentials"]
    assert not set(first["tokens"].values()) & set(second["tokens"].values())
    assert twice["answers"]["old"] == [401] * 5
    for old, new in zip(first["users"], second["users"], strict=True):
        assert old["username"] == new["username"]
        assert old["password"] != new["password"]
    old, new = first["chat"], second["chat"]
    assert old["auth_code"] != new["auth_code"]
    assert {**old, "auth_code": 0, "token": 0} == {**new, "auth_code": 0, "token": 0}
    assert twice["answers"]["chat"] == [401, 200]


def test_each_token_is_what_it_says(twice: dict[str, Any]) -> None:
    kinds = list(twice["credentials"][1]["tokens"])
    assert kinds == ["valid", "read_only", "expired", "revoked", "other_user"]
    assert twice["answers"]["new"] == [200, 200, 401, 401, 200]


def test_other_users_and_their_tokens_stay(twice: dict[str, Any]) -> None:
    assert twice["answers"]["stranger"] == [200]


def test_the_audit_table_is_not_emptied(twice: dict[str, Any]) -> None:
    """Six tokens a run, of which one is revoked, a stranger's, and three of the run before."""
    assert twice["audited"] == {"created": 6 + 1 + 6, "revoked": 1 + 3 + 1}


def test_credentials_are_complete(template: Seeded) -> None:
    tokens, users, chat = (template.credentials[key] for key in ("tokens", "users", "chat"))
    assert template.credentials == {
        "base_url": "http://localhost:8123",
        "client_id": "acme",
        "tokens": tokens,
        "users": users,
        "chat": chat,
        "throttle": {"path": "/api/throttled", "limit": 5},
        "features": ["ownership", "failed_auth_throttle"],
    }
    assert set(tokens) == {"valid", "read_only", "expired", "revoked", "other_user"}
    assert [set(user) for user in users] == [{"username", "password"}] * 2
    secret = {"auth_code": chat["auth_code"], "token": chat["token"]}
    assert chat == {"id": 1, "email": "vera@example.com", **secret}
    assert re.fullmatch("[1-9][0-9]{14}", chat["auth_code"])
    assert re.fullmatch("chat_[0-9A-Za-z]{46}", chat["token"])


def test_credentials_are_private_even_in_a_file_that_was_not(template: Seeded) -> None:
    assert stat.S_IMODE(template.file.stat().st_mode) == 0o600
    assert not list(template.file.parent.glob("credentials.json-*"))


def test_everything_is_printed_for_a_person(template: Seeded) -> None:
    lines = [line.strip() for line in template.printed.splitlines()]
    for token in template.credentials["tokens"].values():
        assert token in template.printed
    for user in template.credentials["users"]:
        assert f"{user['username']:<12}{user['password']}" in lines
    chat, api = template.credentials["chat"], "http://localhost:8123/api"
    form = f"-d 'email={chat['email']}' -d 'auth-code={chat['auth_code']}'"
    assert f"curl -H 'Authorization: Bearer {chat['token']}' '{api}/chat-user'" in lines
    assert f"curl '{api}/chats/1/users/get-token' {form}" in lines
    for path in ("/", "/api/", "/api/v1/", "/admin/"):
        assert [line for line in lines if line.split()[:1] == [f"http://localhost:8123{path}"]]
    assert len([line for line in lines if line.startswith("curl ")]) == 9
    assert "Serving" not in template.printed


@pytest.mark.parametrize("rows", [1, 301])
def test_rows_sets_issues_and_tickets(tmp_path: Path, new_seeded: NewSeeded, rows: int) -> None:
    url = new_seeded().url
    seed(tmp_path, url, "--rows", str(rows))
    found, tickets = probe(["rows"], ["tickets"], database_url=url)
    assert found["issue_tracker.Issue"][:2] == [rows, rows]
    assert found["help_desk.Ticket"][:2] == [rows + 5, rows + 5]
    assert found["help_desk.Customer"][:2] == [125, 125]
    assert sum(tickets["statuses"].values()) == rows
    numbers = [*tickets["statuses"].values(), *[0] * (6 - len(tickets["statuses"]))]
    assert max(numbers) - min(numbers) <= 1
    assert tickets["messages"] == [1, 5]


@pytest.mark.parametrize(
    "options",
    [["--rows", "0"], ["--port", "65536"]],
)
def test_nonsense_is_refused(new_url: str, options: list[str]) -> None:
    done = manage("demo", "--no-serve", *options, database_url=new_url, check=False)
    assert done.returncode == 2
    assert options[0] in done.stderr


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, new_url: str) -> None:
    file = tmp_path / "nowhere" / "credentials.json"
    done = manage("demo", "--no-serve", "--credentials", file, database_url=new_url, check=False)
    assert done.returncode == 1
    assert f"Cannot write {file}: No such file or directory." in done.stderr


@pytest.mark.parametrize(
    "url",
    ["sqlite:////nowhere/db.sqlite3", "postgres://127.0.0.1:1/name", "mysql://127.0.0.1:1/name"],
)
def test_a_database_that_cannot_be_reached_is_said(url: str) -> None:
    done = manage("demo", "--no-serve", database_url=url, check=False)
    assert done.returncode == 1
    assert "The database cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_said_before_anything_is_touched(tmp_path: Path) -> None:
    file = tmp_path / "new.sqlite3"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = manage("demo", "--port", port, database_url=f"sqlite:///{file}", check=False)
    assert done.returncode == 1
    assert f"Cannot serve at 127.0.0.1:{port}: Address already in use" in done.stderr
    assert done.stdout == ""
    assert not file.exists()


def test_migrations_are_complete(new_url: str) -> None:
    done = manage("makemigrations", "--check", "--dry-run", database_url=new_url)
    assert "No changes detected" in done.stdout
