"""Projects of their own, made and migrated anew: further kinds of token, and other key types."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import PATIENCE

SETTINGS = """
SECRET_KEY = "only for tests"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "kinds.sqlite3"}}}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "connectnow_api",
    "kinds",
]
USE_TZ = True
{extra}
"""

MODELS = """
import uuid

from django.db import models

from connectnow_api.base_models import AbstractAPIToken


class ChatUser(models.Model):
    email = models.EmailField()
    is_active = models.BooleanField(default=True)
    is_authenticated = True


class DeviceToken(AbstractAPIToken):
    token_prefix = "dev"
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    room = models.CharField(max_length=9, default="", blank=True)
    seen = models.CharField(max_length=9, default="", editable=False)


class ChatToken(AbstractAPIToken):
    token_prefix = "chat"
    owner = models.ForeignKey(
        ChatUser, on_delete=models.CASCADE, related_name="%(app_label)s_%(class)s_set"
    )
"""

SCRIPT = """
import importlib
import uuid

import django
from django.core.management import call_command

django.setup()
call_command("makemigrations", "connectnow_api", check_changes=True)
call_command("makemigrations", "kinds")
importlib.invalidate_caches()
call_command("makemigrations", check_changes=True)
call_command("check")
call_command("migrate")

from django.contrib.auth.models import User
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from connectnow_api.authentication import BearerTokenAuthentication, QueryTokenAuthentication
from connectnow_api.base_models import get_token_models
from connectnow_api.models import APIToken
from kinds.models import ChatToken, ChatUser, DeviceToken

assert get_token_models() == [APIToken, DeviceToken, ChatToken]

ada = User.objects.create_user("ada")
guest = ChatUser.objects.create(email="guest@example.com")
device, device_text = DeviceToken.objects.issue(ada, "scanner")
chat, chat_text = ChatToken.objects.issue(guest, "widget")
token, text = APIToken.objects.issue(ada, "laptop")
assert isinstance(device.pk, uuid.UUID)
assert ada.kinds_devicetoken_set.get() == device
assert ada.connectnow_api_apitoken_set.get() == token
assert guest.kinds_chattoken_set.get() == chat
assert device_text.startswith("dev_") and chat_text.startswith("chat_")
assert APIToken.objects.find(chat_text) is None

successor = DeviceToken.objects.issue(ada, "scanner 2").token
successor.rotated_from = device
successor.save()
assert DeviceToken.objects.get(pk=device.pk).rotated_to == successor


scanner = DeviceToken.objects.issue(ada, "scanner 3", room="north", seen="today").token
twin = scanner.rotate().token
twin.refresh_from_db()
assert (twin.name, twin.room, twin.seen) == ("scanner 3", "north", "")
assert twin.rotated_from == scanner and twin.pk != scanner.pk and scanner.state == "revoked"
assert DeviceToken.objects.all().revoke() == 3


class ChatTokenAuthentication(BearerTokenAuthentication):
    model = ChatToken
    parameter = "chat_user_token"


class ChatQueryTokenAuthentication(QueryTokenAuthentication):
    model = ChatToken
    parameter = "chat_user_token"


class View(APIView):
    authentication_classes = [
        BearerTokenAuthentication,
        ChatTokenAuthentication,
        ChatQueryTokenAuthentication,
    ]

    def get(self, request):
        from rest_framework.response import Response

        return Response({"user": repr(request.user), "auth": repr(request.auth)})


def get(path="/", **headers):
    return View.as_view()(APIRequestFactory().get(path, headers=headers))


assert get(authorization=f"Bearer {text}").data["auth"] == repr(token)
assert get(authorization=f"Bearer {chat_text}").data["user"] == repr(guest)
assert get(f"/?chat_user_token={chat_text}").data["auth"] == repr(chat)
assert get(f"/?api_token={chat_text}").data["auth"] == "None"
assert get(authorization=f"Bearer {device_text}").status_code == 401
assert get(f"/?chat_user_token={text}").status_code == 401
chat.revoke()
assert get(authorization=f"Bearer {chat_text}").status_code == 401
"""


def run_in_project(folder: Path, script: str, extra: str) -> None:
    """Make a project with both kinds in a folder, and run a script there that has to succeed."""
    app = folder / "kinds"
    app.mkdir()
    (app / "__init__.py").touch()
    (app / "models.py").write_text(MODELS, encoding="utf-8")
    (folder / "kinds_settings.py").write_text(SETTINGS.format(extra=extra), encoding="utf-8")

    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=folder,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "kinds_settings",
            "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param('DEFAULT_AUTO_FIELD = "django.db.models.AutoField"', id="AutoField"),
        pytest.param('DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"', id="BigAutoField"),
    ],
)
def test_a_project_with_two_further_kinds(tmp_path: Path, extra: str) -> None:
    """One kind has a UUID key, one an owner that is not a Django user; our migrations stay clean.

    The first is Django 5.2's default, the second that of later versions.
    """
    run_in_project(tmp_path, SCRIPT, extra)
