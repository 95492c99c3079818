"""What ``manage.py check`` says."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.urls import include, path, re_path
from rest_framework import generics
from rest_framework.authentication import SessionAuthentication
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.routers import APIRootView, SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from connectnow_api import checks
from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.permissions import HasAbilities
from connectnow_api.profiles import HELPSPACE
from connectnow_api.settings import PROFILE_KEYS, SITE_KEYS
from tests.conftest import Mount


def found(values: Any, settings: Any) -> list[CheckMessage]:
    settings.CONNECTNOW_API = values
    return checks.check_settings()


def numbers(messages: list[CheckMessage]) -> list[str]:
    return [str(message.id).removeprefix("connectnow_api.") for message in messages]


@pytest.mark.django_db
def test_a_sound_project_has_nothing_to_say() -> None:
    assert run_checks() == []


def test_every_id_has_one_meaning_and_is_listed() -> None:
    assert checks.__doc__
    listed = re.findall(r"^([EW]\d{3}) ", checks.__doc__, re.MULTILINE)
    files = Path(checks.__file__).parents[1].rglob("*.py")
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    assert listed == sorted(set(listed))
    assert set(re.findall(r'"(?:connectnow_api\.)?([EW]\d{3})"', source)) == set(listed)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("PAGESIZE", "Did you mean 'PAGE_SIZE'?"),
        ("page_size", "Did you mean 'PAGE_SIZE'?"),
        ("PREFIX", "Did you mean 'PREFIXES'?"),
        ("USER_SETTINGS", "Choose from"),
        (1, "Choose from"),
    ],
)
def test_an_unknown_key_is_named_with_its_close_match(key: Any, hint: str, settings: Any) -> None:
    (message,) = found({key: 1}, settings)
    assert message.id == "connectnow_api.E001"
    assert repr(key) in message.msg
    assert message.hint is not None
    assert message.hint.startswith(hint)


def test_a_choice_for_the_audit_table_needs_the_app(settings: Any) -> None:
    settings.CONNECTNOW_API = {"AUDIT_ACTIONS": ["revoked"]}
    assert checks.check_audit() == []
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if not app.endswith("audit")]
    (message,) = checks.check_audit()
    assert numbers([message]) == ["W019"]
    assert message.hint == 'Add "connectnow_api.audit" to INSTALLED_APPS.'
    settings.CONNECTNOW_API = {}
    assert checks.check_audit() == []


# On MariaDB, checks of models ask the server for its version.
@pytest.mark.django_db
@pytest.mark.parametrize("value", [None, [], "helpspace", pytest.param(HELPSPACE, id="profile")])
def test_the_setting_is_a_mapping(value: Any, settings: Any) -> None:
    assert numbers(found(value, settings)) == ["E001"]
    with pytest.raises(SystemCheckError, match=r"connectnow_api\.E001"):
        call_command("check", "--deploy")


@pytest.mark.parametrize(
    "values",
    [
        {"PROFILE": "helpspaec"},
        {"PREFIXES": {"/api/": "Helpspace"}},
        {"PROFILE": "helpspace_"},
    ],
)
def test_an_unknown_profile_is_named_with_its_close_match(values: Any, settings: Any) -> None:
    (message,) = found(values, settings)
    assert message.id == "connectnow_api.E002"
    assert message.hint == "Did you mean 'helpspace'?"


@pytest.mark.parametrize("value", [None, {}, [], 1, object()])
def test_what_is_no_profile(value: Any, settings: Any) -> None:
    assert numbers(found({"PROFILE": value}, settings)) == ["E002"]
    assert numbers(found({"PREFIXES": {"/x/": value}}, settings)) == ["E002"]


@pytest.mark.parametrize(
    ("prefixes", "hint"),
    [
        ({"api/": "helpspace"}, "Write '/api/'."),
        ({"": "helpspace"}, "Write '/'."),
        ([("/api/", "helpspace")], 'Write CONNECTNOW_API["PREFIXES"] = {"/api/": "helpspace"}.'),
    ],
)
def test_a_prefix_is_a_path(prefixes: Any, hint: str, settings: Any) -> None:
    (message,) = found({"PREFIXES": prefixes}, settings)
    assert (message.id, message.hint) == ("connectnow_api.E003", hint)


def test_every_setting_has_a_check() -> None:
    assert set(checks.VALUES) | {"PROFILE", "PREFIXES"} == set(PROFILE_KEYS) | SITE_KEYS


NAIVE = datetime.fromisoformat("2027-01-01T00:00")
BAD: dict[str, list[Any]] = {
    "QUERY_TOKEN_DEPRECATION": ["2027-01-01", 5, NAIVE, True],
    "QUERY_TOKEN_SUNSET": ["2027-01-01", 5, NAIVE],
    "QUERY_TOKEN_LINK": ["/docs", "https://a b", "https://a>", 5],
    "COUNT_PLACEMENTS": ["yes", None, 1],
    "REQUEST_ID": ["no.such.function", "django_guid", 5, True],
    "REQUEST_ID_IN_ERRORS": ["yes", None, 1],
    "FAILED_AUTH_RATE": ["30", "5/x", "5/month", "", 30, (30, 0)],
    "TRUSTED_PROXIES": [
        *(-1, "1", None, True, "unix", "10.0.0.0/8", {"unix"}),
        *(["10.0.0.1/8"], ["UNIX"], ["10.0.0.0/8", ""], [1], [None]),
    ],
    "CLIENT_ADDRESS_HEADER": [
        *("", None, 1, "HTTP_X_REAL_IP", "REMOTE_ADDR", "Forwarded", "X-Real-IP\n", "X Real"),
    ],
    "AUDIT_ACTIONS": ["revoked", ["revoke"], [None], None],
    "ON_CACHE_FAILURE": ["close", None, True],
    "LIMITERS": [None, [], ["api"], {"a/b": "5/m"}, {"": "5/m"}, {1: "5/m"}],
    "LIMIT_STORAGE": ["", "redis", "localhost:6379", 6379, False],
    "LIMIT_STORAGE_OPTIONS": [None, [], {1: 2}, {"": 2}],
    "LIMIT_HEADERS": ["laravels", None, True, []],
    "SHADOW_LIMITS": ["yes", None, 1],
    "PAGINATOR": ["cursor", None, 1],
    "SHAPE": ["round", None],
    "PAGE_SIZE": [0, -1, "15", None, True, 1.5],
    "MAX_PAGE_SIZE": [0, "100", None],
    "PAGE_QUERY_PARAM": ["", None],
    "PAGE_SIZE_QUERY_PARAM": ["", 1],
    "ON_EACH_SIDE": [-1, "3", None],
    "KEEP_QUERY": ["page", None, ["q"]],
    "KEEP_REPEATED": [1, None],
    "PREVIOUS_LABEL": ["", None],
    "NEXT_LABEL": ["", None],
    "PAGE_IN_LINKS": ["yes"],
    "CURRENT_PAGE_URL": [0],
    "TRIM_PATH": [None],
    "WRAP": ["", False],
    "DATETIME_FORMAT": ["iso-8601", "", None],
    "PLACEMENTS": [["cookie"], "header", None],
    "REQUIRED_HEADERS": [{"Hs-Client-Id": ""}, ["Hs-Client-Id"], {"X\n": "client"}],
    "STRICT_ACCEPT": ["no"],
    "EMPTY_BODY": ["reject", None],
    "MALFORMED_STATUS": [200, "400", None],
    "MALFORMED_MESSAGE": ["", None],
    "DELETE_STATUS": [202, None],
    "RESHAPE_MANUAL_ERRORS": [None],
    "ERROR_CODES": ["yes"],
    "SUMMARISE_ERRORS": [None],
    "MESSAGES": [{200: "Fine."}, {404: ""}, {"404": "No."}, []],
    "TOKEN_PREFIX": ["", "CN", "c", "cn_", None, 1],
    "MAX_TOKEN_LIFETIME": [365, timedelta(0), timedelta(days=-1)],
    "TOKEN_IDLE_TIMEOUT": [90, timedelta(0), "90d"],
    "LAST_USED": ["on", None, True, ""],
    "LAST_USED_INTERVAL": [60, None, timedelta(0)],
    "LAST_USED_ADDRESS": [1, None, "no"],
    "ABILITIES": [["issues:read"], {"a b": "c"}, {"a": ""}, {"a": None}, {1: "a"}],
    "TOKEN_LIFETIME": [365, timedelta(0), timedelta(days=-1)],
    "TOKEN_PARAMETERS": ["api_token", [""], None],
    "REALM": ["", 'a"b', "ä", "a\n", None],
    "DEBUG_ERRORS": [1],
    "REQUIRE_TOKEN": [1],
    "STRICT_PLACEMENT": [1],
    "TRANSLATE_MESSAGES": ["de"],
}


@pytest.mark.parametrize("key", checks.VALUES)
def test_a_wrong_value_is_shown_and_the_hint_can_be_pasted(key: str, settings: Any) -> None:
    for value in BAD[key]:
        (message,) = found({key: value}, settings)
        assert message.id == "connectnow_api.E004"
        assert repr(value) in message.msg
        assert message.hint is not None
        line = message.hint.removeprefix("Write ").removesuffix(".")
        pasted = eval("{" + line + "}", {"date": date, "timedelta": timedelta})
        assert found(pasted, settings) == []


class Accepts(APIView):
    authentication_classes = [SessionAuthentication, APITokenAuthentication]


def views(mount: Mount, *classes: Any, at: str = "resource/x") -> list[CheckMessage]:
    mount({f"{at}{index}": view.as_view() for index, view in enumerate(classes)})
    return checks.check_views()


def test_a_view_that_accepts_tokens_and_names_no_abilities(mount: Mount) -> None:
    (message,) = views(mount, Accepts, Accepts)
    assert message.id == "connectnow_api.W001"
    assert "tests.test_checks.Accepts" in message.msg


def test_views_that_are_in_order(mount: Mount) -> None:
    class Named(Accepts):
        permission_classes = [IsAuthenticated & HasAbilities]
        required_abilities: Any = ["a"]

    class Negated(Named):
        permission_classes = [AllowAny & ~HasAbilities]

    class Anything(Named):
        required_abilities = []

    class Mapped(Named):
        required_abilities = {"GET": ["a"], "OPTIONS": []}

    class Sessions(APIView):
        authentication_classes = [SessionAuthentication]

    class Routed(ViewSet):
        permission_classes = [HasAbilities]
        required_abilities = {"list": ["a"], "close": ["b"]}

        def list(self, request: Any) -> None: ...

        @action(detail=True)
        def close(self, request: Any, pk: int) -> None: ...

    assert views(mount, Named, Negated, Anything, Mapped, Sessions) == []
    router = SimpleRouter()
    router.register("r", Routed, "r")
    mount({"x/": include(router.urls)})
    assert checks.check_views() == []


def test_abilities_that_no_permission_asks_for(mount: Mount) -> None:
    class Unasked(Accepts):
        permission_classes = [IsAuthenticated]
        required_abilities = ["a"]

    assert numbers(views(mount, Unasked)) == ["W002"]


@pytest.mark.parametrize(
    ("required", "text"),
    [
        ("issues:read", "'issues:read'"),
        ([""], "['']"),
        ({"GET": "issues:read"}, "'issues:read'"),
        ({"GET": None}, "None"),
        ({"get": []}, "'get'"),
        ({"retreive": []}, "'retreive'"),
        ({"dispatch": []}, "'dispatch'"),
        ({}, "empty mapping"),
    ],
)
def test_abilities_that_cannot_be(mount: Mount, required: Any, text: str) -> None:
    class View(Accepts, ViewSet):
        permission_classes = [HasAbilities]
        required_abilities: Any = required

        def retrieve(self, request: Any, pk: int) -> None: ...

    mount({"x": View.as_view({"get": "retrieve"})})
    (message,) = checks.check_views()
    assert message.id == "connectnow_api.E006"
    assert text in message.msg
    if text == "'retreive'":
        assert message.hint == "Did you mean 'retrieve'?"


def test_a_views_profile_that_differs_from_its_paths(mount: Mount) -> None:
    class View(APIView):
        authentication_classes = ()
        profile: Any = "connectnow"

    class Misspelt(View):
        profile = "conectnow"

    class Action(View):
        def profile(self) -> None: ...

    assert views(mount, View, at="flat/x") == []
    (message,) = views(mount, View, View)
    assert message.id == "connectnow_api.W003"
    assert "'connectnow' where /resource/x0 speaks 'helpspace'" in message.msg
    assert numbers(views(mount, Misspelt)) == ["E002"]
    assert views(mount, Action) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("page_size", 0), ("max_page_size", "5"), ("datetime_format", None), ("shape", "round")],
)
def test_a_views_attribute_that_cannot_be(mount: Mount, name: str, value: Any) -> None:
    view = type("View", (APIView,), {"authentication_classes": (), name: value})
    (message,) = views(mount, view)
    assert message.id == "connectnow_api.E004"
    assert f"View.{name} is {value!r}" in message.msg


def test_a_view_may_switch_off_pages_and_bounds_and_have_actions_of_any_name(mount: Mount) -> None:
    class View(generics.ListAPIView[Any]):
        authentication_classes = ()
        page_size = None
        max_page_size = None

        def placements(self, request: Any) -> None: ...

        # Not asked of views.
        messages = ["hello"]
        error_codes = {"a": 1}

    assert views(mount, View) == []


def route(settings: Any, viewset: Any) -> None:
    router = SimpleRouter()
    router.register("resource", viewset, basename="book")
    settings.ROOT_URLCONF = tuple(router.urls)


def test_an_action_may_open_itself_to_everybody(settings: Any) -> None:
    class Books(ViewSet):
        authentication_classes = [APITokenAuthentication]
        permission_classes = [HasAbilities]
        required_abilities = ["issues:read"]

        def list(self, request: Any) -> None: ...

        @action(detail=False, permission_classes=())
        def newest(self, request: Any) -> None: ...

    route(settings, Books)
    assert checks.check_views() == []


def test_a_viewset_with_several_routes_is_reported_once(settings: Any) -> None:
    class Books(ViewSet):
        authentication_classes = [APITokenAuthentication]

        def list(self, request: Any) -> None: ...

        @action(detail=False, throttle_classes=())
        def newest(self, request: Any) -> None: ...

    route(settings, Books)
    assert numbers(checks.check_views()) == ["W001"]


def test_views_are_found_below_includes_and_plain_ones_passed_over(settings: Any) -> None:
    def plain(request: Any) -> None: ...

    class Theirs(APIRootView):
        authentication_classes = [APITokenAuthentication]

    Theirs.__module__ = APIRootView.__module__
    inner = [re_path(r"^deep/(?P<pk>\d+)$", Accepts.as_view()), path("plain", plain)]
    inner.append(path("", Theirs.as_view()))
    settings.ROOT_URLCONF = (path("api/", include((inner, "app"))),)
    assert numbers(checks.check_views()) == ["W001"]


def test_nothing_is_said_of_views_while_settings_are_wrong_or_there_is_no_urlconf(
    mount: Mount, settings: Any
) -> None:
    views(mount, Accepts)
    settings.CONNECTNOW_API = {"PREFIXES": []}
    assert checks.check_views() == []
    settings.CONNECTNOW_API = {}
    assert numbers(checks.check_views()) == ["W001"]
    settings.ROOT_URLCONF = None
    assert checks.check_views() == []


def test_a_sunset_before_the_deprecation(settings: Any) -> None:
    since, until = date(2027, 1, 2), datetime(2027, 1, 1, 23, tzinfo=UTC)
    values = {"QUERY_TOKEN_DEPRECATION": since, "QUERY_TOKEN_SUNSET": until}
    (message,) = found(values, settings)
    assert message.id == "connectnow_api.E016"
    assert found({**values, "QUERY_TOKEN_SUNSET": since}, settings) == []
