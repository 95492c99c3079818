"""When a token is in force, as conditions of queries and as dates; its ``state`` says the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual
from django.utils import timezone

from .settings import api_settings

LATEST = datetime(9999, 1, 1, tzinfo=UTC)
"""The last expiry that can be told in every time zone, and stored in every database."""


def is_standing() -> Q:
    """Return the condition for a token that is not revoked yet; it may be rotated."""
    return Q(revoked_at=None) | Q(revoked_at__gt=timezone.now())


def is_expired(at: datetime | None = None) -> Q:
    """Return the condition for a token that is too old, or was not used for too long.

    ``at``: a moment that may lie in the past; now unless given. ``AbstractAPIToken.state`` says
    the same of one row.
    """
    moment = at or timezone.now()
    return is_too_old(moment) | is_idle(moment)


def is_idle(at: datetime | None = None) -> Q:
    """Return the condition for a token that was not used for too long."""
    moment = at or timezone.now()
    last_sign = Coalesce(F("last_used_at"), F("created_at"), output_field=DateTimeField())
    # A use of less than an interval ago may not be written yet.
    latest = Value(moment - api_settings.last_used_interval, output_field=DateTimeField())
    unused_for = ExpressionWrapper(latest - last_sign, output_field=DurationField())
    # Reckoned as a difference: a sum may be a date that is none.
    too_long = GreaterThanOrEqual(unused_for, F("idle_timeout"))
    return Q(too_long, idle_timeout__isnull=False)


def is_too_old(at: datetime) -> Q:
    """Return the condition for a token whose own expiry, or the site's maximum, is reached."""
    maximum = api_settings.max_token_lifetime
    oldest = Q() if maximum is None else Q(created_at__lte=at - maximum)
    return Q(expires_at__isnull=False, expires_at__lte=at) | oldest


def last_moment(expires_at: datetime | None, created_at: datetime) -> datetime | None:
    """Return when a token ends by its own expiry or the site's maximum; ``None``: never."""
    maximum = api_settings.max_token_lifetime
    oldest = None if maximum is None else created_at + min(maximum, LATEST - created_at)
    return min(filter(None, (expires_at, oldest)), default=None)


def expiry_after(lifetime: timedelta | None) -> datetime | None:
    """Return when a token of today that is to live so long expires, by the site's maximum too."""
    limits = [limit for limit in (lifetime, api_settings.max_token_lifetime) if limit is not None]
    now = timezone.now()
    return now + min(*limits, LATEST - now) if limits else None
