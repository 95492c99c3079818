"""Limiters whose fields, functions, askers and costs are not what one would wish for."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import caches
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from connectnow_api.engines import WINDOWS
from connectnow_api.limiters import Limiter, limiters_of, limits_of
from connectnow_api.limits import Limit, hit, peek, take
from connectnow_api.test import limits_frozen
from connectnow_api.throttling import (
    LimiterThrottle,
    ScopedRateThrottle,
    UserRateThrottle,
    limited_by,
)
from tests.conftest import Mount

from .views import Ask, View, remaining, shown

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]


@pytest.mark.parametrize("cost", [12, 10**9, 2**63, 2**64, 10**400])
@pytest.mark.parametrize("window", ["fixed", "moving", "sliding"])
def test_any_cost_beyond_the_limit_is_refused(window: str, cost: int, settings: Any) -> None:
    """A store that cannot add such a number is no store that is gone."""
    settings.CONNECTNOW_API = {"LIMIT_STORAGE": "memory://"}
    for on_failure in ("open", "closed"):
        told = take([Limit("a", "x", ["11/d", "9/h"], window, cost, on_failure)])
        assert any(each.refuses for each in told)
    assert peek("a", "11/d", "x", window=window).hits == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("cost", [2**63, 2**64, 10**400])
def test_so_it_is_by_each_cache(each_cache: Any, cost: int) -> None:
    for price, hits in ((3, 3), (cost, 15), (8, 11)):
        usage = hit("a", "11/d", "x", "closed", cost=price)
        assert usage is not None
        assert usage.hits == hits


def test_a_mistake_does_not_switch_off_what_stands_beside_it(ask: Ask) -> None:
    own = ["missing", Limiter("9/d", by="adress"), "1/d"]
    assert [ask([LimiterThrottle], limiters=own).status_code for _ in range(2)] == [200, 429]


def test_a_text_is_no_list_of_methods(ask: Ask, caplog: Any) -> None:
    """Its characters are none, so that nothing would be limited, and nobody told."""
    own = Limiter("9/d", methods="GET", name="own")
    assert shown(ask([LimiterThrottle], limiters=own)) == {}
    assert "Limit 'own' cannot be counted: TypeError: 'GET' is no list" in caplog.text


def test_a_text_is_no_list_of_answers(ask: Ask, caplog: Any) -> None:
    own = Limiter("9/d", answers="4xx", name="own")
    assert remaining(ask([LimiterThrottle], "?fail=404", limiters=own)) == 9
    assert "Limit 'own' cannot be counted: TypeError: '4xx' is no list" in caplog.text


@pytest.mark.parametrize("methods", [["HEAD"], ["head", "POST"], {"GET"}])
def test_head_goes_with_get_whichever_is_named(ask: Ask, methods: Any) -> None:
    own = Limiter("9/d", methods=methods)
    assert remaining(ask([LimiterThrottle], method="HEAD", limiters=own)) == 8


# Askers


@pytest.fixture
def knock(mount: Mount, client: APIClient) -> Any:
    """Ask a view that limits by a header, and return what remains."""

    def knock(by: Any, value: str | None, **fields: Any) -> int | None:
        own = Limiter("9/d", by=by, name="own", **fields)
        mount({"flat/x": View.as_view(throttle_classes=[limited_by(own)])})
        sent = {} if value is None else {"HTTP_X_CLIENT_ID": value}
        return remaining(client.get("/flat/x", **sent))

    return knock


HOSTILE = [
    "address:127.0.0.1",
    "everybody",
    '["address:127.0.0.1"]',
    "header:x-client-id:",
    "user:auth.user:1",
    "%s%d{0}",
    "\x00\r\nX: y",
    "\ud800",
    "\ud801",
    "x" * 100_000,
    "é",
    "e\u0301",
]


def test_no_value_of_a_header_is_somebody_else(knock: Any) -> None:
    for value in HOSTILE:
        assert knock("header:X-Client-Id", value) == 8
    assert knock("address", None) == 8
    assert knock("everybody", None) == 8
    assert knock("header:X-Client-Id", None) == 7


def test_the_case_of_a_headers_name_is_none_of_a_client(knock: Any) -> None:
    assert [knock(f"header:{name}", "a") for name in ("X-Client-Id", "x-client-id")] == [8, 7]


def test_what_several_say_is_never_what_one_says(knock: Any) -> None:
    """Nor do two lists meet because their parts run into one another."""
    header = "header:X-Client-Id"
    assert knock([header, "address"], "a") == 8
    assert knock(["address", header], "a") == 8
    assert knock([header, "address"], 'a", "address:127.0.0.1') == 8
    assert knock(header, "a", per=["method"]) == 8
    assert knock(header, "a", per=["method", "endpoint"]) == 8
    assert knock(header, 'a", "method:GET') == 8


def test_a_header_that_is_missing_is_the_address_of_the_others(knock: Any) -> None:
    assert knock("address", None) == 8
    assert knock("header:X-Client-Id", None) == 7
    assert knock("header:X-Client-Id", "") == 6
    assert knock("header:X-Client-Id", "a") == 8


@pytest.mark.parametrize("key", ["\ud800", 7, 7.5, b"\xff", (), "", True, UUID(int=1)])
def test_a_function_may_say_anything(ask: Ask, key: Any) -> None:
    own = Limiter("9/d", by=lambda request: key, name="own")
    assert [remaining(ask([LimiterThrottle], limiters=own)) for _ in range(2)] == [8, 7]


@pytest.mark.parametrize("function", [lambda _request: object(), lambda _request: later()])
def test_what_is_another_text_each_time_is_no_asker(ask: Ask, caplog: Any, function: Any) -> None:
    """It would be a counter of its own for each request, and nobody told."""
    for policy, status in (("open", 200), ("closed", 503)):
        own = Limiter("1/d", by=function, name="own", on_cache_failure=policy)
        answers = [ask([LimiterThrottle], limiters=own) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [status] * 2
        assert "X-RateLimit-Limit" not in answers[0]
    assert "no text that tells who asks" in caplog.text


def later() -> Any:
    """Return what an asynchronous function returns that nobody waits for."""

    async def who() -> str:
        return "x"

    coroutine = who()
    coroutine.close()
    return coroutine


@pytest.mark.parametrize("window", ["moving", "sliding"])
def test_what_counts_locally_has_all_windows(ask: Ask, window: str) -> None:
    """Django's caches have none of these."""
    own = Limiter("1/d", window=window, name="own", on_cache_failure="local")
    beside = Limiter("5/d", name="beside")
    answers = [ask([LimiterThrottle], limiters=[own, beside]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert remaining(answers[0]) == 0


@pytest.mark.parametrize("value", [[], {}, None, 5])
@pytest.mark.parametrize("policy", ["open", "local"])
def test_a_window_that_is_none(ask: Ask, value: Any, policy: str) -> None:
    own = Limiter("1/d", window=value, name="own", on_cache_failure=policy)
    assert ask([LimiterThrottle], limiters=own).status_code == 200
    throttle = type("Throttle", (UserRateThrottle,), {"window": value, "rate": "1/d"})
    assert ask([throttle]).status_code == 200


@pytest.mark.parametrize("scope", [["a"], {}, 5, object()])
def test_a_scope_that_is_none(ask: Ask, scope: Any) -> None:
    assert ask([ScopedRateThrottle], throttle_scope=scope).status_code == 200


@pytest.mark.parametrize("values", [{"LIMITERS": None}, {"LIMITERS": 5}, {"LIMIT_STORAGE": 5}])
def test_settings_that_are_none(ask: Ask, settings: Any, values: Any) -> None:
    settings.CONNECTNOW_API = values
    assert ask([LimiterThrottle], limiters="1/d").status_code == 200


def test_copies_of_settings_limit_as_they_do(ask: Ask, settings: Any) -> None:
    own = Limiter("1/d", name="own")
    settings.CONNECTNOW_API = copy.deepcopy({"LIMITERS": {"default": own}})
    assert [ask([LimiterThrottle]).status_code for _ in range(2)] == [200, 429]
    assert pickle.loads(pickle.dumps(own)) == own


# Many at once


@pytest.mark.parametrize("rates", ["5/d", ["5/d", "7/h", "99/m"]])
def test_of_requests_at_once_as_many_pass_as_the_limit_says(
    each_cache: Any, mount: Mount, rates: Any
) -> None:
    """However often a limiter is asked, and with a cost that does not divide its limit."""
    own = Limiter(rates, by="address", cost=2, name="own")
    mount({"flat/x": View.as_view(throttle_classes=[limited_by(own)], authentication_classes=())})
    barrier = Barrier(8)

    def ask(_: int) -> int:
        barrier.wait()
        try:
            return APIClient().get("/flat/x").status_code
        finally:
            caches.close_all()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(24)))
    # Who loses the race may have been counted.
    assert 1 <= statuses.count(200) <= 2
    assert statuses.count(200) + statuses.count(429) == 24


RATES = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from([1, 60, 3600])),
    min_size=1,
    max_size=3,
    unique=True,
)
STEPS = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 90)), max_size=40)


@pytest.mark.parametrize("window", WINDOWS)
@given(RATES, STEPS)
def test_whatever_comes_when_no_window_holds_more_than_its_limit(
    window: str, rates: list[tuple[int, int]], steps: list[tuple[int, int]]
) -> None:
    """Fixed windows begin with the first request; moving ones are any span of their length."""
    own = Limiter([*rates], by="everybody", window=window, cost=lambda request: request.cost)
    (own,) = limiters_of(own)
    admitted: list[tuple[float, int]] = []
    with limits_frozen(now=1_700_000_000) as limits:
        for cost, seconds in steps:
            limits.tick(seconds)
            found = limits_of([own], SimpleNamespace(method="GET", cost=cost))
            assert bool(found) == (cost > 0)
            told = take([limit for _limiter, limit in found])
            if not any(each.refuses for each in told):
                admitted.append((limits.now, cost))
    for limit, length in rates:
        for begin, _cost in admitted:
            spent = sum(cost for when, cost in admitted if begin <= when < begin + length)
            assert spent <= (limit if window == "moving" else 2 * limit)
