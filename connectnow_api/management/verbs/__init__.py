"""The verbs of ``api_tokens``; a new one is a module and an entry here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from django.core.management import CommandParser

from connectnow_api.management.console import Console

from . import create, listing, notify, placements, prune, revoke, rotate, show


class Verb(Protocol):
    """What a module here has; the first line of its docstring is what ``--help`` says."""

    __doc__: str | None

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare options; the format and Django's own are added to every verb."""

    def run(self, console: Console, options: dict[str, Any]) -> None:
        """Do it, or raise a ``VerbError``."""


VERBS: Mapping[str, Verb] = {
    "create": create,
    "list": listing,
    "show": show,
    "revoke": revoke,
    "rotate": rotate,
    "prune": prune,
    "notify": notify,
    "placements": placements,
}
