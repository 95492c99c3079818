"""Limiters: how much, who is one asker, and what a request costs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.decorators import action, api_view, authentication_classes, throttle_classes
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.viewsets import ViewSet

from connectnow_api.limiters import Limiter
from connectnow_api.limits import Limit, take
from connectnow_api.mixins import APIViewMixin
from connectnow_api.test import limits_frozen
from connectnow_api.throttling import LimiterThrottle, UserRateThrottle, limited_by
from tests.conftest import Clock, Mount

from .views import CLOSED, Ask, Issue, View, limited, remaining, shown, signed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]


def limiters(settings: Any, **named: Any) -> None:
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "LIMITERS": named}


def standing(response: Any) -> tuple[int, int | None, int | None]:
    """Return status, limit and what remains."""
    return response.status_code, shown(response).get("Limit"), remaining(response)


# Naming them


def test_a_view_names_one(ask: Ask, settings: Any) -> None:
    limiters(settings, api="2/d")
    answers = [ask([LimiterThrottle], limiters="api") for _ in range(3)]
    assert [standing(answer) for answer in answers] == [(200, 2, 1), (200, 2, 0), (429, 2, 0)]
    assert answers[2].json() == {"message": "Too Many Attempts."}


@pytest.mark.parametrize("entry", ["2/d", ["2/d"], {"rate": "2/d"}, Limiter("2/d"), (2, 86400)])
def test_an_entry_is_a_limiter_its_fields_or_its_rates(ask: Ask, settings: Any, entry: Any) -> None:
    limiters(settings, api=entry)
    assert standing(ask([LimiterThrottle], limiters="api")) == (200, 2, 1)


@pytest.mark.parametrize("own", ["2/d", Limiter("2/d"), ["2/d"], [Limiter("2/d"), "5/d"]])
def test_a_view_has_its_own(ask: Ask, own: Any) -> None:
    answers = [ask([LimiterThrottle], limiters=own) for _ in range(3)]
    assert [standing(answer) for answer in answers] == [(200, 2, 1), (200, 2, 0), (429, 2, 0)]


def test_views_share_the_counter_of_a_name(ask: Ask, settings: Any, mount: Mount) -> None:
    limiters(settings, api="5/d")
    assert remaining(ask([LimiterThrottle], limiters="api")) == 4
    assert remaining(ask([LimiterThrottle], limiters=["api"], post=None)) == 3


def test_the_default_is_for_views_that_name_none(ask: Ask, settings: Any) -> None:
    assert standing(ask([LimiterThrottle])) == (200, None, None)
    limiters(settings, default="5/d", api="2/d")
    assert standing(ask([LimiterThrottle])) == (200, 5, 4)
    assert standing(ask([LimiterThrottle], limiters="api")) == (200, 2, 1)
    assert standing(ask([LimiterThrottle], limiters=None)) == (200, None, None)
    assert standing(ask([LimiterThrottle], limiters=[])) == (200, None, None)


def test_a_function_is_limited(mount: Mount, client: APIClient, settings: Any) -> None:
    limiters(settings, api="1/d")

    @api_view()
    @authentication_classes([])
    @throttle_classes([limited_by("api", "5/d")])
    def function(request: Any) -> Response:
        return Response({})

    mount({"flat/x": function})
    assert [standing(client.get("/flat/x")) for _ in range(2)] == [(200, 1, 0), (429, 1, 0)]


def test_an_action_is_limited(mount: Mount, client: APIClient) -> None:
    class Views(ViewSet):
        authentication_classes = ()
        permission_classes = ()
        throttle_classes = [limited_by("5/d")]

        def list(self, request: Any) -> Response:
            return Response([])

        @action(detail=False, throttle_classes=[limited_by("1/d")])
        def seldom(self, request: Any) -> Response:
            return Response({})

    often, seldom = {"get": "list"}, {"get": "seldom"}
    mount(
        {
            "flat/x": Views.as_view(often),
            "flat/y": Views.as_view(seldom, **Views.seldom.kwargs),
        }
    )
    assert standing(client.get("/flat/x")) == (200, 5, 4)
    assert [standing(client.get("/flat/y")) for _ in range(2)] == [(200, 1, 0), (429, 1, 0)]


def test_one_view_of_an_existing_site(mount: Mount, client: APIClient, settings: Any) -> None:
    settings.REST_FRAMEWORK = {}
    mixed = type("Mixed", (APIViewMixin, View), {"throttle_classes": [limited_by("1/d")]})
    mount({"site": mixed.as_view(authentication_classes=())})
    assert [client.get("/site").status_code for _ in range(2)] == [200, 429]
    assert client.get("/site").json() == {"message": "Too Many Attempts."}


def test_beside_other_throttles(ask: Ask) -> None:
    both = [limited(UserRateThrottle, "3/d"), limited_by("5/d"), limited_by("9/d", "8/d")]
    answers = [ask(both) for _ in range(4)]
    assert [standing(answer)[:2] for answer in answers] == [(200, 3)] * 3 + [(429, 3)]


@pytest.mark.parametrize(
    "entry", [None, "5/month", {}, {"rate": "1/d", "rates": "1/d"}, {"by": "user"}]
)
def test_a_mistake_limits_nothing_and_is_told(
    ask: Ask, settings: Any, entry: Any, caplog: Any
) -> None:
    limiters(settings, **({} if entry is None else {"api": entry}))
    assert standing(ask([LimiterThrottle], limiters="api")) == (200, None, None)
    assert "Limit 'api' cannot be counted" in caplog.text


def test_a_mistake_of_a_closed_limiter_lets_nobody_pass(ask: Ask, settings: Any) -> None:
    settings.CONNECTNOW_API = {"ON_CACHE_FAILURE": "closed"}
    response = ask([LimiterThrottle], limiters="missing")
    assert (response.status_code, response.json()) == (503, CLOSED)


# Several rates


def test_what_one_rate_refuses_the_others_have_not_counted(ask: Ask, clock: Clock) -> None:
    own = Limiter(["9/d", "1/m"], name="own")
    with limits_frozen() as limits:
        assert [ask([LimiterThrottle], limiters=own).status_code for _ in range(5)] == [
            200,
            *[429] * 4,
        ]
        limits.tick(60)
        assert standing(ask([LimiterThrottle], limiters=[Limiter("9/d", name="own")])) == (
            200,
            9,
            7,
        )


def test_nor_have_other_limiters(ask: Ask) -> None:
    for _ in range(5):
        ask([LimiterThrottle], limiters=["9/d", "1/h"])
    assert standing(ask([LimiterThrottle], limiters="9/d")) == (200, 9, 7)


def test_the_tightest_is_shown(ask: Ask) -> None:
    answers = [ask([LimiterThrottle], limiters=Limiter(["5/h", "3/d"])) for _ in range(4)]
    assert [standing(answer) for answer in answers] == [
        *((200, 3, 2), (200, 3, 1), (200, 3, 0), (429, 3, 0)),
    ]


# How much


def test_guests_have_a_rate_of_their_own(ask: Ask, issue: Issue) -> None:
    own = Limiter("5/d", guest_rate="1/d")
    assert standing(ask([LimiterThrottle], limiters=own)) == (200, 1, 0)
    token = issue().plain_text
    assert standing(ask([LimiterThrottle], limiters=own, token=token)) == (200, 5, 4)
    free = Limiter("5/d", guest_rate=None)
    assert standing(ask([LimiterThrottle], limiters=free)) == (200, None, None)


def rate_of_query(request: Any) -> Any:
    """Named by its dotted path, too."""
    return {"list": ["7/d", "8/d"], "none": None}.get(request.query_params["rate"], "6/d")


@pytest.mark.parametrize("rate", [rate_of_query, f"{__name__}.rate_of_query"])
@pytest.mark.parametrize(("asked", "limit"), [("list", 7), ("none", None), ("other", 6)])
def test_a_function_decides(ask: Ask, rate: Any, asked: str, limit: int | None) -> None:
    response = ask([LimiterThrottle], f"?rate={asked}", limiters=Limiter(rate, name="own"))
    assert standing(response)[:2] == (200, limit)


def test_a_token_or_a_user_has_a_rate_of_its_own(ask: Ask, issue: Issue, user: Any) -> None:
    own = Limiter("5/d", rate_attribute="token.rate")
    for rate, limit in (("9/d", 9), ("", 5)):
        token = issue(rate=rate).plain_text
        assert standing(ask([LimiterThrottle], limiters=own, token=token))[1] == limit
    assert standing(ask([LimiterThrottle], limiters=own))[1] == 5
    user.plan = SimpleNamespace(rate=["8/d", "20/d"])
    of_user = Limiter("5/d", rate_attribute="user.plan.rate")
    response = ask([LimiterThrottle], limiters=of_user, authentication_classes=signed(user))
    assert standing(response)[1] == 8


@pytest.mark.parametrize("plan", ["user.plan", lambda request: request.user.plan])
def test_plans(ask: Ask, user: Any, plan: Any) -> None:
    own = Limiter("5/d", plan=plan, plans={"pro": ["50/d", "90/d"], "free": "2/d", "none": None})
    for name, limit in (("pro", 50), ("free", 2), ("none", None), ("other", 5), (None, 5)):
        user.plan = name
        response = ask([LimiterThrottle], limiters=own, authentication_classes=signed(user))
        assert standing(response)[1] == limit


# Who


def test_by_token(ask: Ask, issue: Issue) -> None:
    own = Limiter("5/d", by="token")
    one, other = issue().plain_text, issue().plain_text
    for token, left in ((one, 4), (other, 4), (one, 3), (None, 4)):
        assert remaining(ask([LimiterThrottle], limiters=own, token=token)) == left


def test_by_user(ask: Ask, issue: Issue) -> None:
    own = Limiter("5/d", by="user")
    for token, left in ((issue().plain_text, 4), (issue().plain_text, 3), (None, 4)):
        assert remaining(ask([LimiterThrottle], limiters=own, token=token)) == left


def test_by_address(ask: Ask, issue: Issue) -> None:
    own = Limiter("5/d", by="address")
    asked = [(None, "127.0.0.1", 4), (issue().plain_text, "127.0.0.1", 3), (None, "192.0.2.7", 4)]
    for token, address, left in asked:
        response = ask([LimiterThrottle], limiters=own, token=token, address=address)
        assert remaining(response) == left


def test_everybody_together(ask: Ask, issue: Issue) -> None:
    own = Limiter("5/d", by="everybody")
    for token, address, left in ((None, "192.0.2.1", 4), (issue().plain_text, "192.0.2.2", 3)):
        response = ask([LimiterThrottle], limiters=own, token=token, address=address)
        assert remaining(response) == left


def test_by_header_else_by_address(mount: Mount, client: APIClient) -> None:
    own = Limiter("5/d", by="header:X-Client-Id")
    mount({"flat/x": View.as_view(throttle_classes=[limited_by(own)])})
    left = [
        remaining(client.get("/flat/x", headers=sent))
        for sent in (
            *({"X-Client-Id": "a"}, {"X-Client-Id": "b"}, {"X-Client-Id": "a"}),
            *({}, {"X-Client-Id": ""}),
        )
    ]
    assert left == [4, 4, 3, 4, 3]


def shout(request: Any) -> str | None:
    return request.query_params.get("who")


@pytest.mark.parametrize("by", [shout, f"{__name__}.shout"])
def test_by_function(ask: Ask, by: Any) -> None:
    own = Limiter("5/d", by=by, name="own")
    asked = [("a", 4), ("b", 4), ("a", 3)]
    for who, left in asked:
        assert remaining(ask([LimiterThrottle], f"?who={who}", limiters=own)) == left
    assert standing(ask([LimiterThrottle], limiters=own)) == (200, None, None)


def test_by_several_together(ask: Ask) -> None:
    own = Limiter("5/d", by=[shout, "address"], name="own")
    asked = [("a", "192.0.2.1", 4), ("a", "192.0.2.2", 4), ("b", "192.0.2.1", 4)]
    for who, address, left in (*asked, ("a", "192.0.2.1", 3)):
        response = ask([LimiterThrottle], f"?who={who}", limiters=own, address=address)
        assert remaining(response) == left


def test_two_kinds_of_askers_never_share_a_counter(ask: Ask, mount: Mount) -> None:
    """Whatever a function says: an address, or what several say together."""
    for by in ("address", lambda _: "address:127.0.0.1", lambda _: '["address:127.0.0.1"]'):
        assert remaining(ask([LimiterThrottle], limiters=Limiter("5/d", by=by, name="own"))) == 4


def test_each_method_has_a_counter(ask: Ask) -> None:
    own = Limiter("5/d", per=["method"])
    for method, left in (("GET", 4), ("POST", 4), ("HEAD", 3), ("POST", 3)):
        assert remaining(ask([LimiterThrottle], method=method, limiters=own)) == left


def test_each_endpoint_has_a_counter(mount: Mount, client: APIClient) -> None:
    """As low as one request a minute, of a route whatever stands in it."""

    class Each(View):
        throttle_classes = [limited_by(Limiter("1/m", per=["endpoint"]))]

        def get(self, request: Any, pk: int = 0) -> Response:
            return Response({"pk": pk})

    view = Each.as_view()
    mount({"flat/x": view, "flat/x/<int:pk>": view})
    asked = [("/flat/x", 200), ("/flat/x/1", 200), ("/flat/x/2", 429), ("/flat/x", 429)]
    assert [(path, client.get(path).status_code) for path, _status in asked] == asked


def test_some_methods_are_limited(ask: Ask) -> None:
    own = Limiter("1/d", methods=["get"])
    asked = [("POST", 200), ("HEAD", 200), ("POST", 200), ("GET", 429), ("HEAD", 429)]
    answers = [
        (method, ask([LimiterThrottle], method=method, limiters=own).status_code)
        for method, _status in asked
    ]
    assert answers == asked


# What it costs


def cost_of_query(request: Any) -> int:
    return int(request.query_params["cost"])


@pytest.mark.parametrize("cost", [cost_of_query, f"{__name__}.cost_of_query"])
def test_a_request_costs(ask: Ask, cost: Any) -> None:
    own = Limiter("10/d", cost=cost, name="own")
    asked = [(3, 200, 7), (8, 429, 0), (7, 200, 0), (0, 200, None), (1, 429, 0), (99, 429, 0)]
    for price, status, left in asked:
        response = ask([LimiterThrottle], f"?cost={price}", limiters=own)
        assert (response.status_code, remaining(response)) == (status, left)


def test_a_fixed_cost(ask: Ask) -> None:
    own = Limiter("10/d", cost=4)
    answers = [ask([LimiterThrottle], limiters=own) for _ in range(3)]
    assert [standing(answer) for answer in answers] == [(200, 10, 6), (200, 10, 2), (429, 10, 0)]


@pytest.mark.parametrize("cost", [-1, 1.5, True, "2", None])
def test_a_cost_that_is_none_limits_nothing_and_is_told(ask: Ask, cost: Any, caplog: Any) -> None:
    own = Limiter("1/d", cost=lambda request: cost, name="own")
    assert [ask([LimiterThrottle], limiters=own).status_code for _ in range(2)] == [200, 200]
    assert "Limit 'own' cannot be counted" in caplog.text


COSTS = st.lists(st.integers(1, 12), max_size=30)


@given(st.integers(0, 20), COSTS, st.sampled_from(["fixed", "moving", "sliding"]))
def test_whatever_requests_cost_no_more_passes_than_the_limit(
    limit: int, costs: list[int], window: str
) -> None:
    spent = 0
    with limits_frozen():
        for cost in costs:
            (told,) = take([Limit("a", "x", f"{limit}/d", window, cost)])
            assert told.refuses == (spent + cost > limit)
            spent += 0 if told.refuses else cost


# What cannot be counted


@pytest.mark.usefixtures("outage")
@pytest.mark.parametrize(
    ("policy", "statuses"),
    [("open", [200, 200, 200]), ("closed", [503, 503, 503]), ("local", [200, 200, 429])],
)
def test_each_limiter_has_a_policy(ask: Ask, policy: str, statuses: list[int]) -> None:
    own = Limiter("2/d", on_cache_failure=policy, name=policy)
    asked = [ask([LimiterThrottle], limiters=own, address="192.0.2.99") for _ in statuses]
    assert [answer.status_code for answer in asked] == statuses


@pytest.mark.usefixtures("outage")
def test_one_that_is_closed_closes_the_view(ask: Ask) -> None:
    own = [Limiter("2/d", on_cache_failure=policy, name=policy) for policy in ("open", "closed")]
    assert ask([LimiterThrottle], limiters=own).status_code == 503


@pytest.mark.usefixtures("outage")
def test_what_is_open_passes_beside_what_is_local(ask: Ask) -> None:
    own = [Limiter("9/d", name="a"), Limiter("1/d", on_cache_failure="local", name="b")]
    answers = [ask([LimiterThrottle], limiters=own, address="192.0.2.98") for _ in range(2)]
    assert [standing(answer) for answer in answers] == [(200, 1, 0), (429, 1, 0)]


def test_limits_that_are_off(ask: Ask, settings: Any) -> None:
    settings.RATELIMIT_ENABLE = False
    own = [Limiter("0/d", name="a"), Limiter("0/d", name="b", answers=["2xx"])]
    assert standing(ask([LimiterThrottle], limiters=own)) == (200, None, None)


@pytest.mark.parametrize("value", ["\x7f", "é" * 300, "a,b", "a b", "\udcff"])
def test_any_header_is_a_key(mount: Mount, client: APIClient, value: str) -> None:
    own = Limiter("2/d", by="header:X-Client-Id")
    mount({"flat/x": View.as_view(throttle_classes=[limited_by(own)])})
    sent = {"HTTP_X_CLIENT_ID": value}
    statuses = [client.get("/flat/x", **sent).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
