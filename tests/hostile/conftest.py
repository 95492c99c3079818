"""A seeded database to attack, and the example behind each of its servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.example import conftest as example
from tests.example.conftest import NewSeeded, Seeded
from tests.example.support import Site, environment, serve, serve_as_documented

INSIDE = Path(__file__).with_name("inside.py")
LONG = bool(os.environ.get("TEST_LONG"))
"""Whether to send twenty times as many requests: ``.ci/hostile --long`` sets the variable."""
TIMEOUT = 3600 if LONG else 600
"""Seconds for one process to send all its requests, on a busy machine."""

new_database, template = example.new_database, example.template
new_seeded = example.new_seeded


def examples(short: int) -> int:
    """Return the number of generated requests: twenty times as many in the long form."""
    return 20 * short if LONG else short


def effort(short: int) -> dict[str, Any]:
    """Return settings of hypothesis: the short form sends the same requests in each run."""
    return {"max_examples": examples(short), "derandomize": not LONG}


@pytest.fixture(scope="session")
def seeded(new_seeded: NewSeeded) -> Seeded:
    """The rows that requests within a process find, which are rolled back."""
    return new_seeded()


Run = Callable[..., str]


@pytest.fixture(scope="session")
def inside(seeded: Seeded) -> Run:
    """Run ``inside.py`` with arguments and return what it prints; it has to end well."""

    def run(*arguments: object) -> str:
        # Counted in memory, which is emptied before each request.
        variables = {**environment(seeded.url), "REDIS_URL": ""}
        done = subprocess.run(
            [sys.executable, "-W", "error", INSIDE, *map(str, arguments)],
            env=variables,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-20_000:]
        return done.stdout

    return run


@pytest.fixture(scope="session")
def routes(inside: Run) -> list[tuple[str, list[str]]]:
    """Each path of the example's URLconf, with its methods."""
    return [(template, methods) for template, methods in json.loads(inside("routes"))]


Serve = Callable[..., AbstractContextManager[Site]]


@pytest.fixture(scope="session")
def serve_by(tmp_path_factory: pytest.TempPathFactory, new_seeded: NewSeeded) -> Serve:
    """Serve the example with its own rows: ``serve_by("gunicorn", "folder")``, or ``"demo"``."""

    @contextmanager
    def serve_by(program: str, name: str, **options: Any) -> Iterator[Site]:
        folder, seeded = tmp_path_factory.mktemp(name), new_seeded()
        if program == "demo":
            with serve(folder, seeded.url) as (site, _):
                yield site
        else:
            options |= {"credentials": seeded.file}
            with serve_as_documented(program, folder, seeded.url, **options) as site:
                yield site

    return serve_by


@pytest.fixture(scope="session")
def gunicorn_server(serve_by: Serve) -> Iterator[Site]:
    """The example behind four processes, as documented, whose seeded rows nobody removes."""
    with serve_by("gunicorn", "gunicorn") as site:
        yield site


@pytest.fixture(scope="session")
def demo_server(serve_by: Serve) -> Iterator[Site]:
    """The running ``demo``, whose seeded rows nobody removes."""
    with serve_by("demo", "demo") as site:
        yield site


@pytest.fixture(params=["gunicorn", "demo"])
def site(request: pytest.FixtureRequest) -> Site:
    """The example behind each server, asked from an address that no other test has."""
    server: Any = request.getfixturevalue(f"{request.param}_server")
    return server.from_new_address()


@pytest.fixture(params=["gunicorn", "uvicorn", "demo"])
def expendable(request: pytest.FixtureRequest, serve_by: Serve) -> Iterator[Site]:
    """The example behind each server and one of ASGI, with rows that a test may remove."""
    name = f"expendable-{request.param}"
    with serve_by(request.param, name, options="--workers 2") as site:
        yield site.from_new_address()
