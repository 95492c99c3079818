"""Where a verb writes to: results to stdout, remarks to stderr, for people or for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.management.base import OutputWrapper
from django.core.serializers.json import DjangoJSONEncoder

from .errors import OutputError, UsageError, VerbError
from .progress import Progress
from .tables import table


class Console:
    """Writes tables and sentences, or JSON.

    Of stdout, a script can use everything; what only a person wants to know goes to stderr, and
    with ``verbosity`` 0 nowhere.
    """

    def __init__(
        self,
        stdout: OutputWrapper,
        stderr: OutputWrapper,
        *,
        as_json: bool = False,
        verbosity: int = 1,
        heading: Callable[[str], str] = str,
    ) -> None:
        """Take Django's streams; ``heading`` colours the first line of a table."""
        self.stdout, self.stderr = stdout, stderr
        self.as_json, self.verbosity, self.heading = as_json, verbosity, heading

    def result(self, text: str, data: Mapping[str, Any]) -> None:
        """Write what came of it: a sentence unless ``verbosity`` is 0, or an object."""
        if self.as_json:
            self._write(as_json(data))
        elif self.verbosity:
            self._write(text)

    def answer(self, text: str, data: Mapping[str, Any]) -> None:
        """Write what was asked for, whatever ``verbosity`` says."""
        self._write(as_json(data) if self.as_json else text)

    def secret(self, plain_text: str, data: Mapping[str, Any]) -> None:
        """Write a new token at once, alone on its line or within an object."""
        try:
            self._write(as_json({"token": plain_text, **data}) if self.as_json else plain_text)
            self.flush()
        except (OutputError, BrokenPipeError) as exc:
            raise OutputError(
                f"Token {data['kind']}:{data['id']} is made, but its secret is lost, since it "
                "could not be written: rotate or revoke it."
            ) from exc

    def remark(self, text: str) -> None:
        """Write to stderr what a person may want to know."""
        if self.verbosity and not self.as_json:
            self.stderr.write(text, str)

    def warn(self, text: str) -> None:
        """Write to stderr what went wrong but ends nothing, whatever ``verbosity`` says."""
        self.stderr.write(as_json({"warning": text}) if self.as_json else text)

    def confirm(self, question: str, *, unasked: str, declined: str) -> None:
        """Return if a person agrees.

        Raises ``UsageError`` with the text ``unasked`` where none can be asked, and ``VerbError``
        with ``declined`` if they do not agree.
        """
        if not (sys.stdin.isatty() and self.stderr.isatty()):
            raise UsageError(unasked)
        self.stderr.write(f"{question} [y/N] ", str, ending="")
        self.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise VerbError(declined)

    def rows(
        self,
        found: Iterable[Any],
        data: Callable[[Any], Mapping[str, Any]],
        header: Sequence[str],
        cells: Callable[[Any], Sequence[str]],
    ) -> None:
        """Write things while they are read: a list of objects, or a table unless there are none."""
        if self.as_json:
            self._json_rows(map(data, found))
            return
        for line in table(header, map(cells, found), self.heading):
            self._write(line)

    def _json_rows(self, objects: Iterable[Mapping[str, Any]]) -> None:
        separator = "["
        for one in objects:
            self._write(f"{separator}\n{as_json(one)}", ending="")
            separator = ","
        self._write("[]" if separator == "[" else "\n]")

    def flush(self) -> None:
        """Let go what is written to stdout."""
        with _output_errors():
            self.stdout.flush()

    def _write(self, text: str, ending: str = "\n") -> None:
        with _output_errors():
            self.stdout.write(text, ending=ending)

    def progress(self, label: str, total: Callable[[], int]) -> Progress:
        """Return a bar of so many steps; they are counted only if somebody can see it."""
        shown = self.verbosity > 0 and self.stderr.isatty()
        return Progress(self.stderr, label, total() if shown else 0)


@contextmanager
def _output_errors() -> Iterator[None]:
    """Tell a full disk from whatever else may fail; that nobody reads any more is no error."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise OutputError(f"The output cannot be written: {exc.strerror}.") from exc


def as_json(data: Mapping[str, Any]) -> str:
    """Return one line of ASCII."""
    return json.dumps(data, cls=DjangoJSONEncoder)
