"""Limits: their rates, and the cache that counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.cache import caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from rest_framework.settings import api_settings as drf_settings

from connectnow_api.limits import is_enabled
from connectnow_api.settings import UNSET, api_settings
from connectnow_api.throttling import BaseRateThrottle, ScopedRateThrottle, TokenRateThrottle

from .messages import check_id, close_match, label
from .mounted import is_subclass, mounted_views
from .settings import needs_sound_settings
from .values import is_cache_policy, is_rate

RATES = 'REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]'
REDIS = (
    '{"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": '
    '"redis://127.0.0.1:6379/0", "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1}}'
)
LOCMEM = '{"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}'


class PlacedThrottle(NamedTuple):
    """A throttle class of ours where it stands."""

    throttle: type[BaseRateThrottle]
    place: str
    scope: str | None
    """What it counts there; ``None`` if that is nothing, or decided with each request."""


@needs_sound_settings
def check_limits(**kwargs: Any) -> list[CheckMessage]:
    """Report rates that cannot be read and caches that cannot count."""
    found: list[CheckMessage] = []
    for placed in {(placed.throttle, placed.scope): placed for placed in _throttles()}.values():
        found += [*_check_rate(placed), *_check_policy(placed)]
    return [*found, *(_check_cache() if _counts_anything() else ())]


@needs_sound_settings
def check_limits_of_production(**kwargs: Any) -> list[CheckMessage]:
    """Report counters that each process would have for itself, and limits that are off."""
    return [*_check_switches(), *(_check_memory() if _counts_anything() else ())]


def _throttles() -> Iterator[PlacedThrottle]:
    """Yield our throttles: the default ones, then those of the views."""
    defaults = drf_settings.DEFAULT_THROTTLE_CLASSES
    yield from _ours(defaults, "DEFAULT_THROTTLE_CLASSES", lambda *_: None)
    for view in mounted_views():
        yield from _ours(view.classes("throttle_classes"), view.label, view.get)


def _ours(classes: Any, place: str, get: Callable[[str], Any]) -> Iterator[PlacedThrottle]:
    for throttle in classes or ():
        if is_subclass(throttle, BaseRateThrottle):
            yield PlacedThrottle(throttle, place, _scope(throttle, get))


def _scope(throttle: type[BaseRateThrottle], get: Callable[[str], Any]) -> str | None:
    """Return the scope of a throttle on a view whose attributes ``get`` returns."""
    if throttle.get_scope is ScopedRateThrottle.get_scope:
        named = get(getattr(throttle, "scope_attr", ""))
        return named if isinstance(named, str) else None
    decides = throttle.get_scope is not BaseRateThrottle.get_scope
    return None if decides else throttle().get_scope(None)


def _check_rate(placed: PlacedThrottle) -> Iterator[CheckMessage]:
    throttle = placed.throttle
    if throttle.get_rate not in (BaseRateThrottle.get_rate, TokenRateThrottle.get_rate):
        return
    if throttle.rate is UNSET:
        yield from _check_rate_of_scope(placed)
    elif throttle.rate is not None and not is_rate(throttle.rate):
        message = f"{label(throttle)}.rate is {throttle.rate!r}, which is no rate."
        yield Error(message, hint='Write rate = "60/m".', id=check_id("E008"))


def _check_rate_of_scope(placed: PlacedThrottle) -> Iterator[CheckMessage]:
    # What the project says itself: by default DRF has two scopes, and both without a limit.
    rates: Mapping[str, Any] = drf_settings.user_settings.get("DEFAULT_THROTTLE_RATES") or {}
    scope = placed.scope
    if scope is None:
        return
    if scope not in rates:
        message = f"{placed.place} is limited in the scope {scope!r}, which has no rate."
        near = f" {close_match(scope, rates)}" if rates else ""
        hint = f'Add "{scope}": "60/m" to {RATES}.{near}'
        yield Error(message, hint=hint, id=check_id("E008"))
    elif rates[scope] is not None and not is_rate(rates[scope]):
        message = f"{RATES}[{scope!r}] is {rates[scope]!r}, which is no rate."
        yield Error(message, hint=f'Write "{scope}": "60/m".', id=check_id("E008"))


def _check_policy(placed: PlacedThrottle) -> Iterator[CheckMessage]:
    policy = placed.throttle.on_cache_failure
    if policy is not UNSET and not is_cache_policy(policy):
        message = f"{label(placed.throttle)}.on_cache_failure is {policy!r}."
        hint = 'Write on_cache_failure = "open" or "closed".'
        yield Error(message, hint=hint, id=check_id("E008"))


def _check_switches() -> Iterator[CheckMessage]:
    if not is_enabled() or (_takes_tokens() and api_settings.failed_auth_rate is None):
        hint = 'Take RATELIMIT_ENABLE = False and "FAILED_AUTH_RATE": None out of the settings.'
        message = "Limits are switched off: tokens can be guessed without end."
        yield CheckWarning(message, hint=hint, id=check_id("W016"))


def _takes_tokens() -> bool:
    return any(view.token_authenticators for view in mounted_views())


def _counts_anything() -> bool:
    """Tell whether there is a limit, be it that of refused tokens."""
    if not is_enabled():
        return False
    return (api_settings.failed_auth_rate is not None and _takes_tokens()) or any(_throttles())


def _alias() -> str:
    return str(getattr(django_settings, "RATELIMIT_USE_CACHE", "default"))


def _cache() -> Any:
    """Return the cache that counts, or what keeps it from being used at all."""
    try:
        cache = caches[_alias()]
        # Django imports the library of a server only here.
        getattr(cache, "_cache", None)
    except Exception as exc:  # noqa: BLE001 - each library has errors of its own
        return exc
    return cache


def _check_cache() -> Iterator[CheckMessage]:
    alias, hint, cache = _alias(), _shared_cache(), _cache()
    if isinstance(cache, Exception):
        message = f"Limits are counted in the cache {alias!r}, which cannot be used: {cache}."
        yield Error(message, hint=hint, id=check_id("E009"))
    elif isinstance(cache, DummyCache):
        message = f"The cache {alias!r} keeps nothing, so limits count nothing."
        yield Error(message, hint=hint, id=check_id("E009"))
    elif isinstance(cache, DatabaseCache | FileBasedCache):
        message = f"The cache {alias!r} loses counts when requests come at once: limits leak."
        yield CheckWarning(message, hint=hint, id=check_id("W004"))


def _check_memory() -> Iterator[CheckMessage]:
    if isinstance(_cache(), LocMemCache):
        message = f"The cache {_alias()!r} is each process's own: so is each of their limits."
        yield CheckWarning(message, hint=_shared_cache(), id=check_id("W004"))


def _shared_cache() -> str:
    """Return what to paste into settings, which have ``CACHES`` already or not."""
    found: Any = django_settings
    assignment = f'CACHES["limits"] = {REDIS}'
    if not found.is_overridden("CACHES"):
        assignment = f'CACHES = {{"default": {LOCMEM}, "limits": {REDIS}}}'
    return f'`pip install redis`, then {assignment} and RATELIMIT_USE_CACHE = "limits".'
