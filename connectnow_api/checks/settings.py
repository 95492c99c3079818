"""``CONNECTNOW_API``: keys, profiles, prefixes, values."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error

from connectnow_api.profiles import PROFILES, Profile
from connectnow_api.query_tokens import seconds_of
from connectnow_api.settings import PROFILE_KEYS, SITE_KEYS, api_settings

from .messages import SETTING, check_id, close_match
from .values import VALUES

Check = Callable[..., list[CheckMessage]]


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Report keys, profiles, prefixes and values of ``CONNECTNOW_API`` that cannot be."""
    values: Any = getattr(django_settings, "CONNECTNOW_API", {})
    if not isinstance(values, Mapping):
        hint = f'Write {SETTING} = {{"PROFILE": "helpspace"}}.'
        return [Error(f"{SETTING} is {values!r}, not a mapping.", hint=hint, id=check_id("E001"))]
    found = [*_check_keys(values), *_check_profiles(values), *_check_values(values)]
    return found or [*_check_idle_timeout(), *_check_time_zones(), *_check_sunset()]


def needs_sound_settings(check: Check) -> Check:
    """Let a check say nothing while the settings that it asks are wrong themselves."""

    @functools.wraps(check)
    def checked(**kwargs: Any) -> list[CheckMessage]:
        return [] if check_settings() else check(**kwargs)

    return checked


def _check_keys(values: Mapping[str, Any]) -> Iterator[CheckMessage]:
    known = [*PROFILE_KEYS, *SITE_KEYS]
    for key in values:
        if key not in known:
            message = f"{SETTING} has the key {key!r}, which does not exist."
            yield Error(message, hint=close_match(key, known), id=check_id("E001"))


def _check_profiles(values: Mapping[str, Any]) -> Iterator[CheckMessage]:
    if "PROFILE" in values:
        yield from check_profile(values["PROFILE"], f"{SETTING}['PROFILE']")
    prefixes = values.get("PREFIXES", {})
    if not isinstance(prefixes, Mapping):
        hint = f'Write {SETTING}["PREFIXES"] = {{"/api/": "helpspace"}}.'
        message = f"{SETTING}['PREFIXES'] is {prefixes!r}, not a mapping of path to profile."
        yield Error(message, hint=hint, id=check_id("E003"))
        return
    for prefix, profile in prefixes.items():
        yield from check_profile(profile, f"{SETTING}['PREFIXES'][{prefix!r}]")
        if not isinstance(prefix, str) or not prefix.startswith("/"):
            message = f"{SETTING}['PREFIXES'] has the prefix {prefix!r}, which is no path."
            hint = f"Write {'/' + str(prefix).lstrip('/')!r}."
            yield Error(message, hint=hint, id=check_id("E003"))


def check_profile(value: Any, place: str) -> Iterator[CheckMessage]:
    """Report a profile that does not exist; ``place`` says where it stands."""
    if not isinstance(value, Profile) and not (isinstance(value, str) and value in PROFILES):
        message = f"{place} is {value!r}, which is no profile."
        yield Error(message, hint=close_match(value, PROFILES), id=check_id("E002"))


def _check_values(values: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for key, (is_valid, expected, example) in VALUES.items():
        if key in values and not is_valid(values[key]):
            message = f"{SETTING}[{key!r}] is {values[key]!r}: it has to be {expected}."
            yield Error(message, hint=f'Write "{key}": {example}.', id=check_id("E004"))


def _check_idle_timeout() -> Iterator[CheckMessage]:
    if api_settings.token_idle_timeout is not None and api_settings.last_used == "off":
        message = f"{SETTING} has a TOKEN_IDLE_TIMEOUT, and LAST_USED is off: tokens die in use."
        hint = 'Write "LAST_USED": "database".'
        yield Error(message, hint=hint, id=check_id("E011"))


def _check_time_zones() -> Iterator[CheckMessage]:
    if not django_settings.USE_TZ:
        message = "USE_TZ is off: when a token expires could not be told."
        yield Error(message, hint="Write USE_TZ = True.", id=check_id("E014"))


def _check_sunset() -> Iterator[CheckMessage]:
    since, until = api_settings.query_token_deprecation, api_settings.query_token_sunset
    if since is not None and until is not None and seconds_of(until) < seconds_of(since):
        message = f"{SETTING}: QUERY_TOKEN_SUNSET comes before QUERY_TOKEN_DEPRECATION."
        hint = (
            "RFC 9745 wants what is deprecated to last until then at least: write a later sunset."
        )
        yield Error(message, hint=hint, id=check_id("E016"))
