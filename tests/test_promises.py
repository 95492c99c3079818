"""The security promises, each tried as it is worded; a number, once given, is never given anew.

Those of bodies and errors are in ``test_promises_of_requests.py``, those of checks and records in
``test_promises_of_operation.py``, those of several processes beside what they are about. Whole
behaviours are tested beside their modules.
"""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core import mail, serializers
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.views.debug import ExceptionReporter
from rest_framework.generics import ListAPIView
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

import connectnow_api
from connectnow_api import tokens
from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.models import APIToken
from connectnow_api.permissions import HasAbilities
from connectnow_api.profiles import PROFILES
from connectnow_api.signals import cache_unavailable
from connectnow_api.throttling import UserRateThrottle
from tests.asking import Plan, address_with_time_left, ask_at_once
from tests.conftest import CacheServers, Clock, Mount, Stored
from tests.library.models import Book
from tests.test_pagination import BookSerializer

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]
PACKAGE = Path(connectnow_api.__file__).parent
BY_UNIQUE_INDEX = {
    "sqlite": "SEARCH connectnow_api_apitoken USING INDEX",
    "postgresql": "Index Scan using connectnow_api_apitoken_digest",
    "mysql": "connectnow_api_apitoken const digest",
}
"""How a database says that it finds one row, and looks at no other."""


class View(APIView):
    authentication_classes = [APITokenAuthentication]
    permission_classes = [HasAbilities]
    required_abilities = ["a"]

    def get(self, request: Any) -> Response:
        return Response({"ok": True})


@pytest.fixture
def get(mount: Mount, client: APIClient) -> Callable[..., Any]:
    def get(uri: str = "/flat/x", token: str | None = None, **headers: str) -> Any:
        mount({"flat/x": View.as_view()})
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        return client.get(uri, headers=headers)

    return get


Get = Callable[..., Any]


def test_promise_1_form_of_a_token(issue: Issue) -> None:
    text = issue().plain_text
    assert re.fullmatch(r"cn_[0-9A-Za-z]{40}[0-9A-Za-z]{6}", text)
    assert text[-6:] == tokens.checksum(text[3:43])


def test_promise_1_more_than_255_characters_are_nobodys_token(get: Get) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert get(token="cn_" + "a" * 253).status_code == 401
    assert not queries


def test_promise_2_the_plain_text_exists_once(get: Get, issue: Issue, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    new = issue(abilities=["a"])
    text = new.plain_text
    with CaptureQueriesContext(connection) as queries:
        assert get(token=text).status_code == 200
    dump = serializers.serialize("json", APIToken.objects.all())
    row = str(vars(APIToken.objects.get()))
    for place in (dump, row, repr(new), str(new), caplog.text, str(queries.captured_queries)):
        assert text not in place
        assert text[3:43] not in place
    assert not mail.outbox
    assert not Session.objects.exists()


def test_promise_2_an_error_report_of_a_refusal_does_not_hold_it(
    issue: Issue, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django's report of a crash within authentication shows no local variable of ours."""
    settings.DEBUG = False
    text = issue().plain_text
    monkeypatch.setattr(APIToken, "state", property(lambda self: 1 / 0))
    request = APIRequestFactory().get("/flat/x", headers={"authorization": f"Bearer {text}"})
    try:
        APITokenAuthentication().authenticate(request)
    except ZeroDivisionError as error:
        report = ExceptionReporter(request, type(error), error, error.__traceback__)
    frames = [f for f in report.get_traceback_data()["frames"] if "connectnow_api" in f["filename"]]
    assert frames
    assert text not in str([frame["vars"] for frame in frames])


def test_promise_2_an_error_report_of_issuing_does_not_hold_it(
    user: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = False
    text = tokens.generate("cn")
    monkeypatch.setattr(tokens, "generate", lambda prefix: text)
    monkeypatch.setattr(tokens, "digest", lambda text: 1 / 0)
    try:
        APIToken.objects.issue(user, "laptop")
    except ZeroDivisionError as error:
        report = ExceptionReporter(None, type(error), error, error.__traceback__)
    frames = [f for f in report.get_traceback_data()["frames"] if "connectnow_api" in f["filename"]]
    assert frames
    assert text not in str([frame["vars"] for frame in frames])


def test_promise_3_what_a_presented_token_costs(get: Get, issue: Issue, settings: Any) -> None:
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "LAST_USED": "off"}
    text = issue(abilities=["a"]).plain_text
    broken = text[:10] + ("x" if text[10] != "x" else "y") + text[11:]
    for presented, cost in ((text, 1), (tokens.generate("cn"), 1), (broken, 0)):
        with CaptureQueriesContext(connection) as queries:
            get(token=presented)
        assert len(queries) == cost


def test_promise_3_the_look_up_uses_the_unique_index(issue: Issue) -> None:
    issue()
    digest = APIToken.objects.get().digest
    if connection.vendor == "postgresql":
        # Which would rather read all of so small a table.
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    plan = APIToken.objects.filter(digest=digest).explain()
    assert BY_UNIQUE_INDEX[connection.vendor] in plan


def test_promise_4_one_answer_for_every_refusal(get: Get, issue: Issue, user: Any) -> None:
    revoked = issue()
    revoked.token.revoke()
    expired = issue(expires_at=timezone.now() - timedelta(days=1))
    asleep = issue(owner=type(user).objects.create_user("bob", is_active=False))
    texts = [revoked.plain_text, expired.plain_text, asleep.plain_text]
    answers = [get(token=text) for text in [*texts, tokens.generate("cn"), "cn_x", "x"]]
    assert {a.status_code for a in answers} == {401}
    assert len({(a.content, a["WWW-Authenticate"]) for a in answers}) == 1


def test_promise_5_nothing_near_a_token_is_one(get: Get, issue: Issue) -> None:
    token, text = issue(abilities=["a"])
    near = [token.digest, text.upper(), text.lower(), text.swapcase(), text[:-1], text + "a"]
    assert {get(token=presented).status_code for presented in near} == {401}


def test_promise_6_revocation_and_expiry_hold_for_the_next_request(get: Get, issue: Issue) -> None:
    token, text = issue(abilities=["a"])
    assert get(token=text).status_code == 200
    token.revoke()
    assert get(token=text).status_code == 401
    token, text = issue(abilities=["a"])
    APIToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())
    assert get(token=text).status_code == 401


def test_promise_7_a_save_is_in_no_module_of_ours() -> None:
    """A save() of a row read before could undo a revocation made meanwhile."""
    for module in PACKAGE.rglob("*.py"):
        tree = ast.parse(module.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        for call in calls:
            if isinstance(call.func, ast.Attribute) and call.func.attr == "save":
                # A row that is new undoes nothing.
                assert "force_insert" in [keyword.arg for keyword in call.keywords], module


def test_promise_9_one_write_in_an_interval(get: Get, issue: Issue, settings: Any) -> None:
    interval = {"LAST_USED_INTERVAL": timedelta(days=1)}
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, **interval}
    text = issue(abilities=["a"]).plain_text
    for writes in (1, 0):
        with CaptureQueriesContext(connection) as queries:
            get(token=text)
        verbs = [query["sql"].split()[0] for query in queries]
        assert verbs.count("UPDATE") == writes
        assert not {"INSERT", "DELETE"} & {*verbs}
        assert verbs[0] == "SELECT"
    assert verbs == ["SELECT"]


def test_promise_10_defaults_are_the_careful_ones(issue: Issue) -> None:
    token = issue().token
    assert token.abilities == []
    assert timedelta(days=364) < token.expires_at - timezone.now() <= timedelta(days=365)


def test_promise_11_never_first_wins(get: Get, issue: Issue) -> None:
    one, two = (issue(abilities=["a"]).plain_text for _ in range(2))
    assert get(f"/flat/x?api_token={one}", two).status_code == 400
    assert get(f"/flat/x?api_token={one}", one).status_code == 200


def test_promise_12_lists_and_arrays_never_authenticate(get: Get, issue: Issue) -> None:
    text = issue(abilities=["a"]).plain_text
    for authorization in (f"Bearer {text},Bearer {text}", f"Basic x, Bearer {text}"):
        assert get(authorization=authorization).status_code == 401
    assert get(f"/flat/x?api_token[]={text}").status_code == 401


def test_promise_14_challenges(get: Get, issue: Issue) -> None:
    assert get()["WWW-Authenticate"] == 'Bearer realm="api"'
    assert get(token="x")["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'
    refused = get(token=issue().plain_text)
    assert refused.status_code == 403
    assert 'error="insufficient_scope", scope="a"' in refused["WWW-Authenticate"]


def test_promise_16_answers_to_query_tokens_stay_private(get: Get, issue: Issue) -> None:
    text = issue(abilities=["a"]).plain_text
    for uri in (f"/flat/x?api_token={text}", "/flat/x?api_token=wrong"):
        response = get(uri)
        assert response["Cache-Control"] == "private, no-store"
        assert response["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("debug", [True, False])
def test_promise_18_no_body_names_what_is_inside(
    get: Get, issue: Issue, settings: Any, debug: bool
) -> None:
    settings.DEBUG = debug
    text = issue().plain_text
    answers = [get(), get(token="x"), get(token=text), get(f"/flat/x?api_token={text}", "y")]
    for answer in answers:
        assert set(answer.json()) == {"message"}
        for inside in ("Traceback", "SELECT", "/", "APIToken", "tests.", text):
            assert inside not in answer.json()["message"]


@pytest.mark.servers
@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_promise_24_the_limit_passes_whatever_the_number_of_processes(
    start_cache: CacheServers, kind: str
) -> None:
    """Exactly so many, and no two of them are told the same remaining number."""
    server = start_cache(kind)
    address = address_with_time_left("101/d")
    answers = ask_at_once(Plan(server.settings, "101/d", address, requests=40), processes=4)
    passed = [int(str(remaining)) for status, remaining in answers if status == 200]
    assert sorted(passed) == [*range(100)]
    assert [status for status, _ in answers if status != 200] == [429] * 60


class Limited(APIView):
    authentication_classes = [APITokenAuthentication]
    permission_classes = ()
    throttle_classes = [type("Twice", (UserRateThrottle,), {"rate": "2/d"})]

    def get(self, request: Any) -> Response:
        return Response({"ok": True})


@pytest.fixture
def ask(limits: None, clock: Clock, mount: Mount, client: APIClient) -> Callable[..., Any]:
    """Ask a view that lets two requests a day pass."""
    mount({"flat/x": Limited.as_view()})

    def ask(address: str = "192.0.2.7", **headers: str) -> Any:
        return client.get("/flat/x", headers=headers, REMOTE_ADDR=address)

    return ask


Ask = Callable[..., Any]


def test_promise_25_an_outage_lets_pass_and_is_told(
    ask: Ask, outage: None, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def receive(sender: str, **kwargs: Any) -> None:
        told.append(sender)

    cache_unavailable.connect(receive)
    assert [ask().status_code for _ in range(5)] == [200] * 5
    monkeypatch.setattr(Limited.throttle_classes[0], "on_cache_failure", "closed")
    assert [ask().status_code for _ in range(5)] == [503] * 5
    cache_unavailable.disconnect(receive)
    assert told == ["user"] * 10
    assert len([r for r in caplog.records if r.name == "connectnow_api.limits"]) == 1


def test_promise_26_the_address_is_nobodys_own_word(ask: Ask, stored: Stored) -> None:
    spoofed = ["203.0.113.1", "203.0.113.2", "unknown", "[]", "x" * 300]
    answers = [ask(**{"x-forwarded-for": forwarded}) for forwarded in spoofed]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429, 429]
    neighbours = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"]
    assert [ask(address).status_code for address in neighbours] == [200, 200, 429]
    assert len(stored()) == 2
    assert "192.0.2" not in str(stored())


def test_promise_27_refused_tokens_are_counted_and_valid_ones_pass(
    ask: Ask, issue: Issue, settings: Any
) -> None:
    settings.CONNECTNOW_API = {"PREFIXES": {"/flat/": "connectnow"}, "FAILED_AUTH_RATE": "3/d"}
    refused = [ask(authorization="Bearer x").status_code for _ in range(5)]
    assert refused == [401, 401, 401, 429, 429]
    assert ask(authorization=f"Bearer {issue().plain_text}").status_code == 200
    assert ask("192.0.2.8", authorization="Bearer x").status_code == 401


def test_promise_28_what_a_429_says(ask: Ask, clock: Clock) -> None:
    refused = [ask() for _ in range(3)][-1]
    assert refused.status_code == 429
    wait = int(refused["Retry-After"])
    assert 1 <= wait <= 86400
    assert refused["X-RateLimit-Limit"] == "2"
    assert refused["X-RateLimit-Remaining"] == "0"
    assert int(refused["X-RateLimit-Reset"]) == clock.now + wait
    assert "no-store" in refused["Cache-Control"]


@pytest.mark.parametrize("number", ["9" * 18, "9" * 19, "9" * 400])
@pytest.mark.parametrize("profile", PROFILES)
def test_promise_23_no_page_number_overflows(
    get: Get, mount: Mount, client: APIClient, number: str, profile: str
) -> None:
    class Books(ListAPIView[Book]):
        queryset = Book.objects.all()
        serializer_class = BookSerializer
        permission_classes = ()

    Books.profile = profile
    mount({"books": Books.as_view()})
    response = client.get(f"/books?page={number}&per_page={number}&per-page={number}")
    body = response.json()
    expected = int(number) if len(number) == 18 else 1
    assert response.status_code == 200
    assert body.get("meta", body)["current_page"] == expected
