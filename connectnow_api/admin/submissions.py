"""Forms that may take effect once: a reload or a second click makes no second token.

The key in a form is signed for its user and its kind of token and is good for a day. The first
request with it claims it in Django's default cache, which all processes have to share. Without a
cache that answers, nobody is hindered.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from typing import Any

from django.core import signing
from django.core.cache import cache

from connectnow_api.outages import Outages

LIFETIME = 24 * 60 * 60
"""Seconds for which a form is good, and a claim is remembered."""

_outages = Outages(logging.getLogger(__name__))


def make_key(scope: str) -> str:
    """Return a key for a form that is about to be shown; ``scope`` says whose and for what."""
    return _signer(scope).sign(secrets.token_urlsafe(16))


def is_good(key: str, scope: str) -> bool:
    """Tell whether ``make_key`` made a key in this scope, at most a day ago."""
    try:
        _signer(scope).unsign(key, max_age=LIFETIME)
    except signing.BadSignature:
        return False
    return True


def claim(key: str) -> str | None:
    """Claim a key; return ``None`` if nobody has before, else what was noted of it."""
    try:
        if cache.add(_name(key), "", LIFETIME):
            return None
        found: str | None = cache.get(_name(key))
    except Exception as exc:  # noqa: BLE001 - each cache library has errors of its own
        _report(exc)
        return None
    return found


def note(key: str, made: Any) -> None:
    """Remember what a claimed key was good for."""
    try:
        cache.set(_name(key), str(made), LIFETIME)
    except Exception as exc:  # noqa: BLE001 - as above
        _report(exc)


def release(key: str) -> None:
    """Give a key back that came to nothing."""
    try:
        cache.delete(_name(key))
    except Exception as exc:  # noqa: BLE001 - as above
        _report(exc)


def _signer(scope: str) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=f"{__name__}:{scope}")


def _name(key: str) -> str:
    return f"connectnow_api:submission:{hashlib.sha256(key.encode()).hexdigest()}"


def _report(exc: Exception) -> None:
    _outages.report("A form cannot be kept from being sent twice", exc)
