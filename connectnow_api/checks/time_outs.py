"""Stores that requests would wait for without end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.db import connections

from .messages import check_id

DATABASES: Mapping[str, tuple[str, str]] = {
    "postgresql": ("connect_timeout", '"OPTIONS": {"connect_timeout": 5}'),
    "mysql": ("read_timeout", '"OPTIONS": {"connect_timeout": 5, "read_timeout": 30}'),
}
"""End of an engine's name to the option that it waits without end without, and what to write."""

CACHES: Mapping[str, tuple[str, str]] = {
    "django.core.cache.backends.redis.RedisCache": (
        "socket_timeout",
        '"OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1}',
    ),
    "django_redis.cache.RedisCache": (
        "SOCKET_TIMEOUT",
        '"OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 1}',
    ),
    "django.core.cache.backends.memcached.PyMemcacheCache": (
        "timeout",
        '"OPTIONS": {"connect_timeout": 1, "timeout": 1}',
    ),
}
"""The same for caches, by backend."""


def check_time_outs(**kwargs: Any) -> list[CheckMessage]:
    """Report databases and caches that hold requests up for as long as they do not answer."""
    return [
        *_check("DATABASES", connections.settings, _of_database),
        *_check("CACHES", django_settings.CACHES, lambda found: CACHES.get(found["BACKEND"])),
    ]


def _of_database(found: Mapping[str, Any]) -> tuple[str, str] | None:
    kind = str(found.get("ENGINE", "")).rpartition(".")[2]
    if kind == "postgresql" and (os.environ.get("PGCONNECT_TIMEOUT") or _has_service(found)):
        # libpq is told elsewhere, or may be.
        return None
    return DATABASES.get(kind)


def _has_service(found: Mapping[str, Any]) -> bool:
    return bool((found.get("OPTIONS") or {}).get("service"))


def _check(setting: str, stores: Mapping[str, Any], need_of: Any) -> Iterator[CheckMessage]:
    for alias, found in stores.items():
        need = need_of(found)
        if need is None or _says(need[0], found):
            continue
        option, hint = need
        message = (
            f"{setting}[{alias!r}] has no {option}: while it does not answer, neither does the API."
        )
        yield CheckWarning(
            message, hint=f"Add {hint} to {setting}[{alias!r}].", id=check_id("W023")
        )


def _says(option: str, found: Mapping[str, Any]) -> bool:
    """Tell whether a time-out is given as an option, or in the URL of a Redis."""
    location = found.get("LOCATION") or ()
    urls = [location] if isinstance(location, str) else location
    given = (found.get("OPTIONS") or {}).get(option)
    return given is not None or any(f"{option}=" in str(url) for url in urls)
