"""Who sends a request, by the token that it carries.

``BearerTokenAuthentication`` reads the ``Authorization`` header, ``QueryTokenAuthentication`` the
query parameter, ``PayloadTokenAuthentication`` the body; ``APITokenAuthentication`` reads the
placements that the view or profile names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from django.apps import apps
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import Throttled

from . import last_used, limits, placement_counts, tokens
from .addresses import find_address, is_within
from .errors import challenge
from .events import MALFORMED, emit_for_request, emit_for_value, emit_used
from .exceptions import ConflictingTokens, InvalidToken
from .placements import READERS, django_request_of, view_of
from .query_tokens import take_out
from .settings import UNSET, api_settings, get_value

if TYPE_CHECKING:
    # DRF imports this module with its views, which may be before models can be imported.
    from .base_models import AbstractAPIToken

REFUSED_AS: Mapping[str, str] = {"expired": "used_after_expiry", "idle": "used_after_expiry"}
"""Why a token is refused, to what the event is called if not ``refused``."""


class Candidate(NamedTuple):
    """A value that may be a token, and where it was found."""

    placement: str
    value: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.placement}>"


class BaseAPITokenAuthentication(BaseAuthentication):
    """Finds one token in the request and its row in the table of ``model``.

    For a kind of your own, subclass one of the classes below and name ``model``, ``parameter``,
    ``keyword``, and ``prefix`` if it is not the model's. ``authenticate`` answers ``(owner,
    token)``; ``None`` if there is no token, or one of a foreign kind that another authenticator of
    the view may know; it raises ``InvalidToken`` (401), ``ConflictingTokens`` (400), and
    ``Throttled`` (429) for the refused tokens of an address that has sent more than
    ``FAILED_AUTH_RATE`` of them.
    """

    model: type[AbstractAPIToken] | None = None
    """The kind of token; ``None``: ``connectnow_api.APIToken``."""
    parameter: str = "api_token"
    """The name of the query parameter, and of the member of a body."""
    keyword: str = "Bearer"
    """The scheme in the ``Authorization`` header, in any letter case."""
    placements: Iterable[str] | Any = UNSET
    """Where to look; ``UNSET``: the view's ``placements``, else the setting's or profile's."""

    def get_model(self) -> type[AbstractAPIToken]:
        """Return the kind of token that this class knows."""
        return self.model or apps.get_model("connectnow_api", "APIToken")

    @property
    def prefix(self) -> str:
        """What tokens of this kind start with, before the underscore."""
        return self.get_model().get_token_prefix()

    @sensitive_variables()
    def authenticate(self, request: Any) -> tuple[Any, AbstractAPIToken] | None:
        """Return the token's owner and the token, or ``None``; see the class for what it raises."""
        self._vary_by_credentials(request)
        candidates = self.get_candidates(request)
        if not candidates:
            return None
        self._refuse_several(request, candidates)
        candidate = candidates[0]
        if self._belongs_to_another(request, candidate):
            return None
        django_request_of(request)._api_token_placement = candidate.placement
        token = self.get_token(request, candidate.value)
        take_out(request)
        last_used.record(token, request)
        placement_counts.record(token, request, candidate.placement)
        emit_used(request, token)
        return token.owner, token

    def authenticate_header(self, request: Any) -> str:
        """Return the challenge (RFC 6750 section 3): an error code only if a token was sent."""
        refused = getattr(django_request_of(request), "_invalid_api_token", False)
        return challenge(self.keyword, "invalid_token" if refused else None)

    def _vary_by_credentials(self, request: Any) -> None:
        """Keep caches from giving one client's answer to another."""
        by_header = ["Authorization"] if "header" in self.get_placements(request) else []
        required = get_value("required_headers", request, view_of(request))
        _vary(view_of(request), [*by_header, *required])

    def get_placements(self, request: Any) -> tuple[str, ...]:
        """Return where this class looks for a token in ``request``."""
        if self.placements is not UNSET:
            return tuple(self.placements)
        return tuple(get_value("placements", request, view_of(request)))

    @sensitive_variables()
    def get_candidates(self, request: Any) -> list[Candidate]:
        """Return what stands in this class's placements; empty and blank values are nothing."""
        found = [
            Candidate(placement, value)
            for placement in self.get_placements(request)
            for value in READERS[placement](self, request)
        ]
        return [candidate for candidate in found if candidate.value.strip()]

    @sensitive_variables()
    def get_token(self, request: Any, value: str) -> AbstractAPIToken:
        """Return the usable row of a presented value; raise ``InvalidToken`` if there is none.

        Raises ``Throttled`` instead beyond ``FAILED_AUTH_RATE``; a usable one is never refused.
        """
        if not tokens.is_well_formed(value, self.prefix):
            self._refuse(request, value, None, MALFORMED)
        token = self._find(value)
        reason = "unknown" if token is None else self._why_not(request, token)
        if token is None or reason:
            self._refuse(request, value, token, reason)
        return token

    @sensitive_variables()
    def _find(self, value: str) -> AbstractAPIToken | None:
        token: AbstractAPIToken | None = self.get_model()._default_manager.find(value)
        return token

    def _why_not(self, request: Any, token: AbstractAPIToken) -> str:
        """Return why a token opens nothing for this request, ``""`` if it does."""
        state = token.state
        if state != "active":
            return state
        if not token.is_owner_active:
            return "owner"
        if not is_within(find_address(request), token.allowed_networks):
            return "network"
        return "" if self._headers_match(request, token) else "header"

    @sensitive_variables()
    def _refuse(
        self, request: Any, value: str, token: AbstractAPIToken | None, reason: str
    ) -> NoReturn:
        """Answer 401, or 429 to an address that has sent too many tokens that open nothing.

        Counted here and not by a throttle: DRF asks those only after a request is authenticated.
        """
        django_request_of(request)._invalid_api_token = True
        exceeded = limits.hit_failed_auth(request)
        action = "throttled" if exceeded else REFUSED_AS.get(reason, "refused")
        if token is None:
            emit_for_value(action, request, self.get_model(), value, reason=reason)
        else:
            emit_for_request(action, request, token, reason=reason)
        if exceeded is None:
            raise InvalidToken
        limits.show(view_of(request), [exceeded])
        raise Throttled(exceeded.usage.retry_after)

    def _headers_match(self, request: Any, token: AbstractAPIToken) -> bool:
        required = get_value("required_headers", request, view_of(request))
        return all(
            _matches(request.headers.get(header, ""), token, attribute)
            for header, attribute in required.items()
        )

    @sensitive_variables()
    def _refuse_several(self, request: Any, candidates: list[Candidate]) -> None:
        found = [*candidates]
        for other in self._siblings(request):
            found.extend(other.get_candidates(request))
        if len({candidate.value for candidate in found}) > 1:
            raise ConflictingTokens
        if api_settings.strict_placement and (len(candidates) > 1 or len(set(found)) > 1):
            raise ConflictingTokens

    def _siblings(self, request: Any) -> list[BaseAPITokenAuthentication]:
        """Return the view's other authenticators that look for tokens of ours."""
        return [
            other
            for other in getattr(request, "authenticators", None) or ()
            if isinstance(other, BaseAPITokenAuthentication) and other is not self
        ]

    def _belongs_to_another(self, request: Any, candidate: Candidate) -> bool:
        """Tell whether a value without our prefix is left to an authenticator after this one."""
        if tokens.has_prefix(candidate.value, self.prefix):
            return False
        return any(self._may_know(other, candidate, request) for other in self._following(request))

    def _following(self, request: Any) -> list[BaseAuthentication]:
        """Return the authenticators that the view asks after this one."""
        authenticators = list(getattr(request, "authenticators", None) or ())
        # Another class may ask this one on its own account; then nothing is known to follow.
        return authenticators[authenticators.index(self) + 1 :] if self in authenticators else []

    def _may_know(self, other: BaseAuthentication, candidate: Candidate, request: Any) -> bool:
        if not isinstance(other, BaseAPITokenAuthentication):
            return candidate.placement == "header"
        return other.prefix != self.prefix and candidate in other.get_candidates(request)


def _vary(view: Any, names: Iterable[str]) -> None:
    """Name request headers that the answer depends on, also where none of them was sent."""
    headers = getattr(view, "headers", None)
    if headers is not None:
        known = filter(None, re.split(r"\s*,\s*", headers.get("Vary", "")))
        headers["Vary"] = ", ".join(dict.fromkeys([*known, *names]))


class BearerTokenAuthentication(BaseAPITokenAuthentication):
    """Reads ``Authorization: Bearer <token>`` (RFC 6750 section 2.1) and nothing else."""

    placements = ("header",)


class QueryTokenAuthentication(BaseAPITokenAuthentication):
    """Reads ``?api_token=<token>`` and nothing else.

    A URL is kept in histories and logs: offer this placement only to clients that cannot set a
    header (RFC 9700 advises against it).
    """

    placements = ("query",)


class PayloadTokenAuthentication(BaseAPITokenAuthentication):
    """Reads ``api_token`` in a JSON or urlencoded body of an unsafe method and nothing else.

    RFC 6750 section 2.2 knows urlencoded bodies; JSON is our extension.
    """

    placements = ("payload",)


class APITokenAuthentication(BaseAPITokenAuthentication):
    """Reads the placements that the view, the setting ``PLACEMENTS`` or the profile names."""


def _matches(sent: str, token: AbstractAPIToken, attribute: str) -> bool:
    """Tell whether a header names the token's own value; an empty one never does."""
    expected: Any = token
    for name in attribute.split("."):
        expected = getattr(expected, name, None)
    return expected not in (None, "") and tokens.equal(sent, str(expected))
