"""What a token may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission

from .base_models import AbstractAPIToken
from .settings import api_settings


class HasAbilities(BasePermission):
    """Lets a token pass that has every ability that the view's ``required_abilities`` names.

    ``required_abilities`` is a list for all requests, or a mapping from action name or HTTP method
    to such a list, the action first; ``[]`` asks for no more than a valid token. What a mapping
    does not name is refused, except OPTIONS. A user who came without a token (a session,
    ``force_authenticate``) passes, unless ``require_token`` on the view or ``REQUIRE_TOKEN`` says
    otherwise. Nobody: 401. A method that the view does not have is left to its 405.
    """

    def has_permission(self, request: Any, view: Any) -> bool:
        """Decide, and note on the request which abilities are missing: the 403 names them."""
        if request.method not in view.allowed_methods:
            return True
        if not getattr(request.user, "is_authenticated", False):
            return False
        if not isinstance(request.auth, AbstractAPIToken):
            return not getattr(view, "require_token", api_settings.require_token)
        required = self.get_required_abilities(request, view)
        if required is None:
            return False
        request.missing_abilities = self.get_missing_abilities(request.auth, required)
        return not request.missing_abilities

    def get_missing_abilities(self, token: AbstractAPIToken, required: list[str]) -> list[str]:
        """Return those of the required abilities that the token lacks; ``[]``: it passes."""
        return [name for name in required if token.cannot(name)]

    def get_required_abilities(self, request: Any, view: Any) -> list[str] | None:
        """Return the abilities this request needs; ``None`` if a mapping does not name it."""
        required = getattr(view, "required_abilities", None)
        if required is None:
            return []
        if not isinstance(required, Mapping):
            return _names(required)
        method = "GET" if request.method == "HEAD" else request.method
        for key in (getattr(view, "action", None), method):
            if key in required:
                return _names(required[key])
        return [] if method == "OPTIONS" else None


def _names(abilities: Iterable[str]) -> list[str]:
    """Return the abilities as a list; one text, which ``check`` reports, is one ability."""
    return [abilities] if isinstance(abilities, str) else list(abilities)


class HasAnyAbility(HasAbilities):
    """Lets a token pass that has one at least of the abilities that ``HasAbilities`` would ask for.

    An empty list asks for no more than a valid token, as there.
    """

    def get_missing_abilities(self, token: AbstractAPIToken, required: list[str]) -> list[str]:
        """Return all of the required abilities if the token has none of them."""
        return [] if not required or token.can_any(*required) else required


class HasAbilitiesOrReadOnly(HasAbilities):
    """Lets everybody read, and asks for abilities to write."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Pass GET, HEAD and OPTIONS; else as ``HasAbilities``."""
        return request.method in SAFE_METHODS or super().has_permission(request, view)
