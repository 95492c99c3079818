"""Promises of what operators are told, each tried as it is worded.

Numbers are those of ``test_promises.py``.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.core.checks import run_checks
from django.db import models
from django.test.utils import isolate_apps
from django.utils import timezone
from rest_framework.authentication import SessionAuthentication
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api import checks, events, tokens
from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.base_models import AbstractAPIToken
from connectnow_api.models import APIToken
from connectnow_api.parsers import StrictJSONParser
from connectnow_api.permissions import HasAbilities
from connectnow_api.settings import UNSET
from connectnow_api.signals import TOKEN_SIGNALS
from connectnow_api.throttling import AnonRateThrottle, TokenRateThrottle, UserRateThrottle
from tests.conftest import Mount
from tests.example.support import EXAMPLE
from tests.services import PATIENCE

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]
COMMON = "django.middleware.common.CommonMiddleware"
SECURITY = "django.middleware.security.SecurityMiddleware"
OURS = "connectnow_api.middleware.JSONErrorMiddleware"


# --- 29: what check --deploy says -------------------------------------------------------------


class Sound(APIView):
    """A view whose every choice is a careful one."""

    authentication_classes: Any = [APITokenAuthentication]
    permission_classes = [HasAbilities]
    required_abilities = ["a"]
    throttle_classes: Any = [type("Few", (UserRateThrottle,), {"rate": "9/m"})]
    placements: Any = ["header"]
    renderer_classes: Any = [JSONRenderer]
    parser_classes: Any = [StrictJSONParser]

    def get(self, request: Any) -> Response:
        return Response({"ok": True})


@pytest.fixture
def sound(settings: Any, mount: Mount) -> None:
    """A project whose every choice is a careful one, as its deployment finds it."""
    settings.SECRET_KEY = "many-different-characters-0123456789abcdefghijklmnopqrstuvwxyz"
    settings.CONNECTNOW_API = {"PREFIXES": {"/api/": "laravel-12"}}
    settings.MIDDLEWARE = [OURS, SECURITY, *settings.MIDDLEWARE]
    settings.RATELIMIT_ENABLE = True
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1",
        }
    }
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 9
    mount({"api/x": Sound.as_view()})


def found() -> set[str]:
    """Return the ids of what concerns section 5: ours, and HTTPS, which is Django's."""
    messages = run_checks(include_deployment_checks=True)
    return SECTION_5 & {str(message.id).removeprefix("connectnow_api.") for message in messages}


def cache(backend: str) -> dict[str, Any]:
    where = {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": "x"}
    return {"CACHES": {"default": where}}


def ours(**values: Any) -> dict[str, Any]:
    return {"CONNECTNOW_API": {"PREFIXES": {"/api/": "laravel-12"}, **values}}


class Handled(Sound):
    def get_exception_handler(self) -> Any:
        return print


UNSAFE: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "debug": ("E010", {"DEBUG": True}, {}),
    "cache that keeps nothing": ("E009", cache("dummy.DummyCache"), {}),
    "cache in memory": ("W004", cache("locmem.LocMemCache"), {}),
    "cache in files": ("W004", cache("filebased.FileBasedCache"), {}),
    "cache in the database": ("W004", cache("db.DatabaseCache"), {}),
    "query placement": ("W005", ours(PLACEMENTS=["header", "query"]), {"placements": UNSET}),
    "query placement of a view": ("W005", {}, {"placements": ["query"]}),
    "forwarded host": ("W006", {"USE_X_FORWARDED_HOST": True}, {}),
    "forwarded scheme": ("W006", {"SECURE_PROXY_SSL_HEADER": ("HTTP_X", "https")}, {}),
    "browsable API": ("W007", {}, {"renderer_classes": [JSONRenderer, BrowsableAPIRenderer]}),
    "another handler": ("W008", {}, {"get_exception_handler": Handled.get_exception_handler}),
    "no middleware": ("W009", {"MIDDLEWARE": [SECURITY]}, {}),
    "middleware not first": ("W009", {"MIDDLEWARE": [SECURITY, OURS]}, {}),
    "sessions first": (
        "W010",
        {},
        {"authentication_classes": [SessionAuthentication, APITokenAuthentication]},
    ),
    "slashes": ("W011", {"MIDDLEWARE": [OURS, SECURITY, COMMON]}, {}),
    "any host": ("W012", {"ALLOWED_HOSTS": ["*"]}, {}),
    "lenient JSON": ("W013", {}, {"parser_classes": [JSONParser]}),
    "bodies of any size": ("W014", {"DATA_UPLOAD_MAX_MEMORY_SIZE": None}, {}),
    "tokens for ever": ("W015", ours(TOKEN_LIFETIME=None), {}),
    "HTTP": ("security.W008", {"SECURE_SSL_REDIRECT": False}, {}),
    "no HSTS": ("security.W004", {"SECURE_HSTS_SECONDS": 0}, {}),
    "rate that is none": (
        "E008",
        {},
        {"throttle_classes": [type("Odd", (AnonRateThrottle,), {"rate": "5/x"})]},
    ),
}
"""What section 5 calls unsafe: its id, the settings that make it so, or the view's attributes."""
SECTION_5 = {number for number, _, _ in UNSAFE.values()} | {"E005"}


def test_promise_29_a_sound_project_has_nothing_to_hear(sound: None) -> None:
    assert found() == set()


@pytest.mark.parametrize("case", UNSAFE)
def test_promise_29_each_unsafe_choice_is_named(
    sound: None, mount: Mount, settings: Any, case: str
) -> None:
    number, changes, attributes = UNSAFE[case]
    for name, value in changes.items():
        setattr(settings, name, value)
    mount({"api/x": type("Unsafe", (Sound,), attributes).as_view()})
    assert found() == {number}


@isolate_apps("tests.library")
def test_promise_29_a_kind_of_token_without_an_index_of_digests(
    sound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loose(AbstractAPIToken):
        token_prefix = "loose"
        digest = models.CharField(max_length=64)

        class Meta:
            app_label = "library"

    monkeypatch.setattr(checks.kinds, "get_token_models", lambda: [Loose])
    assert found() == {"E005"}


@pytest.mark.servers
def test_promise_29_the_examples_production_takes_tokens_in_queries_and_is_sound_else() -> None:
    """That one is silenced in the shipped settings, by its id and below its reason."""
    program = """
import django, json
from django.conf import settings
from django.core.checks import run_checks
django.setup()
silenced, settings.SILENCED_SYSTEM_CHECKS = settings.SILENCED_SYSTEM_CHECKS, []
found = [str(message.id) for message in run_checks(include_deployment_checks=True)]
print(json.dumps([silenced, found]))
"""
    production = {
        "DJANGO_SETTINGS_MODULE": "project.production",
        "SECRET_KEY": "of-many-different-characters-0123456789abcdefghijklmnopqrstuvwxyz",
        "ALLOWED_HOSTS": "api.example.com",
        "DATABASE_URL": "sqlite://:memory:",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=EXAMPLE,
        env={**os.environ, **production},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert json.loads(done.stdout) == [["connectnow_api.W005"]] * 2
    text = (EXAMPLE / "project" / "settings.py").read_text(encoding="utf-8")
    assert re.search(r"^# .*clients.*\nSILENCED_SYSTEM_CHECKS = ", text, re.MULTILINE)


# --- 30: what is told of tokens ---------------------------------------------------------------


class Told(NamedTuple):
    """One thing as both ways tell it."""

    record: dict[str, str]
    event: dict[str, Any]


@pytest.fixture
def told(caplog: Any) -> Iterator[Callable[[], list[Told]]]:
    """Return what was told since last asked; each record has one signal, and each signal one."""
    caplog.set_level(logging.INFO, "connectnow_api.tokens")
    sent: list[Any] = []

    def receive(event: Any, **kwargs: Any) -> None:
        sent.append(event)

    def read() -> list[Told]:
        records = [r for r in caplog.records if r.name == "connectnow_api.tokens"]
        told = [
            Told(fields_of(record.getMessage()), dataclasses.asdict(event))
            for record, event in zip(records, sent, strict=True)
        ]
        caplog.clear()
        sent.clear()
        return told

    for signal in TOKEN_SIGNALS.values():
        signal.connect(receive)
    yield read
    for signal in TOKEN_SIGNALS.values():
        signal.disconnect(receive)


def fields_of(line: str) -> dict[str, str]:
    """Return the fields of a record, which is one line of printable ASCII."""
    assert line.isascii()
    assert line.isprintable()
    pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*")', line)
    assert " ".join(f"{name}={value}" for name, value in pairs) == line
    return {name: json.loads(value) for name, value in pairs}


class Changing(Sound):
    """Rotates or revokes the token that it was asked with, as its query says."""

    throttle_classes: Any = ()

    def get(self, request: Any) -> Response:
        with events.caused_by(request):
            getattr(request.auth, request.query_params["do"])()
        return Response({"ok": True})


@pytest.mark.usefixtures("limits", "clock")
def test_promise_30_one_record_and_one_signal_of_everything(
    told: Callable[[], list[Told]], issue: Issue, client: Any, mount: Mount
) -> None:
    twice = type("Twice", (TokenRateThrottle,), {"rate": "1/d"})
    mount(
        {
            "flat/x": Sound.as_view(throttle_classes=[twice]),
            "flat/change": Changing.as_view(),
        }
    )
    name = 'my "x" action="revoked"'

    def ask(text: str, path: str = "x") -> int:
        bearer = {"authorization": f"Bearer {text}"}
        response = client.get(f"/flat/{path}", headers=bearer, REMOTE_ADDR="192.0.2.7")
        return int(response.status_code)

    def new(**kwargs: Any) -> Any:
        """Issue a token, of which no more is said here."""
        made = issue(**{"abilities": ["a"], **kwargs})
        APIToken.objects.filter(pk=made.token.pk).update(name=name)
        made.token.name = name
        told()
        return made

    def expected(token: Any, action: str, **more: str) -> dict[str, str]:
        return {
            "action": action,
            "kind": "connectnow_api.APIToken",
            "token_id": str(token.pk),
            "name": name,
            "owner": str(token.owner_id),
            "fingerprint": token.digest[:8],
            "placement": "header",
            "address": "192.0.2.7",
            **more,
        }

    def assert_told(*events: dict[str, str]) -> None:
        """Both ways, and nothing else; the actor is told where somebody changed something."""
        found = told()
        records = [{k: v for k, v in one.record.items() if k != "actor"} for one in found]
        assert records == [*events]
        for record, event in found:
            assert {key: value for key, value in event.items() if value} == record
            assert re.fullmatch("[0-9a-f]{8}", event["fingerprint"])

    rotated = new()
    assert ask(rotated.plain_text, "change?do=rotate") == 200
    successor = APIToken.objects.get(rotated_from=rotated.token)
    assert_told(
        expected(successor, "created"),
        expected(rotated.token, "rotated", reason=f"by {successor.pk}"),
    )

    revoked = new()
    assert ask(revoked.plain_text, "change?do=revoke") == 200
    assert_told(expected(revoked.token, "revoked"))

    expired = new(expires_at=timezone.now() - timedelta(days=1))
    assert ask(expired.plain_text) == 401
    assert_told(expected(expired.token, "used_after_expiry", reason="expired"))

    assert ask(revoked.plain_text) == 401
    assert_told(expected(revoked.token, "refused", reason="revoked"))

    text = tokens.generate("cn")
    assert ask(text) == 401
    nobody = {"kind": "connectnow_api.APIToken", "placement": "header", "address": "192.0.2.7"}
    assert_told(
        {**nobody, "action": "refused", "fingerprint": tokens.digest(text)[:8], "reason": "unknown"}
    )

    denied = new(abilities=[])
    assert ask(denied.plain_text) == 403
    assert_told(expected(denied.token, "denied", reason="a"))

    throttled = new()
    assert [ask(throttled.plain_text) for _ in range(2)] == [200, 429]
    assert_told(expected(throttled.token, "throttled", reason="token"))
