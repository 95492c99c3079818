"""What ``manage.py check --deploy`` says: choices that are not safe in production.

Redirects to HTTPS, HSTS and cookies are Django's own checks (``security.W004`` and others).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.middleware.common import CommonMiddleware
from django.urls import get_resolver
from django.utils.module_loading import import_string
from rest_framework.authentication import SessionAuthentication
from rest_framework.parsers import FormParser, JSONParser
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.settings import api_settings as drf_settings

from connectnow_api.handlers import exception_handler
from connectnow_api.logs import RedactTokens
from connectnow_api.middleware import JSONErrorMiddleware
from connectnow_api.mounted import MountedView, is_subclass, mounted_views
from connectnow_api.parsers import StrictFormParser, StrictJSONParser
from connectnow_api.reports import TokenExceptionReporter
from connectnow_api.settings import UNSET, api_settings, get_value
from connectnow_api.views import page_not_found

from .messages import SETTING, check_id, label
from .settings import needs_sound_settings
from .values import VALUES

SHOWN = 3
"""How many views a message names."""


@needs_sound_settings
def check_deployment(**kwargs: Any) -> list[CheckMessage]:
    """Report each unsafe choice of the settings, and of the views that take our tokens."""
    views = [view for view in mounted_views() if view.token_authenticators]
    return [*_check_site(), *_check_token_views(views)]


class Choice(NamedTuple):
    """An unsafe choice: its id, how to find it, what is wrong, and what to write instead."""

    id: str
    is_made: Callable[..., bool]
    problem: str
    hint: str


def _check_site() -> Iterator[CheckMessage]:
    for choice in SITE_CHOICES:
        if choice.is_made():
            kind = Error if choice.id.startswith("E") else CheckWarning
            yield kind(choice.problem, hint=choice.hint, id=check_id(choice.id))


def _check_token_views(views: Iterable[MountedView]) -> Iterator[CheckMessage]:
    for choice in VIEW_CHOICES:
        found = [*dict.fromkeys(view.label for view in views if choice.is_made(view))]
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            message = f"{choice.problem}: {', '.join(found[:SHOWN])}{more}."
            yield CheckWarning(message, hint=choice.hint, id=check_id(choice.id))


def _middleware() -> list[Any]:
    """Return what ``MIDDLEWARE`` names, without what cannot be imported: Django says so itself."""
    found = []
    for path in django_settings.MIDDLEWARE:
        try:
            found.append(import_string(path))
        except ImportError:
            continue
    return found


def _lacks_json_errors() -> bool:
    """Tell whether something else than JSON may answer below the prefixes."""
    ours = [is_subclass(found, JSONErrorMiddleware) for found in _middleware()]
    if not api_settings.prefixes or ours[:1] == [True]:
        return False
    return any(ours) or not _has_json_error_views()


def _has_json_error_views() -> bool:
    has_routes = getattr(django_settings, "ROOT_URLCONF", None)
    return bool(has_routes) and get_resolver().resolve_error_handler(404) is page_not_found


SITE_CHOICES = (
    Choice(
        "E010",
        lambda: django_settings.DEBUG,
        "DEBUG is True: error pages show tokens, settings and paths to everybody.",
        "DEBUG = False",
    ),
    Choice(
        "W009",
        _lacks_json_errors,
        "JSONErrorMiddleware is not the first of MIDDLEWARE: clients get HTML where something "
        "before it, or Django, answers.",
        'MIDDLEWARE = ["connectnow_api.middleware.JSONErrorMiddleware", *MIDDLEWARE]',
    ),
    Choice(
        "W012",
        lambda: "*" in django_settings.ALLOWED_HOSTS,
        "ALLOWED_HOSTS admits '*': page links name whatever host a client asks for.",
        'ALLOWED_HOSTS = ["api.example.com"]',
    ),
    Choice(
        "W014",
        lambda: django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE is None,
        "DATA_UPLOAD_MAX_MEMORY_SIZE is None: bodies may have any size.",
        "DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440",
    ),
    Choice(
        "W015",
        lambda: api_settings.token_lifetime is None,
        f'{SETTING}["TOKEN_LIFETIME"] is None: a token that leaks opens for ever.',
        f'Add "TOKEN_LIFETIME": timedelta(days=365) to {SETTING}.',
    ),
)


def _takes_query_tokens(view: MountedView) -> bool:
    own = SimpleNamespace(**{name: view.get(name, UNSET) for name in ("placements", "profile")})
    requests = [SimpleNamespace(path_info=path) for path in view.paths]
    found = [
        get_value("placements", request, own) if ruled is UNSET else ruled
        for ruled in (reader.placements for reader in view.token_authenticators)
        for request in requests
    ]
    is_sound, _, _ = VALUES["PLACEMENTS"]
    # Of others check_views speaks.
    return any(is_sound(placements) and "query" in placements for placements in found)


def _reports_query_tokens(view: MountedView) -> bool:
    try:
        reporter = import_string(django_settings.DEFAULT_EXCEPTION_REPORTER)
    except ImportError:
        return False
    return _takes_query_tokens(view) and not is_subclass(reporter, TokenExceptionReporter)


def _logs_query_tokens(view: MountedView) -> bool:
    return _takes_query_tokens(view) and not _has_log_filter()


def _has_log_filter() -> bool:
    """Tell whether a handler of ``LOGGING`` has our filter; others cannot be told from here."""
    logging: Any = django_settings.LOGGING or {}
    names = {
        name
        for name, found in logging.get("filters", {}).items()
        if found.get("()") in (RedactTokens, label(RedactTokens))
    }
    handlers = logging.get("handlers", {}).values()
    return any(names & {*map(str, handler.get("filters", ()))} for handler in handlers)


def _has_browsable_pages(view: MountedView) -> bool:
    return any(is_subclass(cls, BrowsableAPIRenderer) for cls in view.classes("renderer_classes"))


def _has_another_handler(view: MountedView) -> bool:
    try:
        handler = view.view(**view.options).get_exception_handler()
    except Exception:  # noqa: BLE001 - a view may need a request to say so
        return False
    return handler is not exception_handler


def _parses_loosely(view: MountedView) -> bool:
    """Tell whether DRF's own parsers read bodies, or NaN and the like pass for numbers."""
    loose = any(
        is_subclass(parser, JSONParser | FormParser)
        and not is_subclass(parser, StrictJSONParser | StrictFormParser)
        for parser in view.classes("parser_classes")
    )
    return loose or not drf_settings.STRICT_JSON


def _asks_sessions_first(view: MountedView) -> bool:
    classes = view.classes("authentication_classes")
    before = classes[: classes.index(view.token_authenticators[0])]
    return any(is_subclass(cls, SessionAuthentication) for cls in before)


def _is_redirected(view: MountedView) -> bool:
    """Tell whether ``APPEND_SLASH`` is on for nothing, or does harm that nobody prevents."""
    middleware = _middleware()
    appends = any(is_subclass(found, CommonMiddleware) for found in middleware)
    prevented = any(is_subclass(found, JSONErrorMiddleware) for found in middleware)
    # Format suffixes end in "/?".
    paths = [path.rstrip("$") for path in view.paths if not path.endswith("/?$")]
    with_slash = [path.endswith("/") for path in paths]
    return django_settings.APPEND_SLASH and appends and not (prevented and all(with_slash))


VIEW_CHOICES = (
    Choice(
        "W005",
        _takes_query_tokens,
        "Tokens may be sent in the query, which logs and histories keep",
        f'Add "PLACEMENTS": ["header", "payload"] to {SETTING}, or placements on the view.',
    ),
    Choice(
        "W021",
        _reports_query_tokens,
        "Reports of crashes, by mail and on Django's page, quote the tokens of queries",
        'DEFAULT_EXCEPTION_REPORTER = "connectnow_api.reports.TokenExceptionReporter" and '
        "DEFAULT_EXCEPTION_REPORTER_FILTER = "
        '"connectnow_api.reports.TokenExceptionReporterFilter"',
    ),
    Choice(
        "W022",
        _logs_query_tokens,
        "No handler of LOGGING keeps the tokens of queries out of logs",
        'Add "filters": {"tokens": {"()": "connectnow_api.logs.RedactTokens"}} to LOGGING, and '
        '"filters": ["tokens"] to its handlers.',
    ),
    Choice(
        "W007",
        _has_browsable_pages,
        "The browsable API shows forms and data to browsers",
        "Take BrowsableAPIRenderer out of the renderers.",
    ),
    Choice(
        "W008",
        _has_another_handler,
        "Errors are answered by another exception handler",
        "Set EXCEPTION_HANDLER to connectnow_api.handlers.exception_handler, or add APIViewMixin; "
        "if yours ends in ours, silence this.",
    ),
    Choice(
        "W010",
        _asks_sessions_first,
        "SessionAuthentication comes before the tokens', so a stray cookie decides whose request "
        "it is, and asks for CSRF",
        "Put the token's class first in authentication_classes.",
    ),
    Choice(
        "W011",
        _is_redirected,
        "APPEND_SLASH is on: its redirects repeat tokens and lose bodies, and paths without a "
        "slash at their end never need one",
        "APPEND_SLASH = False. If the paths have slashes, add JSONErrorMiddleware instead.",
    ),
    Choice(
        "W013",
        _parses_loosely,
        "Bodies are read by parsers without our limits, or STRICT_JSON is off",
        "Use StrictJSONParser and StrictFormParser of connectnow_api.parsers.",
    ),
)
