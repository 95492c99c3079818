"""Fixtures for all tests, the choice of the suite, the option for another folder of recordings.

`python -m pytest` without a path or `-m` runs the fast suite, in one process per core. With a path
it runs all tests below the path, in one process. pyproject.toml describes the marks.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.core.cache import BaseCache, cache
from django.urls import path
from django.utils import timezone, translation
from hypothesis import HealthCheck
from rest_framework.test import APIClient

import connectnow_api.limits
from connectnow_api.audit import receivers
from connectnow_api.models import APIToken
from connectnow_api.outages import Outages
from connectnow_api.signals import TOKEN_SIGNALS

from .at_once import Crew
from .services import BACKENDS, CacheServer, shared_cache

# No deadline and no check of speed: a slow example can be due to a busy machine.
unhurried = hypothesis.settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in every run: other ones are for the long form, which runs before a release.
hypothesis.settings.register_profile("unhurried", unhurried, derandomize=True)
hypothesis.settings.register_profile("long", unhurried, max_examples=3000)
hypothesis.settings.load_profile("long" if os.environ.get("TEST_LONG") else "unhurried")
fixtures_once = hypothesis.settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
"""For tests whose examples share what their fixtures have made."""

GOLDEN_DIR = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden-dir",
        type=Path,
        default=GOLDEN_DIR,
        help="folder with the recorded answers of Laravel (pagination.json, ...)",
    )


# --- Suites -----------------------------------------------------------------------------------

TESTS = Path(__file__).parent
FAST = "not (servers or hostile or browser)"
SUITES_BY_FOLDER = {"browser", "docs", "hostile"}
"""Folders whose tests carry the folder's name as mark."""
WORKERS = 8
"""The most processes of one run: each creates databases and collects all tests again."""


def runs_everything(config: pytest.Config) -> bool:
    """Return whether the command names no path, so that tests come from ``testpaths``."""
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run tests that are named by path in this process: they end before workers have started."""
    if config.option.collectonly or not runs_everything(config):
        return 0
    return min(WORKERS, os.cpu_count() or 1)


def pytest_configure(config: pytest.Config) -> None:
    if runs_everything(config) and not config.option.markexpr:
        config.option.markexpr = FAST


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by folder, and those whose fixtures ask a database or a cache."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in SUITES_BY_FOLDER:
            item.add_marker(folder)
        if item.get_closest_marker("servers") or folder in {"browser", "hostile"}:
            continue
        fixtures = {*getattr(item, "fixturenames", ())}
        if item.get_closest_marker("django_db") or {"db", "transactional_db"} & fixtures:
            item.add_marker("databases")
        if folder == "engines" or "each_cache" in fixtures:
            item.add_marker("caches")


def load_golden(config: pytest.Config, name: str) -> list[Any]:
    """Return the recorded cases of one file, each with its place in the file as its test id."""
    file: Path = config.getoption("golden_dir") / f"{name}.json"
    cases = json.loads(file.read_text(encoding="utf-8"))
    return [pytest.param(case, id=f"{name}-{index}") for index, case in enumerate(cases)]


@pytest.fixture(autouse=True)
def language_of_the_settings() -> Iterator[None]:
    """LocaleMiddleware leaves a request's language active in the thread, so for the next test."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    """No test finds what another one stored."""
    cache.clear()


@pytest.fixture(autouse=True)
def no_audit() -> None:
    """Nothing is written into the audit table, which other tests would have to count."""
    for signal in TOKEN_SIGNALS.values():
        signal.disconnect(dispatch_uid=receivers.UID)


@pytest.fixture
def audit(no_audit: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write what becomes of tokens into the audit table, with no outage left from before."""
    monkeypatch.setattr(receivers, "_outages", Outages(logging.getLogger(receivers.__name__)))
    # A request of another test may not have been told to end: of Django's asynchronous client, say.
    receivers.finish()
    receivers.connect()


@pytest.fixture(params=BACKENDS)
def each_cache(request: pytest.FixtureRequest, settings: Any) -> BaseCache:
    """Django's default cache: of each kind in turn, empty."""
    settings.CACHES = {"default": shared_cache(request.param)}
    return cache


CacheServers = Callable[[str], CacheServer]


@pytest.fixture
def start_cache(settings: Any) -> Iterator[CacheServers]:
    """Make a private server Django's default cache: ``server = start_cache("redis")``.

    It can be stopped and started again.
    """
    started = []

    def start_cache(kind: str) -> CacheServer:
        started.append(server := CacheServer(kind))
        settings.CACHES = {"default": server.settings}
        return server

    yield start_cache
    for server in started:
        server.stop()


@pytest.fixture
def client() -> APIClient:
    """DRF's test client; a crash is raised, as in production it is re-raised to Django."""
    return APIClient()


Mount = Callable[..., None]


@pytest.fixture
def mount(settings: Any) -> Mount:
    """Mount views for this test: ``mount({"flat/books": View.as_view()})``."""

    def mount(routes: dict[str, Any]) -> None:
        settings.ROOT_URLCONF = tuple(path(route, view) for route, view in routes.items())

    return mount


@pytest.fixture
def user(django_user_model: Any) -> Any:
    """A user of the site."""
    return django_user_model.objects.create_user("ada", "ada@example.com", "secret")


@pytest.fixture
def issue(user: Any) -> Callable[..., Any]:
    """Issue a token of ``user``: ``token, plain_text = issue(abilities=[...])``.

    With ``expires_at`` in the past it is one that has expired since.
    """

    def issue(**kwargs: Any) -> Any:
        since = kwargs.get("expires_at")
        has_expired = since is not None and since <= timezone.now()
        kwargs |= {"expires_at": None} if has_expired else {}
        new = APIToken.objects.issue(kwargs.pop("owner", user), "laptop", **kwargs)
        if has_expired:
            new.token.expires_at = since
            new.token.save(update_fields=["expires_at"])
        return new

    return issue


@pytest.fixture(scope="session")
def crew() -> Iterator[Crew]:
    """Change one token in several processes at once (threads on SQLite)."""
    crew = Crew()
    yield crew
    crew.dismiss()


@pytest.fixture
def limits(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the limits on, with no outage left from before."""
    settings.RATELIMIT_ENABLE = True
    logger = logging.getLogger(connectnow_api.limits.__name__)
    monkeypatch.setattr(connectnow_api.limits, "_outages", Outages(logger))


class Clock:
    """The time of day that limits and their cache go by; it stands until it is set."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stop the clock."""
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock


Stored = Callable[[], list[str]]


@pytest.fixture
def stored(limits: None, settings: Any) -> Stored:
    """Switch the limits on, over memory, and return the keys that it holds when asked."""
    settings.CACHES = {"default": {"BACKEND": BACKENDS["locmem"]}}
    cache.clear()
    return lambda: list(cache._cache)


class BrokenCache(BaseCache):
    """A cache whose server is gone."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        raise ConnectionRefusedError("gone")


@pytest.fixture
def outage(limits: None, settings: Any) -> None:
    """Switch the limits on, over a cache that cannot be reached."""
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.BrokenCache"}}
