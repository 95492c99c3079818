"""What ``api_limits`` shows and resets is what requests have counted."""

from __future__ import annotations

from typing import Any

import pytest

from connectnow_api.throttling import (
    AnonRateThrottle,
    BaseRateThrottle,
    LimiterThrottle,
    ScopedRateThrottle,
    TokenRateThrottle,
    UserRateThrottle,
    limited_by,
)
from tests.conftest import Mount

from .conftest import Run
from .limited import ADDRESS, ask, counted, limit, limiters, remaining

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]


@pytest.mark.usefixtures("each_store")
def test_a_token_of_another_package_is_named_as_the_limit_has_it(
    run_limits: Run, mount: Mount, settings: Any, issue: Any
) -> None:
    limiters(settings, api={"rate": "3/h", "guest_rate": "1/h", "per": ["method"]})
    limit(mount, LimiterThrottle, limiters="api")
    token, text = issue()
    asker, method = f"token:{token._meta.label_lower}:{token.pk}", ("--method", "GET")
    assert [ask(token=text).status_code for _ in range(3)] == [200] * 3
    assert counted(run_limits, "api", "--asker", asker, *method) == [3]
    nobody = run_limits("reset", "api", "--asker", f"{asker}0", *method)
    assert nobody.status == 0
    assert "Nothing was counted of them" in nobody.stderr
    assert run_limits("reset", "api", "--asker", "-", *method, stdin=asker).status == 0
    assert remaining(ask(token=text)) == 2
    limiters(settings, api={"rate": "3/h", "by": ["token", "address"]})
    several = run_limits("show", "api", "--asker", asker)
    assert (several.status, several.stdout) == (2, "")
    assert "counts by several at once" in several.stderr


@pytest.mark.usefixtures("each_store")
def test_a_limiter_shows_what_was_counted_and_begins_anew(
    run_limits: Run, mount: Mount, settings: Any, issue: Any
) -> None:
    limiters(settings, api=["3/h", "100/day"])
    limit(mount, LimiterThrottle, limiters="api")
    (token, text), (_other, other) = issue(), issue()
    answers = [ask(token=text).status_code for _ in range(4)]
    ask(token=other)
    assert answers == [200, 200, 200, 429]
    assert counted(run_limits, "api", "--token", str(token.pk)) == [3, 3]
    assert counted(run_limits, "api", "--address", ADDRESS) == [0, 0]
    assert run_limits("reset", "api", "--token", str(token.pk)).status == 0
    assert counted(run_limits, "api", "--token", str(token.pk)) == [0, 0]
    assert remaining(ask(token=text)) == 2
    assert remaining(ask(token=other)) == 1


LONG_KEY: tuple[Any, dict[str, Any], list[str]] = (
    lambda request: request.headers["X-Own"],
    {"headers": {"X-Own": "x y" * 200}},
    ["--key", "x y" * 200],
)
BY: list[tuple[Any, dict[str, Any], list[str]]] = [
    ("address", {"address": "192.0.2.9"}, ["--address", "192.0.2.9"]),
    ("address", {"address": "2001:db8::1:2"}, ["--address", "2001:db8::9"]),
    ("address", {"address": "::ffff:192.0.2.9"}, ["--address", "192.0.2.9"]),
    ("user", {"address": "192.0.2.9"}, ["--address", "192.0.2.9"]),
    ("token", {"address": "192.0.2.9"}, ["--address", "::ffff:192.0.2.9"]),
    ("everybody", {}, ["--everybody"]),
    ("header:X-Client-Id", {"headers": {"X-Client-Id": "acme"}}, ["--key", "acme"]),
    ("header:X-Client-Id", {}, ["--address", ADDRESS]),
    LONG_KEY,
    (f"{__name__}.path_of", {}, ["--key", "/flat/x"]),
    (["address", "header:X-Id"], {"headers": {"X-Id": "a"}}, ["--address", ADDRESS, "--key", "a"]),
]


def path_of(request: Any) -> str:
    return str(request.path)


@pytest.mark.parametrize(("by", "request_has", "named"), BY)
def test_whoever_is_named_is_who_was_counted(
    by: Any, request_has: Any, named: list[str], run_limits: Run, mount: Mount, settings: Any
) -> None:
    assert_counted_and_reset(by, request_has, named, run_limits, mount, settings)


@pytest.mark.usefixtures("each_store")
def test_a_key_of_any_length_is_named_in_each_store(
    run_limits: Run, mount: Mount, settings: Any
) -> None:
    assert_counted_and_reset(*LONG_KEY, run_limits, mount, settings)


def assert_counted_and_reset(
    by: Any, request_has: Any, named: list[str], run_limits: Run, mount: Mount, settings: Any
) -> None:
    limiters(settings, api={"rate": "9/d", "by": by})
    limit(mount, limited_by("api"))
    for _ in range(2):
        ask(**request_has)
    assert counted(run_limits, "api", *named) == [2]
    run_limits("reset", "api", *named)
    assert remaining(ask(**request_has)) == 8


@pytest.mark.parametrize("by", ["user", "token"])
def test_a_user_or_a_token_is_named(
    by: str, run_limits: Run, mount: Mount, settings: Any, issue: Any, user: Any
) -> None:
    limiters(settings, api={"rate": "9/d", "by": by})
    limit(mount, LimiterThrottle, limiters="api")
    token, text = issue()
    ask(token=text)
    of_token = counted(run_limits, "api", "--token", str(token.pk))
    of_user = {counted(run_limits, "api", "--user", named)[0] for named in ("ada", str(user.pk))}
    assert (of_token, of_user) == ([1], {1} if by == "user" else {0})


def test_a_token_is_named_by_itself_on_stdin(
    run_limits: Run, mount: Mount, settings: Any, issue: Any
) -> None:
    limiters(settings, api="9/d")
    limit(mount, LimiterThrottle, limiters="api")
    text = issue().plain_text
    ask(token=text)
    found = run_limits("show", "api", "--token", "-", "--format", "json", stdin=text)
    assert [row["counted"] for row in found.data] == [1]


@pytest.mark.parametrize("base", [AnonRateThrottle, UserRateThrottle, TokenRateThrottle])
def test_a_throttle_is_called_by_its_scope(
    base: Any, run_limits: Run, mount: Mount, settings: Any
) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {base.scope: "9/d"}}
    limit(mount, base)
    ask(address="192.0.2.9")
    assert counted(run_limits, base.scope, "--address", "192.0.2.9") == [1]
    run_limits("reset", base.scope, "--address", "192.0.2.9")
    assert remaining(ask(address="192.0.2.9")) == 8


def test_a_scope_of_a_view(run_limits: Run, mount: Mount, settings: Any, issue: Any) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"report": ["9/d", "99/d"]}}
    limit(mount, ScopedRateThrottle, throttle_scope="report")
    ask(token=issue().plain_text)
    assert counted(run_limits, "report", "--user", "ada") == [1, 1]


def test_the_rate_of_a_token(run_limits: Run, mount: Mount, settings: Any, issue: Any) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"token": "9/d"}}
    limit(mount, TokenRateThrottle)
    token, text = issue(rate="5/h")
    ask(token=text)
    (row,) = run_limits("show", "token", "--token", str(token.pk), "--format", "json").data
    assert (row["rate"], row["limit"], row["counted"]) == ("5/3600s", 5, 1)


def test_a_throttle_of_its_own_is_named_by_the_key_that_it_returns(
    run_limits: Run, mount: Mount
) -> None:
    class Own(BaseRateThrottle):
        scope, rate = "own", "9/d"

        def get_cache_key(self, request: Any, view: Any) -> str:
            return "whoever:1"

    limit(mount, Own)
    ask()
    assert counted(run_limits, "own", "--key", "whoever:1") == [1]
    assert "say --key" in run_limits("show", "own", "--address", ADDRESS).stderr


def test_a_throttle_whose_addresses_are_others(run_limits: Run, mount: Mount) -> None:
    class Own(AnonRateThrottle):
        scope, rate = "own", "9/d"

        def get_ident(self, request: Any) -> str:
            return "elsewhere"

    limit(mount, Own)
    ask()
    assert counted(run_limits, "own", "--key", "address:elsewhere") == [1]


@pytest.mark.usefixtures("each_store")
def test_refused_tokens(run_limits: Run, mount: Mount, settings: Any) -> None:
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "FAILED_AUTH_RATE": "2/h"}
    limit(mount)
    assert [ask(token="wrong").status_code for _ in range(3)] == [401, 401, 429]
    assert counted(run_limits, "failed_auth", "--address", ADDRESS) >= [2]
    run_limits("reset", "failed_auth", "--address", ADDRESS)
    assert ask(token="wrong").status_code == 401


def test_counters_for_each_method_and_endpoint(
    run_limits: Run, mount: Mount, settings: Any
) -> None:
    limiters(settings, api={"rate": "9/d", "by": "address", "per": ["method", "endpoint"]})
    limit(mount, LimiterThrottle, limiters="api")
    for method in ("GET", "HEAD", "POST"):
        ask(method)
    who = ["--address", ADDRESS, "--endpoint", "flat/x"]
    assert counted(run_limits, "api", *who, "--method", "get") == [2]
    assert counted(run_limits, "api", *who, "--method", "POST") == [1]
    found = run_limits("show", "api", *who)
    assert (found.stdout, found.status) == ("", 2)
    assert "The limit 'api' has counters for each method: say --method.\n" in found.stderr


@pytest.mark.servers
@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("window", ["fixed", "moving", "sliding"])
def test_windows_of_a_storage(window: str, run_limits: Run, mount: Mount, settings: Any) -> None:
    limiters(settings, api={"rate": "9/d", "by": "address", "window": window})
    limit(mount, LimiterThrottle, limiters="api")
    ask()
    assert counted(run_limits, "api", "--address", ADDRESS) == [1]
    run_limits("reset", "api", "--address", ADDRESS)
    assert remaining(ask()) == 8


def test_rates_by_guest_plan_and_attribute(
    run_limits: Run, settings: Any, user: Any, issue: Any
) -> None:
    limiters(
        settings,
        guests={"rate": "5/d", "guest_rate": "2/d"},
        plans={"rate": "5/d", "plan": "user.username", "plans": {"ada": "7/d"}},
        own={"rate": "5/d", "rate_attribute": "token.rate"},
    )
    token = str(issue(rate="6/h").token.pk)

    def allowed(*arguments: str) -> list[int]:
        return [row["limit"] for row in run_limits("show", *arguments, "--format", "json").data]

    assert allowed("guests", "--address", ADDRESS) == [2]
    assert allowed("guests", "--user", "ada") == [5]
    assert allowed("plans", "--user", "ada") == [7]
    assert allowed("plans", "--address", ADDRESS) == [5]
    assert allowed("own", "--token", token) == [6]
    assert allowed("own", "--user", "ada") == [5]


def decide(request: Any) -> str:
    return "4/d"


@pytest.mark.parametrize(
    "fields",
    [
        {"rate": decide},
        {"rate": f"{__name__}.decide"},
        {"rate": "5/d", "guest_rate": decide},
        {"rate": "5/d", "plan": decide, "plans": {"4/d": "4/d"}},
        {"rate": "5/d", "plan": "user.plan", "plans": {None: decide}},
    ],
)
def test_a_rate_that_a_function_decides_has_to_be_said(
    fields: Any, run_limits: Run, mount: Mount, settings: Any
) -> None:
    limiters(settings, api={"by": "address", **fields})
    limit(mount, LimiterThrottle, limiters="api")
    ask()
    found = run_limits("show", "api", "--address", ADDRESS)
    assert (found.stdout, found.status) == ("", 2)
    assert found.stderr.endswith(
        "A function decides what the limit 'api' allows a request: say --rate.\n"
    )
    assert counted(run_limits, "api", "--address", ADDRESS, "--rate", "4/d,5/d") == [1, 0]


def test_whoever_has_no_limit(run_limits: Run, settings: Any) -> None:
    limiters(settings, api={"rate": None, "by": "address"})
    assert counted(run_limits, "api", "--address", ADDRESS) == []
    found = run_limits("show", "api", "--address", ADDRESS)
    assert "They may ask as often as they like.\n" in found.stderr


def test_a_limiter_that_only_a_view_has(run_limits: Run, mount: Mount) -> None:
    limit(mount, limited_by("9/d"))
    ask()
    assert counted(run_limits, "9/d", "--address", ADDRESS) == [1]


def test_what_counts_in_shadow(run_limits: Run, mount: Mount, settings: Any) -> None:
    limiters(settings, api={"rate": "1/d", "by": "address", "shadow": True})
    limit(mount, LimiterThrottle, limiters="api")
    assert [ask().status_code for _ in range(2)] == [200, 200]
    assert counted(run_limits, "api", "--address", ADDRESS)[0] >= 1
