"""Rates, who is counted, the counters, and what happens when they cannot be kept.

The one module that knows django-ratelimit. Of that we use the counting, one atomic ``add`` and
``incr`` on a Django cache; keys, rates and the client's address are ours. ``RATELIMIT_USE_CACHE``
names the cache and ``RATELIMIT_ENABLE = False`` switches all limits off, as its documentation
says; the app itself does not belong into ``INSTALLED_APPS``.

A window is fixed: it starts and ends at times that follow from its length and its key, whoever
asks when. So up to twice the limit may pass within moments around a window's end.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import logging
import math
import re
import time
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django_ratelimit.core import get_usage

from .addresses import find_address
from .exceptions import LimitUnavailable
from .outages import Outages
from .settings import UNSET, api_settings
from .signals import cache_unavailable

_outages = Outages(logging.getLogger(__name__))

_UNITS = {
    name: seconds
    for seconds, names in (
        (1, "s sec second seconds"),
        (60, "m min minute minutes"),
        (60 * 60, "h hour hours"),
        (24 * 60 * 60, "d day days"),
    )
    for name in names.split()
}
MAX_SECONDS = 366 * _UNITS["d"]
"""A year: memcached forgets at once what is to be kept for very long."""
_RATE = re.compile(r"(?P<limit>[0-9]{1,9})/(?P<number>(?:[1-9][0-9]{0,4})?)(?P<unit>[a-z]+)")


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    limit: int
    seconds: int


class Usage(NamedTuple):
    """One counter after a request was counted."""

    limit: int
    hits: int
    reset: int
    """When the next window starts, in seconds since 1970."""

    @property
    def is_exceeded(self) -> bool:
        """Whether the request that was counted is one too many."""
        return self.hits > self.limit

    @property
    def remaining(self) -> int:
        """How many more requests pass in this window."""
        return max(0, self.limit - self.hits)

    @property
    def retry_after(self) -> int:
        """Whole seconds until the next window, at least 1."""
        return max(1, math.ceil(self.reset - time.time()))

    def outranks(self, other: Usage) -> bool:
        """Tell whether this is the one of two that a client needs to know.

        The limit that refuses, of two such the one to wait longer for; else the tighter one.
        """
        if self.is_exceeded and other.is_exceeded:
            return self.reset > other.reset
        return self.is_exceeded or self.remaining < other.remaining

    def headers(self) -> dict[str, str]:
        """Return Laravel's headers; ``Retry-After`` is the exception handler's."""
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
        }
        return {**headers, "X-RateLimit-Reset": str(self.reset)} if self.is_exceeded else headers


def parse_rate(text: Any) -> Rate:
    """Return what ``"5/m"``, ``"10/5s"`` or ``"100/day"`` says; raise ``ValueError`` for others.

    A unit has to be there, in lower case: ``s``, ``m``, ``h``, ``d`` or their English names. A
    window has a second at least and a year at most. ``"5/month"`` is refused, which DRF takes for
    5 a minute and django-ratelimit likewise.
    """
    found = _RATE.fullmatch(text) if isinstance(text, str) else None
    if found is None or found["unit"] not in _UNITS:
        raise ValueError(f"{text!r} is no rate such as '5/m' or '10/5s'")
    rate = Rate(int(found["limit"]), int(found["number"] or 1) * _UNITS[found["unit"]])
    if rate.seconds > MAX_SECONDS:
        raise ValueError(f"{text!r} is longer than a year")
    return rate


def validate_rate(text: str) -> None:
    """Raise Django's ``ValidationError`` for what ``parse_rate`` refuses."""
    try:
        parse_rate(text)
    except ValueError:
        message = _("%(rate)r is no rate such as 60/m or 10/5s.")
        raise ValidationError(message, code="invalid", params={"rate": text}) from None


def is_enabled() -> bool:
    """Tell whether anything is counted at all: django-ratelimit's own setting says so."""
    return bool(getattr(django_settings, "RATELIMIT_ENABLE", True))


def hit(scope: str, rate: Any, who: str, on_failure: Any = UNSET) -> Usage | None:
    """Count a request of ``who`` against ``rate`` and return how it stands.

    Each (scope, rate, who) has a counter of its own. ``None``: limits are switched off, or could
    not be counted, which includes a rate that cannot be read, and ``on_failure``, else the setting
    ``ON_CACHE_FAILURE``, is ``"open"``. With ``"closed"`` it raises ``LimitUnavailable``.
    """
    if not is_enabled():
        return None
    # One text for scope and asker that no other pair has, of one length and without secrets.
    key = hashlib.sha256(json.dumps([str(scope), str(who)]).encode()).hexdigest()
    try:
        return _count(key, parse_rate(rate))
    except Exception as exc:  # noqa: BLE001 - each cache library has errors of its own
        cache_unavailable.send_robust(sender=scope, exception=exc)
        _outages.report(f"Limit {scope!r} cannot be counted", exc)
    if (api_settings.on_cache_failure if on_failure is UNSET else on_failure) == "closed":
        raise LimitUnavailable
    return None


def hit_failed_auth(request: Any) -> Usage | None:
    """Count a refused token against the address that sent it; ``None``: nothing is counted.

    Never ``"closed"``: whoever is refused gets no further, counted or not.
    """
    rate = api_settings.failed_auth_rate
    return None if rate is None else hit("failed_auth", rate, client_address(request), "open")


def _count(key: str, rate: Rate) -> Usage:
    found = get_usage(
        None, group="connectnow_api", key=lambda *_: key, rate=tuple(rate), increment=True
    )
    if not found or not found["count"]:
        raise ConnectionError("the cache does not count")
    # The second at which "time_left" is 0 still belongs to the window.
    return Usage(rate.limit, found["count"], int(time.time()) + found["time_left"] + 1)


def client_address(request: Any) -> str:
    """Return the address that a request counts against, as text; ``""`` if there is none.

    An IPv6 client has a whole /64 network and counts as that.
    """
    address = find_address(request)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address), 64), strict=False))
    return "" if address is None else str(address)


def show(view: Any, usage: Usage) -> None:
    """Put the headers of a limit on a view's answer, unless one shown before says as much.

    DRF copies ``view.headers`` to whatever the view answers, refusals included. RFC 6585: no cache
    may keep a 429.
    """
    headers = getattr(view, "headers", None)
    shown: Usage | None = getattr(view, "_limit_shown", None)
    if headers is None or (shown is not None and not usage.outranks(shown)):
        return
    view._limit_shown = usage
    headers.update(usage.headers())
    if usage.is_exceeded and "no-store" not in headers.get("Cache-Control", ""):
        headers["Cache-Control"] = "no-store"
