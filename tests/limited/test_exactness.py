"""Limits hold through the whole request path, whatever the number of processes and threads."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.example.support import Answer, Site

from .conftest import Serve

LIMIT, REQUESTS, CLIENTS = 100, 1000, 50


def ask_at_once(site: Site, path: str) -> list[Answer]:
    """Return the answers to many requests of one asker."""
    asker = site.from_new_address()
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda _: asker.request(path), range(REQUESTS)))


@pytest.mark.parametrize(
    ("kind", "storage", "limiters"),
    [
        ("redis", False, ["exact"]),
        ("memcached", False, ["exact"]),
        ("redis", True, ["exact", "moving"]),
        ("memcached", True, ["exact"]),
    ],
    ids=["redis-cache", "memcached-cache", "redis-storage", "memcached-storage"],
)
def test_exactly_the_limit_passes(
    kind: str, storage: bool, limiters: list[str], serve: Serve
) -> None:
    """Of 1,000 requests at once, behind 8 processes with 8 threads each."""
    site, _server = serve(kind, storage=storage, processes=8, threads=8)
    for limiter in limiters:
        answers = ask_at_once(site, f"/limited/{limiter}")
        assert Counter(answer.status for answer in answers) == {200: LIMIT, 429: REQUESTS - LIMIT}
        passed = [answer for answer in answers if answer.status == 200]
        # Each was told another number of those that remain.
        remaining = {int(answer.headers["X-RateLimit-Remaining"]) for answer in passed}
        assert remaining == {*range(LIMIT)}
        assert len({answer.json()["process"] for answer in passed}) > 1
