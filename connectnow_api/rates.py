"""Rates: so many requests in so many seconds, and how they are written."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

_UNITS = {
    name: seconds
    for seconds, names in (
        (1, "s sec secs second seconds"),
        (60, "m min mins minute minutes"),
        (60 * 60, "h hr hrs hour hours"),
        (24 * 60 * 60, "d day days"),
    )
    for name in names.split()
}
MAX_SECONDS = 366 * _UNITS["d"]
"""A year: memcached forgets at once what is to be kept for very long."""
MAX_RATES = 5
"""Each is an operation of its own on most stores."""
_RATE = re.compile(r"(?P<limit>[0-9]{1,9})/(?P<number>(?:[1-9][0-9]{0,4})?)(?P<unit>[a-z]+)")
_PAIR = 2


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    limit: int
    seconds: int

    def __str__(self) -> str:
        """Return the rate as it can be read again."""
        return f"{self.limit}/{self.seconds}s"


def parse_rate(value: Any) -> Rate:
    """Return what ``"5/m"``, ``"10/5s"`` or ``"100/day"`` says; raise ``ValueError`` for others.

    A unit has to be there, in lower case: ``s``, ``m``, ``h``, ``d`` or their English names and
    usual short forms. A window has a second at least and a year at most. ``"5/month"`` is refused,
    which DRF takes for 5 a minute and django-ratelimit likewise. A pair of whole numbers, requests
    and seconds, is django-ratelimit's other spelling.
    """
    if isinstance(value, tuple):
        return _parse_pair(value)
    if not isinstance(value, str):
        raise _no_rate(value)
    return _parse_text(value)


@lru_cache(maxsize=1000)
def _parse_text(text: str) -> Rate:
    found = _RATE.fullmatch(text)
    if found is None or found["unit"] not in _UNITS:
        raise _no_rate(text)
    return _within_a_year(
        Rate(int(found["limit"]), int(found["number"] or 1) * _UNITS[found["unit"]]), text
    )


def _parse_pair(pair: Any) -> Rate:
    are_numbers = len(pair) == _PAIR and all(type(number) is int for number in pair)
    if not are_numbers or pair[0] < 0 or pair[1] < 1:
        raise _no_rate(pair)
    return _within_a_year(Rate(*pair), pair)


def _within_a_year(rate: Rate, value: Any) -> Rate:
    if rate.seconds > MAX_SECONDS:
        raise ValueError(f"{value!r} is longer than a year")
    return rate


def _no_rate(value: Any) -> ValueError:
    return ValueError(f"{value!r} is no rate such as '5/m' or '10/5s'")


def parse_rates(value: Any) -> tuple[Rate, ...]:
    """Return the rates of one limit: of one rate, or of a list of them; ``()`` for ``None``.

    Raises ``ValueError`` for what is none, and for more than ``MAX_RATES``.
    """
    if value is None:
        return ()
    if isinstance(value, str | Rate) or is_pair(value):
        return (parse_rate(value),)
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MAX_RATES:
        raise ValueError(f"{value!r} is no rate, and no list of up to {MAX_RATES} rates")
    return tuple(dict.fromkeys(map(parse_rate, value)))


def is_pair(value: Any) -> bool:
    """Tell whether a value is django-ratelimit's other spelling of one rate, ``(5, 60)``."""
    return isinstance(value, tuple) and len(value) == _PAIR and all(type(n) is int for n in value)


def validate_rate(text: str) -> None:
    """Raise Django's ``ValidationError`` for what ``parse_rate`` refuses."""
    try:
        parse_rate(text)
    except ValueError:
        message = _("%(rate)r is no rate such as 60/m or 10/5s.")
        raise ValidationError(message, code="invalid", params={"rate": text}) from None
