"""Every promise, and every row of the table of defects, has a test that is named after it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from .defects.servers import BOTH
from .services import PATIENCE

TESTS = Path(__file__).parent
NAME = re.compile(r"^(?: *async)? *def test_(rows?|promises?)_(\d+)(?:_and_(\d+))?_", re.MULTILINE)
COUNTS = {"row": 51, "promise": 30}
ELSEWHERE = {6, 7, 8, 26, 27, 28}
"""Rows that are not asked of the site of ``defects``, but of servers with an outage or a secret."""


@pytest.mark.parametrize("kind", COUNTS)
def test_none_is_missing(kind: str) -> None:
    found = set()
    for file in TESTS.rglob("test_*.py"):
        for what, *numbers in NAME.findall(file.read_text(encoding="utf-8")):
            if what.removesuffix("s") == kind:
                found |= {int(number) for number in numbers if number}
    assert found == {*range(1, COUNTS[kind] + 1)}


def test_the_documentation_names_each_promise() -> None:
    text = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \| ", text, re.MULTILINE)]
    assert numbers == [*range(1, COUNTS["promise"] + 1)]


def test_every_row_is_asked_of_a_server() -> None:
    """Collected by pytest: a WSGI and an ASGI server where the two can differ, else one."""
    # An empty expression of marks collects the tests of every suite.
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly"]
    command += ["-m", ""]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", str(TESTS / "defects")],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    servers = defaultdict(set)
    for number, parameters in re.findall(
        r"::test_row_(\d+)_\w+\[(.*)\]$", done.stdout, re.MULTILINE
    ):
        servers[int(number)] |= {*parameters.split("-")} & {"gunicorn", "uvicorn"}
    asked = {row for row, found in servers.items() if found}
    assert asked | ELSEWHERE == {*range(1, COUNTS["row"] + 1)}
    assert {row for row in BOTH if len(servers[row]) < 2} == set()
