"""django-ratelimit's counters, on any Django cache that adds to a number by itself.

The one module that knows django-ratelimit. Of that we use the counting: one ``add`` and ``incr``;
keys, rates and addresses are ours. ``RATELIMIT_USE_CACHE`` names the cache. The app itself does not
belong into ``INSTALLED_APPS``: its checks refuse caches that are fit.

Windows follow one another by the clock, shifted for each key.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.conf import settings as django_settings
from django.core.cache import BaseCache, caches
from django_ratelimit import core

from .counting import FIXED, Counter, Usage, look_and_add

GROUP = "connectnow_api"


def get_alias() -> str:
    """Return the name of the cache that counts."""
    return str(getattr(django_settings, "RATELIMIT_USE_CACHE", "default"))


class CacheEngine:
    """Counts in the cache that ``RATELIMIT_USE_CACHE`` names."""

    windows, shares = frozenset({FIXED}), False

    def hit(self, counters: Sequence[Counter]) -> list[Usage]:
        """Look where that is needed, then add; what is added decides."""
        return look_and_add(counters, self._look, self._add)

    def peek(self, counters: Sequence[Counter]) -> list[Usage]:
        """Return how each stands."""
        return [self._look(counter) for counter in counters]

    def reset(self, counters: Sequence[Counter]) -> None:
        """Remove the counters of the current windows."""
        self._cache().delete_many([self._key(counter) for counter in counters])

    def _add(self, counter: Counter) -> Usage:
        count = self._add_one(counter) if counter.cost == 1 else self._add_several(counter)
        if not count:
            raise ConnectionError("the cache does not count")
        return self._usage(counter, count)

    def _add_one(self, counter: Counter) -> int:
        value, rate = self._value(counter), tuple(counter.rate)
        found = core.get_usage(None, group=GROUP, key=lambda *_: value, rate=rate, increment=True)
        return int(found["count"]) if found else 0

    def _add_several(self, counter: Counter) -> int:
        """Do as django-ratelimit does, which adds one: a second step could find another window."""
        cache, key = self._cache(), self._key(counter)
        if cache.add(key, counter.cost, counter.rate.seconds + core.EXPIRATION_FUDGE):
            return counter.cost
        return int(cache.incr(key, counter.cost))

    def _look(self, counter: Counter) -> Usage:
        cache, key = self._cache(), self._key(counter)
        count = cache.get(key)
        if count is None:
            # memcached's client has the same answer for no counter and for no server.
            cache.add(key, 0, counter.rate.seconds + core.EXPIRATION_FUDGE)
            count = cache.get(key)
        if count is None:
            raise ConnectionError("the cache does not count")
        return self._usage(counter, count)

    def _usage(self, counter: Counter, count: int) -> Usage:
        now = time.time()
        # The second in which it ends still belongs to a window.
        end = core._get_window(self._value(counter), counter.rate.seconds) + 1
        return Usage(counter.rate.limit, int(count), end, now)

    def _cache(self) -> BaseCache:
        found: BaseCache = caches[get_alias()]
        return found

    def _value(self, counter: Counter) -> str:
        return f"{counter.scope}:{counter.asker}"

    def _key(self, counter: Counter) -> str:
        """Return where django-ratelimit 4.1 keeps the count, which it has no public name for."""
        value, rate = self._value(counter), tuple(counter.rate)
        window = core._get_window(value, counter.rate.seconds)
        key: str = core._make_cache_key(GROUP, window, rate, value, core.ALL)
        return key
