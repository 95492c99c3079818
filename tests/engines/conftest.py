"""Clocks and counters, and the Redis that the tests are given."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from limits.storage import storage_from_string

from connectnow_api.engines import Counter
from connectnow_api.engines.storages import RedisEngine
from connectnow_api.rates import Rate
from tests.conftest import Clock
from tests.services import REDIS_URL, RUN, lack

_numbers = count(1)


def a_counter(limit: int = 3, seconds: int = 60, **fields: Any) -> Counter:
    """Return a counter that no other test has, unless ``scope`` and ``asker`` are given."""
    number = next(_numbers)
    names = {"scope": f"{number:016x}", "asker": f"{number:032x}"}
    return Counter(**{**names, "rate": Rate(limit, seconds), **fields})


def new_prefix() -> str:
    """Return what no other test's keys begin with."""
    return f"{RUN}-engines-{next(_numbers)}"


@pytest.fixture(scope="session")
def redis_url() -> str:
    """The URL of a Redis that others may use, too."""
    return REDIS_URL or lack("TEST_REDIS_URL is not set")


@pytest.fixture(scope="session")
def redis_storage(redis_url: str) -> Iterator[Any]:
    """The same, as ``limits`` knows it."""
    storage = storage_from_string(redis_url)
    yield storage
    storage.get_connection().close()


@pytest.fixture
def stopped() -> Clock:
    """A clock that an engine may be given; it stands until it is set."""
    return Clock()


@pytest.fixture
def on_redis(redis_storage: Any, stopped: Clock) -> RedisEngine:
    """An engine on Redis that goes by ``stopped``."""
    return RedisEngine(redis_storage, new_prefix(), stopped)
