"""What became of a token, in words that people read."""

from __future__ import annotations

from typing import Any

from django.utils.formats import localize
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_lazy, pgettext_lazy

from connectnow_api.exceptions import TokenConflict

STATES = {
    "active": pgettext_lazy("state of an API token", "active"),
    "expired": pgettext_lazy("state of an API token", "expired"),
    "idle": pgettext_lazy("state of an API token", "unused for too long"),
    "revoked": pgettext_lazy("state of an API token", "revoked"),
}
"""``AbstractAPIToken.state`` to a word."""

CONFLICTS = {
    "revoked": gettext_lazy("%(token)s is revoked, which is final."),
    "rotated": gettext_lazy("%(token)s was rotated already."),
    "expired": gettext_lazy("%(token)s has expired."),
    "idle": gettext_lazy("%(token)s was not used for too long."),
    "pruned": gettext_lazy("%(token)s was deleted meanwhile."),
    "active": gettext_lazy("%(token)s was changed meanwhile."),
}
"""``TokenConflict.state`` to a sentence."""


def describe_state(token: Any) -> str:
    """Return a word for what has become of a token, or the two words that matter more."""
    state = token.state
    if state == "active" and token.revoked_at is not None:
        end = localize(localtime(token.revoked_at))
        return gettext("rotated, in its grace until %(end)s") % {"end": end}
    if state == "active" and not token.is_owner_active:
        return gettext("its owner is not active")
    return str(STATES[state])


def describe_conflict(conflict: TokenConflict) -> str:
    """Return a sentence on why a token cannot be changed."""
    return str(CONFLICTS[conflict.state]) % {"token": conflict.token}
