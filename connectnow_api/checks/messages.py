"""How a message of ours is written."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

SETTING = "CONNECTNOW_API"


def check_id(number: str) -> str:
    """Return a check's whole id."""
    return f"connectnow_api.{number}"


def label(found: type) -> str:
    """Return the dotted name of a class."""
    return f"{found.__module__}.{found.__name__}"


def close_match(word: Any, known: Iterable[str]) -> str:
    """Return a hint that names the nearest of ``known``, or all of them."""
    near = difflib.get_close_matches(str(word), [*known], n=1)
    near = near or difflib.get_close_matches(str(word).upper(), [*known], n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Choose from {', '.join(sorted(known))}."
