"""Rates, scopes, and limits that cannot be counted."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from connectnow_api.throttling import (
    AnonRateThrottle,
    ScopedRateThrottle,
    TokenRateThrottle,
    UserRateThrottle,
)
from tests.conftest import Stored

from .views import CLOSED, Ask, Issue, View, limited, rates, remaining, shown

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]


def test_rates_are_those_of_django_rest_framework(ask: Ask, settings: Any, issue: Issue) -> None:
    settings.REST_FRAMEWORK = rates(anon="7/d", user="8/d", token="9/d", report="6/d")
    text = issue().plain_text
    assert shown(ask([AnonRateThrottle]))["Limit"] == 7
    assert shown(ask([UserRateThrottle], token=text))["Limit"] == 8
    assert shown(ask([TokenRateThrottle], token=text))["Limit"] == 9
    assert shown(ask([ScopedRateThrottle], throttle_scope="report"))["Limit"] == 6


def test_rates_are_read_with_each_request(ask: Ask) -> None:
    found = []
    for rate in ("7/d", "8/d"):
        with override_settings(REST_FRAMEWORK=rates(anon=rate)):
            found.append(shown(ask([AnonRateThrottle])))
    assert found == [{"Limit": 7, "Remaining": 6}, {"Limit": 8, "Remaining": 7}]


def test_a_rate_of_none_is_no_limit(ask: Ask, settings: Any) -> None:
    settings.REST_FRAMEWORK = rates(anon=None, user="5/d")
    assert shown(ask([AnonRateThrottle])) == {}
    assert shown(ask([limited(UserRateThrottle, None)])) == {}


def test_without_any_rates_the_defaults_of_django_rest_framework_hold(
    ask: Ask, settings: Any
) -> None:
    """Which are ``None`` for ``anon`` and ``user``."""
    settings.REST_FRAMEWORK = {}
    assert shown(ask([AnonRateThrottle, UserRateThrottle])) == {}


def test_a_rate_may_differ_by_request(ask: Ask, issue: Issue) -> None:
    class ByName(UserRateThrottle):
        def get_rate(self, request: Any, view: Any) -> str:
            return "9/d" if request.user.is_authenticated else "1/d"

    assert shown(ask([ByName]))["Limit"] == 1
    assert shown(ask([ByName], token=issue().plain_text))["Limit"] == 9


def test_scopes_have_counters_of_their_own(ask: Ask, settings: Any) -> None:
    settings.REST_FRAMEWORK = rates(report="5/d", upload="5/d")
    for scope, left in (("report", 4), ("report", 3), ("upload", 4)):
        assert remaining(ask([ScopedRateThrottle], throttle_scope=scope)) == left


def test_views_with_one_scope_share_a_counter(ask: Ask, settings: Any) -> None:
    settings.REST_FRAMEWORK = rates(report="5/d")

    class Other(View):
        pass

    assert remaining(ask([ScopedRateThrottle], throttle_scope="report")) == 4
    assert remaining(ask([ScopedRateThrottle], throttle_scope="report", view=Other)) == 3


def test_a_view_without_a_scope_is_not_counted(ask: Ask) -> None:
    assert shown(ask([ScopedRateThrottle])) == {}


def test_a_scope_may_be_named_otherwise(ask: Ask, settings: Any) -> None:
    settings.REST_FRAMEWORK = rates(report="5/d")
    throttle = type("Named", (ScopedRateThrottle,), {"scope_attr": "limit"})
    assert shown(ask([throttle], limit="report"))["Limit"] == 5


UNREADABLE = ["5", "5/x", "5/month", "", 5, b"5/m", object(), [], ["5/m", "5"]]


@pytest.mark.parametrize("rate", UNREADABLE)
def test_a_rate_that_cannot_be_read_is_never_a_500(
    ask: Ask, settings: Any, rate: Any, caplog: Any
) -> None:
    settings.REST_FRAMEWORK = rates(anon=rate)
    assert ask([AnonRateThrottle]).status_code == 200
    assert "Limit 'anon' cannot be counted" in caplog.text
    assert ask([limited(AnonRateThrottle, rate)]).status_code == 200
    closed = limited(AnonRateThrottle, rate, on_cache_failure="closed")
    assert ask([closed]).status_code == 503


@pytest.mark.parametrize("scopes", [{}, {"anon": "5/d"}])
def test_a_scope_without_a_rate_is_never_a_500(
    ask: Ask, settings: Any, scopes: dict[str, str], caplog: Any
) -> None:
    settings.REST_FRAMEWORK = rates(**scopes)
    response = ask([ScopedRateThrottle], throttle_scope="nowhere")
    assert (response.status_code, shown(response)) == (200, {})
    assert "Limit 'nowhere' cannot be counted" in caplog.text


def test_switched_off_everybody_passes(ask: Ask, settings: Any) -> None:
    settings.RATELIMIT_ENABLE = False
    answers = [ask([limited(AnonRateThrottle, "1/d")]) for _ in range(3)]
    assert [(answer.status_code, shown(answer)) for answer in answers] == [(200, {})] * 3


@pytest.mark.usefixtures("outage")
def test_while_nothing_can_be_counted_requests_pass_without_headers(ask: Ask) -> None:
    answers = [ask([limited(AnonRateThrottle, "1/d")]) for _ in range(3)]
    assert [(answer.status_code, shown(answer)) for answer in answers] == [(200, {})] * 3


def assert_closed(response: Any) -> None:
    assert response.status_code == 503
    assert response.json() == CLOSED
    assert shown(response) == {"After": 30}


@pytest.mark.usefixtures("outage")
def test_a_closed_throttle_answers_503(ask: Ask) -> None:
    throttle = limited(AnonRateThrottle, "1/d", on_cache_failure="closed")
    assert_closed(ask([throttle]))


@pytest.mark.usefixtures("outage")
def test_all_are_closed_by_the_setting_unless_one_says_otherwise(ask: Ask, settings: Any) -> None:
    settings.CONNECTNOW_API = {"ON_CACHE_FAILURE": "closed"}
    assert_closed(ask([limited(AnonRateThrottle, "1/d")]))
    throttle = limited(AnonRateThrottle, "1/d", on_cache_failure="open")
    assert ask([throttle]).status_code == 200


@pytest.mark.usefixtures("outage")
def test_what_is_not_limited_is_not_closed(ask: Ask, issue: Issue) -> None:
    token = issue().plain_text
    throttle = limited(AnonRateThrottle, "1/d", on_cache_failure="closed")
    assert ask([throttle], token=token).status_code == 200
    assert ask([limited(AnonRateThrottle, None, on_cache_failure="closed")]).status_code == 200


@pytest.mark.usefixtures("outage")
def test_a_closed_throttle_with_the_handler_of_django_rest_framework(
    ask: Ask, settings: Any
) -> None:
    settings.REST_FRAMEWORK = {}
    throttle = limited(AnonRateThrottle, "1/d", on_cache_failure="closed")
    response = ask([throttle])
    assert (response.status_code, response["Retry-After"]) == (503, "30")
    assert response.json() == {"detail": "Service unavailable."}


def test_nothing_is_kept_that_names_an_address_or_a_user(
    ask: Ask, issue: Issue, stored: Stored
) -> None:
    ask([limited(UserRateThrottle, "5/d")], address="192.0.2.77")
    ask([limited(TokenRateThrottle, "5/d")], token=issue().plain_text)
    assert [len(key) for key in stored()] == [len(":1:rl:") + 64] * 2
