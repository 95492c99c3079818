"""What ``manage.py check`` says of kinds of token, their owners, lifetimes and abilities."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import models
from django.test.utils import isolate_apps
from rest_framework.views import APIView

from connectnow_api import checks
from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.base_models import AbstractAPIToken
from connectnow_api.models import APIToken
from connectnow_api.permissions import HasAbilities
from tests.conftest import Mount
from tests.test_checks import found, numbers


def installed(monkeypatch: pytest.MonkeyPatch, *kinds: type[AbstractAPIToken]) -> None:
    monkeypatch.setattr(checks.kinds, "get_token_models", lambda: [*kinds])


@isolate_apps("tests.library")
def test_kinds_that_cannot_be_looked_up_or_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loose(AbstractAPIToken):
        token_prefix = "loose"
        digest = models.CharField(max_length=64)

        class Meta:
            app_label = "library"

    class Wrong(AbstractAPIToken):
        token_prefix = "Wrong_"

        class Meta:
            app_label = "library"

    class Alike(AbstractAPIToken):
        class Meta:
            app_label = "library"

    installed(monkeypatch, APIToken, Loose, Wrong, Alike)
    found = checks.check_token_models()
    assert numbers(found) == ["E005", "E007", "E007"]
    assert [message.obj for message in found] == [Loose, Wrong, Alike]
    assert found[1].hint == 'Write token_prefix = "wrong".'
    assert "connectnow_api.APIToken have the prefix 'cn' alike" in found[2].msg


@isolate_apps("tests.library")
def test_owners_that_lack_what_is_asked_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def owner(name: str, **members: Any) -> Any:
        meta = type("Meta", (), {"app_label": "library"})
        return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **members})

    robot = owner("Robot")
    sleeper = owner("Sleeper", is_authenticated=True)
    guest = owner("Guest", is_authenticated=True, is_active=models.BooleanField(default=True))

    def kind(name: str, owned_by: Any) -> type[AbstractAPIToken]:
        meta = type("Meta", (), {"app_label": "library"})
        members = {"__module__": __name__, "Meta": meta, "owner": owned_by, "token_prefix": name}
        return type(name.title(), (AbstractAPIToken,), members)

    def key(model: Any) -> Any:
        return models.ForeignKey(model, on_delete=models.CASCADE)

    installed(
        monkeypatch,
        kind("robots", key(robot)),
        kind("sleepers", key(sleeper)),
        kind("guests", key(guest)),
        kind("users", key(User)),
        kind("texts", models.CharField(max_length=9)),
        kind("nobodies", None),
    )
    assert [
        (message.id[-4:], message.msg, message.hint) for message in checks.check_token_models()
    ] == [
        (
            "E012",
            "library.Robot, the owner of library.Robots, has no is_authenticated and no is_active.",
            "Write is_authenticated = True and is_active = True in the class.",
        ),
        (
            "E012",
            "library.Sleeper, the owner of library.Sleepers, has no is_active.",
            "Write is_active = True in the class.",
        ),
        *(
            (
                "E012",
                f"library.{name}.owner is no key.",
                "Write owner = models.ForeignKey(Owner, on_delete=models.CASCADE).",
            )
            for name in ("Texts", "Nobodies")
        ),
    ]


def test_idle_timeouts_need_the_last_use(settings: Any) -> None:
    idle = {"TOKEN_IDLE_TIMEOUT": timedelta(days=90)}
    assert found(idle, settings) == []
    assert found({**idle, "LAST_USED": "cache"}, settings) == []
    (message,) = found({**idle, "LAST_USED": "off"}, settings)
    assert message.id == "connectnow_api.E011"
    assert message.hint == 'Write "LAST_USED": "database".'
    assert found({"TOKEN_IDLE_TIMEOUT": None, "LAST_USED": "off"}, settings) == []


@pytest.mark.django_db
def test_idle_timeouts_in_the_table_need_the_last_use(user: Any, settings: Any) -> None:
    issued = [
        APIToken.objects.issue(user, "idle", idle_timeout=timedelta(days=1)).token for _ in range(2)
    ]
    APIToken.objects.issue(user, "not idle")
    assert checks.check_idle_tokens(databases=["default"]) == []
    settings.CONNECTNOW_API = {"LAST_USED": "off"}
    assert checks.check_idle_tokens() == []
    (message,) = checks.check_idle_tokens(databases=["default"])
    assert message.id == "connectnow_api.E011"
    assert message.msg.startswith("2 of connectnow_api.APIToken have an idle timeout")
    with pytest.raises(CommandError, match="E011"):
        call_command("check", databases=["default"])
    issued[0].revoke()
    assert checks.check_idle_tokens(databases=["default"])[0].msg.startswith("1 of ")
    issued[1].revoke()
    assert checks.check_idle_tokens(databases=["default"]) == []


@pytest.mark.django_db
def test_a_table_that_is_not_there_yet_is_passed_over(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CONNECTNOW_API = {"LAST_USED": "off"}
    monkeypatch.setattr(APIToken._meta, "db_table", "not_migrated_yet")
    assert checks.check_idle_tokens(databases=["default"]) == []


def test_views_that_name_abilities_that_the_site_does_not_offer(
    mount: Mount, settings: Any
) -> None:
    class Asks(APIView):
        authentication_classes = [APITokenAuthentication]
        permission_classes = [HasAbilities]
        required_abilities: Any = None

    mount(
        {
            "list": Asks.as_view(required_abilities=["issues:read", "issues:raed"]),
            "mapping": Asks.as_view(required_abilities={"GET": ["issues:read"], "POST": ["*"]}),
            "wrong": Asks.as_view(required_abilities={"GET": ["export"]}),
        }
    )
    assert checks.check_views() == []
    offered = {"issues:read": "Read issues", "issues:write": "Write issues"}
    settings.CONNECTNOW_API = {"ABILITIES": offered}
    assert [(message.id[-4:], message.hint) for message in checks.check_views()] == [
        ("W017", "Did you mean 'issues:read'?"),
        ("W017", "Choose from issues:read, issues:write."),
    ]
    assert "'issues:raed'" in checks.check_views()[0].msg


class Renamed(APITokenAuthentication):
    prefix = "other"


class Elsewhere(APITokenAuthentication):
    parameter = "device_token"


def test_authentication_classes_that_know_no_token_or_leak_it(mount: Mount, settings: Any) -> None:
    class Takes(APIView):
        permission_classes = [HasAbilities]
        required_abilities = ["a"]

    mount(
        {
            "a": Takes.as_view(authentication_classes=[Renamed]),
            "b": Takes.as_view(authentication_classes=[Elsewhere]),
            "c": Takes.as_view(authentication_classes=[APITokenAuthentication]),
        }
    )
    messages = checks.check_views()
    assert numbers(messages) == ["E013", "W018"]
    assert messages[0].msg.endswith("Renamed.prefix is 'other', but its tokens begin with 'cn'.")
    hint = "Write \"TOKEN_PARAMETERS\": ['api_token', 'device_token'] in CONNECTNOW_API."
    assert messages[1].hint == hint
    settings.CONNECTNOW_API = {"TOKEN_PARAMETERS": ["api_token", "device_token"]}
    assert numbers(checks.check_views()) == ["E013"]


def test_dates_need_time_zones(settings: Any) -> None:
    settings.USE_TZ = False
    (message,) = found({}, settings)
    assert (message.id, message.hint) == ("connectnow_api.E014", "Write USE_TZ = True.")


@isolate_apps("tests.library")
def test_a_kind_that_could_not_be_rotated(monkeypatch: pytest.MonkeyPatch) -> None:
    class Alone(AbstractAPIToken):
        token_prefix = "alone"
        owner = models.OneToOneField(User, on_delete=models.CASCADE, related_name="+")

        class Meta:
            app_label = "library"

    installed(monkeypatch, APIToken, Alone)
    (message,) = checks.check_token_models()
    assert message.id == "connectnow_api.W020"
    assert message.msg == "library.Alone.owner is unique: a token could not be rotated."


class Further(APITokenAuthentication):
    parameter = "guest_token"


def test_the_hint_names_the_parameters_of_all_views(mount: Mount) -> None:
    class Takes(APIView):
        permission_classes = [HasAbilities]
        required_abilities = ["a"]

    mount(
        {
            "a": Takes.as_view(authentication_classes=[Elsewhere]),
            "b": Takes.as_view(authentication_classes=[Further]),
        }
    )
    known = ["api_token", "device_token", "guest_token"]
    hint = f'Write "TOKEN_PARAMETERS": {known!r} in CONNECTNOW_API.'
    assert [message.hint for message in checks.check_views()] == [hint, hint]
