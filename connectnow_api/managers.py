"""Issuing tokens, finding them, and sorting them by what has become of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import EllipsisType
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import models, router
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from . import events, tokens
from .settings import api_settings
from .states import expiry_after, is_expired, is_standing

TokenT = TypeVar("TokenT", bound=models.Model)

BATCH_SIZE = 500
"""How many rows are changed by one statement."""


class NewAPIToken(NamedTuple, Generic[TokenT]):
    """A fresh row, and the plain text that exists nowhere else."""

    token: TokenT
    plain_text: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.token}>"


class APITokenQuerySet(models.QuerySet[TokenT]):
    """Queries over one kind of token.

    ``active``, ``expired`` and ``revoked`` share all tokens among them; whether a token's owner
    is active, they do not ask.
    """

    def active(self) -> APITokenQuerySet[TokenT]:
        """Return the tokens that are neither revoked nor expired."""
        return self.filter(is_standing()).exclude(is_expired())

    def expired(self) -> APITokenQuerySet[TokenT]:
        """Return the tokens that are too old, or unused for too long, and not revoked."""
        return self.filter(is_standing()).filter(is_expired())

    def revoked(self) -> APITokenQuerySet[TokenT]:
        """Return the tokens that are revoked, and the rotated ones whose grace is over."""
        return self.filter(revoked_at__lte=timezone.now())

    def stale(self, days: int) -> APITokenQuerySet[TokenT]:
        """Return the tokens that were last used, or issued and never used, ``days`` ago or more."""
        before = timezone.now() - timedelta(days=days)
        return self.filter(
            Q(last_used_at__lte=before) | Q(last_used_at=None, created_at__lte=before)
        )

    def unused(self) -> APITokenQuerySet[TokenT]:
        """Return the tokens that were never used."""
        return self.filter(last_used_at=None)

    def for_owner(self, owner: Any) -> APITokenQuerySet[TokenT]:
        """Return the tokens of an owner; none for nobody, such as ``AnonymousUser``."""
        return self.none() if owner is None or owner.pk is None else self.filter(owner=owner)

    def revoke(self) -> int:
        """Revoke the tokens that are not revoked yet; return how many those were.

        In force for the next request that starts. A token revoked before keeps its time; one that
        was rotated and still in its grace loses it.
        """
        return sum(len(revoke_rows(rows)) for rows in self.in_batches())

    def in_batches(self, size: int = BATCH_SIZE) -> Iterator[list[TokenT]]:
        """Yield all rows, ``size`` at a time, each batch read when it is asked for."""
        keys = list(self.values_list("pk", flat=True))
        rows = self.model._base_manager.using(self.db)
        for start in range(0, len(keys), size):
            yield list(rows.filter(pk__in=keys[start : start + size]).order_by("pk"))

    @sensitive_variables()
    def find(self, plain_text: str) -> TokenT | None:
        """Return the row of a token with its owner, or ``None``: one query, on a unique index."""
        digest = tokens.digest(plain_text)
        row: Any = self.select_related("owner").filter(digest=digest).first()
        # A case-insensitive collation may have matched what is not the same text.
        return row if row is not None and tokens.equal(row.digest, digest) else None


class APITokenManager(models.Manager.from_queryset(APITokenQuerySet)):  # type: ignore[misc]
    """Issues tokens and finds their rows."""

    @sensitive_variables()
    def issue(
        self,
        owner: Any,
        name: str,
        abilities: Iterable[str] = (),
        *,
        expires_at: datetime | EllipsisType | None = ...,
        **fields: Any,
    ) -> NewAPIToken[Any]:
        """Create a token for ``owner`` and return its row with the plain text.

        ``abilities``: exact names, or ``"*"`` for all; none unless given. ``expires_at``: an aware
        datetime to come, ``None`` for a token that never expires, left out for ``TOKEN_LIFETIME``
        from now. ``fields``: further columns, such as ``allowed_networks``, ``rate``, ``client``
        and ``idle_timeout``, which is ``TOKEN_IDLE_TIMEOUT`` if left out. Raises Django's
        ``ValidationError`` with the texts for each field that cannot be; nothing is created then.
        """
        new = self.prepare(owner, name, abilities, expires_at=expires_at, **fields)
        new.token.save(using=self._db, force_insert=True)
        events.emit("created", new.token)
        return new

    @sensitive_variables()
    def prepare(
        self,
        owner: Any,
        name: str,
        abilities: Iterable[str] = (),
        *,
        expires_at: datetime | EllipsisType | None = ...,
        **fields: Any,
    ) -> NewAPIToken[Any]:
        """Return what ``issue`` would create, or raise as it would; nothing is stored or told."""
        if expires_at is ...:
            expires_at = expiry_after(api_settings.token_lifetime)
        fields.setdefault("idle_timeout", api_settings.token_idle_timeout)
        fields |= {"owner": owner, "name": name, "abilities": _list(abilities)}
        new = build(self.model, **fields, expires_at=expires_at)
        new.token.validate()
        new.token.abilities = [*dict.fromkeys(new.token.abilities)]
        return new


@sensitive_variables()
def build(model: Any, **fields: Any) -> NewAPIToken[Any]:
    """Return a row that is not stored yet, with its plain text."""
    prefix = model.get_token_prefix()
    plain_text = tokens.generate(prefix)
    token = model(
        **fields,
        prefix=prefix,
        tail=tokens.tail(plain_text),
        digest=tokens.digest(plain_text),
    )
    return NewAPIToken(token, plain_text)


def _list(abilities: Any) -> Any:
    """Return a list of what is one in all but name; a text or mapping is left to be refused."""
    is_list = isinstance(abilities, Iterable) and not isinstance(abilities, str | Mapping)
    return [*abilities] if is_list else abilities


def stored(token: models.Model) -> models.QuerySet[Any]:
    """Return the table of a row, in the database that its changes go to."""
    database = router.db_for_write(type(token), instance=token)
    return type(token)._base_manager.using(database)


def revoke_rows(rows: list[Any]) -> list[Any]:
    """Revoke rows of one kind and return those that it was that revoked."""
    revoked: list[Any] = []
    while rows:
        now = timezone.now()
        groups: dict[datetime | None, list[Any]] = {}
        for row in rows:
            if row.revoked_at is None or row.revoked_at > now:
                groups.setdefault(row.revoked_at, []).append(row)
        ours = {key for end, group in groups.items() for key in _revoke_from(end, group, now)}
        lost = [row for group in groups.values() for row in group if row.pk not in ours]
        for row in rows:
            if row.pk in ours:
                row.revoked_at = now
                revoked.append(row)
        # Some of the others may have been rotated meanwhile, and are in their grace.
        rows = _read_again(lost)
    with events.batch():
        for row in revoked:
            events.emit("revoked", row)
    return revoked


def _revoke_from(end: datetime | None, rows: list[Any], now: datetime) -> set[Any]:
    """Revoke rows whose ``revoked_at`` was read as ``end``; return the keys of ours.

    "Later than now" would not do: whoever was first may have taken the time after us, and what was
    just revoked would look like a grace.
    """
    keys = {row.pk for row in rows}
    found = stored(rows[0]).filter(pk__in=keys)
    count = found.filter(revoked_at=end).update(revoked_at=now)
    if count in (0, len(keys)):
        return keys if count else set()
    return set(found.filter(revoked_at=now).values_list("pk", flat=True))


def _read_again(rows: list[Any]) -> list[Any]:
    """Return those of the rows that still exist, with the ``revoked_at`` that they have now."""
    if not rows:
        return []
    found = stored(rows[0]).filter(pk__in=[row.pk for row in rows])
    ends = dict(found.values_list("pk", "revoked_at"))
    for row in rows:
        row.revoked_at = ends.get(row.pk)
    return [row for row in rows if row.pk in ends]
