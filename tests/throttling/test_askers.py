"""Whom the throttles count as one."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from rest_framework.test import APIClient

from connectnow_api.models import APIToken
from connectnow_api.throttling import (
    AnonRateThrottle,
    BaseRateThrottle,
    TokenRateThrottle,
    UserRateThrottle,
)
from tests.library.models import Author

from .views import Ask, Issue, limited, remaining, signed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]


def test_anon_counts_addresses_and_no_users(ask: Ask, issue: Issue) -> None:
    throttles = [limited(AnonRateThrottle, "5/d")]
    assert remaining(ask(throttles)) == 4
    assert remaining(ask(throttles)) == 3
    assert remaining(ask(throttles, address="192.0.2.7")) == 4
    assert remaining(ask(throttles, token=issue().plain_text)) is None


def test_user_counts_users_whatever_their_token_and_address(
    ask: Ask, issue: Issue, django_user_model: Any
) -> None:
    throttles = [limited(UserRateThrottle, "5/d")]
    grace = django_user_model.objects.create_user("grace")
    assert remaining(ask(throttles, token=issue().plain_text)) == 4
    assert remaining(ask(throttles, token=issue().plain_text, address="192.0.2.7")) == 3
    assert remaining(ask(throttles, token=issue(owner=grace).plain_text)) == 4
    assert remaining(ask(throttles)) == 4
    assert remaining(ask(throttles)) == 3


def test_token_counts_tokens(ask: Ask, issue: Issue) -> None:
    throttles = [limited(TokenRateThrottle, "5/d")]
    one, other = issue().plain_text, issue().plain_text
    assert remaining(ask(throttles, token=one)) == 4
    assert remaining(ask(throttles, token=one, address="192.0.2.7")) == 3
    assert remaining(ask(throttles, token=other)) == 4
    assert remaining(ask(throttles)) == 4


def test_token_counts_users_who_came_without_one(ask: Ask, user: Any) -> None:
    """By a session, say, or by a token that is no row of ours."""
    throttles = [limited(TokenRateThrottle, "5/d")]
    for auth, left in ((None, 4), ({"jti": 1}, 3), ("text", 2)):
        found = ask(throttles, authentication_classes=signed(user, auth))
        assert remaining(found) == left
    assert remaining(ask(throttles)) == 4


class Device:
    """A user that is no model."""

    is_authenticated = True

    def __init__(self, pk: Any) -> None:
        self.pk = pk


class Robot(Device):
    pass


@pytest.mark.parametrize("throttle", [UserRateThrottle, TokenRateThrottle])
def test_two_kinds_of_users_with_one_key_are_two(
    ask: Ask, user: Any, throttle: type[BaseRateThrottle]
) -> None:
    author = Author(pk=user.pk)
    author.is_authenticated = True
    for who in (user, author, Device(user.pk), Robot(user.pk), Device(str(user.pk) + "0")):
        found = ask([limited(throttle, "5/d")], authentication_classes=signed(who))
        assert remaining(found) == 4


def test_a_user_and_a_token_with_one_key_are_two(ask: Ask, user: Any) -> None:
    throttles = [limited(TokenRateThrottle, "5/d")]
    token = APIToken(pk=user.pk)
    assert remaining(ask(throttles, authentication_classes=signed(user))) == 4
    assert remaining(ask(throttles, authentication_classes=signed(user, token))) == 4


@pytest.mark.parametrize("nobody", [None, AnonymousUser(), Device(None)])
def test_who_cannot_be_told_apart_is_an_address(ask: Ask, nobody: Any) -> None:
    for throttle in (AnonRateThrottle, UserRateThrottle, TokenRateThrottle):
        throttles = [limited(throttle, "5/d")]
        ask(throttles)
        assert remaining(ask(throttles, authentication_classes=signed(nobody))) == 3


def test_a_forwarded_address_is_not_believed(ask: Ask, client: APIClient) -> None:
    ask()
    responses = [
        client.get("/flat/x", headers={"x-forwarded-for": forwarded})
        for forwarded in ("203.0.113.1", "\x7f", "9" * 300, "[]")
    ]
    assert [response.status_code for response in responses] == [200, 429, 429, 429]


def test_behind_a_proxy_its_word_counts(ask: Ask, client: APIClient, settings: Any) -> None:
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": 1}
    ask()
    found = [
        remaining(client.get("/flat/x", headers={"x-forwarded-for": forwarded}))
        for forwarded in ("spoofed, 203.0.113.1", "other, 203.0.113.1", "203.0.113.2", "[]")
    ]
    assert found == [1, 0, 1, 0]


def test_a_subclass_counts_by_what_it_likes(ask: Ask) -> None:
    class ByPath(BaseRateThrottle):
        scope = "path"
        rate = "5/d"

        def get_cache_key(self, request: Any, view: Any) -> str:
            return str(request.path)

    assert remaining(ask([ByPath])) == 4
    assert remaining(ask([ByPath], address="192.0.2.7")) == 3


def test_a_key_may_be_any_that_a_row_has(ask: Ask) -> None:
    for key in (uuid.UUID(int=7), uuid.UUID(int=8), 7, "seven"):
        throttle = limited(AnonRateThrottle, "5/d", get_cache_key=lambda *_, key=key: key)
        assert remaining(ask([throttle])) == 4


def test_a_base_throttle_has_to_say_whom_it_counts() -> None:
    throttle = limited(BaseRateThrottle, "5/d", scope="x")()
    with pytest.raises(NotImplementedError, match="get_cache_key"):
        throttle.allow_request(SimpleNamespace(), None)
