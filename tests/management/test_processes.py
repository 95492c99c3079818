"""The command as processes of their own: exit codes, pipes, terminals, several at once."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F

from tests.services import PATIENCE

from .conftest import Project

FULL = Path("/dev/full")


def test_a_script_gets_secrets_rows_and_exit_codes(project: Project) -> None:
    created = project.run("create", "--owner", "ada", "--name", "ci", "--never")
    assert created.status == 0
    plain_text = created.stdout.removesuffix("\n")
    row = project.run("show", "-", "--format", "json", stdin=plain_text).data
    key = str(row["id"])
    assert created.stderr == f"Token {key}: ci of ada, may do nothing, never expires.\n"
    assert (row["name"], row["state"], row["expires_at"]) == ("ci", "active", None)

    project.tokens.update(revoked_at=F("created_at"))
    refused = project.run("rotate", key, "--format", "json")
    assert (refused.stdout, refused.status) == ("", 4)
    assert json.loads(refused.stderr) == {
        "error": "conflict",
        "message": f"Token {key} cannot be rotated: it is revoked.",
    }
    assert project.events() == ["created"]


@pytest.mark.servers
def test_a_reader_that_leaves_is_no_traceback(project: Project) -> None:
    project.add(1500, 100)
    process = project.start("list", "--format", "json")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "[\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(PATIENCE) == 141
    process.stderr.close()
    process.stdin.close()  # type: ignore[union-attr]


@pytest.mark.servers
def test_a_secret_that_cannot_be_written_is_told(project: Project) -> None:
    def lost() -> str:
        key = project.tokens.latest("pk").pk
        return (
            f"OutputError: Token connectnow_api.APIToken:{key} is made, but its secret is lost, "
            "since it could not be written: rotate or revoke it.\n"
        )

    project.add(1, 60)
    key = str(project.tokens.get().pk)
    with FULL.open("w") as full:
        rotated = project.run("rotate", key, "--format", "json", stdout=full)
    message = lost().removeprefix("OutputError: ").removesuffix("\n")
    assert (rotated.status, json.loads(rotated.stderr)) == (
        1,
        {"error": "failed", "message": message},
    )

    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody_reads:
        created = project.run("create", "--owner", "ada", "--name", "ci", stdout=nobody_reads)
    assert created == (None, lost(), 1)


@pytest.mark.servers
def test_a_list_that_cannot_be_written_is_one_line(project: Project) -> None:
    with FULL.open("w") as full:
        found = project.run("list", stdout=full)
    expected = "OutputError: The output cannot be written: No space left on device.\n"
    assert found == (None, expected, 1)


@pytest.mark.servers
def test_a_name_that_stdout_cannot_hold_ends_no_list(project: Project) -> None:
    project.add(1, 100)
    environment = {**project.environment, "PYTHONIOENCODING": "ascii"}
    process = project.start("list", env=environment)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (stderr, process.returncode) == ("", 0)
    assert "cn_\\u2026" in stdout


# --- On a terminal ----------------------------------------------------------------------------


def run_on_terminal(project: Project, *arguments: str) -> tuple[str, str]:
    """Return what a verb writes to stdout, which is no terminal, and to stderr, which is one."""
    reader, writer = pty.openpty()
    process = project.start(*arguments, stderr=writer, stdin=subprocess.DEVNULL)
    os.close(writer)
    seen = b""
    try:
        while piece := os.read(reader, 4096):
            seen += piece
    except OSError:
        pass  # on Linux, the end of a terminal
    finally:
        os.close(reader)
    assert process.stdout is not None
    with process.stdout:
        stdout = process.stdout.read()
    assert process.wait(PATIENCE) == 0
    return stdout, seen.decode()


@pytest.mark.servers
def test_a_person_sees_how_far_it_is(project: Project) -> None:
    project.add(25, -60)
    stdout, seen = run_on_terminal(project, "prune", "--batch", "10", "--pause", "0.2")
    assert stdout == "connectnow_api.APIToken: 25 tokens deleted.\n"
    shown = [line for line in seen.split("\r\x1b[K") if line]
    label = "Pruning connectnow_api.APIToken"
    assert shown[0] == f"{label} [{' ' * 40}]   0%  0 of 25"
    assert f"{label} [{'#' * 32}{' ' * 8}]  80%  20 of 25" in shown
    assert seen.endswith("\r\x1b[K")


@pytest.mark.servers
def test_who_wants_no_bar_sees_none(project: Project) -> None:
    project.add(5, -60)
    assert run_on_terminal(project, "prune", "--verbosity", "0") == ("", "")


# --- Interrupted ------------------------------------------------------------------------------


@pytest.mark.servers
def test_prune_tells_how_far_it_came(project: Project) -> None:
    project.add(30, -60)
    process = project.start("prune", "--batch", "10", "--pause", "3600", "--format", "json")
    while project.log.read_text(encoding="utf-8").count("pruned") < 10:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert json.loads(stdout)["total"] == 10
    assert json.loads(stderr)["error"] == "interrupted"
    assert process.returncode == 130
    assert project.tokens.count() == 20
    assert project.events() == ["pruned"] * 10


# --- Several at once --------------------------------------------------------------------------


def run_at_once(project: Project, processes: int, *arguments: str) -> list[dict[str, Any]]:
    started = [project.start(*arguments, "--format", "json") for _ in range(processes)]
    found = []
    for process in started:
        stdout, stderr = process.communicate(timeout=PATIENCE)
        assert (stderr, process.returncode) == ("", 0)
        found.append(json.loads(stdout))
    return found


@pytest.mark.databases
@pytest.mark.servers
def test_two_that_prune_at_once_delete_each_row_once(project: Project) -> None:
    project.add(1000, -60)
    project.add(5, 60)
    # What a process skips because another holds it is gone when that one ends.
    found = run_at_once(project, 2, "prune", "--batch", "20")
    assert sum(one["total"] for one in found) == 1000
    assert project.tokens.count() == 5
    assert project.events() == ["pruned"] * 1000


@pytest.mark.databases
@pytest.mark.servers
def test_two_that_notify_at_once_tell_of_each_token_once(project: Project) -> None:
    project.add(60, 3)
    project.add(5, 60)
    found = run_at_once(project, 2, "notify", "--mail")
    assert sum(one["notified"] for one in found) == 60
    assert sum(one["mailed"] for one in found) == 60
    assert project.events() == ["expiring"] * 60
    sent = "".join(file.read_text(encoding="utf-8") for file in project.mails.iterdir())
    assert sent.count("\nSubject: ") == 60


@pytest.mark.databases
@pytest.mark.servers
def test_of_several_that_rotate_at_once_one_wins(project: Project) -> None:
    project.add(1, 60)
    key = str(project.tokens.get().pk)
    started = [project.start("rotate", key, "--grace", "1d") for _ in range(2)]
    for process in started:
        process.communicate(timeout=PATIENCE)
    assert sorted(process.returncode for process in started) == [0, 4]
    assert project.tokens.count() == 2
