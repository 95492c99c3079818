"""The pages, and the pieces of code in them.

A page is read from top to bottom as one project, or as several if ``<!-- new project -->`` divides
it. ``<!-- python`` opens code that is run and not shown, ``<!-- python file: x.py`` such a file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [*PAGES, *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))]


class Block(NamedTuple):
    """A piece of code in a page: the words that introduce it, its text and its first line."""

    info: str
    text: str
    line: int


_BLOCK = re.compile(
    r"^```(?P<info>[a-z].*)\n(?P<text>(?:.*\n)*?)```$"
    r"|^<!-- (?P<hidden>python.*)\n(?P<code>(?:.*\n)*?)-->$"
    r"|^(?P<new><!-- new project -->)$",
    re.MULTILINE,
)


def projects_of(text: str) -> list[list[Block]]:
    """Return the blocks of each project that a page describes."""
    found: list[list[Block]] = [[]]
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["new"]:
            found.append([])
        elif match["hidden"]:
            found[-1].append(Block(match["hidden"], match["code"], line))
        else:
            found[-1].append(Block(match["info"], match["text"], line))
    return found
