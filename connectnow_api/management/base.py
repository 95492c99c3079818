"""What our commands have in common: verbs, the format, exit codes."""

from __future__ import annotations

import io
import os
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from django.core.management import BaseCommand, CommandParser
from django.core.management.base import DjangoHelpFormatter
from django.db import DatabaseError

from .arguments import add_common, refuse_secrets
from .console import Console, as_json
from .errors import (
    EXIT_CODES,
    READER_GONE,
    InterruptedVerbError,
    OutputError,
    VerbError,
)


class Verb(Protocol):
    """What a module has that is a verb; the first line of its docstring is what ``--help`` says."""

    __doc__: str | None

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare options; the format and Django's own are added to every verb."""

    def run(self, console: Console, options: dict[str, Any]) -> None:
        """Do it, or raise a ``VerbError``."""


class HelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Leaves the lines of the exit codes as they are."""


class VerbCommand(BaseCommand):
    """Parses arguments and calls a verb."""

    verbs: Mapping[str, Verb]
    # A view that is wrong shall keep nobody from revoking a token, or from resetting a limit.
    requires_system_checks: list[str] = []
    is_script = False
    """Whether a process runs this command and nothing else."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Add the exit codes to the help."""
        return super().create_parser(
            prog_name, subcommand, formatter_class=HelpFormatter, epilog=_epilog(), **kwargs
        )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare each verb with its options."""
        subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
        for name, verb in self.verbs.items():
            words = (verb.__doc__ or "").partition("\n")[0]
            own = subparsers.add_parser(
                name,
                help=words,
                description=words,
                formatter_class=HelpFormatter,
                epilog=_epilog(),
            )
            verb.add_arguments(own)
            add_common(own)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as a script."""
        self.is_script = True
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A name in a script that the terminal cannot show ends no list.
            sys.stdout.reconfigure(errors="backslashreplace")
        super().run_from_argv(argv)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run a verb; whatever ends it early becomes a ``CommandError`` or an exit code."""
        console = self._console(options)
        try:
            refuse_secrets(options)
            self.verbs[options["verb"]].run(console, options)
            console.flush()
        except BrokenPipeError:
            if self.is_script:
                _silence(sys.stdout, sys.stderr)
                sys.exit(READER_GONE)
            raise
        except OutputError as exc:
            if self.is_script:
                _silence(sys.stdout)
            self._refuse(console, exc, options)
        except KeyboardInterrupt:
            self._refuse(console, InterruptedVerbError("Interrupted."), options)
        except DatabaseError as exc:
            reason = str(exc).strip().partition("\n")[0]
            self._refuse(console, VerbError(f"The database refuses: {reason}"), options)
        except VerbError as exc:
            self._refuse(console, exc, options)

    def _console(self, options: dict[str, Any]) -> Console:
        is_coloured = self.stdout.isatty() or options["force_color"]
        return Console(
            self.stdout,
            self.stderr,
            as_json=options["format"] == "json",
            verbosity=options["verbosity"],
            heading=self.style.MIGRATE_HEADING if is_coloured else str,
        )

    def _refuse(self, console: Console, error: VerbError, options: dict[str, Any]) -> None:
        if self.is_script and console.as_json and not options["traceback"]:
            self.stderr.write(as_json(error.as_data()), str)
            sys.exit(error.returncode)
        raise error


def _silence(*streams: TextIO) -> None:
    """Let what is left to be written when the process ends go nowhere."""
    for stream in streams:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _epilog() -> str:
    lines = [f"  {code:3}  {meaning}" for code, meaning in EXIT_CODES.items()]
    return "\n".join(["exit codes:", *lines])
