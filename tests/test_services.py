"""The caches that other tests are given are what those take them for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import BaseCache, cache, caches, close_caches
from pymemcache import MemcacheError
from redis import RedisError

from .conftest import CacheServers
from .services import shared_cache

UNREACHABLE = (OSError, MemcacheError, RedisError)


def test_each_cache_is_empty_and_loses_no_count(each_cache: BaseCache) -> None:
    def count(_: int) -> None:
        cache.incr("number")
        close_caches()

    assert each_cache.add("number", 0)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(80)))
    assert each_cache.get("number") == 80


@pytest.mark.caches
def test_emptying_redis_takes_nothing_of_others(settings: Any) -> None:
    settings.CACHES = {name: shared_cache("redis") for name in ("default", "other")}
    for name in settings.CACHES:
        caches[name].set("key", name)
    cache.clear()
    assert [caches[name].get("key") for name in settings.CACHES] == [None, "other"]


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_a_cache_that_goes_and_comes_back(start_cache: CacheServers, kind: str) -> None:
    server = start_cache(kind)
    cache.set("key", 1)
    server.stop()
    with pytest.raises(UNREACHABLE):
        cache.get("key")
    server.start()
    close_caches()  # as after each request
    assert cache.get("key") is None
