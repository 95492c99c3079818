"""The command as ``manage.py`` calls it: exit codes, errors in JSON, help."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError

from connectnow_api.management.verbs import prune

from .conftest import Run

pytestmark = pytest.mark.django_db

RATE = "'7' is no rate such as 60/m or 10/5s."


@pytest.mark.usefixtures("user")
def test_exit_codes_of_what_cannot_be(script: Run) -> None:
    create = ("create", "--owner", "ada", "--name", "x", "--rate", "7")
    assert script(*create) == ("", f"UsageError: --rate: {RATE}\n", 2)
    found = script(*create, "--format", "json")
    assert (found.stdout, found.status, found.stderr.count("\n")) == ("", 2, 1)
    assert json.loads(found.stderr) == {
        "error": "usage",
        "message": f"--rate: {RATE}",
        "fields": {"rate": [RATE]},
    }
    found = script("show", "0", "--format", "json")
    assert (found.stdout, found.status) == ("", 3)
    assert json.loads(found.stderr)["error"] == "not_found"
    found = script("prune", "--days", "x")
    assert (found.stdout, found.status) == ("", 2)
    found = script()
    assert (found.stdout, found.status) == ("", 2)


def test_a_database_that_refuses(script: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise OperationalError("gone\nHINT: look")

    monkeypatch.setattr(prune, "prunable", refuse)
    nothing = "connectnow_api.APIToken: 0 tokens deleted.\n"
    assert script("prune") == (nothing, "VerbError: The database refuses: gone\n", 1)
    found = script("prune", "--format", "json")
    assert (json.loads(found.stdout)["total"], found.status) == (0, 1)
    assert json.loads(found.stderr) == {
        "error": "failed",
        "message": "The database refuses: gone",
    }


def test_help_names_the_exit_codes(script: Run) -> None:
    found = script("prune", "--help")
    assert "\nexit codes:\n    0  done, also if there was nothing to do\n" in found.stdout
    assert found.stdout.endswith("\n  141  whoever read the output has closed it\n")


def test_djangos_options_stand_before_a_verb_or_behind(script: Run) -> None:
    assert script("--verbosity", "0", "--no-color", "prune") == ("", "", 0)
    behind = ("--no-color", "--settings", "tests.settings", "--pythonpath", ".")
    assert script("prune", "-v", "0", *behind) == ("", "", 0)
