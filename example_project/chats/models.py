"""Chats, the people in them, and what those people show for themselves."""

import secrets
from datetime import timedelta

from django.db import models
from django.utils.crypto import constant_time_compare, salted_hmac

from connectnow_api.base_models import AbstractAPIToken
from project.models import Timestamped, now


class Chat(Timestamped):
    """A conversation."""

    name = models.CharField(max_length=255)

    def __str__(self) -> str:
        return self.name


class ChatUser(Timestamped):
    """A person in one chat, known by an address. It is no user of Django's."""

    is_authenticated = True

    chat = models.ForeignKey(Chat, models.CASCADE, related_name="users")
    name = models.CharField(max_length=255)
    email = models.EmailField()
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chat", "email"], name="one_chat_user_per_email"),
        ]

    def __str__(self) -> str:
        return self.email


class AuthCode(models.Model):
    """What a chat user was sent by mail: good for one token within a day."""

    # Of 15 digits, because clients may send a code as a JSON number, and JavaScript keeps no more
    # of them exact. In the day that a code lives, an address can try fewer than five million (see
    # ``chat_tokens`` in the settings) of 900,000,000,000,000.
    LOWEST, HIGHEST = 10**14, 10**15 - 1
    LIFETIME = timedelta(days=1)

    owner = models.OneToOneField(ChatUser, models.CASCADE, related_name="auth_code")
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"auth code {self.pk}"

    @classmethod
    def issue(cls, owner: ChatUser) -> str:
        """Return a new code in plain text; it takes the place of the one before."""
        code = str(cls.LOWEST + secrets.randbelow(cls.HIGHEST - cls.LOWEST + 1))
        values = {"digest": cls.get_digest(code), "created_at": now(), "used_at": None}
        cls.objects.update_or_create(owner=owner, defaults=values)
        return code

    @classmethod
    def redeem(cls, chat: Chat, email: str, code: str) -> ChatUser | None:
        """Use up a code and return its owner; ``None`` if anything about it is wrong."""
        digest = cls.get_digest(code)
        found = (
            cls.objects.select_related("owner")
            .filter(owner__chat=chat, owner__email=email, owner__is_active=True)
            .filter(created_at__gt=now() - cls.LIFETIME)
            .first()
        )
        if not constant_time_compare(found.digest if found else "", digest):
            return None
        # Of several who come at once with the same code, the database lets one through.
        unused = cls.objects.filter(pk=found.pk, digest=digest, used_at=None)
        return found.owner if unused.update(used_at=now()) else None

    @staticmethod
    def get_digest(code: str) -> str:
        """Return what is stored: with a key, since a plain digest of so few digits can be tried."""
        return salted_hmac("chats.AuthCode", code, algorithm="sha256").hexdigest()


class ChatUserToken(AbstractAPIToken):
    """The second kind of token: it speaks for one chat user."""

    token_prefix = "chat"

    owner = models.ForeignKey(ChatUser, models.CASCADE, related_name="tokens")

    class Meta(AbstractAPIToken.Meta):
        verbose_name = "chat user token"
        verbose_name_plural = "chat user tokens"
