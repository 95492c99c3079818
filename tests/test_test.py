"""Help for the tests of others: limits that are off, empty, or go by a clock that stands."""

from __future__ import annotations

import threading
import time
import unittest
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import LiveServerTestCase, override_settings
from django.urls import path
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api.limits import ahit, hit, peek
from connectnow_api.test import Limits, limits_frozen, limits_off, limits_reset
from connectnow_api.throttling import limited_by
from tests.conftest import Mount

DAY = 24 * 60 * 60


class View(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = [limited_by("2/day")]

    def get(self, request: Any) -> Response:
        return Response({"ok": True})


@pytest.fixture
def statuses(mount: Mount, client: APIClient) -> Any:
    """Ask a view that is limited to two requests a day: ``statuses(3)``."""
    mount({"flat/x": View.as_view()})
    return lambda number: [client.get("/flat/x").status_code for _ in range(number)]


@pytest.mark.usefixtures("clock")
def test_off(statuses: Any, settings: Any) -> None:
    settings.RATELIMIT_ENABLE = True
    with limits_off():
        assert statuses(4) == [200] * 4
    assert statuses(3) == [200, 200, 429]


@pytest.mark.usefixtures("clock")
def test_off_holds_for_refused_tokens(settings: Any, mount: Mount, client: APIClient) -> None:
    settings.RATELIMIT_ENABLE = True
    settings.CONNECTNOW_API = {"FAILED_AUTH_RATE": "1/day"}
    from connectnow_api.authentication import BearerTokenAuthentication

    mount({"flat/x": View.as_view(authentication_classes=[BearerTokenAuthentication])})
    wrong = {"Authorization": "Bearer cn_x"}
    with limits_off():
        assert [client.get("/flat/x", headers=wrong).status_code for _ in range(3)] == [401] * 3
    assert [client.get("/flat/x", headers=wrong).status_code for _ in range(2)] == [401, 429]


def test_frozen(statuses: Any) -> None:
    """On where the settings are off, from nothing, to the second."""
    with limits_frozen() as limits:
        assert statuses(3) == [200, 200, 429]
        limits.tick(DAY - 1)
        assert statuses(1) == [429]
        limits.tick(1)
        assert statuses(1) == [200]


def test_a_refusal_says_when_by_the_clock_that_stands(
    statuses: Any, mount: Mount, client: APIClient
) -> None:
    with limits_frozen(now=1_000_000_000) as limits:
        statuses(2)
        limits.tick(10)
        answer = client.get("/flat/x")
        assert answer.headers["Retry-After"] == str(DAY - 10)
        assert answer.headers["X-RateLimit-Reset"] == str(1_000_000_000 + DAY)


def test_what_was_counted_is_forgotten_when_asked(statuses: Any) -> None:
    with limits_frozen() as limits:
        assert statuses(3) == [200, 200, 429]
        limits.reset()
        assert statuses(3) == [200, 200, 429]


def test_the_time_is_set(statuses: Any) -> None:
    with limits_frozen(now=1000) as limits:
        statuses(2)
        limits.now = 1000.0 + DAY
        assert statuses(1) == [200]


def test_nobody_elses_clock_stands() -> None:
    with limits_frozen(now=1000):
        assert time.time() > 1_000_000


@pytest.mark.usefixtures("clock")
def test_reset_begins_with_nothing_and_gives_back_what_was(statuses: Any, settings: Any) -> None:
    settings.RATELIMIT_ENABLE = True
    assert statuses(3) == [200, 200, 429]
    with limits_reset():
        assert statuses(3) == [200, 200, 429]
    assert statuses(1) == [429]


def test_the_sites_own_store_is_not_asked(statuses: Any, settings: Any) -> None:
    settings.CONNECTNOW_API = {"LIMIT_STORAGE": "redis://127.0.0.1:1/0"}
    with limits_frozen():
        assert statuses(3) == [200, 200, 429]
    assert cache.get("anything") is None


def test_one_within_another(statuses: Any) -> None:
    with limits_frozen():
        assert statuses(2) == [200, 200]
        with limits_frozen():
            assert statuses(3) == [200, 200, 429]
        with limits_off():
            assert statuses(3) == [200] * 3
        assert statuses(1) == [429]


@pytest.mark.parametrize("setting", [True, False])
def test_settings_that_change_meanwhile_switch_nothing(statuses: Any, setting: bool) -> None:
    with limits_frozen(), override_settings(RATELIMIT_ENABLE=setting):
        assert statuses(3) == [200, 200, 429]
    with limits_off(), override_settings(RATELIMIT_ENABLE=setting):
        assert statuses(3) == [200] * 3


@pytest.mark.parametrize("help_", [limits_off, limits_frozen, limits_reset])
def test_settings_that_are_given_back_later_are_given_back(help_: Any) -> None:
    """As a fixture does that was asked for before ours: both are not one in the other."""
    before, changed = django_settings._wrapped, override_settings(SOMETHING=1)
    with help_():
        changed.enable()
    changed.disable()
    assert django_settings._wrapped is before


def test_one_inside_of_itself() -> None:
    frozen = limits_frozen()
    with frozen as outer:
        hit("a", "5/day", "x")
        with frozen as inner:
            assert inner is not outer
            assert peek("a", "5/day", "x").hits == 0  # type: ignore[union-attr]
        assert peek("a", "5/day", "x").hits == 1  # type: ignore[union-attr]
    assert peek("a", "5/day", "x") is None


def test_it_ends_when_a_test_fails(statuses: Any) -> None:
    with pytest.raises(ZeroDivisionError), limits_frozen():
        raise ZeroDivisionError
    assert statuses(3) == [200] * 3


def test_other_threads_count_in_the_same_place() -> None:
    with limits_frozen():
        counting = threading.Thread(target=hit, args=("a", "5/day", "x"))
        counting.start()
        counting.join()
        found = peek("a", "5/day", "x")
    assert found is not None
    assert found.hits == 1


def test_decorators() -> None:
    @limits_frozen(kwarg_name="limits")
    def counted(*, limits: Limits) -> list[bool]:
        found = [hit("a", "1/m", "x") for _ in range(2)]
        limits.tick(60)
        return [usage.is_exceeded for usage in (*found, hit("a", "1/m", "x")) if usage]

    @limits_off()
    def uncounted() -> Any:
        return hit("a", "1/m", "x")

    for _ in range(2):
        assert counted() == [False, True, False]
        assert uncounted() is None


def test_a_decorator_of_asynchronous_code() -> None:
    @limits_frozen()
    async def counted() -> list[bool]:
        return [(await ahit("a", "1/m", "x")).is_exceeded for _ in range(2)]

    assert async_to_sync(counted)() == [False, True]
    assert hit("a", "1/m", "x") is None


def test_a_method_of_a_test_case() -> None:
    class Case(unittest.TestCase):
        @limits_frozen(now=5, kwarg_name="limits")
        def test_time(self, limits: Limits) -> None:
            assert limits.now == 5

    result = unittest.TestResult()
    Case("test_time").run(result)
    assert (result.testsRun, result.errors, result.failures) == (1, [], [])


@limits_frozen(now=5, attr_name="limits")
class DecoratedTests(unittest.TestCase):
    """Each test of a class has counters of its own, from its ``setUp`` on."""

    limits: Limits

    def setUp(self) -> None:
        self.before = hit("a", "9/day", "x")

    def test_one(self) -> None:
        found = hit("a", "9/day", "x")
        assert self.before is not None
        assert found is not None
        assert (self.before.hits, found.hits, self.limits.now) == (1, 2, 5)

    test_another = test_one


class LiveTests(LiveServerTestCase):
    """A live server answers in a thread of its own."""

    def ask(self) -> int:
        try:
            with urlopen(f"{self.live_server_url}/flat/x") as response:
                return int(response.status)
        except HTTPError as exc:
            exc.close()
            return exc.code

    def test_requests(self) -> None:
        with override_settings(ROOT_URLCONF=(path("flat/x", View.as_view()),), ALLOWED_HOSTS=["*"]):
            with limits_frozen() as limits:
                assert [self.ask() for _ in range(3)] == [200, 200, 429]
                limits.tick(DAY)
                assert self.ask() == 200
            with limits_off():
                assert [self.ask() for _ in range(3)] == [200, 200, 200]
