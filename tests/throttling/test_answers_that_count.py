"""Limiters that count some answers only: failed logins, say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.engines import MemoryEngine, using
from connectnow_api.limiters import Limiter
from connectnow_api.limits import client_address, hit, peek
from connectnow_api.signals import token_throttled
from connectnow_api.test import limits_frozen
from connectnow_api.throttling import (
    AnonRateThrottle,
    LimiterThrottle,
    UserRateThrottle,
    limited_by,
)
from tests.conftest import Clock, Mount
from tests.library.models import Author

from .views import CLOSED, LIMIT_HEADERS, NOW, Ask, Issue, limited, remaining, shown

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]


class Login(APIView):
    """Answers as the query says."""

    authentication_classes = ()
    permission_classes = ()
    barrier: Barrier | None = None

    def get(self, request: Any) -> Any:
        if self.barrier is not None:
            self.barrier.wait()
        status = int(request.query_params.get("status", 200))
        if status == 500:
            raise ZeroDivisionError
        if status == 401:
            raise AuthenticationFailed
        if "plain" in request.query_params:
            return HttpResponse("plain", status=status)
        return Response({"ok": status < 400}, status=status)


class Login2xx(Login):
    """Writes a row before it answers."""

    def get(self, request: Any) -> Any:
        Author.objects.create(name="made")
        return super().get(request)


@pytest.fixture
def login(mount: Mount, client: APIClient) -> Any:
    """Ask the view: ``login(Limiter(...), 401, 200)`` returns the statuses of the answers."""
    client.raise_request_exception = False

    def login(limiter: Limiter, *statuses: int, view: Any = Login, query: str = "") -> Any:
        mount({"flat/x": view.as_view(throttle_classes=[limited_by(limiter)])})
        return [client.get(f"/flat/x?status={status}{query}") for status in statuses]

    return login


def codes(answers: Any) -> list[int]:
    return [answer.status_code for answer in answers]


def failed(rate: str = "2/d", **fields: Any) -> Limiter:
    return Limiter(rate, by="address", answers=[401, 422], **fields)


def test_what_succeeds_is_not_counted(login: Any) -> None:
    answers = login(failed(), 200, 200, 401, 200, 404, 401, 200)
    assert codes(answers) == [200, 200, 401, 200, 404, 401, 429]
    assert [remaining(answer) for answer in answers] == [2, 2, 1, 1, 1, 0, 0]


def test_a_refusal_is_whole(login: Any) -> None:
    refused = login(failed("1/d"), 401, 401)[1]
    assert (refused.status_code, refused.json()) == (429, {"message": "Too Many Attempts."})
    reset = int(refused["X-RateLimit-Reset"])
    assert {name: refused[name] for name in (*LIMIT_HEADERS, "Cache-Control")} == {
        "X-RateLimit-Limit": "1",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset),
        "Retry-After": str(reset - int(NOW)),
        "Cache-Control": "no-store",
    }


@pytest.mark.parametrize(
    ("answers", "counted"),
    [
        ([404], [404]),
        (["4xx"], [401, 404, 422]),
        (["4xx", 201], [201, 401, 404, 422]),
        (lambda response: response.status_code == 422, [422]),
        (f"{__name__}.is_created", [201]),
    ],
)
def test_which_answers_count(login: Any, answers: Any, counted: list[int]) -> None:
    statuses = [200, 201, 401, 404, 422]
    for status in statuses:
        with limits_frozen():
            own = Limiter("9/d", answers=answers, name="own")
            (answer,) = login(own, status)
        assert (status, remaining(answer)) == (status, 8 if status in counted else 9)


def is_created(response: Any) -> bool:
    return bool(response.status_code == 201)


def test_an_answer_of_django_counts_too(login: Any) -> None:
    assert codes(login(failed("1/d"), 422, 422, query="&plain=1")) == [422, 429]


def test_a_crash_is_not_counted(login: Any) -> None:
    own = Limiter("1/d", answers=["5xx"])
    assert codes(login(own, 500, 500, 503, 200)) == [500, 500, 503, 429]


def ask_at_once(mount: Mount, limiter: Limiter, status: int, number: int = 8) -> list[int]:
    """Return the statuses of requests that were all let in before one was answered."""
    own = {"barrier": Barrier(number), "throttle_classes": [limited_by(limiter)]}
    view = type("AtOnce", (Login,), own).as_view()
    mount({"flat/x": view})
    with ThreadPoolExecutor(number) as pool:
        ask = lambda _: APIClient().get(f"/flat/x?status={status}").status_code  # noqa: E731
        return sorted(pool.map(ask, range(number)))


def test_of_failures_at_once_no_more_are_told_than_the_limit(mount: Mount) -> None:
    with using(MemoryEngine()):
        assert ask_at_once(mount, failed("3/d"), 422) == [422] * 3 + [429] * 5


def test_what_is_done_is_told(mount: Mount) -> None:
    """An answer below 400 is never replaced: what it tells has happened."""
    with using(MemoryEngine()):
        own = Limiter("3/d", answers=["2xx"])
        assert ask_at_once(mount, own, 200) == [200] * 8
        assert ask_at_once(mount, own, 200, number=1) == [429]


def test_nothing_that_was_done_is_undone(login: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    own = Limiter("1/d", answers=["2xx"])
    assert codes(login(own, 201, 201, view=Login2xx)) == [201, 429]
    assert Author.objects.filter(name="made").count() == 1


def fail(response: Any) -> bool:
    raise ZeroDivisionError


@pytest.mark.parametrize("policy", ["open", "closed", "local"])
def test_one_whose_function_fails_takes_no_other_with_it(
    mount: Mount, client: APIClient, policy: str
) -> None:
    """What is done by then is refused by none of them."""
    broken = Limiter("1/d", by="address", answers=fail, on_cache_failure=policy, name="broken")
    classes = [limited_by(broken, failed("2/d"))]
    mount({"flat/x": Login.as_view(throttle_classes=classes)})
    assert codes(client.get("/flat/x?status=422") for _ in range(4)) == [422, 422, 429, 429]
    mount({"flat/x": Login.as_view(throttle_classes=[limited_by(broken)])})
    assert codes(client.get("/flat/x?status=422") for _ in range(2)) == [422, 422]


def test_beside_a_limit_of_all_requests(ask: Ask, login: Any, mount: Mount) -> None:
    """The tighter of the two is shown, as it stands after the answer."""
    mount(
        {
            "flat/x": Login.as_view(
                throttle_classes=[limited_by(failed("2/d"), Limiter("3/d", by="address"))]
            )
        }
    )
    answers = [APIClient().get(f"/flat/x?status={status}") for status in (200, 401, 200, 200)]
    assert [(a.status_code, shown(a)["Limit"], remaining(a)) for a in answers] == [
        *((200, 2, 2), (401, 2, 1), (200, 3, 0), (429, 3, 0)),
    ]


def test_a_view_that_finishes_its_answers_itself(login: Any) -> None:
    class Own(Login):
        def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
            response = super().finalize_response(*args, **kwargs)
            response["X-Own"] = "1"
            return response

    answers = login(failed("1/d"), 401, 401, view=Own)
    assert codes(answers) == [401, 429]
    assert [answer["X-Own"] for answer in answers] == ["1", "1"]


@pytest.mark.usefixtures("outage")
@pytest.mark.parametrize(("policy", "statuses"), [("open", [401] * 3), ("local", [401, 401, 429])])
def test_a_store_that_is_gone(login: Any, policy: str, statuses: list[int]) -> None:
    own = failed(on_cache_failure=policy, name=f"gone {policy}")
    assert codes(login(own, 401, 401, 401)) == statuses


@pytest.mark.usefixtures("outage")
def test_a_store_that_is_gone_closes(login: Any) -> None:
    (answer,) = login(failed(on_cache_failure="closed"), 401)
    assert (answer.status_code, answer.json()) == (503, CLOSED)


def test_a_store_that_goes_while_the_view_runs(
    mount: Mount, client: APIClient, settings: Any
) -> None:
    """Whoever was let in is answered."""

    class Last(Login):
        throttle_classes = [LimiterThrottle]
        limiters = failed(on_cache_failure="closed")

        def get(self, request: Any) -> Any:
            settings.CACHES = {"default": {"BACKEND": "tests.conftest.BrokenCache"}}
            return super().get(request)

    mount({"flat/x": Last.as_view()})
    assert client.get("/flat/x?status=422").status_code == 422
    assert client.get("/flat/x?status=422").status_code == 503


def test_the_clock_goes_on_while_the_view_runs(mount: Mount, client: APIClient) -> None:
    with limits_frozen() as limits:

        class Slow(Login):
            throttle_classes = [limited_by(failed("1/m"))]

            def get(self, request: Any) -> Any:
                limits.tick(60)
                return super().get(request)

        mount({"flat/x": Slow.as_view()})
        assert client.get("/flat/x?status=422").status_code == 422
        assert client.get("/flat/x?status=422").status_code == 429


def test_the_frozen_clock_of_the_tests_is_that_of_the_headers(login: Any, clock: Clock) -> None:
    clock.now = NOW
    answer = login(failed("1/d"), 401, 200)[1]
    assert int(answer["X-RateLimit-Reset"]) - int(answer["Retry-After"]) == NOW


# What is no refusal


@pytest.fixture
def throttled() -> Any:
    """The reasons that ``token_throttled`` has told."""
    told: list[str] = []

    def receive(event: Any, **kwargs: Any) -> None:
        told.append(event.reason)

    token_throttled.connect(receive)
    yield told
    token_throttled.disconnect(receive)


def headers_of(response: Any) -> dict[str, str]:
    return {name: response[name] for name in (*LIMIT_HEADERS, "Cache-Control") if name in response}


class Slow(Login):
    """Lets others be counted before it answers."""

    authentication_classes = [APITokenAuthentication]
    name = "own"

    def get(self, request: Any) -> Any:
        hit(self.name, "1/d", f"address:{client_address(request)}")
        return super().get(request)


def test_a_success_beyond_the_limit_says_nothing_of_a_refusal(
    mount: Mount, client: APIClient, issue: Issue, throttled: list[str]
) -> None:
    own = Limiter("1/d", by="address", answers=["2xx", "4xx"], name="own")
    mount({"flat/x": Slow.as_view(throttle_classes=[limited_by(own)])})
    sent = {"authorization": f"Bearer {issue().plain_text}"}
    passed = client.get("/flat/x?status=200", headers=sent)
    assert passed.status_code == 200
    assert headers_of(passed) == {"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0"}
    assert throttled == []
    assert client.get("/flat/x?status=200", headers=sent).status_code == 429
    assert throttled == ["own"]


def test_any_error_beyond_the_limit_is_a_429(mount: Mount, client: APIClient) -> None:
    """One of a server that is not there as well: 503 is an error like others."""
    own = Limiter("1/d", by="address", answers=["4xx", "5xx"], name="own")
    mount({"flat/x": Slow.as_view(throttle_classes=[limited_by(own)])})
    assert client.get("/flat/x?status=503").status_code == 429


def test_a_failure_beyond_the_limit_is_told_once(
    mount: Mount, client: APIClient, issue: Issue, throttled: list[str]
) -> None:
    own = Limiter("1/d", by="address", answers=[422], name="own")
    mount({"flat/x": Slow.as_view(throttle_classes=[limited_by(own)])})
    sent = {"authorization": f"Bearer {issue().plain_text}"}
    refused = client.get("/flat/x?status=422", headers=sent)
    assert (refused.status_code, refused.json()) == (429, {"message": "Too Many Attempts."})
    assert set(headers_of(refused)) == {*LIMIT_HEADERS, "Cache-Control"}
    assert throttled == ["own"]


def test_one_refusal_is_told_once_however_many_refuse(
    ask: Ask, issue: Issue, throttled: list[str]
) -> None:
    both = [limited(UserRateThrottle, "0/d"), limited_by("0/h"), limited_by("0/m")]
    assert ask(both, token=issue().plain_text).status_code == 429
    assert throttled == ["user"]


def test_what_another_throttle_refuses_is_no_answer_that_counts(mount: Mount) -> None:
    misses = limited_by(Limiter("9/d", answers=["4xx"], name="misses"))
    others = (limited_by("1/h"), limited(AnonRateThrottle, "1/h"))
    for number, other in enumerate(others):
        for throttles in ([misses, other], [other, misses]):
            address = f"192.0.2.{number}{len(throttles[0].__mro__)}"
            mount({"flat/x": Login.as_view(throttle_classes=throttles)})
            with limits_frozen():
                answers = [APIClient().get("/flat/x", REMOTE_ADDR=address) for _ in range(3)]
                assert codes(answers) == [200, 429, 429]
                usage = peek("misses", "9/d", f"address:{address}")
            assert usage is not None
            assert usage.hits == 0


def test_of_two_that_count_one_refusal_counts_once(mount: Mount) -> None:
    """What the one has made a 429 is no 4xx for the other."""
    both = [
        limited_by(Limiter("9/d", by="address", answers=["4xx"], name="misses")),
        limited_by(Limiter("1/d", by="address", answers=[422], name="own")),
    ]
    mount({"flat/x": Slow.as_view(throttle_classes=both, authentication_classes=())})
    assert APIClient().get("/flat/x?status=422").status_code == 429
    usage = peek("misses", "9/d", "address:127.0.0.1")
    assert usage is not None
    assert usage.hits == 0


# Views that do things their own way


def test_a_view_says_itself_what_is_too_many(login: Any) -> None:
    class Busy(APIException):
        status_code = 420
        default_detail = "Calm down."

    class Own(Login):
        def throttled(self, request: Any, wait: float) -> None:
            raise Busy

    assert codes(login(failed("0/d"), 401, view=Own)) == [420]

    class OwnSlow(Slow, Own):
        authentication_classes = ()

    own = Limiter("1/d", by="address", answers=[422], name="own")
    (answer,) = login(own, 422, view=OwnSlow)
    assert (answer.status_code, answer.json()) == (420, {"message": "Calm down."})


def test_a_view_may_let_pass_what_is_too_many(login: Any) -> None:
    class Own(Slow):
        authentication_classes = ()

        def throttled(self, request: Any, wait: float) -> None:
            pass

    own = Limiter("1/d", by="address", answers=[422], name="own")
    assert codes(login(own, 422, view=Own)) == [422]


def test_a_view_handles_its_exceptions_itself(login: Any) -> None:
    class Own(Login):
        def handle_exception(self, exc: Any) -> Any:
            return Response({"message": type(exc).__name__}, status=418)

    own = Limiter("1/d", by="address", answers=[418], name="own")
    answers = login(own, 401, 401, view=Own)
    assert codes(answers) == [418, 418]
    assert [answer.json() for answer in answers] == [
        {"message": "AuthenticationFailed"},
        {"message": "Throttled"},
    ]


def test_what_is_no_answer_is_said_by_django_rest_framework(mount: Mount) -> None:
    class Nothing(Login):
        throttle_classes = [limited_by(failed())]

        def get(self, request: Any) -> Any:
            return None

    mount({"flat/x": Nothing.as_view()})
    with pytest.raises(AssertionError, match="Expected a `Response`"):
        APIClient().get("/flat/x")


def test_a_page_for_people_counts_one_request(ask: Ask) -> None:
    """Django REST framework's browsable pages look at the view once more for their forms."""
    renderers = [BrowsableAPIRenderer]
    own = [Limiter("9/d", name="all"), Limiter("9/d", answers=["2xx"], name="answers")]
    response = ask([LimiterThrottle], limiters=own, renderer_classes=renderers)
    assert (response.status_code, response["Content-Type"][:9]) == (200, "text/html")
    for name in ("all", "answers"):
        usage = peek(name, "9/d", "address:127.0.0.1")
        assert usage is not None
        assert usage.hits == 1


@pytest.mark.django_db(transaction=True)
def test_a_failure_that_is_one_too_many_leaves_no_rows_behind(
    login: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As each refusal under ``ATOMIC_REQUESTS``."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    own = Limiter("1/d", by="address", answers=[422], name="own")

    class Writing(Slow):
        authentication_classes = ()

        def get(self, request: Any) -> Any:
            Author.objects.create(name="made")
            return super().get(request)

    assert codes(login(own, 422, view=Writing)) == [429]
    assert not Author.objects.exists()
