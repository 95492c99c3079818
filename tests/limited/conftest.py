"""The site behind gunicorn, and its store: one of each kind for all tests."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.example.support import EXAMPLE, ROOT, Site, end, environment
from tests.services import PATIENT, CacheServer, free_port, wait_for_port

Serve = Callable[..., tuple[Site, CacheServer]]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Serve the site with a store of its own: ``site, server = serve("redis", …)``.

    With ``storage`` it is ``LIMIT_STORAGE``, else the cache. Equal calls share a server.
    """
    with ExitStack() as stack:

        @functools.cache
        def serve(
            kind: str, *, storage: bool, processes: int, threads: int, time_out: int
        ) -> tuple[Site, CacheServer]:
            server = CacheServer(kind)
            stack.callback(server.stop)
            variables = {
                "LIMITED_STORE": kind,
                "LIMITED_LOCATION": server.location,
                "LIMITED_TIME_OUT": str(time_out),
                "LIMITED_STORAGE": "1" if storage else "",
            }
            folder = tmp_path_factory.mktemp(kind)
            running = gunicorn(folder, processes, threads, variables)
            return stack.enter_context(running), server

        yield serve


@contextmanager
def gunicorn(
    folder: Path, processes: int, threads: int, variables: dict[str, str]
) -> Iterator[Site]:
    """Run the example's command with other settings, at a free port."""
    port, log = free_port(), folder / "log"
    options = ["--workers", str(processes), "--threads", str(threads), "--log-level", "error"]
    # Preloaded, many processes start in the time of one.
    options += ["--preload", *PATIENT["gunicorn"], "--backlog", "2048"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"),
                *("--config", EXAMPLE / "gunicorn.conf.py", *options),
            ],
            env={
                **environment(f"sqlite:///{folder / 'unused.sqlite3'}"),
                "DJANGO_SETTINGS_MODULE": "tests.limited.settings",
                "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
                **variables,
            },
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        wait_for_port(port, process)
        yield Site({"base_url": f"http://127.0.0.1:{port}", "tokens": {}}, log)
    finally:
        assert end(process) == 0, log.read_text()
