"""A bar for people who wait, and a way to stop between two steps."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

INTERVAL = 0.1
"""Seconds between two drawings, and between two looks at whether to stop."""
CLEAR_LINE = "\r\x1b[K"


class Progress:
    """A bar on a terminal; on anything else nothing."""

    def __init__(self, stream: Any, label: str, total: int) -> None:
        """Take a stream of text, what is being done, and how many steps that has."""
        self.stream, self.label, self.total = stream, label, total
        self.done = 0
        self._drawn_at: float | None = None
        self._is_shown = total > 0 and stream.isatty()

    def __enter__(self) -> Progress:
        self._draw()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._is_shown:
            self._write(CLEAR_LINE)

    def advance(self, steps: int = 1) -> None:
        """Count steps that are done."""
        self.done += steps
        if self._drawn_at is None or time.monotonic() - self._drawn_at >= INTERVAL:
            self._draw()

    def _draw(self) -> None:
        if not self._is_shown:
            return
        self._drawn_at = time.monotonic()
        # Others may add rows meanwhile.
        share = min(1.0, self.done / self.total)
        numbers = f" {share:4.0%}  {self.done:,} of {self.total:,}"
        columns = shutil.get_terminal_size().columns - len(self.label) - len(numbers) - 4
        filled = "#" * round(share * min(40, max(0, columns)))
        bar = f" [{filled:<{min(40, columns)}}]" if columns > 0 else ""
        self._write(f"{CLEAR_LINE}{self.label}{bar}{numbers}")

    def _write(self, text: str) -> None:
        self.stream.write(text, ending="")
        self.stream.flush()


class Stop:
    """Whether somebody asked to stop; true once they did."""

    def __init__(self) -> None:
        self._is_asked = False

    def __bool__(self) -> bool:
        return self._is_asked

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Take a signal; the next one ends the process at once."""
        self._is_asked = True
        signal.signal(number, signal.default_int_handler)

    def wait(self, seconds: float) -> None:
        """Sleep, but not when it is time to stop."""
        end = time.monotonic() + seconds
        while not self and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, INTERVAL))


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Let Ctrl-C and SIGTERM be noted instead of ending what is under way."""
    stop = Stop()
    # Only the main thread may say what becomes of a signal.
    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    before = {number: signal.signal(number, stop.ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
