"""``RateLimit`` and ``RateLimit-Policy`` of the IETF's draft, and which headers are sent."""

from __future__ import annotations

import re
from typing import Any

import pytest

from connectnow_api.limiters import Limiter
from connectnow_api.test import limits_frozen, limits_off
from connectnow_api.throttling import AnonRateThrottle, LimiterThrottle
from tests.throttling.views import Ask, limited, shown

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]

ITEM = r'"(?:[ !#-\[\]-~]|\\["\\])*"(?:;[a-z]+=[0-9]{1,15})*'
LIST = re.compile(rf"{ITEM}(?:, {ITEM})*")
"""A list of strings with whole numbers as parameters (RFC 9651 section 3.1)."""


@pytest.fixture(autouse=True)
def frozen() -> Any:
    with limits_frozen(now=1_700_000_000) as limits:
        yield limits


def kinds(settings: Any, value: str) -> None:
    settings.CONNECTNOW_API = {"LIMIT_HEADERS": value}


def drafts(response: Any) -> tuple[str | None, str | None]:
    return response.get("RateLimit-Policy"), response.get("RateLimit")


def test_both(ask: Ask, settings: Any, frozen: Any) -> None:
    kinds(settings, "both")
    own = [Limiter(["60/m", "1000/day"], name="api"), Limiter("5/10s", name="search")]
    ask([LimiterThrottle], limiters=own)
    frozen.tick(3)
    response = ask([LimiterThrottle], limiters=own)
    assert drafts(response) == (
        '"api-60s";q=60;w=60, "api-86400s";q=1000;w=86400, "search";q=5;w=10',
        '"api-60s";r=58;t=57, "api-86400s";r=998;t=86397, "search";r=3;t=7',
    )
    assert shown(response) == {"Limit": 5, "Remaining": 3}


def test_only_the_drafts(ask: Ask, settings: Any) -> None:
    kinds(settings, "ietf")
    own = Limiter("1/m", name="api")
    passing, refused = (ask([LimiterThrottle], limiters=own) for _ in range(2))
    assert drafts(passing) == ('"api";q=1;w=60', '"api";r=0;t=60')
    assert shown(passing) == {}
    assert drafts(refused) == ('"api";q=1;w=60', '"api";r=0;t=60')
    assert shown(refused) == {"After": 60}
    assert refused["Cache-Control"] == "no-store"


def test_laravels_unless_said_otherwise(ask: Ask) -> None:
    response = ask([LimiterThrottle], limiters="1/m")
    assert drafts(response) == (None, None)
    assert shown(response) == {"Limit": 1, "Remaining": 0}


def test_throttle_classes_tell_the_same(ask: Ask, settings: Any) -> None:
    kinds(settings, "ietf")
    throttles = [limited(AnonRateThrottle, "9/m"), limited(AnonRateThrottle, "5/h", scope="own")]
    assert drafts(ask(throttles)) == (
        '"anon";q=9;w=60, "own";q=5;w=3600',
        '"anon";r=8;t=60, "own";r=4;t=3600',
    )


def test_an_answer_that_is_counted_afterwards_is_told_once(ask: Ask, settings: Any) -> None:
    kinds(settings, "ietf")
    own = Limiter("9/m", answers=[404], name="misses")
    response = ask([LimiterThrottle], "?fail=404", limiters=own)
    assert drafts(response) == ('"misses";q=9;w=60', '"misses";r=8;t=60')


@pytest.mark.parametrize("name", ['a"b\\c', "é", "a\r\nb", "x" * 300, "\x7f", "\ud800"])
def test_any_name_makes_a_list(ask: Ask, settings: Any, name: str) -> None:
    kinds(settings, "both")
    own = [Limiter(["1/s", "9/m"], name=name), "5/10s"]
    for header in drafts(ask([LimiterThrottle], limiters=own)):
        assert header is not None
        assert LIST.fullmatch(header), header


def test_one_limit_refuses_while_all_are_told(ask: Ask, settings: Any) -> None:
    """One in shadow has not counted what is refused, and is not told then."""
    kinds(settings, "both")
    own = [
        Limiter("1/h", name="hour"),
        Limiter(["9/m", "99/d"], name="more"),
        Limiter("0/s", name="new", shadow=True),
    ]
    passing, refused = (ask([LimiterThrottle], limiters=own) for _ in range(2))
    assert drafts(passing) == (
        '"hour";q=1;w=3600, "more-60s";q=9;w=60, "more-86400s";q=99;w=86400, "new";q=0;w=1',
        '"hour";r=0;t=3600, "more-60s";r=8;t=60, "more-86400s";r=98;t=86400, "new";r=0;t=1',
    )
    assert drafts(refused) == (
        '"hour";q=1;w=3600, "more-60s";q=9;w=60, "more-86400s";q=99;w=86400',
        '"hour";r=0;t=3600, "more-60s";r=8;t=60, "more-86400s";r=98;t=86400',
    )
    assert (refused.status_code, shown(refused)) == (
        429,
        {"Limit": 1, "Remaining": 0, "Reset": 1_700_003_600, "After": 3600},
    )


def test_no_number_has_more_digits_than_there_may_be(ask: Ask, settings: Any) -> None:
    kinds(settings, "ietf")
    found = drafts(ask([LimiterThrottle], limiters=Limiter([(10**20, 60)], name="all")))
    assert found == (f'"all";q={10**15 - 1};w=60', f'"all";r={10**15 - 1};t=60')


def test_refused_tokens_tell_the_same(ask: Ask, settings: Any) -> None:
    settings.CONNECTNOW_API = {"LIMIT_HEADERS": "ietf", "FAILED_AUTH_RATE": "1/m"}
    first, second = (ask(token="cn_wrong") for _ in range(2))
    assert (first.status_code, drafts(first)) == (401, (None, None))
    assert (second.status_code, drafts(second)) == (
        429,
        ('"failed_auth";q=1;w=60', '"failed_auth";r=0;t=60'),
    )
    assert shown(second) == {"After": 60}


def test_off_nothing_is_told(ask: Ask, settings: Any) -> None:
    kinds(settings, "both")
    with limits_off():
        response = ask([LimiterThrottle], limiters=["1/m", Limiter("1/m", answers=["2xx"])])
    assert (response.status_code, drafts(response), shown(response)) == (200, (None, None), {})
