"""The token table as an abstract model, so that a project can have several kinds of token.

A kind is a subclass with its own table, its own ``token_prefix`` and, if it likes, its own
primary key or ``owner``. Importing this module creates no table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from types import EllipsisType
from typing import Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, router, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from . import events
from .abilities import ANY_ABILITY, validate_abilities
from .addresses import validate_networks
from .exceptions import TokenConflict
from .managers import APITokenManager, APITokenQuerySet, NewAPIToken, revoke_rows, stored
from .rates import validate_rate
from .rotation import build_successor, store_successor
from .settings import api_settings
from .states import is_idle, is_standing, last_moment
from .validators import (
    check_expiry,
    validate_client,
    validate_grace,
    validate_idle_timeout,
    validate_text,
    wrong_types,
)

__all__ = [
    "APITokenManager",
    "APITokenQuerySet",
    "AbstractAPIToken",
    "NewAPIToken",
    "get_token_models",
]


VALIDATORS: Mapping[str, Callable[[Any], None]] = {
    "name": validate_text,
    "abilities": validate_abilities,
    "allowed_networks": validate_networks,
    "rate": validate_rate,
    "client": validate_client,
    "idle_timeout": validate_idle_timeout,
}
"""Column to what its value has to pass, if it is not the column's default."""


class AbstractAPIToken(models.Model):
    """One token of one owner; only a digest of it is stored.

    Subclass it for a kind of your own. Override ``owner`` with a key to any model that has
    ``pk``, ``is_authenticated`` and ``is_active``; give ``token_prefix`` a prefix of its own.

    Each change is one UPDATE of the columns that it is about, on the condition that the token is
    not revoked; so none can undo what another process did meanwhile. ``save()`` is for new rows.
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
    # In the future while a rotated token is in its grace: what is set is never taken back.
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
    def state(self) -> str:
        """``"active"``, ``"revoked"``, ``"expired"``, or ``"idle"``: unused for too long."""
        now = timezone.now()
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        if self.last_moment is not None and self.last_moment <= now:
            return "expired"
        return "idle" if self._is_idle(now) else "active"

    @property
    def last_moment(self) -> datetime | None:
        """When the token expires, by ``expires_at`` or ``MAX_TOKEN_LIFETIME``; ``None``: never."""
        return last_moment(self.expires_at, self.created_at)

    def _is_idle(self, now: datetime) -> bool:
        if self.idle_timeout is None:
            return False
        # A use of less than an interval ago may not be written yet.
        unused_for = now - (self.last_used_at or self.created_at) - api_settings.last_used_interval
        return unused_for >= self.idle_timeout

    @property
    def is_usable(self) -> bool:
        """Whether the token opens anything now: in force, and its owner active."""
        return self.state == "active" and self.is_owner_active

    @property
    def is_owner_active(self) -> bool:
        """Whether there is an owner, who may come in; one without ``is_active`` always may."""
        return self.owner is not None and bool(getattr(self.owner, "is_active", True))

    def can(self, *abilities: str) -> bool:
        """Tell whether the token has all of ``abilities``, by their exact names or by ``"*"``."""
        granted = self.abilities if isinstance(self.abilities, list) else []
        return ANY_ABILITY in granted or all(ability in granted for ability in abilities)

    def can_any(self, *abilities: str) -> bool:
        """Tell whether the token has one of ``abilities`` at least."""
        return any(self.can(ability) for ability in abilities)

    def cannot(self, *abilities: str) -> bool:
        """Tell whether the token lacks one of ``abilities`` at least."""
        return not self.can(*abilities)

    def validate(self) -> None:
        """Raise ``ValidationError`` by field for what no new token may have."""
        errors: dict[str, Any] = {}
        try:
            # Whether the owner exists, the database asks.
            self.clean_fields(exclude={"owner", "expires_at"})
        except ValidationError as exc:
            exc.update_error_dict(errors)
        try:
            check_expiry(self.expires_at, self.created_at)
        except ValidationError as exc:
            exc.update_error_dict(errors)
        owner: Any = self._meta.get_field("owner")
        if getattr(self, owner.attname) is None and not owner.null:
            errors["owner"] = [ValidationError(owner.error_messages["null"], code="null")]
        if errors:
            raise ValidationError(errors)

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Raise ``ValidationError`` by field; beside Django's validation by ``VALIDATORS``.

        They are no validators of the fields, which migrations of every kind would repeat.
        """
        excluded = {*(exclude or ())}
        errors = {name: [exc] for name, exc in wrong_types(self) if name not in excluded}
        try:
            super().clean_fields({*excluded, *errors})
        except ValidationError as exc:
            exc.update_error_dict(errors)
        for field in self._meta.concrete_fields:
            if field.name in VALIDATORS and field.name not in {*errors, *excluded}:
                try:
                    self._clean_field(field)
                except ValidationError as exc:
                    errors[field.name] = [exc]
        if errors:
            raise ValidationError(errors)

    def _clean_field(self, field: Any) -> None:
        value = getattr(self, field.attname)
        if value is None and not field.null:
            # Which Django does not ask where a form may leave the field blank.
            raise ValidationError(field.error_messages["null"], code="null")
        if value != field.get_default():
            VALIDATORS[field.name](value)

    def rename(self, name: str) -> None:
        """Give the token another name; raise ``ValidationError`` or ``TokenConflict``."""
        before = self.name
        others = {field.name for field in self._meta.concrete_fields} - {"name"}
        cleaned = type(self)(name=name)
        cleaned.clean_fields(exclude=others)
        self._change(is_standing(), name=cleaned.name)
        events.emit("renamed", self, reason=f"from {before}")

    def extend(self, expires_at: datetime | None) -> None:
        """Let the token expire at another time, ``None`` for never, also if it has expired.

        Raises ``ValidationError`` for a time in the past or beyond ``MAX_TOKEN_LIFETIME`` from
        its creation, ``TokenConflict`` if it is revoked, rotated or was not used for too long: no
        other date would open it.
        """
        check_expiry(expires_at, self.created_at)
        self._change(
            Q(revoked_at=None) & ~is_idle(), expires_at=expires_at, expiry_notified_at=None
        )
        events.emit("extended", self)

    def revoke(self) -> bool:
        """Revoke the token in the database and here; return ``False`` if it was revoked before."""
        revoked = revoke_rows([self])
        self._reload("revoked_at")
        return bool(revoked)

    @sensitive_variables()
    def rotate(
        self, grace: timedelta = timedelta(0), *, expires_at: datetime | EllipsisType | None = ...
    ) -> NewAPIToken[Any]:
        """Give the token a successor that is its twin but for secret and dates, and return that.

        The old one opens what it did for ``grace`` more, and is revoked then. The new one lives as
        long as the old one was to live, unless ``expires_at`` says otherwise. Raises
        ``TokenConflict`` if the token is revoked, expired or rotated already, by whichever process
        was first, and ``ValidationError`` for a ``grace`` or an ``expires_at`` that cannot be.
        """
        validate_grace(grace)
        if expires_at is not ...:
            check_expiry(expires_at, timezone.now())
        database = router.db_for_write(type(self), instance=self)
        try:
            with transaction.atomic(using=database):
                new = store_successor(self, timezone.now() + grace, expires_at)
        except IntegrityError:
            if stored(self).filter(pk=self.pk, rotated_to=None).exists():
                raise
            raise self._conflict("rotated") from None
        if new is None:
            raise self._conflict()
        self._reload("revoked_at", "expires_at")
        events.emit("created", new.token)
        events.emit("rotated", self, reason=f"by {new.token.pk}")
        return new

    @sensitive_variables()
    def build_successor(self, expires_at: datetime | EllipsisType | None = ...) -> NewAPIToken[Any]:
        """Return the successor that ``rotate`` would store, or raise for an expiry that cannot be.

        Nothing is stored or told, and whether the token may be rotated is not asked.
        """
        if expires_at is not ...:
            check_expiry(expires_at, timezone.now())
        return build_successor(self, expires_at)

    def _change(self, condition: Q, **values: Any) -> None:
        """Change columns of the stored row and read them back; raise ``TokenConflict``."""
        rows = stored(self).filter(pk=self.pk)
        if not (rows.filter(condition).update(**values) and self._reload(*values)):
            raise self._conflict()

    def _reload(self, *names: str) -> bool:
        """Read columns back from where they were written; return ``False`` if the row is gone."""
        values = stored(self).filter(pk=self.pk).values(*names).first()
        for name, value in (values or {}).items():
            setattr(self, name, value)
        return values is not None

    def _conflict(self, state: str = "") -> TokenConflict:
        """Read what became of the row, and return the refusal that says so."""
        if not self._reload("name", "revoked_at", "expires_at", "last_used_at", "idle_timeout"):
            return TokenConflict(self, "pruned")
        if self.state == "active":
            return TokenConflict(self, "rotated" if self.revoked_at else state or "active")
        return TokenConflict(self, self.state)


def get_token_models() -> list[type[AbstractAPIToken]]:
    """Return the installed kinds of token, in the order of INSTALLED_APPS."""
    return [model for model in apps.get_models() if issubclass(model, AbstractAPIToken)]
