"""The audit table: whole rows for each event, and what becomes of them when things go wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection, connections, transaction
from django.test import RequestFactory
from django.test.utils import isolate_apps
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api import events, tokens
from connectnow_api.audit import receivers
from connectnow_api.audit.models import TokenAuditEntry
from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.base_models import AbstractAPIToken
from connectnow_api.events import TokenEvent
from connectnow_api.exceptions import InvalidToken
from connectnow_api.models import APIToken
from connectnow_api.permissions import HasAbilities
from connectnow_api.signals import TOKEN_SIGNALS
from tests.conftest import Mount

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("audit")]

Issue = Callable[..., Any]

KIND = "connectnow_api.APIToken"
PLACEMENTS = ("header", "query", "payload")
UNKNOWN = tokens.generate("cn")
"""What might be a token, and is none."""


def entries() -> list[dict[str, str]]:
    """Return what was written since it was asked last, without what is empty."""
    found = [
        {name: value for name, value in row.items() if value and name not in ("id", "created_at")}
        for row in TokenAuditEntry.objects.order_by("pk").values()
    ]
    TokenAuditEntry.objects.all().delete()
    return found


def said_of(token: APIToken) -> dict[str, str]:
    """Return what each entry says of a token."""
    return {
        "kind": KIND,
        "token_id": str(token.pk),
        "name": token.name,
        "owner": str(token.owner_id),
        "fingerprint": token.digest[:8],
    }


class View(APIView):
    """Says whose token it was given."""

    authentication_classes = [APITokenAuthentication]
    permission_classes = [HasAbilities]
    placements = PLACEMENTS
    required_abilities: Any = []

    def post(self, request: Any) -> Response:
        return Response({"user": request.user.username})


class ClosedView(View):
    required_abilities = ["issues:read", "issues:write"]


@pytest.fixture
def send(mount: Mount, client: APIClient, settings: Any) -> Callable[..., int]:
    """Send a token and return the status: ``send("cn_...", "query")``."""
    mount({"flat/open": View.as_view(), "flat/closed": ClosedView.as_view()})
    client.raise_request_exception = False

    def send(token: str, placement: str = "header", path: str = "/flat/open", **extra: Any) -> int:
        headers = {"authorization": f"Bearer {token}"} if placement == "header" else {}
        query = f"?api_token={token}" if placement == "query" else ""
        body = {"api_token": token} if placement == "payload" else {}
        address = {"REMOTE_ADDR": "192.0.2.7", **extra}
        answer = client.post(f"{path}{query}", body, format="json", headers=headers, **address)
        return int(answer.status_code)

    return send


Send = Callable[..., int]


# --- What is written --------------------------------------------------------------------------


def test_a_life_from_issue_to_pruning(user: Any) -> None:
    token, _ = APIToken.objects.issue(user, "laptop")
    created = said_of(token)
    assert entries() == [{**created, "action": "created"}]

    token.rename("desk")
    said = {**created, "name": "desk"}
    assert entries() == [{**said, "action": "renamed", "reason": "from laptop"}]

    token.extend(timezone.now() + timedelta(days=2))
    assert entries() == [{**said, "action": "extended"}]

    successor = token.rotate().token
    assert entries() == [
        {**said_of(successor), "action": "created"},
        {**said, "action": "rotated", "reason": f"by {successor.pk}"},
    ]

    successor.revoke()
    assert entries() == [{**said_of(successor), "action": "revoked"}]

    events.emit("expiring", token)
    assert entries() == [{**said, "action": "expiring"}]

    events.emit_deleted(token)
    assert entries() == [{**said, "action": "pruned"}]


def test_what_happens_to_many_is_written_at_once(
    issue: Issue, django_assert_num_queries: Any
) -> None:
    issued = [issue().token for _ in range(3)]
    entries()
    # The keys, the rows, the change; and the entries between two of their savepoint.
    with django_assert_num_queries(3 + 3):
        assert APIToken.objects.revoke() == 3
    assert entries() == [{**said_of(token), "action": "revoked"} for token in issued]
    assert APIToken.objects.revoke() == 0
    assert entries() == []


def test_a_batch_that_fails_has_told_what_happened_before(issue: Issue) -> None:
    token = issue().token
    entries()
    with contextlib.suppress(ZeroDivisionError), events.batch():
        events.emit("revoked", token)
        raise ZeroDivisionError
    assert entries() == [{**said_of(token), "action": "revoked"}]
    events.emit("revoked", token)
    assert entries() == [{**said_of(token), "action": "revoked"}]


def test_who_did_it_and_from_where(user: Any) -> None:
    request = RequestFactory().post("/", REMOTE_ADDR="2001:db8::7")
    request.user = user
    with events.caused_by(request):
        token, _ = APIToken.objects.issue(user, "laptop")
    request.user = AnonymousUser()
    with events.caused_by(request):
        token.revoke()
    address = {"address": "2001:db8::7"}
    assert entries() == [
        {**said_of(token), **address, "action": "created", "actor": f"auth.User:{user.pk}"},
        {**said_of(token), **address, "action": "revoked"},
    ]


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_value_that_may_be_a_token(send: Send, placement: str) -> None:
    assert send(UNKNOWN, placement) == 401
    assert entries() == [
        {
            "action": "refused",
            "reason": "unknown",
            "kind": KIND,
            "fingerprint": tokens.digest(UNKNOWN)[:8],
            "placement": placement,
            "address": "192.0.2.7",
        }
    ]


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_value_that_is_no_token_asks_the_database_nothing(
    send: Send, placement: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert send("x", placement) == 401
    assert entries() == []


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(
    ("reason", "action"),
    [
        ("revoked", "refused"),
        ("owner", "refused"),
        ("network", "refused"),
        ("header", "refused"),
        ("expired", "used_after_expiry"),
        ("idle", "used_after_expiry"),
    ],
)
def test_a_token_that_opens_nothing(
    send: Send,
    issue: Issue,
    monkeypatch: pytest.MonkeyPatch,
    placement: str,
    reason: str,
    action: str,
) -> None:
    token, plain_text = issue()
    before = timezone.now() - timedelta(days=1)
    columns = {
        "revoked": {"revoked_at": before},
        "network": {"allowed_networks": ["198.51.100.0/24"]},
        "expired": {"expires_at": before},
        "idle": {"idle_timeout": timedelta(minutes=1), "created_at": before},
    }
    APIToken.objects.filter(pk=token.pk).update(**columns.get(reason, {"client": "acme"}))
    if reason == "owner":
        type(token.owner)._default_manager.update(is_active=False)
    if reason == "header":
        monkeypatch.setattr(View, "required_headers", {"Hs-Client-Id": "client"}, raising=False)
    entries()
    assert send(plain_text, placement) == 401
    assert entries() == [
        {
            **said_of(token),
            "action": action,
            "reason": reason,
            "placement": placement,
            "address": "192.0.2.7",
        }
    ]


def test_a_token_that_opens_something_is_not_written(send: Send, issue: Issue) -> None:
    plain_text = issue().plain_text
    entries()
    assert send(plain_text) == 200
    assert entries() == []


@pytest.mark.usefixtures("limits", "clock")
def test_what_has_no_bound_is_left_out(send: Send, issue: Issue, settings: Any) -> None:
    settings.CONNECTNOW_API = {"PREFIXES": {"/flat/": "connectnow"}, "FAILED_AUTH_RATE": "1/d"}
    plain_text = issue().plain_text
    entries()
    assert send(plain_text, path="/flat/closed") == 403
    assert [send(UNKNOWN), send(UNKNOWN), send(UNKNOWN)] == [401, 429, 429]
    assert [entry["action"] for entry in entries()] == ["refused"]


def test_the_site_may_choose(send: Send, issue: Issue, settings: Any) -> None:
    settings.CONNECTNOW_API = {
        "PREFIXES": {"/flat/": "connectnow"},
        "AUDIT_ACTIONS": ["denied", "revoked"],
    }
    token, plain_text = issue()
    assert send(plain_text, path="/flat/closed") == 403
    assert send(UNKNOWN) == 401
    token.revoke()
    assert entries() == [
        {
            **said_of(token),
            "action": "denied",
            "reason": "issues:read issues:write",
            "placement": "header",
            "address": "192.0.2.7",
        },
        {**said_of(token), "action": "revoked"},
    ]


def test_kinds_are_told_apart(user: Any) -> None:
    with isolate_apps("tests.library"):

        class DeviceToken(AbstractAPIToken):
            class Meta:
                app_label = "library"

        device = DeviceToken(pk=1, owner_id=7, name="scanner", digest="d" * 64)
        token = APIToken(pk=1, owner_id=7, name="laptop", digest="a" * 64)
        events.emit("revoked", device)
        events.emit("revoked", token)
    shared = {"action": "revoked", "token_id": "1", "owner": "7"}
    assert entries() == [
        {**shared, "kind": "library.DeviceToken", "name": "scanner", "fingerprint": "d" * 8},
        {**shared, "kind": KIND, "name": "laptop", "fingerprint": "a" * 8},
    ]


def test_no_entry_holds_a_token_or_a_digest(send: Send, issue: Issue) -> None:
    token, plain_text = issue()
    token.rename("desk")
    new = token.rotate()
    new.token.revoke()
    for value in (plain_text, new.plain_text, unknown := tokens.generate("cn")):
        for placement in PLACEMENTS:
            assert send(value, placement) == 401
    written = str(list(TokenAuditEntry.objects.values()))
    for value in (plain_text, new.plain_text, unknown):
        assert value not in written
        assert value.partition("_")[2] not in written
        assert tokens.digest(value) not in written


def test_each_field_of_an_event_has_a_column() -> None:
    fields = [field.name for field in dataclasses.fields(TokenEvent)]
    columns = [field.name for field in TokenAuditEntry._meta.get_fields()]
    assert sorted(columns) == sorted([*fields, "id", "created_at"])


# --- Values that no column would take ---------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plain", "plain"),
        ("Zoë's 日本語 🔑", "Zoë's 日本語 🔑"),
        ("a\nlevel=ERROR", "a\\nlevel=ERROR"),
        ("a\0b", "a\\x00b"),
        ("half \ud83d", "half \\ud83d"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u2028b\u202ec\u200d\x7f\x85", "a\\u2028b\\u202ec\\u200d\\x7f\\x85"),
        ("x" * 255, "x" * 255),
        ("x" * 256, "x" * 254 + "…"),
        ("\n" * 255, "\\n" * 127 + "…"),
        ("\U0001f511" * 100_000, "\U0001f511" * 254 + "…"),
    ],
)
def test_a_value_is_printable_and_not_too_long(name: str, written: str) -> None:
    receivers.record(TokenEvent("created", KIND, name=name))
    assert entries() == [{"action": "created", "kind": KIND, "name": written}]


def test_no_value_is_too_long_for_any_column() -> None:
    values = {field.name: "\0" * 10_000 for field in dataclasses.fields(TokenEvent)}
    receivers.record(TokenEvent(**{**values, "action": "created"}))
    entry = TokenAuditEntry.objects.get()
    for field in TokenAuditEntry._meta.concrete_fields:
        if field.name in values and field.name != "action":
            value = getattr(entry, field.name)
            assert len(value) == field.max_length
            assert value.endswith("…")


# --- What goes wrong --------------------------------------------------------------------------


@pytest.fixture
def no_table(transactional_db: None) -> Iterator[None]:
    """Drop the table, as if the app were new and nobody had migrated yet."""
    with connection.schema_editor() as editor:
        editor.delete_model(TokenAuditEntry)
    yield
    with connection.schema_editor() as editor:
        editor.create_model(TokenAuditEntry)


def test_without_the_table_everything_else_goes_on(
    no_table: None, send: Send, user: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    with transaction.atomic():
        token, plain_text = APIToken.objects.issue(user, "laptop")
        token.rename("desk")
    assert APIToken.objects.get().name == "desk"
    assert [send(UNKNOWN), send(plain_text)] == [401, 200]
    (record,) = caplog.records
    assert record.name == "connectnow_api.audit.receivers"
    assert record.getMessage().startswith("The audit table cannot be written: ")


def test_without_the_table_a_request_in_a_transaction_goes_on(
    no_table: None, send: Send, issue: Issue, atomic_requests: None
) -> None:
    assert [send(UNKNOWN), send(issue().plain_text)] == [401, 200]


def test_another_receiver_that_fails_changes_nothing(
    send: Send, issue: Issue, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**kwargs: Any) -> None:
        raise ZeroDivisionError

    # Signals ask in the order of connection.
    for signal in TOKEN_SIGNALS.values():
        signal.disconnect(dispatch_uid=receivers.UID)
        signal.connect(fail)
    receivers.connect()
    try:
        issue()
        assert send(UNKNOWN) == 401
    finally:
        for signal in TOKEN_SIGNALS.values():
            signal.disconnect(fail)
    assert [entry["action"] for entry in entries()] == ["created", "refused"]


# --- Transactions -----------------------------------------------------------------------------


@pytest.fixture
def atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each view in a transaction, which an error rolls back."""
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


class ChangingView(View):
    """Issues a token, and then looks what ``then`` says."""

    required_abilities: Any = []
    then: Any = None

    def post(self, request: Any) -> Response:
        APIToken.objects.issue(request.user, "made by the request")
        if type(self).then == "crash":
            raise ZeroDivisionError
        if type(self).then == "deny":
            self.permission_denied(request)
        if type(self).then == "refuse":
            APITokenAuthentication().authenticate(refused_request())
        return Response()


def refused_request() -> Any:
    """Return a request with a token that opens nothing, as a view may ask about another one."""
    return RequestFactory().get("/", headers={"authorization": f"Bearer {UNKNOWN}"})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("then", "status", "actions"),
    [
        (None, 200, ["created"]),
        ("crash", 500, []),
        ("deny", 403, []),
        ("refuse", 401, ["refused"]),
    ],
)
def test_changes_are_rolled_back_and_refusals_stay(
    send: Send,
    mount: Mount,
    issue: Issue,
    atomic_requests: None,
    monkeypatch: pytest.MonkeyPatch,
    then: str | None,
    status: int,
    actions: list[str],
) -> None:
    monkeypatch.setattr(ChangingView, "then", then)
    mount({"flat/open": ChangingView.as_view()})
    plain_text = issue().plain_text
    entries()
    assert send(plain_text) == status
    assert APIToken.objects.count() == 1 + (then is None)
    assert [entry["action"] for entry in entries()] == actions


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_refusal_outlives_the_transaction_of_its_request(
    send: Send, issue: Issue, atomic_requests: None, placement: str
) -> None:
    token, plain_text = issue(expires_at=timezone.now() - timedelta(days=1))
    entries()
    before = timezone.now()
    assert send(plain_text, placement) == 401
    assert before <= TokenAuditEntry.objects.get().created_at <= timezone.now()
    assert entries() == [
        {
            **said_of(token),
            "action": "used_after_expiry",
            "reason": "expired",
            "placement": placement,
            "address": "192.0.2.7",
        }
    ]


def test_within_a_test_case_of_django_it_is_the_same(
    send: Send, issue: Issue, atomic_requests: None
) -> None:
    """There the whole test is one transaction."""
    issue()
    assert send(UNKNOWN) == 401
    assert [entry["action"] for entry in entries()] == ["created", "refused"]


@pytest.mark.django_db(transaction=True)
def test_changes_are_rolled_back_with_their_transaction(issue: Issue) -> None:
    token = issue().token
    entries()
    with transaction.atomic():
        token.revoke()
        transaction.set_rollback(True)
    assert entries() == []


@pytest.mark.django_db(transaction=True)
def test_outside_of_requests_a_refusal_belongs_to_the_transaction() -> None:
    """Nothing would ever tell that it can be written."""
    with transaction.atomic():
        refuse()
        transaction.set_rollback(True)
    assert entries() == []
    with transaction.atomic():
        refuse()
    assert [entry["action"] for entry in entries()] == ["refused"]


def refuse() -> None:
    with pytest.raises(InvalidToken):
        APITokenAuthentication().authenticate(refused_request())


def test_what_a_request_left_waiting_is_no_other_requests() -> None:
    """Django's asynchronous test client ends a request in another thread than it began in."""
    receivers.begin()
    refuse()
    receivers.begin()
    receivers.finish()
    assert entries() == []


@pytest.mark.parametrize(
    ("found", "closed"),
    [
        pytest.param(None, 1, id="closed-by-django-before"),
        pytest.param("open", 0, id="kept-by-django"),
    ],
)
def test_a_connection_that_is_opened_to_write_is_closed(
    monkeypatch: pytest.MonkeyPatch, found: str | None, closed: int
) -> None:
    """Django has closed what is not to be kept, and does not look again."""
    asked: list[str] = []
    stand_in = SimpleNamespace(
        connection=found,
        in_atomic_block=True,
        close_if_unusable_or_obsolete=lambda: asked.append("close"),
    )
    monkeypatch.setattr(receivers, "connections", {"default": stand_in})
    receivers.begin()
    refuse()
    receivers.finish()
    receivers.finish()
    assert len(asked) == closed
    assert [entry["action"] for entry in entries()] == ["refused"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("age", [0, None])
def test_a_connection_is_kept_as_long_as_the_site_says(
    monkeypatch: pytest.MonkeyPatch, age: int | None
) -> None:
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", age)
    connection.close()
    can_be_closed = connection.connection is None  # SQLite's is kept while it is in memory.
    receivers.begin()
    with transaction.atomic():
        refuse()
    connection.close()
    receivers.finish()
    assert (connection.connection is None) == (can_be_closed and age == 0)
    assert [entry["action"] for entry in entries()] == ["refused"]


# --- Old entries ------------------------------------------------------------------------------


@pytest.fixture
def aged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Write entries of 9, 8, … 0 days ago, by a clock that stands; return their keys."""
    now = datetime(2026, 1, 31, tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    rows = [
        TokenAuditEntry(action="created", kind=KIND, created_at=now - timedelta(days=days))
        for days in reversed(range(10))
    ]
    for row in rows:
        row.save()
    return [row.pk for row in rows]


def keys() -> list[int]:
    return list(TokenAuditEntry.objects.order_by("pk").values_list("pk", flat=True))


def test_old_entries_are_pruned_in_batches(aged: list[int], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2 + 2 + 2 + 1):
        assert [*TokenAuditEntry.objects.older_than(3).prune_in_batches(3)] == [3, 3, 1]
    assert keys() == aged[7:]


@pytest.mark.parametrize(("days", "deleted"), [(0, 10), (1, 9), (9, 1), (10, 0)])
def test_old_is_so_many_days_and_more(aged: list[int], days: int, deleted: int) -> None:
    assert TokenAuditEntry.objects.older_than(days).count() == deleted
    assert TokenAuditEntry.objects.older_than(days).prune() == deleted
    assert keys() == aged[deleted:]


def test_what_is_pruned_can_be_chosen_further(aged: list[int]) -> None:
    old = TokenAuditEntry.objects.older_than(5)
    assert old.filter(pk__gte=aged[3]).order_by("-created_at").prune(1) == 2
    assert keys() == [*aged[:3], *aged[5:]]
