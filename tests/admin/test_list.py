"""The list of tokens: search, filters, and what is done to many at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import BooleanFieldListFilter as BooleanFilter
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.core.checks import ERROR
from django.test import Client, RequestFactory
from django.utils import timezone

from connectnow_api import last_used
from connectnow_api.admin import APITokenAdmin
from connectnow_api.models import APIToken

from .conftest import LIST, AsStaff, errors_of

pytestmark = pytest.mark.django_db


def shown(response: Any) -> list[str]:
    assert response.status_code == 200
    return sorted(token.name for token in response.context["cl"].result_list)


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


@pytest.fixture
def tokens(issue: Any) -> dict[str, APIToken]:
    """One token in each state, named by it."""
    now = timezone.now()
    found = {}
    for name in ("active", "grace", "expired", "idle", "revoked"):
        found[name] = issue().token
        found[name].rename(name)
    found["grace"].rotate(timedelta(days=1)).token.rename("successor")
    found["revoked"].revoke()
    changes: dict[str, Any] = {
        "expired": {"expires_at": now - timedelta(days=1)},
        "idle": {
            "idle_timeout": timedelta(days=1),
            "created_at": now - timedelta(days=400),
            "last_used_at": now - timedelta(days=40),
        },
    }
    for name, values in changes.items():
        APIToken.objects.filter(pk=found[name].pk).update(**values)
    return found


@pytest.mark.parametrize(
    ("state", "names"),
    [
        ("active", ["active", "grace", "successor"]),
        ("grace", ["grace"]),
        ("expired", ["expired", "idle"]),
        ("revoked", ["revoked"]),
    ],
)
def test_tokens_are_filtered_by_state(
    as_staff: AsStaff, tokens: Any, state: str, names: list[str]
) -> None:
    assert shown(as_staff("view").get(LIST, {"state": state})) == names


@pytest.mark.parametrize(("days", "names"), [("30", ["idle"]), ("90", []), ("365", [])])
def test_tokens_are_filtered_by_last_use(
    as_staff: AsStaff, tokens: Any, days: str, names: list[str]
) -> None:
    assert shown(as_staff("view").get(LIST, {"stale": days})) == names


@pytest.fixture
def waiting(issue: Any, settings: Any) -> APIToken:
    """An old token, of whose first use the cache knows and the table does not."""
    settings.CONNECTNOW_API = {"LAST_USED": "cache"}
    token: APIToken = issue().token
    created_at = timezone.now() - timedelta(days=40)
    APIToken.objects.filter(pk=token.pk).update(created_at=created_at)
    cache.set(last_used.FLUSHED, 1)
    last_used.record(token, RequestFactory().get("/"))
    assert APIToken.objects.get().last_used_at is None
    return token


def test_a_use_that_waits_in_the_cache_is_a_use(as_staff: AsStaff, waiting: APIToken) -> None:
    assert shown(as_staff("view").get(LIST, {"stale": "30"})) == []


def test_an_action_spares_what_was_used_meanwhile(as_staff: AsStaff, waiting: APIToken) -> None:
    client = as_staff("view", "change")
    send(client, "revoke", [waiting], f"{LIST}?stale=30", select_across="1", confirmed="1")
    assert APIToken.objects.get().revoked_at is None


def test_a_cache_that_is_gone_fails_no_list(
    as_staff: AsStaff, waiting: APIToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> int:
        raise ConnectionError("gone")

    monkeypatch.setattr(last_used, "flush", gone)
    assert shown(as_staff("view").get(LIST, {"stale": "30"})) == [waiting.name]


def test_a_backlog_keeps_no_list_waiting(
    waiting: APIToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def endless() -> int:
        calls.append(1)
        return last_used.AT_ONCE

    monkeypatch.setattr(last_used, "flush", endless)
    last_used.catch_up()
    assert len(calls) == last_used.ROUNDS


def test_filters_work_together_and_count(as_staff: AsStaff, tokens: Any) -> None:
    owner = tokens["idle"].owner_id
    query = {"state": "expired", "stale": "30", "owner": owner, "_facets": "True"}
    response = as_staff("view").get(LIST, query)
    assert shown(response) == ["idle"]
    assert "Expired, or unused for too long (1)" in response.content.decode()


def test_the_state_is_a_word(as_staff: AsStaff, tokens: Any, user: Any) -> None:
    client = as_staff("view")
    page = client.get(LIST).content.decode()
    for text in ("active", "expired", "unused for too long", "revoked", "rotated, in its grace"):
        assert f'<td class="field-state_word">{text}' in page
    user.is_active = False
    user.save()
    assert "its owner is not active" in client.get(LIST).content.decode()


def test_the_expiry_is_the_one_that_counts(as_staff: AsStaff, issue: Any, settings: Any) -> None:
    token = issue().token
    created_at = datetime(2025, 1, 2, 3, 4, tzinfo=UTC)
    APIToken.objects.filter(pk=token.pk).update(expires_at=None, created_at=created_at)
    client = as_staff("view")
    assert '<td class="field-expiry">-</td>' in client.get(LIST).content.decode()
    settings.CONNECTNOW_API = {"MAX_TOKEN_LIFETIME": timedelta(days=30)}
    page = client.get(LIST).content.decode()
    assert '<td class="field-expiry nowrap">Feb. 1, 2025, 3:04 a.m.</td>' in page
    column = APITokenAdmin.list_display.index("expiry") + 1
    assert shown(client.get(LIST, {"o": column})) == [token.name]


def test_an_owner_is_a_link_to_all_his_tokens(
    as_staff: AsStaff, issue: Any, django_user_model: Any, user: Any
) -> None:
    issue()
    eve = django_user_model.objects.create_user("<eve>")
    APIToken.objects.issue(eve, "phone")
    client = as_staff("view")
    page = client.get(LIST).content.decode()
    assert f'<a href="?owner={eve.pk}">&lt;eve&gt;</a>' in page
    assert "By owner" not in page
    response = client.get(LIST, {"owner": eve.pk})
    assert shown(response) == ["phone"]
    [found] = [spec for spec in response.context["cl"].filter_specs if spec.title == "owner"]
    assert [choice["display"] for choice in found.choices(response.context["cl"])] == [
        "All",
        "<eve>",
    ]


@pytest.mark.parametrize("exists", [True, False])
def test_an_owner_without_tokens_is_not_named(
    as_staff: AsStaff, issue: Any, django_user_model: Any, exists: bool
) -> None:
    issue()
    key = django_user_model.objects.create_user("eve the owner").pk if exists else 0
    response = as_staff("view").get(LIST, {"owner": key})
    assert shown(response) == []
    [found] = [spec for spec in response.context["cl"].filter_specs if spec.title == "owner"]
    assert [text for _key, text in found.lookup_choices] == [str(key)]
    assert "eve the owner" not in response.content.decode()


BAD_QUERIES = [
    {"state": "nonsense"},
    {"state": ""},
    {"stale": "31"},
    {"stale": "x"},
    {"owner": ""},
    {"owner": "ada"},
    {"owner": "\x00"},
    {"owner": str(10**30)},
]


@pytest.mark.parametrize("query", BAD_QUERIES, ids=str)
def test_a_filter_that_is_not_offered_is_not_left_out(
    as_staff: AsStaff, tokens: Any, query: dict[str, str]
) -> None:
    """Whoever revokes all that is shown shall not be shown more than he asked for."""
    response = as_staff("view").get(LIST, query)
    assert (response.status_code, response["Location"]) == (302, f"{LIST}?e=1")


@pytest.mark.parametrize(
    "lookup",
    ["digest", "digest__startswith", "rotated_from__digest__startswith", "owner__password"],
)
def test_nobody_filters_by_a_secret(as_staff: AsStaff, issue: Any, lookup: str) -> None:
    token = issue().token
    response = as_staff("view").get(LIST, {lookup: token.digest[:1]})
    assert response.status_code == 400


@pytest.mark.parametrize(
    "lookup",
    [
        "name",
        "name__regex",
        "abilities__contains",
        "idle_timeout",
        "owner__gt",
        "owner_id",
        "pk__in",
        "rotated_to__isnull",
    ],
)
def test_nobody_filters_by_what_is_not_offered(as_staff: AsStaff, issue: Any, lookup: str) -> None:
    issue()
    assert as_staff("view").get(LIST, {lookup: "x"}).status_code == 400


def test_a_subclass_offers_more(rf: RequestFactory) -> None:
    class Offering(APITokenAdmin):
        list_filter = (*APITokenAdmin.list_filter, "client", ("owner__is_active", BooleanFilter))
        date_hierarchy = "created_at"

    request, model_admin = rf.get("/"), Offering(APIToken, admin.site)
    lookups = {
        "state": True,
        "client": True,
        "client__isnull": True,
        "clients": True,  # No column, which Django refuses.
        "owner__is_active__exact": True,
        "owner__is_staff__exact": False,
        "created_at__year": True,
        "rate": False,
    }
    found = {lookup: model_admin.lookup_allowed(lookup, "1", request) for lookup in lookups}
    assert found == lookups


def test_choices_that_are_limited_are_filtered(
    as_staff: AsStaff, issue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is the list from which a token is chosen for a key with ``limit_choices_to``."""
    issue()
    token = issue(client="acme").token
    token.rename("chosen")
    monkeypatch.setattr(APIToken._meta, "related_fkey_lookups", [lambda: {"client": "acme"}])
    client = as_staff("view")
    assert shown(client.get(LIST, {"client": "acme"})) == ["chosen"]
    assert client.get(LIST, {"client": "other"}).status_code == 400


@pytest.mark.parametrize("query", ["mainframe", "acme", "ada", "ada@example.com", "TAIL"])
def test_tokens_are_found(as_staff: AsStaff, issue: Any, query: str, user: Any) -> None:
    token = issue(client="acme").token
    token.rename("mainframe")
    other = type(user).objects.create_user("eve", "eve@example.org")
    APIToken.objects.issue(other, "phone")
    client = as_staff("view")
    text = token.tail if query == "TAIL" else query
    assert shown(client.get(LIST, {"q": text})) == ["mainframe"]
    assert shown(client.get(LIST, {"q": token.digest})) == []


def test_a_single_kind_needs_no_filter_by_kind(as_staff: AsStaff, issue: Any) -> None:
    specs = as_staff("view").get(LIST).context["cl"].filter_specs
    assert [str(spec.title) for spec in specs] == ["state", "last use"]


def test_the_list_costs_as_many_queries_for_many_tokens(
    as_staff: AsStaff, issue: Any, django_user_model: Any, django_assert_num_queries: Any
) -> None:
    client = as_staff("view")
    issue()
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as few:
        client.get(LIST)
    for number in range(5):
        owner = django_user_model.objects.create_user(f"owner{number}")
        APIToken.objects.issue(owner, "phone")
    with django_assert_num_queries(len(few)):
        client.get(LIST)


# --- Many at once ---------------------------------------------------------------------------


def send(client: Client, action: str, tokens: Any, url: str = LIST, **data: Any) -> Any:
    selected = {"action": action, "_selected_action": [token.pk for token in tokens]}
    return client.post(url, selected | data, follow=True)


def confirm(client: Client, page: Any, url: str = LIST, **data: Any) -> Any:
    """Send what the page that asks would send."""
    sent: dict[str, Any] = {}
    for name, value in page.context["hidden"]:
        sent.setdefault(name, []).append(value)
    return client.post(url, sent | data, follow=True)


def test_revoking_asks_first(as_staff: AsStaff, issue: Any) -> None:
    tokens = [issue().token, issue().token]
    kept = issue().token
    client = as_staff("view", "change")
    page = send(client, "revoke", tokens)
    assert APIToken.objects.revoked().count() == 0
    for token in tokens:
        assert f"<li>{token}, ada</li>" in page.content.decode()
    response = confirm(client, page)
    assert messages_of(response) == ["2 API tokens were revoked."]
    assert list(APIToken.objects.filter(revoked_at=None)) == [kept]
    entries = LogEntry.objects.order_by("pk").values_list("object_id", "change_message")
    assert sorted(entries) == sorted((str(token.pk), "Revoked.") for token in tokens)
    assert messages_of(confirm(client, page)) == ["0 API tokens were revoked."]


def test_all_that_is_filtered_is_revoked(as_staff: AsStaff, tokens: Any) -> None:
    url = f"{LIST}?stale=30"
    client = as_staff("view", "change")
    page = send(client, "revoke", [tokens["idle"]], url, select_across="1")
    assert page.context["hidden"][-1] == ("_selected_action", str(tokens["idle"].pk))
    assert messages_of(confirm(client, page, url)) == ["1 API token was revoked."]
    assert sorted(token.name for token in APIToken.objects.revoked()) == ["idle", "revoked"]


def test_a_page_that_asks_names_twenty(as_staff: AsStaff, issue: Any) -> None:
    tokens = [issue().token for _ in range(23)]
    page = send(as_staff("view", "change"), "revoke", tokens).content.decode()
    assert page.count("<li>laptop (") == 20
    assert "<li>and 3 more</li>" in page


@pytest.mark.parametrize("action", ["revoke", "extend"])
def test_actions_need_the_permission_to_change(as_staff: AsStaff, issue: Any, action: str) -> None:
    token = issue().token
    client = as_staff("view", "add", "delete")
    send(client, action, [token], confirmed="1", never_expires="on")
    after = APIToken.objects.get()
    assert (after.revoked_at, after.expires_at) == (None, token.expires_at)
    assert action not in str(client.get(LIST).context["action_form"])


@pytest.mark.parametrize("key", ["x", "-1", str(10**30), "\x00", ""])
def test_a_selection_that_cannot_be_is_no_crash(as_staff: AsStaff, issue: Any, key: str) -> None:
    issue()
    client = as_staff("view", "change")
    data = {"action": "revoke", "_selected_action": [key], "confirmed": "1"}
    response = client.post(LIST, data, follow=True)
    [text] = messages_of(response)
    assert text in {
        "What was selected is not in the list any more.",
        "0 API tokens were revoked.",
    }


FAR = {"expires_at_0": "2099-01-02", "expires_at_1": "03:04:05"}


def test_extending_does_what_it_can_and_names_the_rest(as_staff: AsStaff, tokens: Any) -> None:
    client = as_staff("view", "change")
    page = send(client, "extend", tokens.values())
    response = confirm(client, page, **FAR)
    assert sorted(messages_of(response)) == sorted(
        [
            "2 API tokens were extended.",
            f"{tokens['idle']} was not used for too long.",
            f"{tokens['revoked']} is revoked, which is final.",
            f"{tokens['grace']} was rotated already.",
        ]
    )
    extended = APIToken.objects.filter(expires_at__year=2099)
    assert sorted(token.name for token in extended) == ["active", "expired"]
    assert LogEntry.objects.filter(change_message="Extended.").count() == 2


def test_a_token_that_is_too_old_is_named(as_staff: AsStaff, issue: Any, settings: Any) -> None:
    old, young = issue().token, issue().token
    created_at = timezone.now() - timedelta(days=20)
    APIToken.objects.filter(pk=old.pk).update(created_at=created_at)
    settings.CONNECTNOW_API = {"MAX_TOKEN_LIFETIME": timedelta(days=30)}
    client = as_staff("view", "change")
    page = send(client, "extend", [old, young])
    expires_at = timezone.now() + timedelta(days=20)
    data = {"expires_at_0": expires_at.strftime("%Y-%m-%d"), "expires_at_1": "00:00"}
    done, refused = sorted(messages_of(confirm(client, page, **data)))
    assert done == "1 API token was extended."
    assert refused.startswith(f"{old}: This token may live until ")


def test_no_more_than_twenty_are_named(as_staff: AsStaff, issue: Any) -> None:
    tokens = [issue().token for _ in range(23)]
    APIToken.objects.all().revoke()
    client = as_staff("view", "change")
    said = messages_of(confirm(client, send(client, "extend", tokens), **FAR))
    assert len(said) == 21
    assert said[-1] == "Not extended beside these: 3"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, "Say when the token expires, or that it never does."),
        ({"expires_at_0": "2020-01-01", "expires_at_1": "00:00"}, "The expiry lies in the past."),
        ({"expires_at_0": "soon", "expires_at_1": "00:00"}, "Enter a valid date."),
    ],
)
def test_a_bad_expiry_is_told_at_the_field(
    as_staff: AsStaff, issue: Any, data: dict[str, str], text: str
) -> None:
    token = issue().token
    client = as_staff("view", "change")
    page = send(client, "extend", [token])
    again = confirm(client, page, **data)
    assert errors_of(again) == {"expires_at": [text]}
    assert again.context["hidden"] == page.context["hidden"]
    token.refresh_from_db(fields=["expires_at"])
    assert token.expires_at < timezone.now() + timedelta(days=366)
    confirm(client, again, never_expires="on")
    assert APIToken.objects.get().expires_at is None


def test_deleting_tells_of_each_token(
    as_staff: AsStaff, issue: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = [issue().token, issue().token]
    keys = {str(token.pk) for token in tokens}
    client = as_staff("view", "delete")
    caplog.clear()
    with caplog.at_level("INFO", "connectnow_api.tokens"):
        send(client, "delete_selected", tokens, post="yes")
    events = [record.token_event for record in caplog.records if hasattr(record, "token_event")]
    assert {event.token_id for event in events} == keys
    assert {(event.action, event.address) for event in events} == {("pruned", "127.0.0.1")}
    assert not APIToken.objects.exists()


def test_a_list_that_edits_rows_is_an_error() -> None:
    class Editing(APITokenAdmin):
        list_display_links = ("masked",)
        list_editable = ("name",)

    [error] = Editing(APIToken, admin.site).check()
    assert (error.id, error.level) == ("connectnow_api.E015", ERROR)


def test_the_admin_is_set_up_as_django_asks() -> None:
    assert admin.site._registry[APIToken].check() == []
