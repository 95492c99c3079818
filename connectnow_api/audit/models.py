"""The table: each entry is one event of ``connectnow_api.events``, in plain values.

No column is a foreign key: an entry outlives the token, its owner and even the kind of token.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connectnow_api.events import TokenEvent

BATCH_SIZE = 1000
"""How many entries are deleted by one statement."""


class TokenAuditQuerySet(models.QuerySet["TokenAuditEntry"]):
    """Queries over entries, and the way to be rid of old ones."""

    def older_than(self, days: int) -> TokenAuditQuerySet:
        """Return the entries of ``days`` ago and before."""
        return self.filter(created_at__lte=timezone.now() - timedelta(days=days))

    def prune(self, size: int = BATCH_SIZE) -> int:
        """Delete these entries, ``size`` at a time; return how many those were."""
        return sum(self.prune_in_batches(size))

    def prune_in_batches(self, size: int = BATCH_SIZE) -> Iterator[int]:
        """Delete these entries; after each statement yield how many it deleted."""
        rows = self.model._base_manager.using(self.db)
        last = 0
        while keys := self._keys_after(last, size):
            last = keys[-1]
            yield rows.filter(pk__in=keys).delete()[0]

    def _keys_after(self, last: int, size: int) -> list[int]:
        """Return the next keys; what was deleted before them need not be passed by again."""
        return list(self.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:size])


class TokenAuditEntry(models.Model):
    """One event. Texts are printable: anything else in them is escaped, and what is too long cut.

    For the meaning of the columns see ``connectnow_api.events.TokenEvent``.
    """

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    action = models.CharField(max_length=32)
    # An app's label and a model's name have 100 characters each, at most.
    kind = models.CharField(max_length=201)
    token_id = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=255, blank=True)
    owner = models.CharField(max_length=255, blank=True)
    fingerprint = models.CharField(max_length=8, blank=True)
    placement = models.CharField(max_length=16, blank=True)
    # No address field: one of a link-local network ends in the name of an interface.
    address = models.CharField(max_length=64, blank=True)
    actor = models.CharField(max_length=255, blank=True)
    # The name before a renaming, or the abilities that were missing.
    reason = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=128, blank=True)

    objects = TokenAuditQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes = [
            models.Index(fields=["kind", "token_id"], name="connectnow_audit_token"),
            models.Index(fields=["fingerprint"], name="connectnow_audit_fingerprint"),
            models.Index(fields=["created_at"], name="connectnow_audit_created_at"),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.action, self.kind, self.token_id)))

    @classmethod
    def from_event(cls, event: TokenEvent) -> TokenAuditEntry:
        """Return the entry of an event, which is not stored yet."""
        columns = {field.name: field for field in cls._meta.concrete_fields}
        values = dataclasses.asdict(event)
        return cls(
            **{name: _fit(text, columns[name].max_length or 0) for name, text in values.items()}
        )


def _fit(text: str, length: int) -> str:
    """Return a text as a column of this length holds it, on every database.

    PostgreSQL takes no NUL, none of them half a surrogate, and whoever reads a table in a terminal
    wants neither line breaks nor anything invisible in its values (CWE-117).
    """
    escaped = "".join(map(_escaped, text[: length + 1]))
    return escaped if len(escaped) <= length else f"{escaped[: length - 1]}…"


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
