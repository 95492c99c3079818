"""The rate of a token, which its throttle reads, and what it may do by its abilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.authentication import BaseAuthentication
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.events import TokenEvent
from connectnow_api.models import APIToken
from connectnow_api.throttling import TokenRateThrottle
from tests.conftest import Clock, Mount

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]

Issue = Callable[..., Any]
Ask = Callable[..., Any]


class Scoped(TokenRateThrottle):
    """Whoever has no rate of their own gets the scope's."""

    def get_rate(self, request: Any, view: Any) -> Any:
        return super().get_rate(request, view) or "9/d"


class View(APIView):
    authentication_classes: Any = [APITokenAuthentication]
    permission_classes = ()
    throttle_classes: Any = [Scoped]

    def get(self, request: Any) -> Response:
        return Response({"ok": True})


@pytest.fixture
def ask(mount: Mount, client: APIClient) -> Ask:
    def ask(new: Any, view: Any = View) -> Any:
        mount({"flat/x": view.as_view()})
        headers = {"authorization": f"Bearer {new.plain_text}"}
        return client.get("/flat/x", headers=headers, REMOTE_ADDR="192.0.2.7")

    return ask


def test_beyond_its_rate_a_token_is_answered_429(
    ask: Ask, issue: Issue, clock: Clock, caplog: Any
) -> None:
    new = issue(rate="2/d")
    first, second, refused = (ask(new) for _ in range(3))
    assert [answer.status_code for answer in (first, second, refused)] == [200, 200, 429]
    limit, remaining = "X-RateLimit-Limit", "X-RateLimit-Remaining"
    assert [(a[limit], a[remaining]) for a in (first, second, refused)] == [
        ("2", "1"),
        ("2", "0"),
        ("2", "0"),
    ]
    assert refused.json() == {"message": "Too Many Attempts."}
    assert int(refused["X-RateLimit-Reset"]) == clock.now + int(refused["Retry-After"])
    assert refused["Cache-Control"] == "no-store"
    told = [r.token_event for r in caplog.records if r.name == "connectnow_api.tokens"]
    assert told[-1] == TokenEvent(
        action="throttled",
        kind="connectnow_api.APIToken",
        token_id=str(new.token.pk),
        name="laptop",
        owner=str(new.token.owner_id),
        fingerprint=new.token.digest[:8],
        placement="header",
        address="192.0.2.7",
        reason="token",
    )


def test_tokens_of_one_owner_count_apart(ask: Ask, issue: Issue) -> None:
    one, two, other = issue(rate="1/d"), issue(rate="2/d"), issue()
    assert [ask(one).status_code for _ in range(2)] == [200, 429]
    assert [ask(two).status_code for _ in range(3)] == [200, 200, 429]
    assert ask(other)["X-RateLimit-Limit"] == "9"


def test_a_rate_of_the_class_wins(ask: Ask, issue: Issue) -> None:
    class Fixed(TokenRateThrottle):
        rate = "3/d"

    class Limited(View):
        throttle_classes = [Fixed]

    assert ask(issue(rate="1/d"), Limited)["X-RateLimit-Limit"] == "3"


@pytest.mark.parametrize("rate", ["rubbish", "5", "5/x", "\U0001f600", "5/m; DROP TABLE", "-1/m"])
def test_rubbish_in_the_column_is_a_limit_that_cannot_be_counted(
    ask: Ask, issue: Issue, settings: Any, rate: str
) -> None:
    new = issue()
    APIToken.objects.update(rate=rate)
    assert ask(new).status_code == 200
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "ON_CACHE_FAILURE": "closed"}
    assert ask(new).status_code == 503


class Foreign:
    """What another package authenticates with; django-rest-knox's tokens have a digest."""

    digest = "d" * 128


class ForeignAuthentication(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        from django.contrib.auth.models import User

        return User.objects.get(), Foreign()


def test_a_token_of_another_package_is_limited_too(ask: Ask, issue: Issue) -> None:
    class Once(TokenRateThrottle):
        rate = "1/d"

    class Elsewhere(View):
        authentication_classes = [ForeignAuthentication]
        throttle_classes = [Once]

    new = issue()
    assert [ask(new, Elsewhere).status_code for _ in range(2)] == [200, 429]
