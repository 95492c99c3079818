"""Rates, counters, windows, addresses, and what happens when nothing can be counted."""

from __future__ import annotations

import itertools
import logging
import math
import re
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from django.core.cache import cache, caches
from hypothesis import assume, given
from hypothesis import strategies as st

from connectnow_api.engines import Counter, MemoryEngine, using
from connectnow_api.exceptions import LimitUnavailable
from connectnow_api.limits import (
    Limit,
    Rate,
    Told,
    Usage,
    client_address,
    foresee,
    headers_of,
    hit,
    look,
    parse_rate,
    take,
)
from connectnow_api.signals import cache_unavailable
from tests.conftest import Clock, Stored, fixtures_once

pytestmark = pytest.mark.usefixtures("limits", "clock")

LENGTHS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def hits(*args: Any) -> int:
    usage = hit(*args)
    assert usage is not None
    return usage.hits


# Rates


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", (10, 1)),
        ("10/5s", (10, 5)),
        ("5/m", (5, 60)),
        ("5/10m", (5, 600)),
        ("3/h", (3, 3600)),
        ("100/day", (100, 86400)),
        ("1/min", (1, 60)),
        ("1/2hours", (1, 7200)),
        ("0/m", (0, 60)),
        ("999999999/d", (999999999, 86400)),
        ((5, 60), (5, 60)),
    ],
)
def test_rates(text: str, rate: tuple[int, int]) -> None:
    assert parse_rate(text) == Rate(*rate)


@pytest.mark.parametrize("unit", ["s sec second seconds", "m min minute minutes"])
@pytest.mark.parametrize("number", ["", "1", "15"])
def test_every_name_of_a_unit_means_the_same(unit: str, number: str) -> None:
    assert len({parse_rate(f"7/{number}{name}") for name in unit.split()}) == 1


@pytest.mark.parametrize(
    "text",
    [
        *("", "5", "5/", "/m", "5/x", "5/ m", " 5/m", "5/m ", "5/m\n", "5/M", "5/month", "5/mo"),
        *("5/week", "5/0m", "5/01m", "-5/m", "+5/m", "5.5/m", "5/1.5m", "5//m", "5/m/m", "5 per m"),
        *("٣/m", "5/٣m", "5/s5", "1_0/m", "1234567890/m", "1/123456s", "5/ſ"),
        *(5, 5.0, None, True, b"5/m", ["5/m"], {}, object()),
        *((5,), (5, 0), (-5, 60), (5.0, 60), (True, 60), (5, 60, 1), ("5", 60), (5, 10**9)),
    ],
)
def test_what_is_no_rate(text: Any) -> None:
    """Also what others read as something: ``5/x`` as 5 a second, ``5/month`` as 5 a minute."""
    with pytest.raises(ValueError, match=r"no rate|longer than a year"):
        parse_rate(text)


@given(st.text() | st.from_regex(r"\d{0,12}/\d{0,7}[a-z]{0,7}") | st.integers() | st.binary())
def test_anything_is_a_rate_or_a_value_error(text: Any) -> None:
    try:
        rate = parse_rate(text)
    except ValueError:
        return
    limit, _, length = text.partition("/")
    assert rate.limit == int(limit)
    number = length.rstrip("abcdefghijklmnopqrstuvwxyz")
    assert rate.seconds == int(number or 1) * LENGTHS[length[len(number)]]


# Counters


def test_a_counter_belongs_to_scope_rate_and_asker(clock: Clock) -> None:
    assert [hits("a", "2/m", "x") for _ in range(3)] == [1, 2, 3]
    assert hits("b", "2/m", "x") == 1
    assert hits("a", "3/m", "x") == 1
    assert hits("a", "2/h", "x") == 1
    assert hits("a", "2/m", "y") == 1
    assert hits("a", "2/60s", "x") == 4


TEXT = st.text(max_size=5) | st.text('",[]\\:/0123456789s', max_size=5)


def shared(*rates: str) -> list[Limit]:
    """Return limits that have a counter together, where there is such."""
    return [Limit(f"limit {rate}", "ada", rate, counter="together") for rate in rates]


def counts_of(told: list[Told]) -> list[int]:
    return [each.usage.hits for each in told]


def test_on_a_cache_limits_that_share_a_counter_have_one_each() -> None:
    assert counts_of(take(shared("1/m", "1/h"))) == [1, 1]
    assert [each.refuses for each in take(shared("1/m", "2/h"))] == [True, False]


def test_a_shared_counter_is_not_the_counter_of_a_limit_with_its_name() -> None:
    own, shares = Limit("api", "ada", "2/m"), Limit("other", "ada", "2/m", counter="api")
    assert counts_of(take([own])) == [1]
    assert counts_of(take([shares])) == [1]
    assert counts_of(take([own])) == [2]


def test_on_a_cache_what_is_added_twice_is_told_as_it_stands_then() -> None:
    assert counts_of(take(shared("5/m") * 2)) == [2, 2]
    assert counts_of(take(shared("5/m") * 3)) == [5, 5, 5]


def test_what_would_not_fit_into_one_counter_twice_is_foreseen() -> None:
    with using(MemoryEngine()):
        assert not any(each.refuses for each in foresee(shared("1/m")))
        assert [each.refuses for each in foresee(shared("1/m", "1/h"))] == [False, True]
        assert counts_of(look(shared("1/m"))) == [0]


@fixtures_once
@given(st.tuples(TEXT, TEXT), st.tuples(TEXT, TEXT), st.sampled_from(["5/m", "15/m", "5/s"]))
def test_no_two_askers_share_a_counter(
    one: tuple[str, str], other: tuple[str, str], rate: str
) -> None:
    """Where texts are only joined, group ``api`` at 15/m is group ``api1`` at 5/m."""
    assume(one != other)
    cache.clear()
    with mock.patch("time.time", Clock()):
        assert hits(one[0], rate, one[1]) == 1
        assert hits(other[0], rate, other[1]) == 1
        assert hits(one[0], "5/h", one[1]) == 1
        assert hits(one[0], rate, one[1]) == 2


@pytest.mark.parametrize("who", ["x" * 3000, "\x7f\x00 \n", "\ud800", "é", ""])
def test_any_text_is_a_good_key(who: str, clock: Clock, recwarn: Any) -> None:
    """memcached refuses keys of more than 250 characters, and control characters."""
    assert hits("a", "2/m", who) == 1
    assert hits("a", "2/m", who) == 2
    assert not recwarn


def test_neither_the_asker_nor_the_scope_is_legible_in_the_cache(stored: Stored) -> None:
    hit("reports", "2/m", "address:192.0.2.7")
    (key,) = stored()
    assert re.fullmatch(r":1:rl:[0-9a-f]{64}", key)


def test_the_cache_that_is_named_is_used(settings: Any) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "tests.conftest.BrokenCache"},
        "counters": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    }
    settings.RATELIMIT_USE_CACHE = "counters"
    assert hits("a", "2/m", "x") == 1


@pytest.mark.parametrize("rate", ["1/m", "5/x"])
def test_switched_off_nothing_is_counted_or_refused(
    settings: Any, rate: str, caplog: Any, stored: Stored
) -> None:
    settings.RATELIMIT_ENABLE = False
    assert [hit("a", rate, "x", "closed") for _ in range(3)] == [None] * 3
    assert not caplog.records
    assert not stored()


# Usage


def told(usage: Usage) -> Told:
    limit = Limit("a", "x", f"{usage.limit}/m")
    return Told(limit, Counter("", "", Rate(usage.limit, 60)), usage)


def test_usage() -> None:
    passing, last, over = (Usage(2, number, 60, 0.0) for number in (1, 2, 3))
    assert [u.remaining for u in (passing, last, over)] == [1, 0, 0]
    assert [u.is_exceeded for u in (passing, last, over)] == [False, False, True]


def test_the_headers_of_a_request_that_passes_and_of_one_that_does_not() -> None:
    limit = {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "0"}
    passing, refused = (told(Usage(2, hits, 1700000060, 1700000000.0)) for hits in (2, 3))
    assert headers_of([passing]) == limit
    assert headers_of([refused]) == {**limit, "X-RateLimit-Reset": "1700000060"}
    assert headers_of([]) == {}


def test_reset_is_rounded_up() -> None:
    """A client that returns at this second is not one fraction too early."""
    rejected = told(Usage(2, 3, 1700000059.2, 1700000000.0))
    assert headers_of([rejected])["X-RateLimit-Reset"] == "1700000060"


@pytest.mark.parametrize(
    ("now", "seconds"), [(0.0, 60), (0.5, 60), (59.0, 1), (59.9, 1), (60.0, 1), (75.0, 1)]
)
def test_retry_after_is_rounded_up_and_at_least_1(now: float, seconds: int) -> None:
    assert Usage(1, 2, 60, now).retry_after == seconds


REFUSING, REFUSING_LONGER = Usage(1, 2, 60, 0.0), Usage(9, 10, 90, 0.0)
TIGHT, WIDE = Usage(2, 1, 60, 0.0), Usage(9, 1, 60, 0.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (REFUSING, TIGHT),
        (REFUSING, Usage(1, 1, 90, 0.0)),
        (REFUSING_LONGER, REFUSING),
        (TIGHT, WIDE),
    ],
)
def test_of_two_limits_one_is_shown(one: Usage, other: Usage) -> None:
    assert one.outranks(other)
    assert not other.outranks(one)


def test_of_two_equal_limits_the_first_stays() -> None:
    assert not TIGHT.outranks(Usage(9, 8, 99, 0.0))


# Windows


RATES = st.sampled_from(["1/s", "1/5s", "1/7s", "1/m", "1/10m", "1/h", "1/day", "1/99999s"])
TIMES = st.floats(1_600_000_000, 2_000_000_000)


@fixtures_once
@given(RATES, st.text(max_size=5), TIMES)
def test_the_next_request_passes_when_it_is_said_to(rate: str, who: str, now: float) -> None:
    """After ``Retry-After`` seconds and at ``X-RateLimit-Reset``, and not a second earlier."""
    cache.clear()
    clock = Clock(now)
    with mock.patch("time.time", clock):
        hit("a", rate, who)
        refused = hit("a", rate, who)
        assert refused is not None
        assert refused.is_exceeded
        wait = refused.retry_after
        assert wait == max(1, math.ceil(refused.reset - now))
        assert now < refused.reset <= now + parse_rate(rate).seconds
        clock.now = max(now, refused.reset - 0.001)
        assert hits("a", rate, who) == 3
        clock.now = now + wait
        assert hits("a", rate, who) == 1


@fixtures_once
@given(RATES, st.text(max_size=5), TIMES)
def test_windows_follow_one_another_whoever_asks_when(rate: str, who: str, now: float) -> None:
    """The next window ends one length after this one, and does not wait for a request."""
    cache.clear()
    seconds = parse_rate(rate).seconds
    clock = Clock(now)
    with mock.patch("time.time", clock):
        usage = hit("a", rate, who)
        assert usage is not None
        for later in (0, seconds - 1):
            clock.now = float(usage.reset + later)
            following = hit("a", rate, who)
            assert following is not None
            assert following.reset == usage.reset + seconds


def test_the_windows_of_different_askers_end_at_different_times(clock: Clock) -> None:
    """Or everybody who was refused would come back in the same second."""
    ends = {usage.reset for n in range(50) if (usage := hit("a", "1/h", str(n)))}
    assert len(ends) > 40


def test_up_to_twice_the_limit_pass_around_the_end_of_a_window(clock: Clock) -> None:
    usage = hit("a", "3/m", "x")
    assert usage is not None
    clock.now = usage.reset - 0.1
    before = [hits("a", "3/m", "x") <= 3 for _ in range(3)]
    clock.now = usage.reset
    after = [hits("a", "3/m", "x") <= 3 for _ in range(4)]
    assert (before, after) == ([True, True, False], [True, True, True, False])


def test_a_clock_that_ticks_meanwhile_makes_nobody_come_back_too_early(clock: Clock) -> None:
    standing = hit("a", "9/m", "x")
    assert standing is not None
    ticks = itertools.count(standing.reset - 3, 0.5)
    with mock.patch("time.time", side_effect=ticks):
        ticking = hit("a", "9/m", "x")
    assert ticking is not None
    assert ticking.reset >= standing.reset


# Outages


class Signals(list[tuple[str, str]]):
    """Scope and exception of each signal."""

    def __call__(self, sender: str, exception: Exception, **kwargs: Any) -> None:
        self.append((sender, type(exception).__name__))


@pytest.fixture
def signals() -> Any:
    receiver = Signals()
    cache_unavailable.connect(receiver)
    yield receiver
    cache_unavailable.disconnect(receiver)


@pytest.mark.usefixtures("outage")
def test_an_outage_lets_pass_and_is_told(signals: Signals, caplog: Any) -> None:
    assert hit("a", "2/m", "x") is None
    assert signals == [("a", "ConnectionRefusedError")]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("connectnow_api.limits", logging.ERROR)
    assert record.getMessage() == ("Limit 'a' cannot be counted: ConnectionRefusedError: gone")


@pytest.mark.usefixtures("outage")
def test_an_outage_is_logged_once_a_minute_and_signalled_each_time(
    signals: Signals, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = Clock(5.0)
    monkeypatch.setattr("time.monotonic", now)
    lines = []
    for now.now in (5.0, 5.0, 64.9, 65.0, 65.1, 124.9, 125.0, 1000.0):
        caplog.clear()
        hit("a" if now.now < 100 else "b", "2/m", "x")
        lines.append(len(caplog.records))
    assert lines == [1, 0, 0, 1, 0, 0, 1, 1]
    assert len(signals) == 8


@pytest.mark.usefixtures("outage")
def test_a_receiver_that_crashes_does_no_harm() -> None:
    def crash(**kwargs: Any) -> None:
        raise ZeroDivisionError

    cache_unavailable.connect(crash)
    try:
        assert hit("a", "2/m", "x") is None
    finally:
        cache_unavailable.disconnect(crash)


@pytest.mark.usefixtures("outage")
@pytest.mark.parametrize("fail_open", [True, False])
def test_a_limit_is_closed_by_its_own_word_or_by_the_setting(
    settings: Any, fail_open: bool
) -> None:
    """django-ratelimit's ``RATELIMIT_FAIL_OPEN`` has no say."""
    settings.RATELIMIT_FAIL_OPEN = fail_open
    with pytest.raises(LimitUnavailable):
        hit("a", "2/m", "x", "closed")
    settings.CONNECTNOW_API = {"ON_CACHE_FAILURE": "closed"}
    with pytest.raises(LimitUnavailable):
        hit("a", "2/m", "x")
    assert hit("a", "2/m", "x", "open") is None


@pytest.mark.parametrize("fail_open", [True, False])
def test_a_cache_that_answers_nothing_is_an_outage(
    settings: Any, monkeypatch: pytest.MonkeyPatch, signals: Signals, fail_open: bool
) -> None:
    """As memcached's clients do once they know that the server is gone."""
    settings.RATELIMIT_FAIL_OPEN = fail_open

    def incr(*args: Any) -> int:
        raise ValueError

    monkeypatch.setattr(caches["default"], "add", lambda *_: False)
    monkeypatch.setattr(caches["default"], "incr", incr)
    assert hit("a", "2/m", "x") is None
    with pytest.raises(LimitUnavailable):
        hit("a", "2/m", "x", "closed")
    assert signals == [("a", "ConnectionError")] * 2


def test_fail_open_changes_nothing_while_the_cache_counts(settings: Any) -> None:
    settings.RATELIMIT_FAIL_OPEN = True
    assert [hits("a", "1/d", "x") for _ in range(2)] == [1, 2]


def test_a_cache_that_does_not_exist_is_an_outage(settings: Any, signals: Signals) -> None:
    settings.RATELIMIT_USE_CACHE = "nowhere"
    assert hit("a", "2/m", "x") is None
    assert signals == [("a", "InvalidCacheBackendError")]


def test_a_rate_that_cannot_be_read_is_an_outage(signals: Signals) -> None:
    assert hit("a", "5/x", "x") is None
    with pytest.raises(LimitUnavailable):
        hit("a", "5/x", "x", "closed")
    assert signals == [("a", "ValueError")] * 2


def test_after_an_outage_counting_goes_on(settings: Any) -> None:
    caches = settings.CACHES
    assert hits("a", "3/d", "x") == 1
    settings.CACHES = {"default": {"BACKEND": "tests.conftest.BrokenCache"}}
    assert hit("a", "3/d", "x") is None
    settings.CACHES = caches
    assert hits("a", "3/d", "x") == 2


# Addresses


def address(remote: str | None, forwarded: str | None = None) -> str:
    values = {"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": forwarded}
    present = {name: value for name, value in values.items() if value is not None}
    return client_address(SimpleNamespace(META=present))


@pytest.mark.parametrize(
    ("remote", "found"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7:8080", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:c000:207]:80", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:DB8:0:0:ffff::1", "2001:db8::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("[2001:db8::1]:8080", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("[fe80::1%eth0]:80", "fe80::/64"),
        ("::1", "::/64"),
        *((text, "") for text in ("", "unknown", "[]", "[]:80", "[", "::1]", "@", "unix:")),
        *((text, "") for text in ("192.0.2", "192.0.2.07", "192.0.2.7:", "1:2", "٣.0.2.7", "%")),
        (None, ""),
    ],
)
def test_an_address_has_one_spelling(remote: str | None, found: str) -> None:
    assert address(remote) == found


CHAIN = "203.0.113.1, 203.0.113.2, 203.0.113.3"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "found"),
    [
        (0, CHAIN, "192.0.2.7"),
        (1, CHAIN, "203.0.113.3"),
        (2, CHAIN, "203.0.113.2"),
        (3, CHAIN, "203.0.113.1"),
        (4, CHAIN, "192.0.2.7"),
        (1, None, "192.0.2.7"),
        (1, "", "192.0.2.7"),
        (1, "unknown", "192.0.2.7"),
        (1, "203.0.113.1,", "192.0.2.7"),
        (1, "[]", "192.0.2.7"),
        (1, "_hidden", "192.0.2.7"),
        (2, "203.0.113.1", "192.0.2.7"),
        (1, "203.0.113.1:4711", "203.0.113.1"),
        (1, "x, [2001:db8::9]:443", "2001:db8::/64"),
    ],
)
def test_forwarded_addresses(
    settings: Any, proxies: int, forwarded: str | None, found: str
) -> None:
    """A chain that is too short, or holds no address there, is not believed at all."""
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": proxies}
    assert address("192.0.2.7", forwarded) == found


ADDRESSES = st.ip_addresses().map(str) | st.sampled_from(["[::1]:80", "1.2.3.4:5", "fe80::1%eth0"])
GARBAGE = ADDRESSES | st.text() | st.text("[]:%.,0123456789abcdef ") | st.sampled_from(["[]", ","])


@fixtures_once
@given(GARBAGE, st.lists(GARBAGE).map(",".join), st.integers(-1, 3))
def test_no_header_makes_an_error_or_an_address_that_is_none(
    settings: Any, remote: str, forwarded: str, proxies: int
) -> None:
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": proxies}
    found = address(remote, forwarded)
    assert found == address(found.removesuffix("/64"))
    assert all(character in "0123456789abcdef.:/" for character in found)


@fixtures_once
@given(st.text(), ADDRESSES, ADDRESSES, st.integers(0, 2))
def test_what_the_client_writes_itself_never_makes_another_address(
    settings: Any, spoofed: str, real: str, proxy: str, proxies: int
) -> None:
    """What stands left of our proxies' own entries changes nothing."""
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": proxies}
    appended = [real, proxy][:proxies]
    remote = [real, proxy, "192.0.2.1"][proxies]
    forwarded = ", ".join([spoofed, *appended])
    assert address(remote, forwarded) == address(real)
