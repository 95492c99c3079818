"""What is told of tokens: one record and one signal for everything that happens to them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from connectnow_api import events, tokens
from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.events import TokenEvent
from connectnow_api.exceptions import TokenConflict
from connectnow_api.models import APIToken
from connectnow_api.permissions import HasAbilities
from connectnow_api.signals import TOKEN_SIGNALS
from connectnow_api.throttling import TokenRateThrottle
from tests.conftest import Mount

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]
LATER = timedelta(days=9)
HOSTILE = [
    'a" action="created',
    "a\r\nERROR forged",
    "\x1b[2J\x1b[31m",
    "a\u2028b\u2029c\x85d",
    "\x7f\x9b\x00",
    "\u202eevil",
    "a\\nb\\",
    "%s %(name)s {name}",
]


class Told(list[tuple[TokenEvent, Any]]):
    """Events as a receiver of every signal was sent them, each with the row."""

    @property
    def events(self) -> list[TokenEvent]:
        return [event for event, _ in self]


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()

    def receive(sender: Any, event: TokenEvent, token: Any, **kwargs: Any) -> None:
        assert sender is APIToken
        assert kwargs.keys() == {"signal"}
        assert kwargs["signal"] is TOKEN_SIGNALS[event.action]
        told.append((event, token))

    for signal in TOKEN_SIGNALS.values():
        signal.connect(receive)
    yield told
    for signal in TOKEN_SIGNALS.values():
        signal.disconnect(receive)


@pytest.fixture
def records(caplog: Any) -> Callable[[], list[logging.LogRecord]]:
    caplog.set_level(logging.INFO, "connectnow_api.tokens")
    return lambda: [r for r in caplog.records if r.name == "connectnow_api.tokens"]


Records = Callable[[], list[logging.LogRecord]]


def said_of(token: APIToken, action: str, **more: str) -> TokenEvent:
    said = {
        "kind": "connectnow_api.APIToken",
        "token_id": str(token.pk),
        "name": token.name,
        "owner": str(token.owner_id),
        "fingerprint": token.digest[:8],
    }
    return TokenEvent(action=action, **{**said, **more})


class View(APIView):
    authentication_classes = [APITokenAuthentication]
    permission_classes = [HasAbilities]
    required_abilities = ["a", "b", "c"]
    throttle_classes = [type("Twice", (TokenRateThrottle,), {"rate": "1/d"})]
    placements = ("header", "query", "payload")

    def get(self, request: Any) -> Response:
        return Response({"ok": True})

    post = get


@pytest.fixture
def ask(mount: Mount, client: APIClient) -> Callable[..., int]:
    mount({"flat/x": View.as_view()})

    def ask(text: str, placement: str = "header") -> int:
        sent: dict[str, Any] = {"REMOTE_ADDR": "192.0.2.7"}
        if placement == "header":
            sent["headers"] = {"authorization": f"Bearer {text}"}
        query = f"?api_token={text}" if placement == "query" else ""
        body = {"api_token": text} if placement == "payload" else {}
        status: int = client.post(f"/flat/x{query}", body, format="json", **sent).status_code
        return status

    return ask


Ask = Callable[..., int]


# --- What was changed -------------------------------------------------------------------------


def test_each_change_is_told_once(told: Told, records: Records, issue: Issue) -> None:
    token = issue().token
    token.rename("phone")
    token.extend(timezone.now() + LATER)
    successor = token.rotate(grace=timedelta(hours=1)).token
    token.revoke()
    token.revoke()
    APIToken.objects.all().revoke()
    key = str(token.pk)
    events.emit_deleted(token)
    first = {"name": "laptop"}
    expected = [
        (said_of(token, "created", **first), token),
        (said_of(token, "renamed", reason="from laptop"), token),
        (said_of(token, "extended"), token),
        (said_of(successor, "created"), successor),
        (said_of(token, "rotated", reason=f"by {successor.pk}"), token),
        (said_of(token, "revoked"), token),
        (said_of(successor, "revoked"), successor),
        (said_of(token, "pruned", token_id=key), None),
    ]
    assert told == expected
    assert [r.token_event for r in records()] == [event for event, _ in expected]  # type: ignore[attr-defined]
    assert {r.levelname for r in records()} == {"INFO"}


def test_no_reason_contains_a_token(told: Told, records: Records, issue: Issue) -> None:
    """A token may have been pasted into the field of the name."""
    token, text = issue()
    token.rename(text)
    token.rename("phone")
    assert [event.reason for event in told.events] == ["", "from laptop", "from [redacted]"]
    assert not any(text in record.getMessage() for record in records())


def test_the_row_is_sent_as_it_is_afterwards(told: Told, issue: Issue) -> None:
    token = issue().token
    token.revoke()
    APIToken.objects.filter(pk=issue().token.pk).revoke()
    assert [row.state for event, row in told if event.action == "revoked"] == ["revoked"] * 2


def test_what_was_refused_is_not_told(told: Told, issue: Issue, user: Any) -> None:
    token = issue().token
    token.revoke()
    told.clear()
    for change in (
        lambda: token.rename("phone"),
        lambda: token.extend(None),
        token.rotate,
    ):
        with pytest.raises(TokenConflict):
            change()
    assert token.revoke() is False
    assert told == []


def test_a_change_within_a_request_names_its_address_placement_and_user(
    told: Told, issue: Issue, user: Any
) -> None:
    request = APIRequestFactory().get("/", REMOTE_ADDR="::ffff:192.0.2.7")
    request.user, request._api_token_placement = user, "query"
    token = issue().token
    with events.caused_by(request):
        token.rename("phone")
        nobody = APIRequestFactory().get("/", REMOTE_ADDR="")
        nobody.user = AnonymousUser()
        with events.caused_by(nobody):
            token.rename("desk")
        with pytest.raises(ZeroDivisionError), events.caused_by(nobody):
            _ = 1 / 0
        token.rename("laptop")
    token.rename("phone")
    own = {"address": "192.0.2.7", "placement": "query", "actor": f"auth.User:{user.pk}"}
    assert told.events[1:] == [
        said_of(token, "renamed", reason="from laptop", **own),
        said_of(token, "renamed", name="desk", reason="from phone"),
        said_of(token, "renamed", name="laptop", reason="from desk", **own),
        said_of(token, "renamed", reason="from laptop"),
    ]


# --- What was refused -------------------------------------------------------------------------


@pytest.mark.parametrize("placement", ["header", "query", "payload"])
def test_promise_30_each_refusal_is_told_with_its_reason(
    told: Told, records: Records, ask: Ask, issue: Issue, user: Any, placement: str
) -> None:
    asleep = type(user).objects.create_user("bob", is_active=False)
    new = {
        "revoked": issue(),
        "expired": issue(expires_at=timezone.now() - LATER),
        "idle": issue(idle_timeout=timedelta(hours=1)),
        "owner": issue(owner=asleep),
        "network": issue(allowed_networks=["203.0.113.0/24"]),
    }
    new["revoked"].token.revoke()
    APIToken.objects.filter(pk=new["idle"].token.pk).update(
        last_used_at=timezone.now() - timedelta(days=1)
    )
    told.clear()
    before = len(records())
    request = {"placement": placement, "address": "192.0.2.7"}
    expected = []
    for reason, (token, text) in new.items():
        assert ask(text, placement) == 401
        action = "used_after_expiry" if reason in ("expired", "idle") else "refused"
        expected.append((said_of(token, action, reason=reason, **request), token))
    unknown = tokens.generate("cn")
    for reason, text in (("unknown", unknown), ("malformed", f"{unknown}x")):
        assert ask(text, placement) == 401
        event = TokenEvent(
            action="refused",
            kind="connectnow_api.APIToken",
            fingerprint=tokens.digest(text)[:8],
            reason=reason,
            **request,
        )
        expected.append((event, None))
    assert told == expected
    assert [r.token_event for r in records()[before:]] == told.events  # type: ignore[attr-defined]
    assert {r.levelname for r in records()[before:]} == {"WARNING"}


@pytest.mark.usefixtures("limits", "clock")
def test_promise_30_what_a_token_may_not_do_is_told(told: Told, ask: Ask, issue: Issue) -> None:
    denied, allowed = issue(abilities=["b"]), issue(abilities=["*"])
    told.clear()
    assert ask(denied.plain_text) == 403
    assert [ask(allowed.plain_text) for _ in range(2)] == [200, 429]
    request = {"placement": "header", "address": "192.0.2.7"}
    assert told == [
        (said_of(denied.token, "denied", reason="a c", **request), denied.token),
        (said_of(allowed.token, "throttled", reason="token", **request), allowed.token),
    ]


@pytest.mark.usefixtures("limits", "clock")
def test_promise_30_wrong_tokens_beyond_the_limit_are_told(
    told: Told, ask: Ask, settings: Any
) -> None:
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "FAILED_AUTH_RATE": "1/d"}
    assert [ask("x") for _ in range(2)] == [401, 429]
    assert [event.action for event in told.events] == ["refused", "throttled"]


# --- What is never told -----------------------------------------------------------------------


def test_promise_30_no_event_holds_a_token_or_a_digest(
    told: Told, records: Records, ask: Ask, issue: Issue
) -> None:
    new = issue(abilities=["a", "b", "c"])
    for placement in ("header", "query", "payload"):
        ask(new.plain_text, placement)
    successor = new.token.rotate()
    new.token.revoke()
    for placement in ("header", "query", "payload"):
        ask(new.plain_text, placement)
    kept = [
        repr([*told]),
        str(told.events),
        *(record.getMessage() for record in records()),
        *(repr(vars(record)) for record in records()),
        repr((new, successor)),
        repr(TokenConflict(new.token, "revoked")),
        repr(vars(TokenConflict(new.token, "revoked"))),
    ]
    for text, token in ((new.plain_text, new.token), (successor.plain_text, successor.token)):
        for secret in (text, text[3:43], token.digest, token.digest[:16]):
            assert not [place for place in kept if secret in place]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_promise_30_a_record_is_one_line_of_printable_ascii(
    records: Records, issue: Issue, hostile: str
) -> None:
    """No such name can be issued, but rows that are written by SQL may hold anything."""
    token = issue().token
    token.name = hostile
    events.emit("revoked", token, reason=hostile)
    message = records()[-1].getMessage()
    assert message.isascii()
    assert message.isprintable()
    quoted = json.dumps(hostile).replace("\x7f", "\\u007f")
    assert message == (
        f'action="revoked" kind="connectnow_api.APIToken" token_id="{token.pk}" name={quoted} '
        f'owner="{token.owner_id}" fingerprint="{token.digest[:8]}" reason={quoted}'
    )


@given(st.text(), st.text())
def test_any_text_can_be_read_back_from_a_record(name: str, reason: str) -> None:
    line = str(TokenEvent("revoked", "kind", name=name, reason=reason))
    assert line.isascii()
    assert line.isprintable()
    values, decoder = {}, json.JSONDecoder()
    while line:
        key, _, rest = line.partition("=")
        values[key], end = decoder.raw_decode(rest)
        line = rest[end + 1 :]
    texts = {"action": "revoked", "kind": "kind", "name": name, "reason": reason}
    assert values == {key: value for key, value in texts.items() if value}


# --- Who listens ------------------------------------------------------------------------------


def test_a_receiver_that_raises_changes_nothing(
    told: Told, ask: Ask, issue: Issue, caplog: Any
) -> None:
    def fail(**kwargs: Any) -> None:
        raise ZeroDivisionError("a receiver's own mistake")

    for signal in TOKEN_SIGNALS.values():
        signal.connect(fail)
    try:
        new = issue()
        new.token.rename("phone")
        new.token.extend(None)
        successor = new.token.rotate().token
        assert ask(new.plain_text) == 401
        assert successor.revoke() is True
    finally:
        for signal in TOKEN_SIGNALS.values():
            signal.disconnect(fail)
    assert {row.state for row in APIToken.objects.all()} == {"revoked"}
    actions = ["created", "renamed", "extended", "created", "rotated", "refused", "revoked"]
    assert [event.action for event in told.events] == actions
    failures = [record for record in caplog.records if record.name == "django.dispatch"]
    assert len(failures) == len(actions)
    assert new.plain_text not in caplog.text
    assert new.token.digest not in caplog.text


def test_every_action_has_a_signal_of_its_own() -> None:
    assert len({id(signal) for signal in TOKEN_SIGNALS.values()}) == len(TOKEN_SIGNALS)
    assert TOKEN_SIGNALS.keys() >= events.REFUSALS
