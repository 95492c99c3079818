"""The tables of the pages, read."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT


def rows(page: str, *columns: str) -> list[dict[str, str]]:
    """Return the rows of the page's table whose first columns have these names."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    tables = [cells(line) for line in lines]
    starts = [i for i, row in enumerate(tables) if row and row[: len(columns)] == [*columns]]
    assert len(starts) == 1, f"{page} has {len(starts)} tables that begin with {columns}"
    header = tables[starts[0]]
    found = []
    for row in tables[starts[0] + 2 :]:
        if row is None:
            break
        found.append(dict(zip(header, row, strict=True)))
    return found


def cells(line: str) -> list[str] | None:
    """Return the cells of a table's line, without the marks of code; ``None`` for other lines."""
    if not line.startswith("|"):
        return None
    return [plain(cell.strip()) for cell in line.strip("|").split("|")]


def plain(cell: str) -> str:
    return cell[1:-1] if re.fullmatch(r"`[^`]*`", cell) else cell


def names(cell: str) -> list[str]:
    """Return the names in a cell that holds one or several."""
    return re.findall(r"\w+", cell)
