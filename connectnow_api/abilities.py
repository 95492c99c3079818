"""What tokens may be allowed to do: the names of abilities, and those that the site offers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .settings import api_settings

ANY_ABILITY = "*"
"""Covers every ability, also those that the site offers later."""

MAX_ABILITIES = 1000
"""They are read with each request."""

# scope-token of RFC 6749 section 3.3, because a challenge names missing abilities as its scope.
_ABILITY = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


def is_ability(name: Any) -> bool:
    """Tell whether ``name`` is printable ASCII without space, double quote and backslash."""
    return isinstance(name, str) and _ABILITY.fullmatch(name) is not None


def unknown_abilities(names: Iterable[str]) -> list[str]:
    """Return those of ``names`` that the site does not offer; ``[]`` if it keeps no list."""
    offered = api_settings.abilities
    return [name for name in names if offered and name not in offered and name != ANY_ABILITY]


def validate_abilities(names: Any) -> None:
    """Raise ``ValidationError`` unless ``names`` is a list of abilities that the site offers."""
    if not isinstance(names, list):
        raise ValidationError(_("Abilities are a list of names."), code="invalid")
    if len(names) > MAX_ABILITIES:
        text = _("A token has %(limit)d of these at most.")
        raise ValidationError(text, code="too_many", params={"limit": MAX_ABILITIES})
    for name in names:
        if not is_ability(name):
            text = _("%(name)r is no ability: use printable ASCII without space, quote and \\.")
            raise ValidationError(text, code="invalid", params={"name": name})
    for name in unknown_abilities(names):
        text = _("This site does not offer the ability %(name)r.")
        raise ValidationError(text, code="not_offered", params={"name": name})
