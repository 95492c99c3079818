"""Limits hold through the whole request path, whatever the number of processes and threads."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.example.support import Answer, Site
from tests.services import PATIENCE

from .conftest import Serve

pytestmark = pytest.mark.servers

LIMIT, REQUESTS, CLIENTS, PROCESSES = 100, 400, 32, 4


def ask_at_once(site: Site, limiter: str, times: int) -> list[Answer]:
    """Return the answers to many requests of one asker."""
    asker = site.from_new_address()
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda _: asker.request(f"/limited/{limiter}"), range(times)))


def processes_of(answers: list[Answer]) -> set[str]:
    return {answer.headers["X-Process"] for answer in answers}


def wait_for_all_processes(site: Site) -> None:
    """Return once each has answered: the first to be ready would else have answered all."""
    found: set[str] = set()
    deadline = time.monotonic() + PATIENCE
    while len(found) < PROCESSES:
        assert time.monotonic() < deadline, found
        found |= processes_of(ask_at_once(site, "open-1000000", CLIENTS))


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
    """Of 400 requests, 32 at once, behind 4 processes with 8 threads each."""
    # On a busy machine nothing is to pass uncounted.
    site, _server = serve(
        kind, storage=storage, processes=PROCESSES, threads=8, time_out=PATIENCE // 2
    )
    wait_for_all_processes(site)
    for limiter in limiters:
        answers = ask_at_once(site, limiter, REQUESTS)
        assert Counter(answer.status for answer in answers) == {200: LIMIT, 429: REQUESTS - LIMIT}
        passed = [answer for answer in answers if answer.status == 200]
        # Each was told another number of those that remain.
        remaining = {int(answer.headers["X-RateLimit-Remaining"]) for answer in passed}
        assert remaining == {*range(LIMIT)}
        assert len(processes_of(answers)) > 1
