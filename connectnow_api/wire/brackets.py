"""PHP's bracket spellings: ``tags[]``, ``tags[0]``, ``filter[state]``."""

from __future__ import annotations

import re
from collections import defaultdict

_INDEX = re.compile(r"[0-9]{1,18}")
_KEY = re.compile(r"(?P<name>[^\[]+)(?P<path>(?:\[[^\[\]]*\])*)")
_STEP = re.compile(r"\[([^\[\]]*)\]")


class Brackets:
    """Reads the keys of one form or query, and gives ``[]`` the index after the highest so far."""

    def __init__(self) -> None:
        """Begin with empty arrays."""
        self._next: dict[tuple[str, ...], int] = defaultdict(int)

    def path(self, key: str) -> list[str]:
        """Return the name and the steps of a key, ``["tags", "0"]``; brackets that do not match
        are part of the name."""
        match = _KEY.fullmatch(key)
        if match is None:
            return [key]
        path = [match["name"]]
        for step in _STEP.findall(match["path"]):
            path.append(self._index(tuple(path), step))
        return path

    def _index(self, array: tuple[str, ...], step: str) -> str:
        index = step or str(self._next[array])
        if _INDEX.fullmatch(index):
            self._next[array] = max(self._next[array], int(index) + 1)
        return index
