"""The token table as an abstract model, so that a project can have several kinds of token.

A kind is a subclass with its own table, its own ``token_prefix`` and, if it likes, its own
primary key or ``owner``. Importing this module creates no table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from types import EllipsisType
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from django.apps import apps
from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from . import tokens
from .settings import api_settings

ANY_ABILITY = "*"

# scope-token of RFC 6749 section 3.3, because a challenge names missing abilities as its scope.
_ABILITY = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")

TokenT = TypeVar("TokenT", bound="AbstractAPIToken")


class NewAPIToken(NamedTuple, Generic[TokenT]):
    """A fresh row, and the plain text that exists nowhere else."""

    token: TokenT
    plain_text: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.token}>"


class APITokenQuerySet(models.QuerySet[TokenT]):
    """Queries over one kind of token."""

    def revoke(self) -> int:
        """Revoke the tokens that are not revoked yet; return how many those were.

        In force for the next request that starts. A token revoked before keeps its time.
        """
        return self.filter(revoked_at=None).update(revoked_at=timezone.now())

    def find(self, plain_text: str) -> TokenT | None:
        """Return the row of a token with its owner, or ``None``: one query, on a unique index."""
        digest = tokens.digest(plain_text)
        row = self.select_related("owner").filter(digest=digest).first()
        # A case-insensitive collation may have matched what is not the same text.
        return row if row is not None and tokens.equal(row.digest, digest) else None


class APITokenManager(models.Manager.from_queryset(APITokenQuerySet)):  # type: ignore[misc]
    """Issues tokens and finds their rows."""

    @sensitive_variables("plain_text")
    def issue(
        self,
        owner: Any,
        name: str,
        abilities: Iterable[str] = (),
        *,
        expires_at: datetime | EllipsisType | None = ...,
        client: str = "",
    ) -> NewAPIToken[Any]:
        """Create a token for ``owner`` and return its row with the plain text.

        ``abilities``: exact names, or ``"*"`` for all; none unless given. ``expires_at``: an aware
        datetime, ``None`` for a token that never expires, left out for ``TOKEN_LIFETIME`` from
        now. ``client``: what a required header is matched against. Raises ``ValueError`` for a
        name that is blank, longer than 255 characters or holds a NUL, an ability that is no RFC
        6749 scope, or a client that is longer than 255 characters, has a comma or cannot be
        printed, and ``TypeError`` for abilities given as one text.
        """
        prefix = self.model.get_token_prefix()
        plain_text = tokens.generate(prefix)
        row = self.create(
            owner=owner,
            name=_clean_name(name),
            prefix=prefix,
            tail=tokens.tail(plain_text),
            digest=tokens.digest(plain_text),
            abilities=_clean_abilities(abilities),
            expires_at=_default_expiry() if expires_at is ... else expires_at,
            client=_clean_client(client),
        )
        return NewAPIToken(row, plain_text)


def _clean_name(name: str) -> str:
    if not name.strip() or len(name) > 255 or "\0" in name:
        raise ValueError("A token needs a name of 1 to 255 characters, none of them NUL.")
    return name


def _clean_client(client: str) -> str:
    """Return the client; a comma would match a header that was sent twice."""
    if len(client) > 255 or not client.isprintable() or "," in client:
        raise ValueError("A client is up to 255 printable characters without a comma.")
    return client


def _clean_abilities(abilities: Iterable[str]) -> list[str]:
    if isinstance(abilities, str):
        raise TypeError(f"Abilities are a list of names, not one text: [{abilities!r}].")
    names = list(dict.fromkeys(abilities))
    for name in names:
        if not _ABILITY.fullmatch(name):
            raise ValueError(f"An ability is printable ASCII without space, quote, \\: {name!r}.")
    return names


def _default_expiry() -> datetime | None:
    lifetime = api_settings.token_lifetime
    return None if lifetime is None else timezone.now() + lifetime


class AbstractAPIToken(models.Model):
    """One token of one owner; only a digest of it is stored.

    Subclass it for a kind of your own. Override ``owner`` with a key to any model that has
    ``pk``, ``is_authenticated`` and ``is_active``; give ``token_prefix`` a prefix of its own.
    """

    token_prefix: ClassVar[str | None] = None
    """What tokens of this kind start with; ``None``: the setting ``TOKEN_PREFIX``."""

    owner: Any = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="%(app_label)s_%(class)s_set",
    )
    name = models.CharField(max_length=255)
    prefix = models.CharField(max_length=16, blank=True, default="", editable=False)
    tail = models.CharField(max_length=8, blank=True, default="", editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    algorithm = models.CharField(max_length=16, default="sha256", editable=False)
    abilities = models.JSONField(default=list, blank=True)
    allowed_networks = models.JSONField(default=list, blank=True)
    rate = models.CharField(max_length=32, blank=True, default="")
    client = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    expiry_notified_at = models.DateTimeField(null=True, blank=True, editable=False)
    idle_timeout = models.DurationField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_address = models.GenericIPAddressField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    # One to one, so that the database itself refuses a second successor.
    rotated_from = models.OneToOneField(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="rotated_to",
    )

    objects = APITokenManager()

    class Meta:
        abstract = True
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self) -> str:
        return f"{self.name} ({self.masked})"

    @classmethod
    def get_token_prefix(cls) -> str:
        """Return what tokens of this kind start with, before the underscore."""
        return cls.token_prefix or api_settings.token_prefix

    @property
    def masked(self) -> str:
        """The token as it may be shown: its prefix and its last characters."""
        return f"{self.prefix}_…{self.tail}" if self.prefix else f"…{self.tail}"

    @property
    def is_usable(self) -> bool:
        """Whether the token opens anything now: not revoked, not expired, and its owner active."""
        if self.revoked_at is not None:
            return False
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return False
        return bool(getattr(self.owner, "is_active", True))

    def can(self, ability: str) -> bool:
        """Tell whether the token has ``ability``, by its exact name or by ``"*"``."""
        granted = self.abilities if isinstance(self.abilities, list) else []
        return ability in granted or ANY_ABILITY in granted

    def revoke(self) -> bool:
        """Revoke the token in the database and here; return ``False`` if it was revoked before."""
        revoked = APITokenQuerySet(type(self), using=self._state.db).filter(pk=self.pk).revoke()
        self.refresh_from_db(fields=["revoked_at"])
        return bool(revoked)


def get_token_models() -> list[type[AbstractAPIToken]]:
    """Return the installed kinds of token, in the order of INSTALLED_APPS."""
    return [model for model in apps.get_models() if issubclass(model, AbstractAPIToken)]
