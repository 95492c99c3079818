"""What an answer says of a limit: headers, bodies, and which of several limits."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api.renderers import EnvelopeJSONRenderer
from connectnow_api.throttling import (
    AnonRateThrottle,
    UserRateThrottle,
)
from tests.conftest import Clock, Mount

from .views import LIMIT_HEADERS, NOW, Ask, Issue, limited, several, shown

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_every_answer_says_limit_and_remaining(ask: Ask, method: str) -> None:
    answers = [ask(method=method) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [shown(answer) for answer in answers] == [
        {"Limit": 2, "Remaining": 1},
        {"Limit": 2, "Remaining": 0},
    ]
    assert all("Cache-Control" not in answer for answer in answers)


@pytest.mark.parametrize("status", [403, 404, 422])
def test_so_does_every_error_of_the_view(ask: Ask, status: int) -> None:
    response = ask(query=f"?fail={status}")
    assert response.status_code == status
    assert shown(response) == {"Limit": 2, "Remaining": 1}


def test_a_method_that_is_not_there_is_counted_too(ask: Ask) -> None:
    response = ask(method="PUT")
    assert response.status_code == 405
    assert shown(response) == {"Limit": 2, "Remaining": 1}


def test_what_is_refused_before_the_throttles_is_not_counted(ask: Ask) -> None:
    """401 and 403 of permissions come first, as in Django REST framework and in Laravel."""

    class Never(BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            return False

    for token, status in (("x", 401), (None, 401)):
        response = ask(token=token, permission_classes=[Never])
        assert response.status_code == status
        assert shown(response) == {}
    assert shown(ask()) == {"Limit": 2, "Remaining": 1}


def test_a_429_whole(ask: Ask, clock: Clock) -> None:
    throttles = [limited(AnonRateThrottle, "1/m")]
    ask(throttles)
    response = ask(throttles)
    assert response.status_code == 429
    assert response.json() == {"message": "Too Many Attempts."}
    reset = int(response["X-RateLimit-Reset"])
    assert NOW < reset <= NOW + 60
    assert {name: response[name] for name in (*LIMIT_HEADERS, "Cache-Control")} == {
        "X-RateLimit-Limit": "1",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset),
        "Retry-After": str(reset - int(NOW)),
        "Cache-Control": "no-store",
    }
    assert response["Content-Type"] == "application/json"


def test_a_429_passes_when_it_says(ask: Ask, clock: Clock) -> None:
    throttles = [limited(AnonRateThrottle, "1/m")]
    ask(throttles)
    wait = int(ask(throttles)["Retry-After"])
    clock.now = NOW + wait - 1
    assert ask(throttles).status_code == 429
    clock.now = NOW + wait
    assert ask(throttles).status_code == 200


def test_a_429_to_head_has_the_headers_and_no_body(ask: Ask) -> None:
    throttles = [limited(AnonRateThrottle, "0/d")]
    response = ask(throttles, method="HEAD")
    assert (response.status_code, response.content) == (429, b"")
    assert set(shown(response)) == {"Limit", "Remaining", "Reset", "After"}


def test_a_rate_without_a_scope_has_one_of_its_own(ask: Ask) -> None:
    class Own(UserRateThrottle):
        scope = None
        rate = "1/d"

    class Other(Own):
        pass

    assert [ask([Own]).status_code for _ in range(2)] == [200, 429]
    assert ask([Other]).status_code == 200


def test_a_limit_of_0_lets_nothing_pass(ask: Ask) -> None:
    response = ask([limited(AnonRateThrottle, "0/m")])
    assert response.status_code == 429
    assert (response["X-RateLimit-Limit"], response["X-RateLimit-Remaining"]) == ("0", "0")


@pytest.mark.parametrize("renderer", [EnvelopeJSONRenderer, JSONRenderer])
def test_a_429_to_a_token_in_the_query_stays_private(
    ask: Ask, issue: Issue, renderer: type[JSONRenderer]
) -> None:
    throttles = [limited(UserRateThrottle, "1/d")]
    query = f"?api_token={issue().plain_text}"
    for status in (200, 429):
        response = ask(throttles, query, renderer_classes=[renderer])
        assert response.status_code == status
        assert response["Cache-Control"] == "private, no-store"
        assert response["Referrer-Policy"] == "no-referrer"


def test_a_429_is_not_cached_where_the_view_says_that_its_answers_are(ask: Ask) -> None:
    throttles = [limited(AnonRateThrottle, "1/d")]
    cached = {"Cache-Control": "public, max-age=60"}
    answers = [ask(throttles, default_response_headers=cached) for _ in range(2)]
    assert [answer["Cache-Control"] for answer in answers] == ["public, max-age=60", "no-store"]


def test_on_a_view_with_the_handler_of_django_rest_framework(
    settings: Any, mount: Mount, client: APIClient, clock: Clock
) -> None:
    """One throttle of ours on a view that has nothing else of ours."""
    settings.REST_FRAMEWORK = {}

    class Foreign(APIView):
        authentication_classes = ()
        permission_classes = ()
        renderer_classes = (JSONRenderer,)
        throttle_classes = [limited(AnonRateThrottle, "1/m")]

        def get(self, request: Any) -> Response:
            return Response({"ok": True})

    mount({"foreign": Foreign.as_view()})
    first, second = client.get("/foreign"), client.get("/foreign")
    assert shown(first) == {"Limit": 1, "Remaining": 0}
    wait = int(second["Retry-After"])
    assert second.status_code == 429
    assert second.json() == {
        "detail": "Request was throttled. Expected available in "
        + ("1 second." if wait == 1 else f"{wait} seconds.")
    }
    assert shown(second) == {"Limit": 1, "Remaining": 0, "Reset": int(NOW) + wait, "After": wait}
    assert second["Cache-Control"] == "no-store"


@pytest.mark.parametrize("rates", [("3/d", "5/h"), ("5/h", "3/d")])
def test_of_several_the_one_with_the_least_remaining_is_shown(ask: Ask, rates: Any) -> None:
    answers = [ask(several(*rates)) for _ in range(3)]
    assert [shown(answer)["Limit"] for answer in answers] == [3, 3, 3]
    assert [shown(answer)["Remaining"] for answer in answers] == [2, 1, 0]


@pytest.mark.parametrize("order", [1, -1])
def test_a_429_shows_the_limit_that_refused(ask: Ask, order: int, clock: Clock) -> None:
    """Also where another, that let pass, has nothing remaining and comes later."""
    throttles = several("1/m", "2/d")[::order]
    ask(throttles)
    refused = ask(throttles)
    assert refused.status_code == 429
    assert shown(refused)["Limit"] == 1
    assert shown(refused)["After"] <= 60


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_that_refuse_the_one_to_wait_longer_for_is_shown(
    ask: Ask, order: int, clock: Clock
) -> None:
    ends = {}
    for rate in ("0/m", "0/h"):
        ends[rate] = shown(ask(several(rate)))["Reset"]
    refused = shown(ask(several("0/m", "0/h")[::order]))
    assert refused["Reset"] == max(ends.values())
    assert refused["After"] == refused["Reset"] - NOW


def test_each_of_several_counts_what_another_refuses(ask: Ask) -> None:
    for _ in range(3):
        ask(several("1/h", "9/d"))
    assert shown(ask(several("9/d")))["Remaining"] == 5


def test_the_same_class_twice_counts_twice(ask: Ask) -> None:
    throttle = limited(AnonRateThrottle, "9/d")
    assert shown(ask([throttle, throttle]))["Remaining"] == 7


def test_headers_of_one_answer_never_stand_on_another(ask: Ask, clock: Clock) -> None:
    """Also where a view has its headers from its class, in one mapping for all requests."""
    shared = {"Cache-Control": "public, max-age=60"}
    throttles = [limited(AnonRateThrottle, "1/m")]
    answers = [ask(throttles, default_response_headers=shared) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    clock.now = NOW + 60
    answers.append(ask(throttles, default_response_headers=shared))
    assert answers[2]["Cache-Control"] == "public, max-age=60"
    assert shown(answers[2]) == {"Limit": 1, "Remaining": 0}
    assert shown(ask([], default_response_headers=shared)) == {}
    assert shared == {"Cache-Control": "public, max-age=60"}
