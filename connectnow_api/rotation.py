"""A token's successor: stored in one transaction with the end of the token itself."""

from __future__ import annotations

from datetime import datetime
from types import EllipsisType
from typing import Any

from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from .managers import NewAPIToken, build, stored
from .states import expiry_after, is_expired


@sensitive_variables()
def store_successor(
    token: Any, end: datetime, expires_at: datetime | EllipsisType | None
) -> NewAPIToken[Any] | None:
    """Revoke the stored row at ``end`` and store its successor; ``None``: it has no right to one.

    Both go by the row as it is stored, whatever the instance says. To be called in a transaction:
    the UPDATE decides who rotates, and locks the row for what follows.
    """
    rows = stored(token).filter(pk=token.pk)
    if not rows.filter(Q(revoked_at=None) & ~is_expired()).update(revoked_at=end):
        return None
    old = rows.get()
    new = build_successor(old, expires_at)
    new.token.save(using=rows.db, force_insert=True)
    # Whoever looks at the expiry alone shall not be told more than is true.
    rows.update(expires_at=end if old.expires_at is None else min(old.expires_at, end))
    return new


@sensitive_variables()
def build_successor(old: Any, expires_at: datetime | EllipsisType | None) -> NewAPIToken[Any]:
    """Return a twin that is not stored yet, with its plain text.

    What cannot be edited is no setting of a token but its history, which begins anew.
    """
    own = {
        field.attname: getattr(old, field.attname)
        for field in old._meta.concrete_fields
        if field.editable and not field.primary_key
    }
    lifetime = None if old.expires_at is None else old.expires_at - old.created_at
    expiry = expiry_after(lifetime) if expires_at is ... else expires_at
    return build(type(old), **{**own, "expires_at": expiry, "rotated_from": old})
