"""Clients that go on asking while servers go and come back, and what they were told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple

from tests.example.help_desk import TICKET, post
from tests.example.support import Answer, Site
from tests.services import PATIENCE

_numbers = count()


class Told(NamedTuple):
    """One request and its answer."""

    what: str
    name: str
    answer: Answer


class Load:
    """What several clients ask, at once and again and again, and what they were answered."""

    KINDS: Sequence[str] = ("read", "write", "write", "write", "idle", "read")
    """What each of the clients asks."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.prefix = f"outage {next(_numbers)} "
        """What the subjects of this load's tickets begin with."""
        self.told: list[Told] = []
        self._over = threading.Event()
        self._lock = threading.Lock()

    # Each asks from an address of its own, so that no limit but that of users is met.

    def read(self, site: Site) -> Answer:
        """Ask for rows, which takes the database."""
        return site.request("/api/issues?per_page=2")

    def write(self, site: Site, name: str) -> Answer:
        """Open a ticket, which is rows in four tables: all of them or none."""
        email = f"{name.replace(' ', '.')}@example.com"
        ticket = {**TICKET, "subject": name, "from_contact": {"email": email}, "tags": [1]}
        return post(site, "tickets", **ticket)

    def idle(self, site: Site) -> Answer:
        """Ask what takes no database: a path that is not there."""
        return site.request("/api/nowhere")

    def ask(self, what: str, site: Site, name: str) -> Answer:
        """Send one request of a kind, and return the answer."""
        return self.write(site, name) if what == "write" else getattr(self, what)(site)

    def _ask_on(self, what: str) -> None:
        site = self.site.from_new_address()
        while not self._over.is_set():
            name = f"{self.prefix}{next(_numbers)}"
            answer = self.ask(what, site, name)
            with self._lock:
                self.told.append(Told(what, name, answer))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ask in as many threads until the block ends; raise what went wrong in one of them."""
        with ThreadPoolExecutor(len(self.KINDS)) as pool:
            asking: list[Future[None]] = [pool.submit(self._ask_on, kind) for kind in self.KINDS]
            try:
                yield
            finally:
                self._over.set()
        for each in asking:
            each.result()

    def until(self, *wanted: tuple[str, int]) -> None:
        """Return once each of ``wanted``, what was asked and a status, was answered from now on."""
        start, deadline = len(self.told), time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with self._lock:
                found = {(told.what, told.answer.status) for told in self.told[start:]}
            if found >= {*wanted}:
                return
            time.sleep(0.05)
        raise AssertionError(f"{wanted} are not among {found}")

    def statuses(self, what: str) -> set[int]:
        """Return how requests of one kind were answered."""
        return {told.answer.status for told in self.told if told.what == what}

    def written(self, is_status: Callable[[int], bool]) -> set[str]:
        """Return the names of the tickets whose creation was answered so."""
        return {t.name for t in self.told if t.what == "write" and is_status(t.answer.status)}
