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

from django.db import connections

from tests.services import PATIENCE

from .conftest import Project

FULL = Path("/dev/full")
RATE = "'7' is no rate such as 60/m or 10/5s."


def test_a_script_from_create_to_prune(project: Project) -> None:
    created = project.run("create", "--owner", "ada", "--name", "ci", "--never")
    assert created.status == 0
    plain_text = created.stdout.removesuffix("\n")
    row = project.run("show", "-", "--format", "json", stdin=plain_text).data
    key = str(row["id"])
    assert created.stderr == f"Token {key}: ci of ada, may do nothing, never expires.\n"
    assert (row["name"], row["state"], row["expires_at"]) == ("ci", "active", None)

    rotated = project.run("rotate", key, "--grace", "1h", "--format", "json")
    assert (rotated.status, rotated.data["rotated_from"]) == (0, row["id"])
    again = project.run("rotate", key, "--format", "json")
    assert (again.stdout, again.status) == ("", 4)
    assert json.loads(again.stderr) == {
        "error": "conflict",
        "message": f"Token {key} cannot be rotated: it is rotated.",
    }
    assert project.run("revoke", key, "--no-color") == ("1 token revoked.\n", "", 0)
    assert project.run("prune", "--days", "0", "--format", "json").data["total"] == 1
    assert [row["id"] for row in project.run("list", "--format", "json").data] == [
        rotated.data["id"]
    ]
    assert project.events() == ["created", "created", "rotated", "revoked", "pruned"]


def test_exit_codes_of_what_cannot_be(project: Project) -> None:
    create = ("create", "--owner", "ada", "--name", "x", "--rate", "7")
    assert project.run(*create) == ("", f"UsageError: --rate: {RATE}\n", 2)
    found = project.run(*create, "--format", "json")
    assert (found.stdout, found.status, found.stderr.count("\n")) == ("", 2, 1)
    assert json.loads(found.stderr) == {
        "error": "usage",
        "message": f"--rate: {RATE}",
        "fields": {"rate": [RATE]},
    }
    found = project.run("show", "0", "--format", "json")
    assert (found.stdout, found.status) == ("", 3)
    assert json.loads(found.stderr)["error"] == "not_found"
    found = project.run("prune", "--days", "x")
    assert (found.stdout, found.status) == ("", 2)
    found = project.run()
    assert (found.stdout, found.status) == ("", 2)


def test_a_database_that_refuses_is_one_line(project: Project) -> None:
    rename = "ALTER TABLE {} RENAME TO {}"
    with connections[project.ALIAS].cursor() as cursor:
        cursor.execute(rename.format("connectnow_api_apitoken", "away"))
        try:
            found = project.run("list", "--format", "json")
        finally:
            cursor.execute(rename.format("away", "connectnow_api_apitoken"))
    error = json.loads(found.stderr)
    assert (found.stdout, found.status, error["error"]) == ("", 1, "failed")
    assert error["message"].startswith("The database refuses: ")


def test_help_names_the_exit_codes(project: Project) -> None:
    found = project.run("prune", "--help")
    assert "\nexit codes:\n    0  done, also if there was nothing to do\n" in found.stdout
    assert found.stdout.endswith("\n  141  whoever read the output has closed it\n")


def test_djangos_options_stand_before_a_verb_or_behind(project: Project) -> None:
    assert project.run("--verbosity", "0", "--no-color", "prune") == ("", "", 0)
    behind = ("--no-color", "--settings", "own_settings", "--pythonpath", ".")
    assert project.run("prune", "-v", "0", *behind) == ("", "", 0)


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


def test_a_secret_that_cannot_be_written_is_told(project: Project) -> None:
    def lost() -> str:
        key = project.tokens.latest("pk").pk
        return (
            f"OutputError: Token connectnow_api.APIToken:{key} is made, but its secret is lost, "
            "since it could not be written: rotate or revoke it.\n"
        )

    with FULL.open("w") as full:
        created = project.run("create", "--owner", "ada", "--name", "ci", stdout=full)
        assert created == (None, lost(), 1)
        key = str(project.tokens.get().pk)
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


def test_a_list_that_cannot_be_written_is_one_line(project: Project) -> None:
    with FULL.open("w") as full:
        found = project.run("list", stdout=full)
    expected = "OutputError: The output cannot be written: No space left on device.\n"
    assert found == (None, expected, 1)


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


def test_a_person_sees_how_far_it_is(project: Project) -> None:
    project.add(25, -60)
    stdout, seen = run_on_terminal(project, "prune", "--batch", "10", "--pause", "0.2")
    assert stdout == "connectnow_api.APIToken: 25 tokens deleted.\n"
    shown = [line for line in seen.split("\r\x1b[K") if line]
    label = "Pruning connectnow_api.APIToken"
    assert shown[0] == f"{label} [{' ' * 40}]   0%  0 of 25"
    assert f"{label} [{'#' * 32}{' ' * 8}]  80%  20 of 25" in shown
    assert seen.endswith("\r\x1b[K")


def test_who_wants_no_bar_sees_none(project: Project) -> None:
    project.add(5, -60)
    assert run_on_terminal(project, "prune", "--verbosity", "0") == ("", "")


def test_no_bar_goes_into_a_pipe(project: Project) -> None:
    project.add(5, -60)
    found = project.run("prune", "--batch", "1")
    assert found == ("connectnow_api.APIToken: 5 tokens deleted.\n", "", 0)


# --- Interrupted ------------------------------------------------------------------------------


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


def test_two_that_prune_at_once_delete_each_row_once(project: Project) -> None:
    project.add(1000, -60)
    project.add(5, 60)
    # What a process skips because another holds it is gone when that one ends.
    found = run_at_once(project, 2, "prune", "--batch", "20")
    assert sum(one["total"] for one in found) == 1000
    assert project.tokens.count() == 5
    assert project.events() == ["pruned"] * 1000


def test_two_that_notify_at_once_tell_of_each_token_once(project: Project) -> None:
    project.add(60, 3)
    project.add(5, 60)
    found = run_at_once(project, 2, "notify", "--mail")
    assert sum(one["notified"] for one in found) == 60
    assert sum(one["mailed"] for one in found) == 60
    assert project.events() == ["expiring"] * 60
    sent = "".join(file.read_text(encoding="utf-8") for file in project.mails.iterdir())
    assert sent.count("\nSubject: ") == 60


def test_of_several_that_rotate_at_once_one_wins(project: Project) -> None:
    project.add(1, 60)
    key = str(project.tokens.get().pk)
    started = [project.start("rotate", key, "--grace", "1d") for _ in range(2)]
    for process in started:
        process.communicate(timeout=PATIENCE)
    assert sorted(process.returncode for process in started) == [0, 4]
    assert project.tokens.count() == 2
