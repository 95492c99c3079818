"""Options that several verbs have, and what their values may be."""

from __future__ import annotations

import ipaddress
import re
from argparse import SUPPRESS, ArgumentTypeError
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from types import EllipsisType
from typing import Any

from django.core.management import CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from connectnow_api import tokens
from connectnow_api.addresses import Address
from connectnow_api.rates import Rate, parse_rates

from .errors import UsageError

MAX_DAYS = 36_500
"""A hundred years: dates beyond do not fit everywhere."""
_UNITS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60, "w": 7 * 24 * 60 * 60}
_PLAIN_TOKEN = re.compile(rf"[a-z][a-z0-9]{{1,9}}_[0-9A-Za-z]{{{tokens.SECRET_LENGTH},}}")


def refuse_secrets(options: Mapping[str, Any]) -> None:
    """Raise ``UsageError`` if a token itself, of whatever kind, is part of an option's value."""
    # Folders are called by long hashes too.
    values = (value for name, value in options.items() if name != "pythonpath")
    texts = (text for value in values for text in (value if isinstance(value, list) else [value]))
    if any(isinstance(text, str) and _PLAIN_TOKEN.search(text) for text in texts):
        raise UsageError(
            "That looks like a token itself, and arguments stay in the shell's history and in the "
            "list of processes. Name the token by its id, or use - and give it on stdin. This one "
            "should be revoked or rotated."
        )


def number(text: str, least: int = 1, most: int = 1_000_000_000) -> int:
    """Return a whole number from ``least`` to ``most``."""
    if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
        raise ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
    return int(text)


def days(text: str) -> int:
    """Return a number of days, 0 included."""
    return number(text, 0, MAX_DAYS)


def days_to_come(text: str) -> int:
    """Return a number of days above 0."""
    return number(text, 1, MAX_DAYS)


def batch_size(text: str) -> int:
    """Return how many rows one transaction may have."""
    return number(text, 1, 10_000)


def seconds(text: str) -> float:
    """Return a number of seconds that may have a fraction, an hour at most."""
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", text) or float(text) > _UNITS["h"]:
        raise ArgumentTypeError(f"{text!r} is no number of seconds such as 0.5")
    return float(text)


def duration(text: str) -> timedelta:
    """Return what ``90s``, ``30m``, ``24h``, ``7d`` or ``2w`` says."""
    found = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if not found or int(found[1]) * _UNITS[found[2]] > MAX_DAYS * _UNITS["d"]:
        raise ArgumentTypeError(f"{text!r} is no duration such as 30m, 24h or 7d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def moment(text: str) -> datetime:
    """Return an ISO 8601 date, with a time or without, in the site's zone unless it names one."""
    try:
        day = parse_date(text)
        found = datetime.combine(day, time()) if day else parse_datetime(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no date of the calendar") from None
    if found is None:
        raise ArgumentTypeError(f"{text!r} is no date such as 2030-12-31 or 2030-12-31T18:00Z")
    return timezone.make_aware(found) if timezone.is_naive(found) else found


def rates(text: str) -> tuple[Rate, ...]:
    """Return one rate, or several with commas between."""
    try:
        return parse_rates([part.strip() for part in text.split(",")])
    except ValueError as exc:
        raise ArgumentTypeError(str(exc)) from None


def address(text: str) -> Address:
    """Return an IP address; an IPv4 one that is spelt as IPv6 is an IPv4 one, as of requests."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no address such as 192.0.2.7") from None
    return getattr(found, "ipv4_mapped", None) or found


def add_kind(parser: CommandParser, default: str = "connectnow_api.APIToken") -> None:
    """Add the option that names a kind of token."""
    parser.add_argument(
        "--kind", metavar="APP.MODEL", help=f"the kind of token (default: {default})"
    )


def add_dry_run(parser: CommandParser) -> None:
    """Add the option of all verbs that change something."""
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done; change and send nothing"
    )


def add_expiry(parser: CommandParser) -> None:
    """Add the options that say when a new token expires."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--expires-at", type=moment, metavar="DATE", help="expire then: ISO 8601, as 2030-12-31"
    )
    group.add_argument("--days", type=days_to_come, metavar="N", help="expire in N days")
    group.add_argument("--never", action="store_true", help="never expire")


def expiry_from(options: dict[str, Any]) -> datetime | EllipsisType | None:
    """Return what the options of ``add_expiry`` say; an ellipsis if they say nothing."""
    if options["never"]:
        return None
    if options["days"]:
        return timezone.now() + timedelta(days=options["days"])
    found: datetime | None = options["expires_at"]
    return found or ...


def add_common(parser: CommandParser) -> None:
    """Add what every verb has: the format, and Django's options, which may stand behind a verb."""
    parser.add_argument(
        "--format", choices=["text", "json"], default="text", help="for people, or for scripts"
    )
    # What is said before the verb stands, unless it is said again.
    django = parser.add_argument_group("options of every command").add_argument
    django("-v", "--verbosity", type=int, choices=[0, 1, 2, 3], default=SUPPRESS)
    django("--settings", default=SUPPRESS)
    django("--pythonpath", default=SUPPRESS)
    for name in ("--traceback", "--no-color", "--force-color"):
        django(name, action="store_true", default=SUPPRESS)
