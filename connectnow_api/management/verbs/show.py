"""Show all that is known of one token."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandParser

from connectnow_api.management.arguments import add_kind
from connectnow_api.management.batches import write_last_uses
from connectnow_api.management.console import Console
from connectnow_api.management.finding import get_token, rows_of
from connectnow_api.management.rows import describe, said


def add_arguments(parser: CommandParser) -> None:
    """Declare which token."""
    parser.add_argument("token", help="its id, app.Model:id, or - to read the token from stdin")
    add_kind(parser)


def run(console: Console, options: dict[str, Any]) -> None:
    """Write its fields, one a line."""
    write_last_uses()
    token = get_token(options["token"], options["kind"])
    successors = rows_of(type(token)).filter(rotated_from=token)
    shown = {**describe(token), "rotated_to": successors.values_list("pk", flat=True).first()}
    lines = [f"{field.replace('_', ' '):18} {said(value)}" for field, value in shown.items()]
    console.answer("\n".join(lines), shown)
