"""``CONNECTNOW_API``, read live, and the one source of a request's profile."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from django.apps import apps
from django.conf import settings as django_settings

from .profiles import DEFAULT, PROFILES, Profile


class _Unset(enum.Enum):
    """The class of ``UNSET``, whose copies are itself."""

    UNSET = "unset"


UNSET: Final = _Unset.UNSET
"""Nothing was said, where ``None`` or ``False`` would say something."""

PROFILE_KEYS: Mapping[str, str] = {
    field.name.upper(): field.name for field in dataclasses.fields(Profile) if field.name != "name"
}
"""The keys of ``CONNECTNOW_API`` that are laid over the profile, and the fields they set."""

AUDITED = (
    *("created", "renamed", "extended", "rotated", "revoked", "pruned", "expiring"),
    *("refused", "used_after_expiry"),
)
"""What ``AUDIT_ACTIONS`` is unless said otherwise: what is left out has no bound.

A token may be throttled, or denied what it lacks an ability for, as often as somebody asks;
refusals are bounded by ``FAILED_AUTH_RATE``.
"""


class APISettings:
    """``CONNECTNOW_API``: one property per setting that is no profile field.

    Each read goes to Django's settings, so ``override_settings`` works everywhere and at once.
    """

    @property
    def user_settings(self) -> Mapping[str, Any]:
        """The project's ``CONNECTNOW_API``, ``{}`` if it has none, or what cannot be one."""
        found = getattr(django_settings, "CONNECTNOW_API", {})
        return found if isinstance(found, Mapping) else {}

    @property
    def profile(self) -> str | Profile:
        """The profile of requests below no prefix: a name or a ``Profile``."""
        found: str | Profile = self.user_settings.get("PROFILE", DEFAULT)
        return found

    @property
    def prefixes(self) -> Mapping[str, str | Profile]:
        """Path prefix to profile; the longest prefix that fits a request's path wins."""
        found: Mapping[str, str | Profile] = self.user_settings.get("PREFIXES", {})
        return found

    @property
    def token_prefix(self) -> str:
        """What new tokens start with, before the underscore."""
        return str(self.user_settings.get("TOKEN_PREFIX", "cn"))

    @property
    def token_lifetime(self) -> timedelta | None:
        """How long new tokens live unless told otherwise; ``None``: for ever."""
        found: timedelta | None = self.user_settings.get("TOKEN_LIFETIME", timedelta(days=365))
        return found

    @property
    def token_idle_timeout(self) -> timedelta | None:
        """How long new tokens may lie unused unless told otherwise; ``None``: for ever."""
        found: timedelta | None = self.user_settings.get("TOKEN_IDLE_TIMEOUT")
        return found

    @property
    def max_token_lifetime(self) -> timedelta | None:
        """How old a token may become, whatever its own expiry says; ``None``: any age."""
        found: timedelta | None = self.user_settings.get("MAX_TOKEN_LIFETIME")
        return found

    @property
    def last_used(self) -> str:
        """How the last use is kept: ``"database"``, by way of the ``"cache"``, or ``"off"``."""
        return str(self.user_settings.get("LAST_USED", "database"))

    @property
    def last_used_interval(self) -> timedelta:
        """How long a token's last use stands before a later one is written."""
        found: timedelta = self.user_settings.get("LAST_USED_INTERVAL", timedelta(seconds=60))
        return found

    @property
    def last_used_address(self) -> bool:
        """Whether the client's address is kept with the last use."""
        return bool(self.user_settings.get("LAST_USED_ADDRESS", False))

    @property
    def abilities(self) -> Mapping[str, Any]:
        """The abilities that the site offers, each with a description; ``{}``: any name."""
        found: Mapping[str, Any] = self.user_settings.get("ABILITIES", {})
        return found

    @property
    def audit_actions(self) -> tuple[str, ...]:
        """The actions of events that the app ``connectnow_api.audit`` writes into its table."""
        return tuple(self.user_settings.get("AUDIT_ACTIONS", AUDITED))

    @property
    def token_parameters(self) -> tuple[str, ...]:
        """The parameter names that may hold a token of any kind: never repeated in a link."""
        return tuple(self.user_settings.get("TOKEN_PARAMETERS", ("api_token",)))

    @property
    def query_token_deprecation(self) -> date | None:
        """Since when tokens in the query are deprecated, for ``Deprecation``; ``None``: not."""
        found: date | None = self.user_settings.get("QUERY_TOKEN_DEPRECATION")
        return found

    @property
    def query_token_sunset(self) -> date | None:
        """When tokens in the query will be refused, for ``Sunset``; ``None``: that is not said."""
        found: date | None = self.user_settings.get("QUERY_TOKEN_SUNSET")
        return found

    @property
    def query_token_link(self) -> str | None:
        """Where a person can read what to do instead, for ``Link``."""
        found: str | None = self.user_settings.get("QUERY_TOKEN_LINK")
        return found

    @property
    def count_placements(self) -> bool:
        """Whether it is counted in the cache how many tokens were sent where."""
        return bool(self.user_settings.get("COUNT_PLACEMENTS", False))

    @property
    def realm(self) -> str:
        """The ``realm`` of the challenge in every 401."""
        return str(self.user_settings.get("REALM", "api"))

    @property
    def require_token(self) -> bool:
        """Whether ``HasAbilities`` refuses users who came without a token."""
        return bool(self.user_settings.get("REQUIRE_TOKEN", False))

    @property
    def strict_placement(self) -> bool:
        """Whether one token sent in two places is refused (RFC 6750 section 2) or tolerated."""
        return bool(self.user_settings.get("STRICT_PLACEMENT", False))

    @property
    def failed_auth_rate(self) -> str | None:
        """How many refused tokens an address may send, as ``"30/m"``; ``None``: any number."""
        found: str | None = self.user_settings.get("FAILED_AUTH_RATE", "30/m")
        return found

    @property
    def trusted_proxies(self) -> int | tuple[str, ...]:
        """Who is believed to tell the client's address: how many proxies of your own, or which.

        A number counts the entries that they append to the header. Networks are those that they
        connect from, and ``"unix"`` is a Unix socket. 0, or none: nobody.
        """
        found = self.user_settings.get("TRUSTED_PROXIES", 0)
        if isinstance(found, list | tuple):
            return tuple(found)
        return found if isinstance(found, int) else 0

    @property
    def client_address_header(self) -> str:
        """The header that tells the client's address to whoever believes it."""
        return str(self.user_settings.get("CLIENT_ADDRESS_HEADER", "X-Forwarded-For"))

    @property
    def on_cache_failure(self) -> str:
        """What limits do when they cannot be counted: ``"open"`` lets pass, ``"closed"`` is 503.

        ``"local"`` counts in each process for itself.
        """
        return str(self.user_settings.get("ON_CACHE_FAILURE", "open"))

    @property
    def limiters(self) -> Mapping[str, Any]:
        """Name of a limiter to its ``Limiter``, the fields of one, or only its rates."""
        found = self.user_settings.get("LIMITERS", {})
        return found if isinstance(found, Mapping) else {}

    @property
    def limit_storage(self) -> str | None:
        """Where ``limits`` counts, as ``"redis://host/0"``; ``None``: in a Django cache."""
        found = self.user_settings.get("LIMIT_STORAGE")
        return None if found is None else str(found)

    @property
    def limit_storage_options(self) -> Mapping[str, Any]:
        """What the storage's client is given besides, such as ``{"socket_timeout": 0.5}``."""
        found: Mapping[str, Any] = self.user_settings.get("LIMIT_STORAGE_OPTIONS", {})
        return found

    @property
    def limit_headers(self) -> str:
        """Which headers tell of limits: ``"laravel"``, ``"ietf"`` or ``"both"``."""
        return str(self.user_settings.get("LIMIT_HEADERS", "laravel"))

    @property
    def shadow_limits(self) -> bool:
        """Whether limits only say what they would have refused."""
        return bool(self.user_settings.get("SHADOW_LIMITS", False))

    @property
    def request_id(self) -> str | None:
        """The dotted name of a function without arguments that returns the request's id."""
        default = "django_guid.get_guid" if apps.is_installed("django_guid") else None
        found: str | None = self.user_settings.get("REQUEST_ID", default)
        return found

    @property
    def request_id_in_errors(self) -> bool:
        """Whether the body of a 5xx has the request's id as ``request_id``."""
        return bool(self.user_settings.get("REQUEST_ID_IN_ERRORS", False))

    @property
    def debug_errors(self) -> bool:
        """Whether a crash is described in its answer while ``DEBUG`` is on."""
        return bool(self.user_settings.get("DEBUG_ERRORS", False))

    @property
    def translate_messages(self) -> bool:
        """Whether neutral error texts follow the request's language."""
        return bool(self.user_settings.get("TRANSLATE_MESSAGES", False))


api_settings = APISettings()

SITE_KEYS = frozenset(
    name.upper()
    for name, value in vars(APISettings).items()
    if isinstance(value, property) and name != "user_settings"
)
"""The keys of ``CONNECTNOW_API`` that belong to the whole site."""


def get_profile(request: Any = None, view: Any = None) -> Profile:
    """Return the dialect of an answer, with the site's single values laid over it.

    The view's ``profile`` attribute decides, else the longest of ``PREFIXES`` that ``request``'s
    path starts with, else ``PROFILE``. ``request`` may be Django's, DRF's or ``None``. Raises
    ``KeyError`` for a profile that does not exist, which ``manage.py check`` reports first.
    """
    profile = _bare_profile(request, view)
    keys = PROFILE_KEYS.keys() & api_settings.user_settings.keys()
    fields = [PROFILE_KEYS[key] for key in keys]
    values = {field: _site_value(profile, field) for field in fields}
    return dataclasses.replace(profile, **values) if values else profile


def get_value(name: str, request: Any, *owners: Any) -> Any:
    """Return a profile field as the first of ``owners`` that has such an attribute says it.

    ``owners`` are the view and, for its own attributes, the class that asks. An attribute that is
    ``UNSET`` says nothing, and neither does a method: an action may be called ``placements``.
    Without one, the setting decides, then the profile.
    """
    for owner in owners:
        value = getattr(owner, name, UNSET)
        if value is not UNSET and not callable(value):
            return value
    return _site_value(_bare_profile(request, owners[0] if owners else None), name)


def _bare_profile(request: Any, view: Any) -> Profile:
    chosen = own_profile(view)
    if chosen is None:
        chosen = profile_of_path(getattr(request, "path_info", ""))
    return find_profile(chosen)


def _site_value(profile: Profile, name: str) -> Any:
    """Return a field as the setting says it, else the profile."""
    own = getattr(profile, name)
    value = api_settings.user_settings.get(name.upper(), own)
    return {**own, **value} if name == "messages" else value


def own_profile(view: Any) -> str | Profile | None:
    """Return a view's ``profile`` attribute; an action of that name is none."""
    own = getattr(view, "profile", None)
    return own if isinstance(own, str | Profile) else None


def find_profile(value: str | Profile) -> Profile:
    """Return the profile that ``value`` names or is; raise ``KeyError`` for an unknown name."""
    return value if isinstance(value, Profile) else PROFILES[value]


def profile_of_path(path: str) -> str | Profile:
    """Return what ``PREFIXES``, else ``PROFILE``, say of a path (without ``SCRIPT_NAME``)."""
    prefixes = api_settings.prefixes
    fitting = [prefix for prefix in prefixes if is_below(path, prefix)]
    return prefixes[max(fitting, key=len)] if fitting else api_settings.profile


def is_below(path: str, prefix: str) -> bool:
    """Tell whether ``path`` is ``prefix`` or lies below it: ``/apiary`` is not below ``/api``."""
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else f"{prefix}/")


def is_api_path(path: str) -> bool:
    """Tell whether a path (without ``SCRIPT_NAME``) lies below one of ``PREFIXES``."""
    return any(is_below(path, prefix) for prefix in api_settings.prefixes)


def parameters_with_tokens(request: Any) -> set[str]:
    """Return the names of the parameters that may hold a token in this request."""
    authenticators = getattr(request, "authenticators", None) or ()
    own = {getattr(authenticator, "parameter", None) for authenticator in authenticators}
    return {*api_settings.token_parameters, *filter(None, own)}
