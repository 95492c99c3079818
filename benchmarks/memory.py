"""The resident memory of a server's processes, and whether it stays as it is."""

from __future__ import annotations

import resource
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

WARM_UP = 2_000
"""Requests, at least, until the processes together have loaded and cached most of what they ever
will."""
STRETCH = 0.2
"""The part of what follows that is compared, at its beginning and at its end."""
FEWEST = 5
"""Samples in a stretch, at least: fewer say nothing."""
LIMIT = 0.05


class Sample(NamedTuple):
    """One process at one time."""

    done: float
    """Which part of all requests was done, from 0 to 1."""
    kilobytes: int


class TooFewSamplesError(ValueError):
    """The run was too short to be judged."""


class Growth(NamedTuple):
    """What became of a process's memory after its warm-up."""

    first: float
    last: float

    @property
    def ratio(self) -> float:
        """How much more it is in the end, of what it was."""
        return self.last / self.first - 1

    @property
    def is_flat(self) -> bool:
        """Whether it grew by less than allowed."""
        return self.ratio < LIMIT


def warm_up(requests: int) -> float:
    """Return which part of so many requests is the warm-up: a tenth, or as much as there has to be.

    Of short runs it is half, after which they may grow still.
    """
    return min(max(0.1, WARM_UP / requests), 0.5)


def judge(samples: Sequence[Sample], warm_up: float) -> Growth:
    """Return the medians of the first stretch after the warm-up and of the last one.

    Raises ``TooFewSamplesError``.
    """
    length = (1 - warm_up) * STRETCH
    stretches = [
        [s.kilobytes for s in samples if start <= s.done <= start + length]
        for start in (warm_up, 1 - length)
    ]
    if min(map(len, stretches)) < FEWEST:
        raise TooFewSamplesError(
            f"{[len(s) for s in stretches]} samples, {FEWEST} of each are needed"
        )
    return Growth(*map(statistics.median, stretches))


def read(process: int) -> int | None:
    """Return the kilobytes of memory that a process has, shared ones too; ``None`` if it is gone.

    Linux only. What is divided among those who share it would grow as they cease to share.
    """
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * resource.getpagesize() // 1024


def children(process: int) -> frozenset[int]:
    """Return the processes that a process has started. Linux only."""
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return frozenset()
    return frozenset(map(int, text.split()))
