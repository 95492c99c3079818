"""All limits of a site: limiters, throttles where they stand, and that of refused tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from rest_framework.settings import api_settings as drf_settings

from .limiters import DEFAULT, Limiter, find_limiter, limiters_of
from .limits import FAILED_AUTH, failed_auth_policy
from .mounted import is_subclass, mounted_views
from .settings import UNSET, api_settings
from .throttling import (
    AnonRateThrottle,
    BaseRateThrottle,
    LimiterThrottle,
    LimitThrottle,
    ScopedRateThrottle,
    TokenRateThrottle,
    UserRateThrottle,
)

BY: Mapping[Any, str] = {
    AnonRateThrottle.get_cache_key: "address",
    UserRateThrottle.get_cache_key: "user",
    TokenRateThrottle.get_cache_key: "token",
}
"""What names the asker of a throttle, and the word that ``Limiter.by`` has for that."""


class PlacedThrottle(NamedTuple):
    """A throttle class of ours where it stands."""

    throttle: type[LimitThrottle]
    place: str
    get: Callable[..., Any]
    """Returns an attribute of the view that it stands on, or a default."""

    @property
    def scope(self) -> str | None:
        """What it counts there; ``None`` if that is nothing, or decided with each request."""
        throttle = self.throttle
        if not issubclass(throttle, BaseRateThrottle):
            return None
        if throttle.get_scope is ScopedRateThrottle.get_scope:
            named = self.get(getattr(throttle, "scope_attr", ""))
            return named if isinstance(named, str) else None
        decides = throttle.get_scope is not BaseRateThrottle.get_scope
        return None if decides else throttle().get_scope(None)

    @property
    def limiters(self) -> Any:
        """What limits there, as a view's ``limiters``; ``None`` if nothing does, or a request
        decides."""
        throttle = self.throttle
        if not issubclass(throttle, LimiterThrottle):
            return None
        if throttle.get_limiters is not LimiterThrottle.get_limiters:
            return None
        named = throttle.limiters
        if named is UNSET:
            named = self.get("limiters", UNSET)
        if named is UNSET:
            return DEFAULT if DEFAULT in api_settings.limiters else None
        return named


def placed_throttles() -> Iterator[PlacedThrottle]:
    """Yield our throttles: the default ones, then those of the views."""
    defaults = drf_settings.DEFAULT_THROTTLE_CLASSES
    yield from _ours(defaults, "DEFAULT_THROTTLE_CLASSES", _get_default)
    for view in mounted_views():
        yield from _ours(view.classes("throttle_classes"), view.label, view.get)


def _get_default(name: str, default: Any = None) -> Any:
    return default


def _ours(classes: Any, place: str, get: Callable[..., Any]) -> Iterator[PlacedThrottle]:
    for throttle in classes or ():
        if is_subclass(throttle, LimitThrottle):
            yield PlacedThrottle(throttle, place, get)


class SiteLimit(NamedTuple):
    """A limit of the site, told as a limiter."""

    limiter: Limiter
    has_bare_key: bool = False
    """Whether its function returns the whole name of who asks."""


def site_limits() -> list[SiteLimit]:
    """Return all limits that are known without a request, each once."""
    found = [SiteLimit(find_limiter(name)) for name in api_settings.limiters]
    found.append(SiteLimit(failed_auth_limiter()))
    for placed in placed_throttles():
        if placed.limiters is not None:
            found += map(SiteLimit, limiters_of(placed.limiters))
        elif placed.scope is not None:
            found.append(_limit_of(placed.throttle, placed.scope))
    return [limit for number, limit in enumerate(found) if limit not in found[:number]]


def failed_auth_limiter() -> Limiter:
    """Return the limit of refused tokens as a limiter."""
    return Limiter(
        name=FAILED_AUTH,
        rate=api_settings.failed_auth_rate,
        by="address",
        on_cache_failure=failed_auth_policy(),
    )


def _limit_of(throttle: Any, scope: str) -> SiteLimit:
    """Return a throttle that counts in a scope as a limiter."""
    has_own_rate = throttle.get_rate not in (BaseRateThrottle.get_rate, TokenRateThrottle.get_rate)
    of_token = throttle.get_rate is TokenRateThrottle.get_rate and throttle.rate is UNSET
    is_plain = throttle.get_ident is LimitThrottle.get_ident
    by = BY.get(throttle.get_cache_key) if is_plain else None
    limiter = Limiter(
        name=scope,
        rate=throttle.get_rate if has_own_rate else _rate_of(throttle, scope),
        rate_attribute="token.rate" if of_token else None,
        by=by or throttle.get_cache_key,
        window=throttle.window,
        on_cache_failure=throttle.on_cache_failure,
        shadow=throttle.shadow,
    )
    return SiteLimit(limiter, has_bare_key=by is None)


def _rate_of(throttle: Any, scope: str) -> Any:
    rates: Mapping[str, Any] = drf_settings.DEFAULT_THROTTLE_RATES or {}
    return rates.get(scope, "") if throttle.rate is UNSET else throttle.rate
