"""What ``manage.py check --deploy`` says: one test per choice, first made and then not."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, run_checks
from django.urls import include, path
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.routers import DefaultRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet

from connectnow_api import checks
from connectnow_api.authentication import APITokenAuthentication, QueryTokenAuthentication
from connectnow_api.logs import RedactTokens
from connectnow_api.mixins import APIViewMixin
from connectnow_api.parsers import StrictJSONParser
from connectnow_api.reports import TokenExceptionReporter
from tests.conftest import Mount
from tests.library.models import Book

COMMON = "django.middleware.common.CommonMiddleware"
OURS = "connectnow_api.middleware.JSONErrorMiddleware"
REPORTER = "connectnow_api.reports.TokenExceptionReporter"
LOGGING = {
    "filters": {"tokens": {"()": "connectnow_api.logs.RedactTokens"}},
    "handlers": {"console": {"filters": ["tokens"]}},
}
TOKENS = {"authentication_classes": [APITokenAuthentication]}


@pytest.fixture(autouse=True)
def sound(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that has made none of the choices."""
    settings.CONNECTNOW_API = {"PREFIXES": {"/api/": "laravel-12"}}
    settings.DEFAULT_EXCEPTION_REPORTER = REPORTER
    # Not by the fixture: Django would set up the tests' own logging anew.
    monkeypatch.setattr(django_settings, "LOGGING", LOGGING)
    settings.MIDDLEWARE = [OURS, *settings.MIDDLEWARE]


def mount_view(mount: Mount, path: str = "api/one", **attributes: Any) -> None:
    mount({path: type("One", (APIView,), {**TOKENS, **attributes}).as_view()})


def found() -> list[tuple[str, str]]:
    return [(str(message.id)[-4:], str(message.msg)) for message in checks.check_deployment()]


def ids() -> list[str]:
    return [number for number, _ in found()]


def test_a_sound_project_has_nothing_to_say(mount: Mount) -> None:
    mount_view(mount)
    assert checks.check_deployment() == []


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("DEBUG", True, "E010"),
        ("ALLOWED_HOSTS", ["example.com", "*"], "W012"),
        ("DATA_UPLOAD_MAX_MEMORY_SIZE", None, "W014"),
    ],
)
def test_settings_of_django(
    mount: Mount, settings: Any, name: str, value: Any, number: str
) -> None:
    mount_view(mount)
    setattr(settings, name, value)
    (message,) = checks.check_deployment()
    assert message.id == f"connectnow_api.{number}"
    assert name in message.msg
    assert message.hint
    assert message.is_serious() == number.startswith("E")


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ({"TOKEN_LIFETIME": None}, ["W015"]),
        ({"PLACEMENTS": ["header", "query"]}, ["W005"]),
        ({"PLACEMENTS": ["header", "payload"]}, []),
    ],
)
def test_settings_of_ours(
    mount: Mount, settings: Any, values: dict[str, Any], numbers: list[str]
) -> None:
    mount_view(mount)
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, **values}
    assert ids() == numbers


@pytest.mark.parametrize(
    ("attributes", "number"),
    [
        ({"placements": ["query"]}, "W005"),
        ({"authentication_classes": [QueryTokenAuthentication]}, "W005"),
        ({"profile": "helpspace"}, "W005"),
        ({"renderer_classes": [JSONRenderer, BrowsableAPIRenderer]}, "W007"),
        ({"get_exception_handler": lambda self: print}, "W008"),
        ({"authentication_classes": [SessionAuthentication, APITokenAuthentication]}, "W010"),
        ({"parser_classes": [StrictJSONParser, JSONParser]}, "W013"),
    ],
)
def test_views_that_take_tokens(mount: Mount, attributes: dict[str, Any], number: str) -> None:
    mount_view(mount, **attributes)
    ((number_found, message),) = found()
    assert number_found == number
    assert message.endswith(": tests.test_deployment_checks.One.")


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("DEFAULT_EXCEPTION_REPORTER", "django.views.debug.ExceptionReporter", "W021"),
        ("LOGGING", {}, "W022"),
        ("LOGGING", None, "W022"),
        ("LOGGING", {**LOGGING, "handlers": {"console": {"filters": ["others"]}}}, "W022"),
        ("LOGGING", {**LOGGING, "filters": {"tokens": {"()": "logging.Filter"}}}, "W022"),
    ],
)
def test_logs_and_reports_of_tokens_in_the_query(
    mount: Mount, monkeypatch: pytest.MonkeyPatch, name: str, value: Any, number: str
) -> None:
    monkeypatch.setattr(django_settings, name, value)
    mount_view(mount)
    assert ids() == []
    mount_view(mount, placements=["query"])
    assert ids() == ["W005", number]


def test_a_reporter_of_ones_own_and_the_class_of_the_filter(
    mount: Mount, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEFAULT_EXCEPTION_REPORTER = f"{__name__}.Reporter"
    filters = {"tokens": {"()": RedactTokens}}
    monkeypatch.setattr(django_settings, "LOGGING", {**LOGGING, "filters": filters})
    mount_view(mount, placements=["query"])
    assert ids() == ["W005"]


class Reporter(TokenExceptionReporter):
    pass


def test_placements_that_cannot_be_are_no_crash(mount: Mount) -> None:
    mount_view(mount, placements=None)
    assert ids() == []
    assert "connectnow_api.E004" in {message.id for message in checks.check_views()}


def test_views_of_others_are_their_own_affair(mount: Mount) -> None:
    mount_view(
        mount,
        authentication_classes=[SessionAuthentication],
        renderer_classes=[BrowsableAPIRenderer],
        parser_classes=[JSONParser],
        get_exception_handler=lambda self: print,
    )
    assert ids() == []


def test_many_views_are_counted_after_three(mount: Mount) -> None:
    attributes = {**TOKENS, "placements": ["query"]}
    views = [type(f"V{number}", (APIView,), attributes) for number in range(5)]
    mount({f"api/{number}": view.as_view() for number, view in enumerate(views)})
    names = ", ".join(f"tests.test_deployment_checks.V{number}" for number in range(3))
    assert found()[0][1].endswith(f": {names} and 2 more.")


def test_the_sites_handler_is_not_that_of_the_mixin(mount: Mount, settings: Any) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": "builtins.print"}
    mount_view(mount)
    assert ids() == ["W008"]
    mount({"api/one": type("One", (APIViewMixin, APIView), TOKENS).as_view()})
    assert ids() == []


def test_numbers_that_are_none(mount: Mount, settings: Any) -> None:
    mount_view(mount)
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "STRICT_JSON": False}
    assert ids() == ["W013"]


@pytest.mark.parametrize(
    ("middleware", "numbers"),
    [
        ([OURS, COMMON], []),
        ([COMMON, OURS], ["W009"]),
        ([COMMON], ["W009", "W011"]),
        ([], ["W009"]),
        (["no.such.Middleware", OURS], []),
    ],
)
def test_the_middleware_is_first(
    mount: Mount, settings: Any, middleware: list[str], numbers: list[str]
) -> None:
    mount_view(mount, "api/one/")
    settings.MIDDLEWARE = middleware
    assert ids() == numbers


def test_without_prefixes_there_is_nothing_to_be_first_for(mount: Mount, settings: Any) -> None:
    mount_view(mount)
    settings.MIDDLEWARE = []
    settings.CONNECTNOW_API = {"PROFILE": "laravel-12"}
    assert ids() == []


def test_djangos_error_views_do_instead(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    urls: Any = types.ModuleType("tests.urls_with_error_views")
    urls.urlpatterns = []
    monkeypatch.setitem(sys.modules, urls.__name__, urls)
    settings.ROOT_URLCONF = urls.__name__
    settings.MIDDLEWARE = []
    assert ids() == ["W009"]
    urls.handler404 = "connectnow_api.views.page_not_found"
    assert ids() == []


@pytest.mark.parametrize(
    ("path", "append_slash", "middleware", "numbers"),
    [
        ("api/one", True, [OURS, COMMON], ["W011"]),
        ("api/one/", True, [OURS, COMMON], []),
        ("api/one/", True, [COMMON, OURS], ["W009"]),
        ("api/one/", True, [COMMON], ["W009", "W011"]),
        ("api/one", False, [OURS, COMMON], []),
        ("api/one", True, [OURS], []),
    ],
)
def test_slashes(
    mount: Mount,
    settings: Any,
    path: str,
    append_slash: bool,
    middleware: list[str],
    numbers: list[str],
) -> None:
    mount_view(mount, path)
    settings.MIDDLEWARE = middleware
    settings.APPEND_SLASH = append_slash
    assert ids() == numbers


def test_routes_of_format_suffixes_have_a_slash_or_none(mount: Mount, settings: Any) -> None:
    router = DefaultRouter()
    router.register(
        "ones", type("Ones", (ReadOnlyModelViewSet,), {**TOKENS, "queryset": Book.objects})
    )
    settings.ROOT_URLCONF = (path("api/", include(router.urls)),)
    settings.MIDDLEWARE = [OURS, COMMON]
    assert ids() == []


class Later(APIView):
    """Much of it is decided with each request."""

    def __init__(self, needed: Any, **kwargs: Any) -> None: ...

    @property
    def authentication_classes(self) -> Any: ...

    @property
    def throttle_classes(self) -> Any: ...

    @property
    def placements(self) -> Any: ...

    @property
    def profile(self) -> Any: ...


class NeedsMore(Later):
    authentication_classes = [APITokenAuthentication]


@pytest.mark.parametrize("view", [Later, NeedsMore])
def test_what_a_request_decides_is_left_alone(mount: Mount, view: Any) -> None:
    mount({"api/one": view.as_view()})
    assert checks.check_deployment() == []
    assert checks.check_limits() == []
    assert [str(message.id)[-4:] for message in checks.check_views()] == (
        ["W001"] if view is NeedsMore else []
    )


def test_without_routes_nothing_of_ours_answers(settings: Any) -> None:
    settings.ROOT_URLCONF = None
    settings.MIDDLEWARE = []
    assert ids() == ["W009"]


def test_what_as_view_was_given_counts(mount: Mount) -> None:
    class One(APIView):
        placements: Any = ["header"]

    classes = [BasicAuthentication, SessionAuthentication, APITokenAuthentication]
    mount({"api/one": One.as_view(authentication_classes=classes, placements=["query"])})
    assert ids() == ["W005", "W010"]


def test_nothing_is_said_while_the_settings_are_wrong(settings: Any) -> None:
    settings.DEBUG = True
    settings.CONNECTNOW_API = []
    assert checks.check_deployment() == []


@pytest.mark.django_db
def test_only_a_deployment_is_asked(mount: Mount, settings: Any) -> None:
    mount_view(mount, required_abilities=[], permission_classes=[])
    settings.DEBUG = True

    def ours(messages: list[CheckMessage]) -> list[str]:
        return [str(m.id)[-4:] for m in messages if str(m.id).startswith("connectnow_api.")]

    assert ours(run_checks()) == ["W002"]
    # Redirects to HTTPS and HSTS are Django's part.
    deployed = run_checks(include_deployment_checks=True)
    assert {"E010"} <= set(ours(deployed))
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.security.SecurityMiddleware"]
    deployed = run_checks(include_deployment_checks=True)
    assert {"security.W004", "security.W008"} <= {str(message.id) for message in deployed}
