"""How many accepted tokens were sent where, so that a site can tell when a placement is unused.

With ``COUNT_PLACEMENTS`` they are counted by day (UTC), kind and placement in Django's default
cache, one operation for each request, and kept for ``DAYS`` days. A token that is sent in the query
is logged besides, once a day. What goes wrong here is logged, and fails no request.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.core.cache import cache
from django.utils import timezone

from .events import describe_use
from .outages import Outages
from .placements import READERS
from .settings import api_settings

DAYS = 40
KEY = "connectnow_api.placements"
_DAY = 24 * 60 * 60

logger = logging.getLogger(__name__)
_outages = Outages(logger)


class Count(NamedTuple):
    """How many tokens of a kind were accepted on a day in a placement."""

    day: date
    kind: str
    placement: str
    number: int


def record(token: Any, request: Any, placement: str) -> None:
    """Count a token that was accepted, if the site wants that."""
    if not api_settings.count_placements:
        return
    try:
        _count(_key(_today(), type(token)._meta.label, placement))
        if placement == "query" and cache.add(
            f"{KEY}.of.{_today()}.{token._meta.label_lower}.{token.pk}", 1, _DAY
        ):
            logger.info("A token in the query: %s", describe_use(request, token))
    except Exception as exc:  # noqa: BLE001 - each cache library has errors of its own
        _outages.report("The placement of a token cannot be counted", exc)


def _count(key: str) -> None:
    try:
        cache.incr(key)
    except ValueError:
        # The first of its day, of which there may be several at once.
        if not cache.add(key, 1, DAYS * _DAY):
            cache.incr(key)


def counts(kinds: list[str], days: int) -> Iterator[Count]:
    """Yield what was counted in the last ``days`` days, today included, the oldest day first."""
    span = [_today() - timedelta(days=ago) for ago in reversed(range(min(days, DAYS)))]
    wanted = [(day, kind, placement) for day in span for kind in kinds for placement in READERS]
    found = cache.get_many([_key(*each) for each in wanted])
    for each in wanted:
        if number := found.get(_key(*each)):
            yield Count(*each, int(number))


def _today() -> date:
    return timezone.now().date()


def _key(day: date, kind: str, placement: str) -> str:
    return f"{KEY}.{day}.{kind}.{placement}"
