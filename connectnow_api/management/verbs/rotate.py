"""Give a token a successor, whose plain text, and nothing else, is written to stdout."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management import CommandParser
from django.views.decorators.debug import sensitive_variables

from connectnow_api.base_models import AbstractAPIToken, NewAPIToken
from connectnow_api.exceptions import TokenConflict
from connectnow_api.management.arguments import (
    add_dry_run,
    add_expiry,
    add_kind,
    duration,
    expiry_from,
)
from connectnow_api.management.console import Console
from connectnow_api.management.errors import ConflictError, refusal_of
from connectnow_api.management.finding import get_token, reference_to
from connectnow_api.management.rows import describe, said, say_what_it_may


def add_arguments(parser: CommandParser) -> None:
    """Declare which token, and what becomes of it."""
    parser.add_argument("token", help="its id, app.Model:id, or - to read the token from stdin")
    add_kind(parser)
    parser.add_argument(
        "--grace",
        type=duration,
        default=timedelta(0),
        metavar="DURATION",
        help="for how long the old one works on, as 30m, 24h or 7d (default: not at all)",
    )
    add_expiry(parser)
    add_dry_run(parser)


@sensitive_variables("new")
def run(console: Console, options: dict[str, Any]) -> None:
    """Rotate it; who comes second is refused."""
    token = get_token(options["token"], options["kind"])
    before = reference_to(token)
    try:
        new = _rehearse(token, options) if options["dry_run"] else _rotate(token, options)
    except ValidationError as exc:
        raise refusal_of(exc) from None
    except TokenConflict as exc:
        state = {"pruned": "gone"}.get(exc.state, exc.state)
        raise ConflictError(f"Token {before} cannot be rotated: it is {state}.") from None
    if options["dry_run"]:
        text = f"Would succeed token {before}: {say_what_it_may(new.token)}"
        console.result(text, {"dry_run": True, **describe(new.token)})
        return
    console.secret(new.plain_text, describe(new.token))
    console.remark(
        f"Token {reference_to(new.token)}: {say_what_it_may(new.token)} "
        f"Token {before} works until {said(token.revoked_at)}."
    )


def _rotate(token: AbstractAPIToken, options: dict[str, Any]) -> NewAPIToken[Any]:
    return token.rotate(options["grace"], expires_at=expiry_from(options))


def _rehearse(token: AbstractAPIToken, options: dict[str, Any]) -> NewAPIToken[Any]:
    """Return or raise what ``_rotate`` would, and store nothing."""
    if token.state != "active":
        raise TokenConflict(token, token.state)
    if token.revoked_at is not None:
        raise TokenConflict(token, "rotated")
    return token.build_successor(expiry_from(options))
