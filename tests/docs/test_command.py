"""The tables of docs/command.md are what ``--help`` of both commands says."""

from __future__ import annotations

import argparse
import re

import pytest

from connectnow_api.management.arguments import add_common
from connectnow_api.management.base import VerbCommand
from connectnow_api.management.commands import api_limits, api_tokens
from connectnow_api.management.errors import EXIT_CODES
from tests.docs.tables import rows


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    return [action.option_strings[-1] for action in parser._actions if action.option_strings]


@pytest.mark.parametrize(
    ("command", "column"),
    [(api_tokens.Command, "verb"), (api_limits.Command, "verb of `api_limits`")],
)
def test_every_verb_is_listed_with_all_of_its_options(
    command: type[VerbCommand], column: str
) -> None:
    common = command().create_parser("manage.py", "command")
    common_parser = argparse.ArgumentParser()
    add_common(common_parser)  # type: ignore[arg-type]
    (verbs,) = [
        action for action in common._actions if isinstance(action, argparse._SubParsersAction)
    ]
    found = {
        name: [option for option in options_of(parser) if option not in options_of(common_parser)]
        for name, parser in verbs.choices.items()
    }
    listed = rows("docs/command.md", column)
    assert {row[column]: re.findall(r"--[\w-]+", row["options"]) for row in listed} == found
    assert [*found] == [*command.verbs]


def test_every_exit_code_is_listed() -> None:
    listed = {row["exit code"]: row["means"] for row in rows("docs/command.md", "exit code")}
    assert listed == {str(code): meaning for code, meaning in EXIT_CODES.items()}
