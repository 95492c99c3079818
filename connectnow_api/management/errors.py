"""Why a verb ended before it was done, each with its exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.management import CommandError

from .tables import printable

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells give it."""
READER_GONE = 141
"""The exit code when nobody reads any more (``| head``), as of other programs on Unix."""

EXIT_CODES: Mapping[int, str] = {
    0: "done, also if there was nothing to do",
    1: "something failed, such as a mail or the database; what was done is told",
    2: "an argument is missing or cannot be; nothing was changed",
    3: "there is no such kind, owner, token or limit; nothing was changed",
    4: "the token is revoked, rotated, expired or gone, and cannot be changed any more",
    INTERRUPTED: "interrupted, by Ctrl-C or SIGTERM, after the batch that was under way",
    READER_GONE: "whoever read the output has closed it",
}


class VerbError(CommandError):
    """Something failed."""

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, fields: Mapping[str, list[str]] | None = None) -> None:
        """Take a text for people and, if fields are at fault, the texts of each.

        The text may quote what others wrote: all but its ends of lines is made safe to show.
        """
        lines = map(printable, message.split("\n"))
        super().__init__("\n".join(lines), returncode=self.exit_code)
        self.fields = fields or {}

    def as_data(self) -> dict[str, object]:
        """Return what ``--format json`` says of it."""
        fields = {"fields": self.fields} if self.fields else {}
        return {"error": self.code, "message": str(self), **fields}


class UsageError(VerbError):
    """An argument is missing or cannot be."""

    code = "usage"
    exit_code = 2


class NotFoundError(VerbError):
    """There is no such kind, owner, token or limit."""

    code = "not_found"
    exit_code = 3


class ConflictError(VerbError):
    """A token cannot be changed any more."""

    code = "conflict"
    exit_code = 4


class OutputError(VerbError):
    """What was done cannot be told."""


class InterruptedVerbError(VerbError):
    """Somebody pressed Ctrl-C, or sent SIGTERM."""

    code = "interrupted"
    exit_code = INTERRUPTED


OPTIONS: Mapping[str, str] = {
    "owner": "--owner",
    "name": "--name",
    "abilities": "--ability",
    "expires_at": "--expires-at",
    "allowed_networks": "--network",
    "rate": "--rate",
    "idle_timeout": "--idle-days",
    "client": "--client",
    "grace": "--grace",
}
"""Field of a token to the option that sets it, in the order in which errors are told."""


def refusal_of(exc: ValidationError, hints: Mapping[str, str] | None = None) -> UsageError:
    """Return what to raise for values that a token cannot have, a line for each field."""
    fields = dict(exc.message_dict)
    for field, hint in (hints or {}).items():
        if hint and field in fields:
            fields[field] = [*fields[field], hint]
    known = [field for field in OPTIONS if field in fields]
    fields = {field: fields[field] for field in (*known, *(fields.keys() - OPTIONS.keys()))}
    lines = [f"{OPTIONS.get(field, field)}: {' '.join(texts)}" for field, texts in fields.items()]
    return UsageError("\n".join(lines), fields)
