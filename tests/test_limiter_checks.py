"""What ``manage.py check`` says of limiters, of windows, and of the storage that counts."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from rest_framework.decorators import action
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from connectnow_api import checks
from connectnow_api.limiters import Limiter
from connectnow_api.throttling import LimiterThrottle, UserRateThrottle, limited_by
from tests.conftest import Mount

from .test_limit_checks import counting, ids, limited, use_cache

__all__ = ["counting"]

SECRET = "redis://:hu@sh/1@127.0.0.1:1/0?password=too"


def decide(request: Any) -> str:
    return "5/m"


async def decide_later(request: Any) -> str:
    return "5/m"


HERE = f"{__name__}.decide"


def limiters(settings: Any, **values: Any) -> list[Any]:
    settings.CONNECTNOW_API = {"LIMITERS": values}
    return checks.check_limits()


@pytest.fixture(autouse=True)
def nothing_mounted(mount: Mount, settings: Any) -> None:
    mount({})
    settings.CONNECTNOW_API = {}


WRONG = {
    "rate": ["5", "5/month", "", 5, [], ["5/m", "x"], "no.such.function", "tests.test_checks.BAD"],
    "guest_rate": ["5", "no.such.function", []],
    "rate_attribute": ["", 5, "..", "user..rate", "token.", "a b"],
    "by": [
        *("users", "", None, [], ["user", "users"], "no.such.function", 5),
        *("header:", "header:X Y", "header: X", "header:é", "header:X_Y"),
        *(decide_later, f"{__name__}.decide_later"),
    ],
    "cost": [-1, 1.5, True, "1", None, "no.such.function"],
    "methods": ["GET", ["GTE"], None, [1]],
    "per": ["method", ["path"], [None]],
    "answers": ["4xx", ["4x"], [99], [600], [True], ["6xx"], None, "no.such.function"],
    "window": ["rolling", None, []],
    "counter": ["", 5],
    "on_cache_failure": ["close", None],
    "shadow": ["yes", None],
    "name": [None, 5],
}


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_field_is_shown_and_the_hint_can_be_pasted(field: str, settings: Any) -> None:
    for value in WRONG[field]:
        (message,) = limiters(settings, api={"rate": "5/m", field: value})
        owner = "CONNECTNOW_API['LIMITERS']['api']"
        assert message.id == "connectnow_api.E017"
        assert message.msg.startswith(f"{owner} has the {field} {value!r}: it has to be ")
        line = str(message.hint).removeprefix("Write ").removesuffix(".")
        pasted = eval("{" + line + "}")
        if field != "counter":  # for which there has to be a storage
            assert limiters(settings, api={"rate": "5/m", **pasted}) == []


@pytest.mark.parametrize("field", WRONG)
def test_the_same_of_a_limiter_on_a_view(field: str, mount: Mount) -> None:
    for value in WRONG[field]:
        wrong = Limiter(**{"rate": "5/m", field: value})
        limited(mount, LimiterThrottle, limiters=[wrong])
        (message,) = checks.check_limits()
        owner = "A limiter of tests.test_limit_checks.Limited"
        assert message.msg.startswith(f"{owner} has the {field} {value!r}: it has to be ")
        assert str(message.hint).startswith(f"Write {field}=")


@pytest.mark.parametrize("value", ["5", 5, "", ["5/m", "x"], "no.such.function"])
def test_rates_without_a_field(value: Any, settings: Any) -> None:
    (message,) = limiters(settings, api=value)
    assert message.id == "connectnow_api.E017"
    assert f"has the rate {value!r}" in message.msg
    assert message.hint == 'Write "60/m".'


RIGHT: list[Any] = [
    "5/m",
    ["5/m", "100/day"],
    (5, 60),
    None,
    decide,
    HERE,
    Limiter("5/m"),
    {"rate": decide, "guest_rate": HERE},
    {"rate": None, "guest_rate": "5/m", "rate_attribute": "token.rate"},
    {"rate": "5/m", "plan": "user.plan", "plans": {"pro": ["6/m", "9/h"], "free": None}},
    {"rate": "5/m", "plan": HERE, "plans": {"pro": decide}},
    {"rate": "5/m", "by": "header:X-Client-Id", "cost": 0, "methods": ["get"], "per": ["method"]},
    {"rate": "5/m", "by": ["address", decide, HERE], "cost": HERE, "per": ["endpoint"]},
    {"rate": "5/m", "answers": [401, "4xx"], "on_cache_failure": "local", "shadow": False},
    {"rate": "5/m", "answers": HERE, "by": "everybody", "name": "other"},
]


@pytest.mark.parametrize("value", RIGHT, ids=range(len(RIGHT)))
def test_limiters_that_can_be(value: Any, settings: Any) -> None:
    assert limiters(settings, api=value) == []


def test_a_field_that_does_not_exist_is_named_with_its_close_match(settings: Any) -> None:
    (message,) = limiters(settings, api={"rate": "5/m", "rates": "5/m"})
    assert message.id == "connectnow_api.E017"
    assert message.msg == (
        "CONNECTNOW_API['LIMITERS']['api'] has the field 'rates', which does not exist."
    )
    assert message.hint == "Did you mean 'rate'?"


def test_a_limiter_without_a_rate(settings: Any) -> None:
    (message,) = limiters(settings, api={"by": "user"})
    assert message.msg == "CONNECTNOW_API['LIMITERS']['api'] has no rate."
    assert (message.id, message.hint) == ("connectnow_api.E017", 'Add "rate": "60/m".')


@pytest.mark.parametrize(
    ("fields", "text", "hint"),
    [
        ({"plan": "user.plan"}, "has a plan, and no plans", 'Add "plans": {"pro": "600/m"}.'),
        ({"plans": {"a": "5/m"}}, "has plans, and no plan", 'Add "plan": "user.plan".'),
    ],
)
def test_plans_need_one_another(fields: Any, text: str, hint: str, settings: Any) -> None:
    (message,) = limiters(settings, api={"rate": "5/m", **fields})
    assert message.id == "connectnow_api.E017"
    assert text in message.msg
    assert message.hint == hint


@pytest.mark.parametrize("plan", ["gold", 5, "no.such.function", "tests.test_checks.BAD"])
def test_what_is_no_plan(plan: Any, settings: Any) -> None:
    fields = {"rate": "5/m", "plan": plan, "plans": {"a": "5/m"}}
    (message,) = limiters(settings, api=fields)
    assert f"has the plan {plan!r}: it has to be" in message.msg


@pytest.mark.parametrize("plans", [["5/m"], {"a": "5"}, {"a": "no.such.function"}])
def test_what_are_no_plans(plans: Any, settings: Any) -> None:
    (message,) = limiters(settings, api={"rate": "5/m", "plan": "user.plan", "plans": plans})
    assert f"has the plans {plans!r}: it has to be" in message.msg


# --- On views ---------------------------------------------------------------------------------


@pytest.mark.parametrize("by_throttle", [True, False])
def test_a_limiter_that_is_not_there_is_named_with_its_close_match(
    by_throttle: bool, mount: Mount, settings: Any
) -> None:
    settings.CONNECTNOW_API = {"LIMITERS": {"reports": "5/m"}}
    if by_throttle:
        limited(mount, limited_by("report"))
    else:
        limited(mount, LimiterThrottle, limiters="report")
    (message,) = checks.check_limits()
    assert message.id == "connectnow_api.E017"
    assert message.msg == (
        "tests.test_limit_checks.Limited is limited by 'report', which LIMITERS does not have."
    )
    hint = 'Add "report": "60/m" to CONNECTNOW_API["LIMITERS"].'
    assert message.hint == f"{hint} Did you mean 'reports'?"


def test_a_limiter_of_several_views_is_reported_once(mount: Mount) -> None:
    throttles = [limited_by("5/month")]
    attributes = {"authentication_classes": [], "throttle_classes": throttles}
    view = type("Limited", (APIView,), attributes)
    mount({"a": view.as_view(), "b": view.as_view(), "c": view.as_view(schema=None)})
    assert ids(checks.check_limits()) == ["E017"]


def test_limiters_of_the_default_classes(settings: Any) -> None:
    name = "connectnow_api.throttling.LimiterThrottle"
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_CLASSES": [name]}
    assert limiters(settings, default="5/m") == []
    assert ids(limiters(settings, default="5")) == ["E017"]


def test_limiters_that_a_request_decides_are_left_alone(mount: Mount) -> None:
    class Later(LimiterThrottle):
        def get_limiters(self, request: Any, view: Any) -> list[Limiter]:
            return []

    limited(mount, Later, limiters="nowhere")
    assert checks.check_limits() == []


@pytest.mark.parametrize("throttles", [[], [UserRateThrottle], [limited_by("5/m")]])
def test_a_view_whose_limiters_nobody_asks_for(throttles: Any, mount: Mount, settings: Any) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"user": None}}
    limited(mount, *throttles, limiters=["5/m"])
    (message,) = checks.check_limits()
    assert message.id == "connectnow_api.W025"
    assert message.msg == (
        "tests.test_limit_checks.Limited has limiters, and no throttle that asks for them."
    )
    assert "connectnow_api.throttling.LimiterThrottle" in str(message.hint)


@pytest.mark.parametrize("value", [None, [], "method"])
def test_a_view_that_has_no_limiters(value: Any, mount: Mount) -> None:
    def limiters(self: Any) -> None: ...

    limited(mount, limiters=limiters if value == "method" else value)
    assert checks.check_limits() == []


# --- Windows ----------------------------------------------------------------------------------

STORAGE = "redis://127.0.0.1:1/0"


@pytest.mark.parametrize("fields", [{"window": "moving"}, {"window": "sliding"}, {"counter": "a"}])
def test_what_the_counters_of_django_ratelimit_cannot(fields: Any, settings: Any) -> None:
    (message,) = limiters(settings, api={"rate": "5/m", **fields})
    assert message.id == "connectnow_api.E018"
    ((field, value),) = fields.items()
    assert f"has the {field} {value!r}, which django-ratelimit's counters" in message.msg
    assert message.hint == 'Set CONNECTNOW_API["LIMIT_STORAGE"] = "redis://127.0.0.1:6379/0".'
    for uri in (STORAGE, "redis+cluster://127.0.0.1:1"):
        values = {"LIMITERS": {"api": {"rate": "5/m", **fields}}, "LIMIT_STORAGE": uri}
        settings.CONNECTNOW_API = values
        assert checks.check_limits() == []


def test_what_a_storage_cannot(settings: Any) -> None:
    values = {"LIMITERS": {"api": {"rate": "5/m", "window": "moving", "counter": "a"}}}
    settings.CONNECTNOW_API = {**values, "LIMIT_STORAGE": "memcached://127.0.0.1:1"}
    (message,) = checks.check_limits()
    assert message.id == "connectnow_api.E018"
    assert "'moving', which memcached://127.0.0.1:1 cannot count" in message.msg


def test_windows_of_throttle_classes(mount: Mount, settings: Any) -> None:
    limited(mount, type("Own", (UserRateThrottle,), {"rate": "5/m", "window": "moving"}))
    (message,) = checks.check_limits()
    assert message.id == "connectnow_api.E018"
    assert message.msg.startswith("tests.test_limiter_checks.Own has the window 'moving'")
    settings.CONNECTNOW_API = {"LIMIT_STORAGE": STORAGE}
    assert checks.check_limits() == []


def test_a_window_of_a_throttle_class_that_does_not_exist(mount: Mount) -> None:
    limited(mount, type("Own", (UserRateThrottle,), {"rate": "5/m", "window": "slide"}))
    (message,) = checks.check_limits()
    assert message.id == "connectnow_api.E018"
    assert message.msg == (
        "tests.test_limiter_checks.Own has the window 'slide', which does not exist."
    )
    assert message.hint == "Did you mean 'sliding'?"


def test_a_cost_beyond_the_rate_lets_nothing_pass(settings: Any) -> None:
    (message,) = limiters(settings, api={"rate": ["5/m", "50/d"], "cost": 6})
    assert (message.id, message.hint) == ("connectnow_api.E017", 'Write "cost": 1.')
    assert message.msg.endswith("has the cost 6, more than its rate allows: nothing passes.")
    assert limiters(settings, api={"rate": ["5/m", "50/d"], "cost": 5}) == []


def test_a_pair_on_a_view_is_one_rate(mount: Mount) -> None:
    limited(mount, LimiterThrottle, limiters=(5, 60))
    assert checks.check_limits() == []


@pytest.mark.parametrize("value", ["no", 1, None])
def test_a_shadow_of_a_throttle_class_that_is_none(mount: Mount, value: Any) -> None:
    limited(mount, type("Throttle", (UserRateThrottle,), {"rate": "5/m", "shadow": value}))
    (message,) = checks.check_limits()
    assert (message.id, message.hint) == ("connectnow_api.E017", "Write shadow = True.")


# --- Storages ---------------------------------------------------------------------------------


@pytest.fixture
def storage(mount: Mount, settings: Any) -> Any:
    """Count in a storage; return what is said of that."""
    limited(mount, limited_by("5/m"))

    def storage(uri: str) -> list[Any]:
        settings.CONNECTNOW_API = {"LIMIT_STORAGE": uri}
        return checks.check_limits()

    return storage


REDIS = 'Write "LIMIT_STORAGE": "redis://127.0.0.1:6379/0".'


@pytest.mark.parametrize(
    ("uri", "said", "hint"),
    [
        ("redsi://:secret@h:1", "redsi://h:1, which cannot be used: unknown", REDIS),
        ("async+redis://:secret@h:1", "async+redis://h:1, which is a storage for asyn", REDIS),
    ],
)
def test_storages_that_cannot_be_used(storage: Any, uri: str, said: str, hint: str) -> None:
    (message,) = storage(uri)
    assert message.id == "connectnow_api.E009"
    assert message.msg.startswith(f"Limits are counted in {said}")
    assert "secret" not in message.msg
    assert message.hint == hint


@pytest.mark.parametrize("library", ["redis", "valkey"])
def test_storages_whose_library_is_missing(
    storage: Any, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    for uri in (f"{library}://u:secret@h:2/0", f"{library}+cluster://127.0.0.1:2"):
        (message,) = storage(uri)
        assert (message.id, message.hint) == (
            "connectnow_api.E009",
            f"`pip install 'limits[{library}]'`.",
        )
        assert "secret" not in message.msg


def test_a_storage_without_the_package(storage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "limits", None)
    (message,) = storage("redis://127.0.0.1:3/0")
    assert message.id == "connectnow_api.E009"
    assert message.msg == (
        "Limits are counted in redis://127.0.0.1:3/0, and the package limits is not installed."
    )
    assert message.hint == "`pip install 'connectnow-api[limits]'`."


@pytest.mark.parametrize(
    ("uri", "options", "said"),
    [
        ("redis://127.0.0.1:1/0", {"socket_timout": 1}, "socket_timout"),
        ("rediss://127.0.0.1:1/0", {"ssl_cert": 1}, "ssl_cert"),
        ("memcached://127.0.0.1:1", {"time_out": 1}, "time_out"),
        ("memcached://", {}, "server"),
    ],
)
def test_options_that_a_library_does_not_know(
    storage: Any, settings: Any, uri: str, options: dict[str, Any], said: str
) -> None:
    storage(uri)
    settings.CONNECTNOW_API = {"LIMIT_STORAGE": uri, "LIMIT_STORAGE_OPTIONS": options}
    (message,) = checks.check_limits()
    assert message.id == "connectnow_api.E009"
    assert said in message.msg


@pytest.mark.parametrize(
    "uri", [SECRET, "redis+cluster://127.0.0.1:1", "memcached://127.0.0.1:1", "memory://"]
)
def test_no_server_is_asked(storage: Any, uri: str) -> None:
    assert storage(uri) == []


def test_where_a_storage_counts_the_cache_does_not_matter(storage: Any, settings: Any) -> None:
    for backend in ("dummy.DummyCache", "db.DatabaseCache"):
        use_cache(settings, f"django.core.cache.backends.{backend}")
        assert storage(STORAGE) == []
    assert checks.check_limits_of_production() == []


def test_a_storage_in_memory_is_not_for_production(storage: Any) -> None:
    storage("memory://")
    (message,) = checks.check_limits_of_production()
    assert message.id == "connectnow_api.W004"
    assert message.msg == (
        "The storage memory:// is each process's own: so is each of their limits."
    )


def test_limiters_that_nothing_asks_for_need_no_store(mount: Mount, settings: Any) -> None:
    use_cache(settings, "django.core.cache.backends.dummy.DummyCache")
    limited(mount, LimiterThrottle)
    assert checks.check_limits() == []
    assert ids(limiters(settings, default="5/m")) == ["E009"]


# --- Shadows ----------------------------------------------------------------------------------


def test_limits_in_shadow_are_named(mount: Mount, settings: Any) -> None:
    use_cache(settings, "django.core.cache.backends.redis.RedisCache")
    own = type("Own", (UserRateThrottle,), {"rate": "5/m", "shadow": True})
    limited(mount, own, limited_by(Limiter("5/m", shadow=True), "6/m"))
    settings.CONNECTNOW_API = {
        "LIMITERS": {"api": {"rate": "5/m", "shadow": True}, "other": "5/m"},
        "SHADOW_LIMITS": True,
    }
    (message,) = checks.check_limits_of_production()
    assert message.id == "connectnow_api.W026"
    assert message.msg == (
        'Limits in shadow refuse nothing: CONNECTNOW_API["SHADOW_LIMITS"], '
        "CONNECTNOW_API['LIMITERS']['api'], A limiter of tests.test_limit_checks.Limited, "
        "tests.test_limiter_checks.Own."
    )


def test_limits_that_refuse_are_no_shadows(mount: Mount, settings: Any) -> None:
    use_cache(settings, "django.core.cache.backends.redis.RedisCache")
    own = type("Own", (UserRateThrottle,), {"rate": "5/m", "shadow": False})
    limited(mount, own, limited_by(Limiter("5/m", shadow=False)))
    assert checks.check_limits_of_production() == []


def test_a_counter_counts_one_rate(settings: Any) -> None:
    settings.CONNECTNOW_API = {
        "LIMIT_STORAGE": "memory://",
        "LIMITERS": {
            "a": {"rate": ["1/m", "9/d"], "counter": "c"},
            "b": {"rate": "1/m", "guest_rate": ["1/m", "9/d"], "counter": "c"},
            "c": {"rate": "1/m", "counter": "c"},
        },
    }
    messages = checks.check_limits()
    assert [str(message.id) for message in messages] == ["connectnow_api.E017"] * 2
    assert "'a'" in messages[0].msg
    assert messages[0].hint == "Give each rate a limiter with a counter of its own."


@pytest.mark.parametrize(
    "limiters", [{"failed_auth": "5/m"}, {"api": {"rate": "5/m", "name": "failed_auth"}}]
)
def test_the_name_of_refused_tokens_is_taken(settings: Any, limiters: Any) -> None:
    settings.CONNECTNOW_API = {"LIMITERS": limiters}
    (message,) = checks.check_limits()
    assert message.id == "connectnow_api.E017"
    assert "'failed_auth'" in message.msg
    assert '"FAILED_AUTH_RATE"' in str(message.hint)


def test_an_action_that_is_limited_otherwise_is_no_mistake(settings: Any) -> None:
    class Views(ViewSet):
        authentication_classes = ()
        throttle_classes = [LimiterThrottle]
        limiters = "api"

        def list(self, request: Any) -> Any: ...

        @action(detail=False, throttle_classes=[limited_by("1/m")])
        def seldom(self, request: Any) -> Any: ...

    router = SimpleRouter()
    router.register("x", Views, basename="x")
    settings.ROOT_URLCONF = tuple(router.urls)
    settings.CONNECTNOW_API = {"LIMITERS": {"api": "5/m"}}
    assert checks.check_limits() == []
