"""Logging of what keeps going wrong, without flooding the log."""

from __future__ import annotations

import logging
import math
import threading
import time

from .redaction import redact
from .request_ids import described


class Outages:
    """Writes one line a minute to a logger, however often it is asked."""

    def __init__(self, logger: logging.Logger) -> None:
        """Take the logger; nothing was written to it yet."""
        self.logger = logger
        self._silent_until = -math.inf
        self._deciding = threading.Lock()

    def report(self, text: str, exc: Exception, words: str | None = None) -> None:
        """Log ``text`` and the exception as an error, unless a line is less than a minute old.

        ``words``: what the exception says, if its own words are not for a log.
        """
        if self._is_due():
            words = str(exc) if words is None else words
            said = redact(" ".join(f"{type(exc).__name__}: {words}".split()))
            self.logger.error("%s: %s%s", text, said, described())

    def _is_due(self) -> bool:
        """Tell whether to write now, to one of several threads that ask at once."""
        now = time.monotonic()
        with self._deciding:
            is_due = now >= self._silent_until
            if is_due:
                self._silent_until = now + 60
        return is_due
