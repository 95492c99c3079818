"""One smoke test per server: start it, compare one whole body, stop it.

These are the only tests outside of ``-m servers`` that start a server.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import NewSeeded
from .support import Site, end, serve, serve_as_documented
from .test_help_desk import TAG


def assert_answers(site: Site) -> None:
    """Assert that the server knows a token, its client and the seeded rows."""
    answer = site.as_acme("/api/v1/tags/1")
    assert (answer.status, answer.json()) == (200, {"data": TAG})


@pytest.mark.parametrize("program", ["gunicorn", "uvicorn"])
def test_the_documented_command_serves_and_ends(
    tmp_path: Path, new_seeded: NewSeeded, program: str
) -> None:
    seeded = new_seeded()
    options = {"options": "--workers 2", "credentials": seeded.file}
    # Leaving the context asserts the exit status.
    with serve_as_documented(program, tmp_path, seeded.url, **options) as site:
        assert_answers(site)


def test_the_demo_serves_and_ends(tmp_path: Path, new_seeded: NewSeeded) -> None:
    with serve(tmp_path, new_seeded().url) as (site, process):
        assert_answers(site)
        assert end(process) == 0
