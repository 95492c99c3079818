"""What a new token's columns may hold, beyond what the columns of a database say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection
from django.utils import timezone
from django.views.debug import ExceptionReporter

from connectnow_api import tokens
from connectnow_api.abilities import MAX_ABILITIES
from connectnow_api.addresses import MAX_NETWORKS
from connectnow_api.base_models import AbstractAPIToken
from connectnow_api.exceptions import TokenConflict
from connectnow_api.models import APIToken

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]
NO_VALUE = "This value is not valid."


@pytest.mark.parametrize("value", [["a"], {"a": 1}, True, 5, b"x"])
@pytest.mark.parametrize("column", ["name", "rate", "client"])
def test_a_text_is_a_text(user: Any, column: str, value: Any) -> None:
    values = {"name": "laptop", column: value}
    with pytest.raises(ValidationError) as refusal:
        APIToken.objects.issue(user, **values)
    assert refusal.value.message_dict == {column: [NO_VALUE]}


@pytest.mark.parametrize("value", [5, [1], "1 00:00:00", True])
def test_a_time_is_a_timedelta(issue: Issue, value: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        issue(idle_timeout=value)
    assert refusal.value.message_dict == {"idle_timeout": [NO_VALUE]}
    with pytest.raises(ValidationError) as refusal:
        issue().token.rotate(value)
    assert refusal.value.message_dict == {"grace": [NO_VALUE]}


@pytest.mark.parametrize("name", ["\u200b", "\u2060 \ufeff", " "])
def test_a_name_that_cannot_be_seen_is_none(user: Any, name: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        APIToken.objects.issue(user, name)
    assert refusal.value.message_dict == {"name": ["This field cannot be blank."]}


@pytest.mark.parametrize("character", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_a_name_turns_no_direction_round(user: Any, character: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        APIToken.objects.issue(user, f"laptop{character}1202")
    assert refusal.value.message_dict == {"name": ["This text holds a control character."]}


def test_lists_have_an_end(issue: Issue) -> None:
    abilities = [f"a:{number}" for number in range(MAX_ABILITIES)]
    networks = [f"192.0.2.{number}" for number in range(MAX_NETWORKS)]
    assert issue(abilities=abilities, allowed_networks=networks).token.is_usable
    with pytest.raises(ValidationError) as refusal:
        issue(abilities=[*abilities, "b"], allowed_networks=[*networks, "192.0.2.200"])
    assert refusal.value.message_dict == {
        "abilities": ["A token has 1000 of these at most."],
        "allowed_networks": ["A token has 100 of these at most."],
    }


def test_what_was_not_used_for_too_long_is_not_extended(issue: Issue) -> None:
    """No other date would open it."""
    token = issue(idle_timeout=timedelta(hours=1)).token
    long_ago = timezone.now() - timedelta(days=2)
    APIToken.objects.filter(pk=token.pk).update(created_at=long_ago)
    token.refresh_from_db()
    expires_at = token.expires_at
    with pytest.raises(TokenConflict) as conflict:
        token.extend(timezone.now() + timedelta(days=9))
    assert conflict.value.state == "idle"
    assert APIToken.objects.get().expires_at == expires_at


def test_the_idle_timeout_of_the_site_is_that_of_new_tokens(issue: Issue, settings: Any) -> None:
    settings.CONNECTNOW_API = {"TOKEN_IDLE_TIMEOUT": timedelta(days=30)}
    assert issue().token.idle_timeout == timedelta(days=30)
    assert issue(idle_timeout=None).token.idle_timeout is None
    assert issue(idle_timeout=timedelta(days=1)).token.idle_timeout == timedelta(days=1)


def test_nobodys_token_opens_nothing() -> None:
    token: Any = SimpleNamespace(owner=None)
    is_owner_active: Any = AbstractAPIToken.is_owner_active
    assert is_owner_active.fget(token) is False


def test_an_error_report_of_a_look_up_holds_no_token(settings: Any) -> None:
    settings.DEBUG = False
    text = tokens.generate("cn")

    def refuse(*args: Any) -> None:
        raise OperationalError("gone")

    try:
        with connection.execute_wrapper(refuse):
            APIToken.objects.find(text)
    except OperationalError as error:
        report = ExceptionReporter(None, type(error), error, error.__traceback__)
    frames = [f for f in report.get_traceback_data()["frames"] if "connectnow_api" in f["filename"]]
    assert frames
    for secret in (text, tokens.digest(text)):
        assert secret not in str([frame["vars"] for frame in frames])
