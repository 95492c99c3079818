"""Limits in code that is no view of Django REST framework, asynchronous code among it."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpRequest, JsonResponse
from django.test import AsyncClient, Client
from django.urls import path

from connectnow_api.exceptions import LimitUnavailable
from connectnow_api.limits import ahit, client_address, hit, peek, reset
from connectnow_api.test import limits_frozen

pytestmark = pytest.mark.usefixtures("limits", "clock")


def hits(usage: Any) -> int:
    assert usage is not None
    return int(usage.hits)


def test_look_count_and_forget() -> None:
    assert hits(peek("a", "2/d", "x")) == 0
    assert [hits(hit("a", "2/d", "x")) for _ in range(2)] == [1, 2]
    assert hits(peek("a", "2/d", "x")) == 2
    assert hits(peek("a", "2/d", "y")) == 0
    reset("a", "2/d", "x")
    assert hits(hit("a", "2/d", "x")) == 1


def test_of_several_rates_the_one_that_matters_is_told() -> None:
    found = [hit("a", ["9/h", "2/d"], "x") for _ in range(3)]
    assert [(usage.limit, usage.remaining, usage.is_exceeded) for usage in found if usage] == [
        *((2, 1, False), (2, 0, False), (2, 0, True)),
    ]
    assert hits(peek("a", "9/h", "x")) == 2


def test_a_cost() -> None:
    assert hits(hit("a", "9/d", "x", cost=5)) == 5
    assert hit("a", "9/d", "x", cost=5).is_exceeded  # type: ignore[union-attr]
    assert hits(hit("a", "9/d", "x", cost=4)) == 9


def test_a_window() -> None:
    with limits_frozen() as limits:
        hit("a", "2/m", "x", window="moving")
        limits.tick(59)
        hit("a", "2/m", "x", window="moving")
        limits.tick(1)
        found = [hit("a", "2/m", "x", window="moving") for _ in range(2)]
    assert [usage.is_exceeded for usage in found if usage] == [False, True]


async def view(request: HttpRequest) -> JsonResponse:
    usage = await ahit("ping", ["2/d", "9/d"], client_address(request))
    status = 429 if usage.is_exceeded else 200
    return JsonResponse({"left": usage.remaining}, status=status)


def test_an_asynchronous_view(settings: Any) -> None:
    settings.ROOT_URLCONF = (path("ping", view),)

    async def ask() -> list[tuple[int, Any]]:
        answers = [await AsyncClient().get("/ping") for _ in range(3)]
        return [(answer.status_code, answer.json()["left"]) for answer in answers]

    assert async_to_sync(ask)() == [(200, 1), (200, 0), (429, 0)]


@pytest.mark.usefixtures("outage")
def test_asynchronous_code_without_a_store() -> None:
    assert async_to_sync(ahit)("a", "1/d", "x") is None
    with pytest.raises(LimitUnavailable):
        async_to_sync(ahit)("a", "1/d", "x", "closed")
    found = [async_to_sync(ahit)("async", "1/d", "x", "local") for _ in range(2)]
    assert [usage.is_exceeded for usage in found] == [False, True]


def closed(request: HttpRequest) -> JsonResponse:
    hit("a", "1/d", "x", "closed")
    return JsonResponse({})


async def aclosed(request: HttpRequest) -> JsonResponse:
    await ahit("a", "1/d", "x", "closed")
    return JsonResponse({})


@pytest.mark.usefixtures("outage")
@pytest.mark.parametrize("function", [closed, aclosed])
def test_a_view_of_django_that_cannot_count_is_a_503(settings: Any, function: Any) -> None:
    settings.MIDDLEWARE = ["connectnow_api.middleware.JSONErrorMiddleware"]
    settings.ROOT_URLCONF = (path("flat/x", function),)
    answer = Client(raise_request_exception=False).get("/flat/x")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert answer.json() == {"message": "Service unavailable."}
