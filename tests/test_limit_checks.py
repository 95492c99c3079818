"""What ``manage.py check`` says of limits."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from rest_framework.decorators import action
from rest_framework.routers import SimpleRouter
from rest_framework.throttling import UserRateThrottle as DRFUserRateThrottle
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from connectnow_api import checks
from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.throttling import (
    AnonRateThrottle,
    BaseRateThrottle,
    ScopedRateThrottle,
    TokenRateThrottle,
    UserRateThrottle,
)
from tests.conftest import Mount

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
REDIS = "django.core.cache.backends.redis.RedisCache"
UNREADABLE = [
    "5",
    "5/x",
    "5/ m",
    "5/month",
    "5/M",
    "/m",
    "5/0s",
    "5/10",
    "-5/m",
    "٣/m",
    5,
    "",
    "5/367d",
    (5, 0),
    [],
    ["5/m", "5"],
    ["5/m"] * 6,
]


@pytest.fixture(autouse=True)
def counting(settings: Any) -> None:
    """Count in memory, whatever the tests run on."""
    settings.RATELIMIT_ENABLE = True
    settings.CACHES = {"default": {"BACKEND": LOCMEM}}


def ids(messages: list[CheckMessage]) -> list[str]:
    return [str(message.id).removeprefix("connectnow_api.") for message in messages]


def limited(mount: Mount, *throttles: Any, **attributes: Any) -> None:
    attributes = {"authentication_classes": [], "throttle_classes": throttles, **attributes}
    mount({"limited": type("Limited", (APIView,), attributes).as_view()})


def rates(settings: Any, **by_scope: Any) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": by_scope}


@pytest.mark.parametrize("rate", UNREADABLE)
def test_a_rate_that_cannot_be_read(mount: Mount, settings: Any, rate: Any) -> None:
    limited(mount, UserRateThrottle)
    rates(settings, user=rate)
    (message,) = checks.check_limits()
    assert message.id == "connectnow_api.E008"
    assert message.msg == (
        f"REST_FRAMEWORK[\"DEFAULT_THROTTLE_RATES\"]['user'] is {rate!r}, which is no rate."
    )
    assert message.hint == 'Write "user": "60/m".'


@pytest.mark.parametrize("rate", UNREADABLE)
def test_a_rate_on_a_class_that_cannot_be_read(mount: Mount, rate: Any) -> None:
    limited(mount, type("Own", (TokenRateThrottle,), {"rate": rate}))
    (message,) = checks.check_limits()
    assert message.id == "connectnow_api.E008"
    assert message.msg == f"tests.test_limit_checks.Own.rate is {rate!r}, which is no rate."
    assert message.hint == 'Write rate = "60/m".'


@pytest.mark.parametrize(
    "rate",
    ["10/s", "10/5s", "5/m", "5/10m", "3/h", "100/day", "1/min", (5, 60), ["5/m", "100/d"], None],
)
def test_rates_that_can(mount: Mount, settings: Any, rate: Any) -> None:
    limited(mount, AnonRateThrottle, type("Own", (TokenRateThrottle,), {"rate": rate}))
    rates(settings, anon=rate)
    assert checks.check_limits() == []


def test_a_scope_without_a_rate_is_named_with_its_close_match(mount: Mount, settings: Any) -> None:
    limited(mount, ScopedRateThrottle, throttle_scope="report")
    rates(settings, reports="5/m")
    (message,) = checks.check_limits()
    assert message.id == "connectnow_api.E008"
    assert message.msg == (
        "tests.test_limit_checks.Limited is limited in the scope 'report', which has no rate."
    )
    hint = 'Add "report": "60/m" to REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"].'
    assert message.hint == f"{hint} Did you mean 'reports'?"


@pytest.mark.parametrize("throttle", [AnonRateThrottle, UserRateThrottle, TokenRateThrottle])
@pytest.mark.parametrize("said", [{}, {"DEFAULT_THROTTLE_RATES": None}])
def test_a_throttle_whose_rate_nobody_named(
    mount: Mount, settings: Any, throttle: Any, said: Any
) -> None:
    """DRF itself names two scopes, and gives them no limit."""
    settings.REST_FRAMEWORK = said
    limited(mount, throttle)
    (message,) = checks.check_limits()
    assert message.id == "connectnow_api.E008"
    hint = f'Add "{throttle.scope}": "60/m" to REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"].'
    assert message.hint == hint


def test_one_rate_that_is_missing_is_reported_once(mount: Mount, settings: Any) -> None:
    attributes = {"authentication_classes": [], "throttle_classes": [TokenRateThrottle]}
    views = [type(name, (APIView,), attributes) for name in ("One", "Other")]
    mount({view.__name__: view.as_view() for view in views})
    assert ids(checks.check_limits()) == ["E008"]


def test_scopes_that_are_named_otherwise_or_later(mount: Mount, settings: Any) -> None:
    class Plan(ScopedRateThrottle):
        scope_attr = "plan"

    class Later(APIView):
        authentication_classes = ()
        throttle_classes = [ScopedRateThrottle]

        @property
        def throttle_scope(self) -> str:
            return "sc"

    rates(settings, dear="5/m")
    limited(mount, Plan, plan="cheap", throttle_scope="dear")
    assert ids(checks.check_limits()) == ["E008"]
    limited(mount, Plan, plan="dear", throttle_scope="cheap")
    assert checks.check_limits() == []
    for view in (Later, type("Odd", (Later,), {"throttle_scope": ["a"]})):
        mount({"limited": view.as_view()})
        assert checks.check_limits() == []


def test_scopes_of_actions(mount: Mount, settings: Any) -> None:
    class Reports(ViewSet):
        authentication_classes: list[Any] = []
        throttle_classes = [ScopedRateThrottle]
        throttle_scope: str | None = None

        @action(detail=False, throttle_scope="dear")
        def totals(self, request: Any) -> Any: ...

        @action(detail=False, throttle_classes=[TokenRateThrottle])
        def days(self, request: Any) -> Any: ...

    router = SimpleRouter()
    router.register("reports", Reports, basename="report")
    settings.ROOT_URLCONF = tuple(router.urls)
    rates(settings)
    assert ids(checks.check_limits()) == ["E008", "E008"]
    rates(settings, dear="1/h", token="5/m")
    assert checks.check_limits() == []


def test_default_classes_count_too(mount: Mount, settings: Any) -> None:
    mount({})
    name = "connectnow_api.throttling.UserRateThrottle"
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_THROTTLE_CLASSES": [name],
        "DEFAULT_THROTTLE_RATES": {"user": "5/month"},
    }
    assert ids(checks.check_limits()) == ["E008"]


def test_what_is_not_ours_or_decided_later_is_left_alone(mount: Mount, settings: Any) -> None:
    class Later(BaseRateThrottle):
        def get_rate(self, request: Any, view: Any) -> str:
            return "5/m"

    limited(mount, DRFUserRateThrottle, ScopedRateThrottle, Later)
    rates(settings, user="5/fortnight")
    assert checks.check_limits() == []


def with_policy(mount: Mount, policy: str) -> list[CheckMessage]:
    limited(mount, type("Own", (UserRateThrottle,), {"on_cache_failure": policy, "rate": "5/m"}))
    return checks.check_limits()


@pytest.mark.parametrize("policy", ["open", "closed", "local"])
def test_what_a_throttle_may_do_when_the_cache_fails(mount: Mount, policy: str) -> None:
    assert with_policy(mount, policy) == []


def test_what_no_throttle_can_do_when_the_cache_fails(mount: Mount) -> None:
    (message,) = with_policy(mount, "close")
    assert message.id == "connectnow_api.E008"
    assert message.msg == "tests.test_limit_checks.Own.on_cache_failure is 'close'."
    assert message.hint == 'Write on_cache_failure = "open", "closed" or "local".'


def use_cache(settings: Any, backend: str, alias: str = "default") -> None:
    settings.CACHES = {"default": {"BACKEND": LOCMEM}, alias: {"BACKEND": backend}}


@pytest.mark.parametrize(
    ("backend", "found"),
    [
        ("django.core.cache.backends.dummy.DummyCache", ["E009"]),
        ("no.such.Cache", ["E009"]),
        ("django.core.cache.backends.db.DatabaseCache", ["W004"]),
        ("django.core.cache.backends.filebased.FileBasedCache", ["W004"]),
        (REDIS, []),
        (LOCMEM, []),
    ],
)
def test_caches_that_cannot_count(
    mount: Mount, settings: Any, backend: str, found: list[str]
) -> None:
    limited(mount, type("Own", (UserRateThrottle,), {"rate": "5/m"}))
    use_cache(settings, backend)
    messages = checks.check_limits()
    assert ids(messages) == found
    assert all("'default'" in message.msg for message in messages)
    assert all('RATELIMIT_USE_CACHE = "limits"' in str(message.hint) for message in messages)


def test_a_cache_whose_library_is_missing(
    mount: Mount, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(mount, type("Own", (UserRateThrottle,), {"rate": "5/m"}))
    use_cache(settings, REDIS)
    monkeypatch.setitem(sys.modules, "redis", None)
    (message,) = checks.check_limits()
    assert message.id == "connectnow_api.E009"
    assert "redis" in message.msg
    assert "pip install redis" in str(message.hint)


def test_the_hint_fits_a_project_without_caches() -> None:
    given = types.SimpleNamespace(is_overridden=lambda name: False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks.limits, "django_settings", given)
        hint = checks.limits._shared_cache()
    pasted: dict[str, Any] = {}
    exec(hint.partition("then ")[2].replace(" and RATELIMIT", "; RATELIMIT").rstrip("."), pasted)
    assert set(pasted["CACHES"]) == {"default", pasted["RATELIMIT_USE_CACHE"]}


def test_the_cache_that_counts_is_the_one_that_is_looked_at(mount: Mount, settings: Any) -> None:
    limited(mount, type("Own", (UserRateThrottle,), {"rate": "5/m"}))
    use_cache(settings, "django.core.cache.backends.dummy.DummyCache", "other")
    assert checks.check_limits() == []
    settings.RATELIMIT_USE_CACHE = "other"
    assert ids(checks.check_limits()) == ["E009"]
    settings.RATELIMIT_USE_CACHE = "missing"
    assert ids(checks.check_limits()) == ["E009"]


def test_refused_tokens_are_a_limit_as_well(mount: Mount, settings: Any) -> None:
    use_cache(settings, "django.core.cache.backends.dummy.DummyCache")
    limited(mount)
    assert checks.check_limits() == []
    limited(mount, authentication_classes=[APITokenAuthentication])
    assert ids(checks.check_limits()) == ["E009"]
    settings.CONNECTNOW_API = {"FAILED_AUTH_RATE": None}
    assert checks.check_limits() == []
    settings.CONNECTNOW_API = {}
    settings.RATELIMIT_ENABLE = False
    assert checks.check_limits() == []


def test_production_needs_a_cache_that_processes_share(mount: Mount, settings: Any) -> None:
    limited(mount, authentication_classes=[APITokenAuthentication])
    (message,) = checks.check_limits_of_production()
    assert (message.id, "'default'" in message.msg) == ("connectnow_api.W004", True)
    use_cache(settings, REDIS)
    assert checks.check_limits_of_production() == []


@pytest.mark.parametrize(("enabled", "values"), [(False, {}), (True, {"FAILED_AUTH_RATE": None})])
def test_limits_that_are_off_in_production(
    mount: Mount, settings: Any, enabled: bool, values: Any
) -> None:
    limited(mount, authentication_classes=[APITokenAuthentication])
    settings.RATELIMIT_ENABLE = enabled
    settings.CONNECTNOW_API = values
    assert ids(checks.check_limits_of_production()) == ["W016"]


def test_limits_that_are_off_do_not_hide_the_cache(mount: Mount, settings: Any) -> None:
    throttle = type("Own", (UserRateThrottle,), {"rate": "5/m"})
    limited(mount, throttle, authentication_classes=[APITokenAuthentication])
    settings.CONNECTNOW_API = {"FAILED_AUTH_RATE": None}
    assert ids(checks.check_limits_of_production()) == ["W016", "W004"]


def test_nothing_is_said_while_the_settings_are_wrong(settings: Any) -> None:
    settings.CONNECTNOW_API = []
    assert checks.check_limits() == []
    assert checks.check_limits_of_production() == []


@pytest.mark.django_db
def test_both_are_registered(mount: Mount, settings: Any) -> None:
    use_cache(settings, "django.core.cache.backends.dummy.DummyCache")
    limited(mount, authentication_classes=[APITokenAuthentication], required_abilities=[])
    assert "connectnow_api.E009" in [message.id for message in run_checks()]
    use_cache(settings, LOCMEM)
    assert "connectnow_api.W004" not in [message.id for message in run_checks()]
    deployed = run_checks(include_deployment_checks=True)
    assert "connectnow_api.W004" in [message.id for message in deployed]
