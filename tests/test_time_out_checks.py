"""Stores that ``check --deploy`` finds without a time-out, and the lines that it says to paste."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connections

from connectnow_api.checks import check_time_outs

POSTGRESQL = {"ENGINE": "django.db.backends.postgresql"}
MARIADB = {"ENGINE": "django.db.backends.mysql"}
SQLITE = {"ENGINE": "django.db.backends.sqlite3"}
REDIS = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://a:6379"}
DJANGO_REDIS = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://a:6379"}
MEMCACHED = {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache"}
LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


@pytest.fixture(autouse=True)
def nothing_said_elsewhere(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CACHES = {"default": LOCMEM}
    monkeypatch.setitem(connections.settings, "default", SQLITE)
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)


def pasted(hint: str) -> Any:
    return eval(f"{{{hint.removeprefix('Add ').partition(' to ')[0]}}}")


@pytest.mark.parametrize("database", [POSTGRESQL, MARIADB])
def test_a_database_without_a_time_out(
    database: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.settings, "default", database)
    [message] = check_time_outs()
    assert message.id == "connectnow_api.W023"
    assert message.msg.startswith("DATABASES['default'] has no ")
    mended = {**database, **pasted(str(message.hint))}
    monkeypatch.setitem(connections.settings, "default", mended)
    assert check_time_outs() == []


@pytest.mark.parametrize("cache", [REDIS, DJANGO_REDIS, MEMCACHED])
def test_a_cache_without_a_time_out(cache: dict[str, Any], settings: Any) -> None:
    settings.CACHES = {"default": cache}
    [message] = check_time_outs()
    assert message.id == "connectnow_api.W023"
    assert message.msg.startswith("CACHES['default'] has no ")
    settings.CACHES = {"default": {**cache, **pasted(str(message.hint))}}
    assert check_time_outs() == []


def test_what_waits_for_nobody_or_is_told_elsewhere(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_time_outs() == []
    settings.CACHES = {"default": {**REDIS, "LOCATION": ["redis://a:6379?socket_timeout=1"]}}
    service = {**POSTGRESQL, "OPTIONS": {"service": "api"}}
    monkeypatch.setitem(connections.settings, "default", service)
    assert check_time_outs() == []
    monkeypatch.setitem(connections.settings, "default", POSTGRESQL)
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "5")
    assert check_time_outs() == []
