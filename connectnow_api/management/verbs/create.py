"""Issue a token; its plain text, and nothing else, is written to stdout."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management import CommandParser
from django.views.decorators.debug import sensitive_variables

from connectnow_api.abilities import unknown_abilities
from connectnow_api.management.arguments import (
    add_dry_run,
    add_expiry,
    add_kind,
    days_to_come,
    expiry_from,
)
from connectnow_api.management.console import Console
from connectnow_api.management.errors import refusal_of
from connectnow_api.management.finding import close_to, get_kind, get_owner, name_of, reference_to
from connectnow_api.management.rows import describe, say_what_it_may
from connectnow_api.management.tables import printable
from connectnow_api.settings import api_settings


def add_arguments(parser: CommandParser) -> None:
    """Declare a token's fields."""
    add_kind(parser)
    parser.add_argument(
        "--owner", required=True, help="who it is for: a user's name, or a primary key"
    )
    parser.add_argument("--name", required=True, help="what its owner calls it")
    parser.add_argument(
        "--ability",
        action="append",
        default=[],
        metavar="NAME",
        help="what it may do: a name, or '*' for everything; again for more (default: nothing)",
    )
    add_expiry(parser)
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="CIDR",
        help="where it may be used from; again for more (default: anywhere)",
    )
    parser.add_argument("--rate", default="", help="how many requests it may send, as 60/m")
    idle = parser.add_mutually_exclusive_group()
    idle.add_argument(
        "--idle-days", type=days_to_come, metavar="N", help="end it when unused for N days"
    )
    idle.add_argument("--no-idle", action="store_true", help="never end it for being unused")
    parser.add_argument("--client", default="", help="what a required header has to name")
    add_dry_run(parser)


@sensitive_variables("new")
def run(console: Console, options: dict[str, Any]) -> None:
    """Issue it, or find what is wrong with all of its fields."""
    kind = get_kind(options["kind"])
    owner = get_owner(kind, options["owner"])
    make = kind.objects.prepare if options["dry_run"] else kind.objects.issue
    try:
        new = make(owner, options["name"], options["ability"], **_fields(options))
    except ValidationError as exc:
        raise refusal_of(exc, {"abilities": _abilities_meant(options["ability"])}) from None
    if options["dry_run"]:
        text = f"Would be issued: {say_what_it_may(new.token)}"
        console.result(text, {"dry_run": True, **describe(new.token)})
    else:
        console.secret(new.plain_text, describe(new.token))
        console.remark(f"Token {reference_to(new.token)}: {say_what_it_may(new.token)}")
    if not new.token.is_owner_active:
        name = printable(name_of(owner))
        console.warn(f"{name} is not active: the token opens nothing as long as that is so.")


def _fields(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "expires_at": expiry_from(options),
        "allowed_networks": options["network"],
        "rate": options["rate"],
        "client": options["client"],
        **_idle_timeout(options),
    }


def _idle_timeout(options: dict[str, Any]) -> dict[str, timedelta | None]:
    """Return the column if anything is said of it: what is left out is up to the site."""
    if options["no_idle"]:
        return {"idle_timeout": None}
    days = options["idle_days"]
    return {"idle_timeout": timedelta(days=days)} if days else {}


def _abilities_meant(names: list[str]) -> str:
    hints = (close_to(name, api_settings.abilities) for name in unknown_abilities(names))
    return " ".join(hint.strip() for hint in hints if hint)
