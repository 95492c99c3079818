"""Limits: the rates of throttles, and what counts them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.conf import settings as django_settings
from django.core.cache import caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from rest_framework.settings import api_settings as drf_settings

from connectnow_api.engines.caches import get_alias
from connectnow_api.limits import is_enabled
from connectnow_api.mounted import mounted_views
from connectnow_api.settings import UNSET, api_settings
from connectnow_api.site_limits import PlacedThrottle, placed_throttles
from connectnow_api.throttling import BaseRateThrottle, LimiterThrottle, TokenRateThrottle

from .limit_storage import check_storage, check_storage_in_memory
from .limiters import check_limiters, check_shadows, check_windows
from .messages import check_id, close_match, label
from .settings import needs_sound_settings
from .values import is_cache_policy, is_rates

RATES = 'REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]'
REDIS = (
    '{"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": '
    '"redis://127.0.0.1:6379/0", "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1}}'
)
LOCMEM = '{"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}'


@needs_sound_settings
def check_limits(**kwargs: Any) -> list[CheckMessage]:
    """Report rates that cannot be read and caches that cannot count."""
    throttles = [*placed_throttles()]
    found: list[CheckMessage] = []
    for placed in {(placed.throttle, placed.scope): placed for placed in throttles}.values():
        if issubclass(placed.throttle, BaseRateThrottle):
            found += [*_check_rate(placed, placed.throttle), *_check_policy(placed.throttle)]
    found += [*check_windows(throttles), *check_limiters(throttles)]
    return _once([*found, *(_check_store() if _counts_anything(throttles) else ())])


@needs_sound_settings
def check_limits_of_production(**kwargs: Any) -> list[CheckMessage]:
    """Report counters that each process would have for itself, and limits that refuse nothing."""
    throttles = [*placed_throttles()]
    memory = _check_memory() if _counts_anything(throttles) else ()
    return [*_check_switches(), *memory, *check_shadows(throttles)]


def _once(messages: list[CheckMessage]) -> list[CheckMessage]:
    """Return each message once: several views may have one limiter."""
    return [message for number, message in enumerate(messages) if message not in messages[:number]]


def _check_rate(placed: PlacedThrottle, throttle: type[BaseRateThrottle]) -> Iterator[CheckMessage]:
    if throttle.get_rate not in (BaseRateThrottle.get_rate, TokenRateThrottle.get_rate):
        return
    if throttle.rate is UNSET:
        yield from _check_rate_of_scope(placed)
    elif throttle.rate is not None and not is_rates(throttle.rate):
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
    elif rates[scope] is not None and not is_rates(rates[scope]):
        message = f"{RATES}[{scope!r}] is {rates[scope]!r}, which is no rate."
        yield Error(message, hint=f'Write "{scope}": "60/m".', id=check_id("E008"))


def _check_policy(throttle: type[BaseRateThrottle]) -> Iterator[CheckMessage]:
    policy = throttle.on_cache_failure
    if policy is not UNSET and not is_cache_policy(policy):
        message = f"{label(throttle)}.on_cache_failure is {policy!r}."
        hint = 'Write on_cache_failure = "open", "closed" or "local".'
        yield Error(message, hint=hint, id=check_id("E008"))


def _check_switches() -> Iterator[CheckMessage]:
    if not is_enabled() or (_takes_tokens() and api_settings.failed_auth_rate is None):
        hint = 'Take RATELIMIT_ENABLE = False and "FAILED_AUTH_RATE": None out of the settings.'
        message = "Limits are switched off: tokens can be guessed without end."
        yield CheckWarning(message, hint=hint, id=check_id("W016"))


def _takes_tokens() -> bool:
    return any(view.token_authenticators for view in mounted_views())


def _counts_anything(throttles: Iterable[PlacedThrottle]) -> bool:
    """Tell whether there is a limit, be it that of refused tokens."""
    if not is_enabled():
        return False
    if api_settings.failed_auth_rate is not None and _takes_tokens():
        return True
    return any(
        placed.limiters is not None or not issubclass(placed.throttle, LimiterThrottle)
        for placed in throttles
    )


def _cache() -> Any:
    """Return the cache that counts, or what keeps it from being used at all."""
    try:
        cache = caches[get_alias()]
        # Django imports the library of a server only here.
        getattr(cache, "_cache", None)
    except Exception as exc:  # noqa: BLE001 - each library has errors of its own
        return exc
    return cache


def _check_store() -> Iterator[CheckMessage]:
    yield from _check_cache() if api_settings.limit_storage is None else check_storage()


def _check_cache() -> Iterator[CheckMessage]:
    alias, hint, cache = get_alias(), _shared_cache(), _cache()
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
    if api_settings.limit_storage is not None:
        yield from check_storage_in_memory()
    elif isinstance(_cache(), LocMemCache):
        message = f"The cache {get_alias()!r} is each process's own: so is each of their limits."
        yield CheckWarning(message, hint=_shared_cache(), id=check_id("W004"))


def _shared_cache() -> str:
    """Return what to paste into settings, which have ``CACHES`` already or not."""
    found: Any = django_settings
    assignment = f'CACHES["limits"] = {REDIS}'
    if not found.is_overridden("CACHES"):
        assignment = f'CACHES = {{"default": {LOCMEM}, "limits": {REDIS}}}'
    return f'`pip install redis`, then {assignment} and RATELIMIT_USE_CACHE = "limits".'
