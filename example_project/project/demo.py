"""What ``demo`` prepares: rows, users and tokens."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.apps import apps
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

import chats.seed
import help_desk.seed
import issue_tracker.seed
from chats.models import AuthCode, ChatUser, ChatUserToken
from connectnow_api.base_models import NewAPIToken
from connectnow_api.models import APIToken
from connectnow_api.rates import parse_rate
from connectnow_api.settings import api_settings
from issue_tracker.views import ThrottledView

from .private_files import write_private
from .seeding import empty, reset_sequences

ISSUES, TICKETS = 120, 60
CLIENT, OTHER_CLIENT = "acme", "other"
PEOPLE = [("maria", "Maria", "Lindqvist"), ("tomas", "Tomas", "Novak")]
READ = ["tickets:read", "customers:read", "tags:read", "reports:read", "webhooks:read"]
WRITE = [
    *("issues:write", "categories:write", "companies:write", "webhooks:write", "exports:write"),
    *("tickets:write", "customers:write", "tags:write"),
]
TOKEN_NAME = "demo: {}"
CHAT_USER = 1


@dataclass
class Credentials:
    """What a client needs: secrets that exist nowhere else in plain text."""

    users: list[dict[str, str]]
    tokens: dict[str, str]
    chat: dict[str, str | int]

    def write(self, path: Path, base_url: str) -> None:
        """Write a JSON file that only its owner may read."""
        content = {
            "base_url": base_url,
            "client_id": CLIENT,
            "tokens": self.tokens,
            "users": self.users,
            "chat": self.chat,
            "throttle": {
                "path": reverse("issue_tracker:throttled"),
                "limit": get_throttled_limit(),
            },
            "features": ["ownership", "failed_auth_throttle"],
        }
        write_private(path, json.dumps(content, indent=2) + "\n")


def prepare(rows: int | None) -> Credentials:
    """Bring the tables to exactly the seeded rows, and replace passwords and tokens.

    ``rows``: how many issues and tickets of the client acme; ``None``: as many as documented.
    """
    tables = own_tables()
    with transaction.atomic():
        empty(tables)
        users, passwords = _reset_users()
        issue_tracker.seed.seed(users, rows or ISSUES)
        help_desk.seed.seed(users, rows or TICKETS)
        chats.seed.seed()
        tokens = _replace_tokens(users)
    reset_sequences([*tables, User])
    # After that, because these rows take their ids, the first ones, from the database.
    chat = _issue_to_chat_user()
    return Credentials(
        users=[
            {"username": user.get_username(), "password": password}
            for user, password in zip(users, passwords, strict=True)
        ],
        tokens=tokens,
        chat=chat,
    )


def get_throttled_limit() -> int:
    """Return how often the address answers that is there to be asked too often."""
    return parse_rate(api_settings.limiters[ThrottledView.limiters]["rate"]).limit


def own_tables() -> list[type[models.Model]]:
    """Return the models of the applications, with those between them."""
    return [
        model
        for label in ("issue_tracker", "chats", "help_desk")
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
    ]


def _reset_users() -> tuple[list[User], list[str]]:
    """Return both users as they should be, with new passwords. Other users stay as they are."""
    passwords = [secrets.token_urlsafe(16) for _ in PEOPLE]
    users = [
        _reset_user(number, password, *names)
        for number, (password, names) in enumerate(zip(passwords, PEOPLE, strict=True), 1)
    ]
    return users, passwords


def _reset_user(number: int, password: str, username: str, first: str, last: str) -> User:
    user = User.objects.filter(username=username).first() or User(username=username)
    if user.pk is None and not User.objects.filter(pk=number).exists():
        user.pk = number
    user.first_name, user.last_name = first, last
    user.email = f"{username}@example.com"
    user.is_active = True
    # The first one can look around in the admin.
    user.is_staff = user.is_superuser = number == 1
    user.password = _hash(password)
    user.save()
    return user


def _hash(password: str) -> str:
    """Return the hash of a password that nobody can guess, which need not be a slow one.

    Two slow ones would take most of the start. Django makes it slow on the first login.
    """
    return PBKDF2PasswordHasher().encode(password, secrets.token_hex(16), iterations=1)


def _replace_tokens(users: Sequence[User]) -> dict[str, str]:
    """Revoke what earlier runs issued and return the plain texts of new tokens by kind."""
    APIToken.objects.filter(owner__in=users, name__startswith=TOKEN_NAME.format("")).revoke()
    first, second = users
    issued = {
        "valid": _issue(first, "valid", READ + WRITE, CLIENT),
        "read_only": _issue(first, "read only", READ, CLIENT),
        "expired": _issue(first, "expired", READ + WRITE, CLIENT),
        "revoked": _issue(first, "revoked", READ + WRITE, CLIENT),
        "other_user": _issue(second, "other user", READ + WRITE, OTHER_CLIENT),
    }
    issued["revoked"].token.revoke()
    yesterday = timezone.now() - timedelta(days=1)
    APIToken.objects.filter(pk=issued["expired"].token.pk).update(expires_at=yesterday)
    return {kind: new.plain_text for kind, new in issued.items()}


def _issue(owner: User, name: str, abilities: Sequence[str], client: str) -> NewAPIToken[APIToken]:
    return APIToken.objects.issue(owner, TOKEN_NAME.format(name), abilities, client=client)


@transaction.atomic
def _issue_to_chat_user() -> dict[str, str | int]:
    """Return one chat user's code and token. Those of earlier runs went with their owners."""
    owner = ChatUser.objects.get(pk=CHAT_USER)
    return {
        "id": owner.chat_id,
        "email": owner.email,
        "auth_code": AuthCode.issue(owner),
        "token": ChatUserToken.objects.issue(owner, TOKEN_NAME.format("chat user")).plain_text,
    }
