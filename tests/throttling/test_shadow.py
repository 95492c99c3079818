"""Limits in shadow: they count and tell, and refuse nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from connectnow_api.limiters import Limiter
from connectnow_api.limits import hit
from connectnow_api.signals import limit_exceeded
from connectnow_api.throttling import AnonRateThrottle, LimiterThrottle, limited_by
from tests.conftest import Mount

from .views import NOW, Ask, Issue, View, limited, remaining, shown, signed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]

LOGGER = "connectnow_api.limits"


@pytest.fixture
def exceeded() -> Iterator[list[Any]]:
    """What the signal has told: scope, limit, hits, whether in shadow."""
    told: list[Any] = []

    def receive(sender: str, request: Any, usage: Any, is_shadow: bool, **kwargs: Any) -> None:
        path = None if request is None else request.path
        told.append((sender, path, usage.limit, usage.hits, is_shadow))

    limit_exceeded.connect(receive)
    yield told
    limit_exceeded.disconnect(receive)


def lines(caplog: Any) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


def test_one_limiter(ask: Ask, caplog: Any, exceeded: list[Any]) -> None:
    own = Limiter("1/d", by="address", shadow=True, name="api")
    answers = [ask([LimiterThrottle], limiters=own) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [shown(answer) for answer in answers] == [{"Limit": 1, "Remaining": 0}] * 3
    assert lines(caplog)[0] == ('Limit "api" would have refused "address:127.0.0.1": 2 of 1/86400s')
    assert len(lines(caplog)) == 2
    assert [told[0:3] + told[4:] for told in exceeded] == [("api", "/flat/x", 1, True)] * 2
    assert {record.levelno for record in caplog.records if record.name == LOGGER} == {
        logging.WARNING
    }


def test_all_limits_of_the_site(
    ask: Ask, settings: Any, issue: Issue, caplog: Any, exceeded: list[Any]
) -> None:
    settings.CONNECTNOW_API = {"SHADOW_LIMITS": True, "FAILED_AUTH_RATE": "1/d"}
    throttles = [limited(AnonRateThrottle, "1/d"), limited_by("1/d")]
    assert [ask(throttles).status_code for _ in range(3)] == [200] * 3
    assert [ask(token="x").status_code for _ in range(3)] == [401] * 3
    assert {told[0] for told in exceeded} == {"anon", "1/d", "failed_auth"}
    assert all(told[4] for told in exceeded)
    assert [hit("by hand", "1/d", "x").is_exceeded for _ in range(2)] == [False, False]  # type: ignore[union-attr]


def test_a_class(ask: Ask) -> None:
    throttle = limited(AnonRateThrottle, "1/d", shadow=True)
    assert [ask([throttle]).status_code for _ in range(3)] == [200] * 3


def test_a_limit_that_is_none_of_the_shadows(ask: Ask, settings: Any) -> None:
    settings.CONNECTNOW_API = {"SHADOW_LIMITS": True}
    enforced = Limiter("1/d", shadow=False)
    assert [ask([LimiterThrottle], limiters=enforced).status_code for _ in range(2)] == [200, 429]


def test_one_that_refuses_is_shown_before_one_in_shadow(ask: Ask, exceeded: list[Any]) -> None:
    own = [Limiter("1/d", shadow=True, name="new"), Limiter("2/d", name="old")]
    answers = [ask([LimiterThrottle], limiters=own) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [shown(answer)["Limit"] for answer in answers] == [1, 1, 2]
    assert [(told[0], told[4]) for told in exceeded] == [("new", True), ("old", False)]


def test_one_that_refuses_is_shown_before_one_in_shadow_that_ends_later(ask: Ask) -> None:
    """Limits of answers are all looked at before the view, those in shadow too."""
    fields = {"answers": [404], "by": "address"}
    own = [Limiter("1/d", shadow=True, name="new", **fields), Limiter("2/m", name="old", **fields)]
    answers = [ask([LimiterThrottle], "?fail=404", limiters=own) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 404, 429]
    last = shown(answers[2])
    assert (last["Limit"], last["Remaining"]) == (2, 0)
    assert last["After"] <= 60
    assert last["Reset"] == NOW + last["After"]


def test_what_is_refused_has_not_been_counted_in_shadow(ask: Ask) -> None:
    own = [Limiter("9/d", shadow=True, name="new"), Limiter("1/d", name="old")]
    for _ in range(4):
        ask([LimiterThrottle], limiters=own)
    response = ask([LimiterThrottle], limiters=[Limiter("9/d", name="new")])
    assert remaining(response) == 7


def test_answers_that_count(ask: Ask, caplog: Any) -> None:
    own = Limiter("1/d", answers=[404], shadow=True, name="misses")
    statuses = [ask([LimiterThrottle], "?fail=404", limiters=own).status_code for _ in range(3)]
    assert statuses == [404] * 3
    assert 'Limit "misses" would have refused' in caplog.text


@pytest.mark.usefixtures("outage")
def test_a_store_that_is_gone_closes_nothing(ask: Ask) -> None:
    own = Limiter("1/d", shadow=True, on_cache_failure="closed")
    assert ask([LimiterThrottle], limiters=own).status_code == 200


def test_what_a_client_or_a_function_said_is_not_logged(
    mount: Mount, client: Any, caplog: Any
) -> None:
    for by in ("header:X-Api-Key", lambda request: request.headers["X-Api-Key"]):
        own = Limiter("0/d", by=by, shadow=True, name="keys\n")
        mount({"flat/x": View.as_view(throttle_classes=[limited_by(own)])})
        assert client.get("/flat/x", headers={"X-Api-Key": "s3cret"}).status_code == 200
    assert len(lines(caplog)) == 2
    assert "s3cret" not in caplog.text
    assert all(line.startswith('Limit "keys\\n" would have refused ') for line in lines(caplog))


def test_users_and_tokens_are_named_without_secrets(ask: Ask, issue: Issue, caplog: Any) -> None:
    new = issue()
    own = Limiter("0/d", shadow=True)
    ask([LimiterThrottle], limiters=own, token=new.plain_text)
    assert f"token:connectnow_api.apitoken:{new.token.pk}" in lines(caplog)[0]
    assert new.plain_text not in caplog.text
    assert new.token.digest not in caplog.text


def test_a_limit_that_refuses_is_told_as_well(ask: Ask, caplog: Any, exceeded: list[Any]) -> None:
    own = Limiter(["1/d", "9/d"], name="api")
    assert [ask([LimiterThrottle], limiters=own).status_code for _ in range(2)] == [200, 429]
    assert exceeded == [("api", "/flat/x", 1, 2, False)]
    assert lines(caplog) == []


def test_each_would_be_refusal_is_one_line(ask: Ask, caplog: Any, exceeded: list[Any]) -> None:
    """Also where a limit is looked at before the view and counted after it."""
    own = Limiter("1/d", answers=[404], by="address", shadow=True, name="misses")
    for _ in range(3):
        ask([LimiterThrottle], "?fail=404", limiters=own)
    assert lines(caplog) == [
        f'Limit "misses" would have refused "address:127.0.0.1": {hits} of 1/86400s'
        for hits in (2, 3)
    ]
    assert [told[3] for told in exceeded] == [2, 3]


def test_a_token_whose_key_is_the_token_is_not_named(ask: Ask, user: Any, caplog: Any) -> None:
    """Django REST framework's own are such, and so are sessions."""
    own = Limiter("0/d", shadow=True, name="own")
    for key in ("5ec4e7" * 6, "7" * 40):
        signed_by = signed(user, Session(session_key=key))
        ask([LimiterThrottle], limiters=own, authentication_classes=signed_by)
    assert len(lines(caplog)) == 2
    assert "5ec4e7" not in caplog.text
    assert "77777" not in caplog.text
