"""What is said of a token, to scripts and to people. Never a digest: eight digits of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from connectnow_api import tokens
from connectnow_api.base_models import AbstractAPIToken

from .finding import name_of, reference_to
from .tables import printable, shorten

HEADER = ("ID", "NAME", "OWNER", "TOKEN", "STATE", "EXPIRES", "LAST USED")
NAME_COLUMNS = 40


def describe(token: AbstractAPIToken) -> dict[str, Any]:
    """Return a token as the values of a JSON object."""
    return {
        "kind": token._meta.label,
        "id": token.pk,
        "name": token.name,
        "owner": name_of(token.owner) or None,
        "owner_id": token.owner_id,
        "masked": token.masked,
        "fingerprint": tokens.fingerprint(token.digest),
        "state": token.state,
        "usable": token.is_usable,
        "abilities": token.abilities,
        "allowed_networks": token.allowed_networks,
        "rate": token.rate,
        "client": token.client,
        "created_at": token.created_at,
        "expires_at": token.last_moment,
        "idle_timeout": token.idle_timeout,
        "last_used_at": token.last_used_at,
        "last_used_address": token.last_used_address,
        "revoked_at": token.revoked_at,
        "rotated_from": token.serializable_value("rotated_from"),
    }


def summarize(token: AbstractAPIToken) -> tuple[str, ...]:
    """Return a token as a line of a table, below ``HEADER``."""
    return (
        reference_to(token),
        shorten(printable(token.name), NAME_COLUMNS),
        shorten(said(name_of(token.owner)), NAME_COLUMNS),
        printable(token.masked),
        token.state,
        said(token.last_moment),
        said(token.last_used_at),
    )


def said(value: Any) -> str:
    """Return a value for people: dates in the site's time zone, ``-`` for nothing."""
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M %Z")
    return printable(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def say_what_it_may(token: AbstractAPIToken) -> str:
    """Return a sentence on a token that is new."""
    name, owner = printable(token.name), said(name_of(token.owner))
    abilities = ", ".join(token.abilities) or "nothing"
    expiry = "never expires" if token.last_moment is None else f"expires {said(token.last_moment)}"
    return f"{name} of {owner}, may do {abilities}, {expiry}."


def how_many(count: int) -> str:
    """Return a number of tokens with the noun."""
    return "1 token" if count == 1 else f"{count:,} tokens"
