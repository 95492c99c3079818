"""The tables of docs/command.md are what ``api_tokens --help`` says."""

from __future__ import annotations

import argparse
import re

from connectnow_api.management.arguments import add_common
from connectnow_api.management.commands.api_tokens import Command
from connectnow_api.management.errors import EXIT_CODES
from connectnow_api.management.verbs import VERBS
from tests.docs.tables import rows


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    return [action.option_strings[-1] for action in parser._actions if action.option_strings]


def test_every_verb_is_listed_with_all_of_its_options() -> None:
    common = Command().create_parser("manage.py", "api_tokens")
    common_parser = argparse.ArgumentParser()
    add_common(common_parser)  # type: ignore[arg-type]
    (verbs,) = [
        action for action in common._actions if isinstance(action, argparse._SubParsersAction)
    ]
    found = {
        name: [option for option in options_of(parser) if option not in options_of(common_parser)]
        for name, parser in verbs.choices.items()
    }
    listed = rows("docs/command.md", "verb")
    assert {row["verb"]: re.findall(r"--[\w-]+", row["options"]) for row in listed} == found
    assert [*found] == [*VERBS]


def test_every_exit_code_is_listed() -> None:
    listed = {row["exit code"]: row["means"] for row in rows("docs/command.md", "exit code")}
    assert listed == {str(code): meaning for code, meaning in EXIT_CODES.items()}
