"""The command in a project with further kinds: a UUID as key, an owner that is no Django user."""

from __future__ import annotations

from pathlib import Path

from tests.test_kinds import run_in_project

SCRIPT = """
import io
import json
import sys
from datetime import timedelta

import django
from django.core.management import CommandError, call_command

django.setup()

from kinds.models import ChatToken, ChatUser, DeviceToken

# A kind whose tokens may belong to nobody.
DeviceToken._meta.get_field("owner").null = True
call_command("migrate", run_syncdb=True, verbosity=0)

from django.contrib.auth.models import User
from django.core import mail
from django.utils import timezone

from connectnow_api.models import APIToken


def run(*arguments, stdin=""):
    sys.stdin, stdout, stderr = io.StringIO(stdin), io.StringIO(), io.StringIO()
    try:
        call_command("api_tokens", *arguments, stdout=stdout, stderr=stderr)
    except CommandError as exc:
        return exc.returncode, str(exc)
    return stdout.getvalue()


User.objects.create_user("ada", "ada@example.com")
guest = ChatUser.objects.create(email="guest@example.com")
CHAT, DEVICE = ("--kind", "kinds.chattoken"), ("--kind", "kinds.DeviceToken")

chat_text = run("create", *CHAT, "--owner", str(guest.pk), "--name", "widget").strip()
device_text = run("create", *DEVICE, "--owner", "ada", "--name", "scanner").strip()
text = run("create", "--owner", "ada", "--name", "laptop").strip()
chat, device, token = ChatToken.objects.get(), DeviceToken.objects.get(), APIToken.objects.get()
assert chat_text.startswith("chat_") and device_text.startswith("dev_")
assert run("create", *CHAT, "--owner", "ada", "--name", "widget") == (
    3, "There is no chat user 'ada'."
)

rows = json.loads(run("list", "--format", "json"))
assert [(row["kind"], row["id"], row["owner"], row["owner_id"]) for row in rows] == [
    ("connectnow_api.APIToken", token.pk, "ada", 1),
    ("kinds.DeviceToken", str(device.pk), "ada", 1),
    ("kinds.ChatToken", chat.pk, str(guest.pk), guest.pk),
], rows
ids = [line.split()[0] for line in run("list").splitlines()]
assert ids == ["ID", str(token.pk), f"kinds.DeviceToken:{device.pk}", f"kinds.ChatToken:{chat.pk}"]
assert len(json.loads(run("list", "--owner", "ada", "--format", "json"))) == 2
assert len(json.loads(run("list", "--search", "ada", "--format", "json"))) == 2
assert len(json.loads(run("list", *CHAT, "--format", "json"))) == 1
assert [row["id"] for row in json.loads(run("list", "--limit", "2", "--format", "json"))] == [
    token.pk, str(device.pk)
]
assert run("list", "--owner", "nobody")[0] == 3

for reference, name in ((ids[1], "laptop"), (ids[2], "scanner"), (ids[3], "widget")):
    assert json.loads(run("show", reference, "--format", "json"))["name"] == name
for secret, name in ((text, "laptop"), (device_text, "scanner"), (chat_text, "widget")):
    assert json.loads(run("show", "-", "--format", "json", stdin=secret))["name"] == name
assert run("show", "-", *CHAT, stdin=text) == (3, "The token on stdin is not known.")
assert run("show", str(chat.pk), *DEVICE) == (
    3, f"There is no token '{chat.pk}' of the kind kinds.DeviceToken."
)
assert run("show", ids[3], *DEVICE) == (2, f"{ids[3]!r} is not of the kind 'kinds.DeviceToken'.")

assert run("revoke", "--owner", str(guest.pk), *CHAT, "--yes") == "1 token revoked.\\n"
assert run("rotate", ids[2]).startswith("dev_")
assert [kind.objects.active().count() for kind in (APIToken, DeviceToken, ChatToken)] == [1, 1, 0]
old = timezone.now() - timedelta(days=31)
for kind in (APIToken, DeviceToken, ChatToken):
    kind.objects.filter(revoked_at__isnull=False).update(revoked_at=old)
assert json.loads(run("prune", "--format", "json"))["pruned"] == {
    "connectnow_api.APIToken": 0, "kinds.DeviceToken": 1, "kinds.ChatToken": 1
}

soon = timezone.now() + timedelta(days=3)
chat = ChatToken.objects.issue(guest, "widget", expires_at=soon).token
DeviceToken.objects.update(expires_at=soon)
mail.outbox = []
assert run("notify", "--mail", *CHAT, "--dry-run").startswith("Would tell of 1 token ")
assert json.loads(run("notify", "--mail", "--format", "json"))["mailed"] == 2
assert sorted(sent.to[0] for sent in mail.outbox) == ["ada@example.com", "guest@example.com"]

orphan = DeviceToken.objects.issue(None, "orphan", expires_at=soon).token
row = json.loads(run("list", *DEVICE, "--search", "orphan", "--format", "json"))[0]
assert (row["id"], row["owner"], row["owner_id"]) == (str(orphan.pk), None, None)
assert [line.split()[2] for line in run("list", *DEVICE, "--search", "orphan").splitlines()] == [
    "OWNER", "-"
]
reference = f"kinds.DeviceToken:{orphan.pk}"
assert "owner              -\\n" in run("show", reference)
# It opens nothing, so there is nothing to tell of.
assert json.loads(run("notify", "--mail", "--format", "json"))["without_address"] == 0

from django.conf import settings


def limits_shown(by, *arguments):
    settings.CONNECTNOW_API = {"LIMITERS": {"api": {"rate": "5/m", "by": by}}}
    stdout, stderr = io.StringIO(), io.StringIO()
    try:
        call_command("api_limits", "show", "api", *arguments, stdout=stdout, stderr=stderr)
    except CommandError as exc:
        return exc.returncode, str(exc)
    return len(stdout.getvalue().splitlines())


assert limits_shown("token", "--token", reference) == 2
assert limits_shown("user", "--user", str(guest.pk), *CHAT) == 2
assert limits_shown("user", "--token", reference) == (
    2, "The limit 'api' counts by user: name who asks by --user or --address."
)
assert run("rotate", reference).startswith("dev_")
"""

EXTRA = """
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {}}
]
import django
if django.VERSION < (6, 1):
    EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
"""


def test_every_verb_knows_every_kind(tmp_path: Path) -> None:
    run_in_project(tmp_path, SCRIPT, EXTRA)
