"""What the columns of a token may hold, where that is no matter of the columns alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .settings import api_settings
from .states import LATEST

TYPES: Mapping[str, type] = {"name": str, "rate": str, "client": str, "idle_timeout": timedelta}
DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Embeddings, overrides and isolates of the direction in which a text is read."""
MAX_IDLE_TIMEOUT = timedelta(days=36_525)
"""A century: not every database can hold, or reckon with, what Python can."""


def check_expiry(expires_at: Any, created_at: datetime) -> None:
    """Raise ``ValidationError`` for ``expires_at`` if a token cannot have that."""
    try:
        _validate_expiry(expires_at, created_at)
    except ValidationError as exc:
        raise ValidationError({"expires_at": exc}) from None


def _validate_expiry(expires_at: Any, created_at: datetime) -> None:
    """Raise ``ValidationError`` unless ``expires_at`` is to come and not beyond the maximum."""
    maximum = api_settings.max_token_lifetime
    latest = LATEST if maximum is None else min(created_at + maximum, LATEST)
    if expires_at is None:
        if maximum is not None:
            raise ValidationError(_("On this site every token expires."), code="required")
        return
    if not isinstance(expires_at, datetime) or timezone.is_naive(expires_at):
        raise ValidationError(_("The expiry is no date and time with a time zone."), code="invalid")
    if expires_at <= timezone.now():
        raise ValidationError(_("The expiry lies in the past."), code="past")
    if expires_at > latest:
        text = _("This token may live until %(latest)s at most.")
        raise ValidationError(text, code="too_late", params={"latest": latest.isoformat()})


def wrong_types(token: Any) -> Iterator[tuple[str, ValidationError]]:
    """Yield the columns whose value is of another type, which Django would turn into a text."""
    for name, kind in TYPES.items():
        if not isinstance(getattr(token, name), kind | None):
            yield name, ValidationError(_("This value is not valid."), code="invalid")


def validate_text(text: str) -> None:
    """Raise ``ValidationError`` for a text that cannot be seen, or has what no person typed."""
    categories = {unicodedata.category(character) for character in text}
    if categories <= {"Cf", "Zs"}:
        raise ValidationError(_("This field cannot be blank."), code="blank")
    # Controls, lone surrogates, line and paragraph separators; joiners are part of some scripts,
    # but what turns their direction round would make a name look like another.
    if categories & {"Cc", "Cs", "Zl", "Zp"} or DIRECTIONS.intersection(text):
        raise ValidationError(_("This text holds a control character."), code="invalid")


def validate_client(client: str) -> None:
    """Raise ``ValidationError`` for a client that could not stand alone in a header."""
    # A comma would match a header that was sent twice.
    if not client.isprintable() or "," in client:
        text = _("A client is a text of printable characters without a comma.")
        raise ValidationError(text, code="invalid")


def validate_idle_timeout(timeout: timedelta) -> None:
    """Raise ``ValidationError`` unless ``timeout`` is above zero, and last uses are kept."""
    if not timedelta(0) < timeout <= MAX_IDLE_TIMEOUT:
        text = _("An idle timeout is above zero, and 100 years at most.")
        # Not "invalid": a model form would say "Enter a valid duration." instead.
        raise ValidationError(text, code="out_of_range")
    if api_settings.last_used == "off":
        text = _("This site does not keep when a token was last used.")
        raise ValidationError(text, code="last_used_off")


def validate_grace(grace: timedelta) -> None:
    """Raise ``ValidationError`` for a time that is none, negative, or beyond all expiries."""
    if not isinstance(grace, timedelta):
        raise ValidationError({"grace": _("This value is not valid.")})
    if grace < timedelta(0):
        raise ValidationError({"grace": _("A grace is not negative.")})
    if grace > LATEST - timezone.now():
        raise ValidationError({"grace": _("This grace is too long.")})
