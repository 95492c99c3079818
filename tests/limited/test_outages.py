"""Stores that are stopped, frozen and started again while clients go on asking.

What ``tests/outages`` asks of the example is asked here of limits: nobody restarts the processes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.example.support import Answer, Site
from tests.outages.load import Load
from tests.services import PATIENCE, CacheServer

from .conftest import Serve

pytestmark = pytest.mark.servers

each_store = pytest.mark.parametrize(
    ("kind", "storage"),
    [("redis", False), ("memcached", False), ("redis", True), ("memcached", True)],
    ids=["redis-cache", "memcached-cache", "redis-storage", "memcached-storage"],
)
LIMIT, PROCESSES = 5, 2
POLICIES = ("open", "closed", "local")


class LimitedLoad(Load):
    """Clients of limits that they do not reach, more than there are threads to answer them.

    So no thread stays idle, and finds out only later what has become of the store.
    """

    KINDS = POLICIES * 4

    def ask(self, what: str, site: Site, name: str) -> Answer:
        return site.request(f"/limited/{what}-1000000")

    def answers(self, what: str) -> list[Answer]:
        return [told.answer for told in self.told if told.what == what]


def is_counted(answer: Answer) -> bool:
    return "X-RateLimit-Remaining" in answer.headers


@contextmanager
def gone(server: CacheServer) -> Iterator[None]:
    """Stop a store, and start it again, with nothing in it."""
    server.stop()
    yield
    server.start()


@contextmanager
def frozen(server: CacheServer) -> Iterator[None]:
    """Let a store answer nobody."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


def ask(site: Site, limiter: str, times: int) -> list[Answer]:
    """Return the answers to one asker whom nobody has seen."""
    asker = site.from_new_address()
    return [asker.request(f"/limited/{limiter}") for _ in range(times)]


def assert_each_does_as_it_says(site: Site) -> None:
    """The policies, for askers whom nobody has seen, while nothing can be counted."""
    passed = ask(site, "open-5", 3 * LIMIT)
    assert {(answer.status, is_counted(answer)) for answer in passed} == {(200, False)}
    refused = ask(site, "closed-5", LIMIT)
    assert {answer.status for answer in refused} == {503}
    assert all(answer.json() == {"message": "Service unavailable."} for answer in refused)
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    local = ask(site, "local-5", 4 * LIMIT * PROCESSES)
    assert {answer.status for answer in local} == {200, 429}
    assert all(is_counted(answer) for answer in local)
    answered_by = Counter(answer.headers["X-Process"] for answer in local)
    passed_by = Counter(answer.headers["X-Process"] for answer in local if answer.status == 200)
    assert passed_by == {process: min(LIMIT, n) for process, n in answered_by.items()}
    assert len(passed_by) <= PROCESSES


def wait_until_counted(load: LimitedLoad) -> None:
    """Return once each thread counts again: memcached's client asks later whether it is back.

    pymemcache (4.0) gives a server up with a request that it answers, if two had failed before. So
    many answers in a row do not come from threads that have yet to do so.
    """
    deadline, start = time.monotonic() + PATIENCE, len(load.answers("open"))
    while time.monotonic() < deadline:
        last = load.answers("open")[start:][-100:]
        if len(last) == 100 and all(map(is_counted, last)):
            return
        time.sleep(0.05)
    raise AssertionError("limits are not counted again")


COUNTED_RIGHT = [*((200, str(left)) for left in (4, 3, 2, 1, 0)), *[(429, "0")] * 3]


def wait_until_counted_right(site: Site) -> None:
    """Return once each policy counts a new client exactly.

    Not at once on a busy machine: a store that takes longer than its time-out of a second is one
    that does not answer.
    """
    deadline = time.monotonic() + PATIENCE
    for policy in POLICIES:
        told: list[tuple[int, str | None]] = []
        while told != COUNTED_RIGHT:
            assert time.monotonic() < deadline, told
            answers = ask(site, f"{policy}-5", LIMIT + 3)
            told = [(a.status, a.headers.get("X-RateLimit-Remaining")) for a in answers]


@each_store
def test_a_store_that_goes_and_comes_back(kind: str, storage: bool, serve: Serve) -> None:
    site, server = serve(kind, storage=storage, processes=PROCESSES, threads=4, time_out=1)
    wait_until_counted_right(site)
    load = LimitedLoad(site)
    with load.running():
        load.until(*((policy, 200) for policy in POLICIES))
        with gone(server):
            load.until(("open", 200), ("closed", 503), ("local", 200))
            assert_each_does_as_it_says(site)
        wait_until_counted(load)
        load.until(*((policy, 200) for policy in POLICIES))
    wait_until_counted_right(site)
    assert load.statuses("open") == {200}
    assert load.statuses("local") == {200}
    assert all(map(is_counted, load.answers("local")))
    # What passes has been counted.
    assert load.statuses("closed") == {200, 503}
    assert all(is_counted(a) for a in load.answers("closed") if a.status == 200)


@each_store
def test_a_store_that_does_not_answer(kind: str, storage: bool, serve: Serve) -> None:
    """Requests wait for its time-out, here a second, and then do as each limit says."""
    site, server = serve(kind, storage=storage, processes=PROCESSES, threads=4, time_out=1)
    wait_until_counted_right(site)
    expected = {"open": (200, False), "closed": (503, False), "local": (200, True)}
    # All at once, since each of them waits.
    asked = [*expected] * 2
    with frozen(server), ThreadPoolExecutor(len(asked)) as pool:
        answers = [*pool.map(lambda policy: ask(site, f"{policy}-5", 1)[0], asked)]
    found = [(answer.status, is_counted(answer)) for answer in answers]
    assert found == [expected[policy] for policy in asked]
    load = LimitedLoad(site)
    with load.running():
        wait_until_counted(load)
    wait_until_counted_right(site)
