"""Tables of text for people: aligned, also with wide characters, and safe to show."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence

SAMPLE = 1000
"""How many rows are kept to measure the columns by; later ones may stand out."""
GAP = "  "
_JOINERS = "\u200c\u200d"
"""Invisible, and part of words in some scripts and of emoji."""


def printable(text: str) -> str:
    r"""Return a text with everything escaped that could move a cursor or turn a line around.

    Controls, directions of writing, lone surrogates and line separators become ``\x1b``,
    ``\u202e`` and the like.
    """
    return "".join(
        character
        if character.isprintable()
        or character in _JOINERS
        or unicodedata.category(character) == "Zs"
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def width(text: str) -> int:
    """Return how many columns of a terminal a printable text takes."""
    return sum(_width_of(character) for character in text)


def _width_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(text: str, columns: int) -> str:
    """Return a text that takes so many columns at most, with an ellipsis if it was longer."""
    if width(text) <= columns:
        return text
    taken = itertools.accumulate(map(_width_of, text))
    return text[: sum(so_far < columns for so_far in taken)] + "…"


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    heading: Callable[[str], str] = str,
) -> Iterator[str]:
    """Yield the lines of a table while its rows are read."""
    remaining = iter(rows)
    sample = list(itertools.islice(remaining, SAMPLE))
    widths = [max(map(width, column)) for column in zip(header, *sample, strict=True)]
    yield heading(_line(header, widths))
    for row in itertools.chain(sample, remaining):
        yield _line(row, widths)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell + " " * (columns - width(cell)) for cell, columns in zip(cells, widths, strict=True)
    )
    return GAP.join(padded).rstrip()
