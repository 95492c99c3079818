"""Refused tokens are counted by address: 401, then 429, and a valid one passes all the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from connectnow_api import tokens
from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.engines import MemoryEngine
from connectnow_api.models import APIToken
from connectnow_api.permissions import HasAbilities
from connectnow_api.signals import cache_unavailable
from tests.conftest import Clock, Mount

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]

Issue = Callable[..., Any]

PLACEMENTS = ("header", "query", "payload")
INVALID = 'Bearer realm="api", error="invalid_token"'


class View(APIView):
    """Answers anybody who sends no token, or a good one."""

    authentication_classes = [APITokenAuthentication]
    permission_classes = ()
    placements = PLACEMENTS
    required_headers: Any = {}

    def post(self, request: Any) -> Response:
        return Response({"user": request.user.username})


@pytest.fixture
def send(settings: Any, mount: Mount, client: APIClient) -> Callable[..., Any]:
    """Send a token somewhere: ``send("cn_...", "query", address="192.0.2.7")``."""
    settings.CONNECTNOW_API = {"PROFILE": "connectnow", "FAILED_AUTH_RATE": "3/d"}
    mount({"flat/x": View.as_view()})

    def send(
        token: str | None = None,
        placement: str = "header",
        *,
        address: str = "192.0.2.7",
        **headers: str,
    ) -> Any:
        query, body = "", {}
        if token is not None and placement == "header":
            headers["authorization"] = f"Bearer {token}"
        elif token is not None and placement == "query":
            query = f"?api_token={token}"
        elif token is not None:
            body = {"api_token": token}
        return client.post(
            f"/flat/x{query}", body, format="json", headers=headers, REMOTE_ADDR=address
        )

    return send


Send = Callable[..., Any]


def exhaust(send: Send, **kwargs: Any) -> None:
    """Send as many refused tokens as are answered 401."""
    assert [send("x", **kwargs).status_code for _ in range(3)] == [401] * 3


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_beyond_the_limit_a_refused_token_is_429(send: Send, placement: str, clock: Clock) -> None:
    for _ in range(3):
        response = send("x", placement)
        assert response.status_code == 401
        assert response.json() == {"message": "Unauthenticated."}
        assert response["WWW-Authenticate"] == INVALID
        assert "X-RateLimit-Limit" not in response
    response = send("x", placement)
    assert response.status_code == 429
    assert response.json() == {"message": "Too Many Attempts."}
    reset = int(response["X-RateLimit-Reset"])
    assert clock.now < reset <= clock.now + 86400
    assert response["Retry-After"] == str(reset - int(clock.now))
    assert response["X-RateLimit-Limit"] == "3"
    assert response["X-RateLimit-Remaining"] == "0"
    assert "WWW-Authenticate" not in response


def test_a_429_is_kept_by_no_cache(send: Send) -> None:
    exhaust(send)
    assert send("x")["Cache-Control"] == "no-store"
    assert send("x", "query")["Cache-Control"] == "private, no-store"
    assert send("x", "query")["Referrer-Policy"] == "no-referrer"


def test_afterwards_it_is_401_again(send: Send, clock: Clock) -> None:
    exhaust(send)
    wait = int(send("x")["Retry-After"])
    clock.now += wait - 1
    assert send("x").status_code == 429
    clock.now += 1
    assert send("x").status_code == 401


def test_all_placements_count_together(send: Send) -> None:
    assert [send("x", placement).status_code for placement in PLACEMENTS] == [401] * 3
    assert [send("x", placement).status_code for placement in PLACEMENTS] == [429] * 3


def test_each_address_is_counted_for_itself(send: Send) -> None:
    exhaust(send)
    exhaust(send, address="192.0.2.8")
    exhaust(send, address="2001:db8::1")
    assert send("x", address="2001:db8::ffff").status_code == 429


def test_a_forwarded_address_is_not_believed(send: Send) -> None:
    answers = [send("x", **{"x-forwarded-for": f"203.0.113.{n}"}) for n in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]


@pytest.fixture(params=["garbage", "checksum", "unknown", "expired", "revoked", "inactive"])
def refused(request: pytest.FixtureRequest, issue: Issue, django_user_model: Any) -> str:
    """A token that opens nothing."""
    token, text = issue()
    if request.param == "garbage":
        return "x"
    if request.param == "checksum":
        return f"{text[:-1]}{'a' if text[-1] != 'a' else 'b'}"
    if request.param == "unknown":
        return tokens.generate("cn")
    if request.param == "expired":
        return str(issue(expires_at=timezone.now() - timedelta(days=1)).plain_text)
    if request.param == "revoked":
        token.revoke()
        return str(text)
    asleep = django_user_model.objects.create_user("bob", is_active=False)
    return str(issue(owner=asleep).plain_text)


def test_every_token_that_opens_nothing_counts(send: Send, refused: str) -> None:
    assert [send(refused).status_code for _ in range(4)] == [401, 401, 401, 429]


def test_a_good_token_of_another_client_counts(
    send: Send, issue: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(View, "required_headers", {"Hs-Client-Id": "client"})
    text = issue(client="acme").plain_text
    answers = [send(text, **{"hs-client-id": "other"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert send(text, **{"hs-client-id": "acme"}).status_code == 200


def test_what_is_no_refused_token_does_not_count(send: Send, issue: Issue) -> None:
    """Nothing at all, an empty one, another scheme, two at a time, a good one."""
    good = issue().plain_text
    for _ in range(5):
        assert send().status_code == 200
        assert send("").status_code == 200
        assert send(authorization="Basic YTpi").status_code == 200
        assert send("x", "query", authorization="Bearer y").status_code == 400
        assert send(good).status_code == 200
    exhaust(send)


def test_a_401_for_want_of_a_token_does_not_count(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(View, "permission_classes", [HasAbilities])
    monkeypatch.setattr(View, "required_abilities", ["a"], raising=False)
    assert [send().status_code for _ in range(5)] == [401] * 5
    exhaust(send)
    assert send().status_code == 401


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_beyond_the_limit_a_valid_token_passes(send: Send, issue: Issue, placement: str) -> None:
    exhaust(send)
    assert send("x").status_code == 429
    response = send(issue().plain_text, placement)
    assert (response.status_code, response.json()) == (200, {"user": "ada"})
    assert "X-RateLimit-Limit" not in response
    assert send().status_code == 200


def test_what_refused_tokens_cost(send: Send, issue: Issue, settings: Any) -> None:
    """Garbage never reaches the database, an unknown one asks it once, the limit adds nothing."""
    unknown, text = tokens.generate("cn"), issue().plain_text
    broken = f"{text[:-1]}{'a' if text[-1] != 'a' else 'b'}"
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "LAST_USED": "off"}
    for _ in range(2):
        for presented, cost in (("x", 0), (broken, 0), (unknown, 1), (text, 1)):
            with CaptureQueriesContext(connection) as queries:
                send(presented)
            assert len(queries) == cost


def test_throttles_of_the_view_do_not_count_refused_tokens(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is why there is a limit for them: throttles are asked after authentication."""

    class Never(AnonRateThrottle):
        def allow_request(self, request: Any, view: Any) -> bool:
            raise AssertionError

    monkeypatch.setattr(View, "throttle_classes", [Never])
    exhaust(send)
    assert send("x").status_code == 429


def test_none_is_no_limit(send: Send, settings: Any) -> None:
    settings.CONNECTNOW_API = {"PROFILE": "connectnow", "FAILED_AUTH_RATE": None}
    assert {send("x").status_code for _ in range(40)} == {401}


def test_30_a_minute_unless_told_otherwise(send: Send, settings: Any, clock: Clock) -> None:
    settings.CONNECTNOW_API = {"PROFILE": "connectnow"}
    assert [send("x").status_code for _ in range(32)] == [401] * 30 + [429] * 2


def test_the_rate_is_read_with_each_request(send: Send, settings: Any) -> None:
    exhaust(send)
    settings.CONNECTNOW_API = {"PROFILE": "connectnow", "FAILED_AUTH_RATE": "4/d"}
    assert send("x").status_code == 401


@pytest.mark.parametrize("policy", ["open", "closed"])
def test_while_nothing_can_be_counted_it_stays_401(
    send: Send, settings: Any, issue: Issue, policy: str, outage: None
) -> None:
    """Also where limits are closed: whoever is refused gets no further."""
    told = []

    def receive(sender: str, **kwargs: Any) -> None:
        told.append(sender)

    cache_unavailable.connect(receive)
    settings.CONNECTNOW_API = {
        "PROFILE": "connectnow",
        "FAILED_AUTH_RATE": "3/d",
        "ON_CACHE_FAILURE": policy,
    }
    assert [send("x").status_code for _ in range(5)] == [401] * 5
    assert send(issue().plain_text).status_code == 200
    cache_unavailable.disconnect(receive)
    assert told == ["failed_auth"] * 5


@pytest.mark.usefixtures("outage")
def test_with_the_local_policy_they_are_counted_in_the_process(
    send: Send, settings: Any, issue: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectnow_api.limits._local", MemoryEngine())
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "ON_CACHE_FAILURE": "local"}
    exhaust(send)
    assert send("x").status_code == 429
    assert send(issue().plain_text).status_code == 200


@pytest.mark.parametrize("rate", ["5/x", "5", "", 5, object()])
def test_a_rate_that_cannot_be_read_is_never_a_500(send: Send, settings: Any, rate: Any) -> None:
    settings.CONNECTNOW_API = {"PROFILE": "connectnow", "FAILED_AUTH_RATE": rate}
    assert [send("x").status_code for _ in range(2)] == [401] * 2


def test_switched_off_it_stays_401(send: Send, settings: Any) -> None:
    settings.RATELIMIT_ENABLE = False
    assert {send("x").status_code for _ in range(5)} == {401}


def test_a_token_is_counted_once_whoever_asks_again(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler, a browsable page and others ask a request for its user a second time."""

    def handle(exc: Exception, context: Any) -> Response:
        assert context["request"].user.is_anonymous
        return Response({"message": "no"}, status=getattr(exc, "status_code", 500))

    monkeypatch.setattr(View, "get_exception_handler", lambda self: handle)
    exhaust(send)
    assert send("x").status_code == 429


def test_a_second_kind_of_token_on_the_view_counts_once(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Second(APITokenAuthentication):
        keyword = "Token"

    monkeypatch.setattr(View, "authentication_classes", [APITokenAuthentication, Second])
    exhaust(send)
    assert send("x").status_code == 429


def test_outside_of_views_it_is_counted_as_well(settings: Any, issue: Issue) -> None:
    """Some code authenticates a plain request of Django's by hand."""
    settings.CONNECTNOW_API = {"FAILED_AUTH_RATE": "0/d"}
    request = APIRequestFactory().get("/", headers={"authorization": "Bearer x"})
    with pytest.raises(Exception, match="throttled") as caught:
        APITokenAuthentication().authenticate(request)
    assert getattr(caught.value, "status_code", None) == 429
    assert APIToken.objects.count() == 0
