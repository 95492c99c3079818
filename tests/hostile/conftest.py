"""Servers to be asked badly, and how often."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from tests.example.conftest import NewDatabase, new_database
from tests.example.support import Site, serve_as_documented

__all__ = ["new_database"]

EXAMPLES = int(os.environ.get("TEST_HOSTILE_EXAMPLES") or 150)
"""How many requests each property sends; ``.ci/hostile --long`` asks for many more."""
REQUIRED = bool(os.environ.get("TEST_REQUIRE_HOSTILE"))
"""Whether schemathesis may not be missing."""

as_many = hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(scope="session", params=["gunicorn", "uvicorn"])
def target(
    request: Any, tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase
) -> Iterator[Site]:
    """The example behind four processes, by the commands of docs/example.md."""
    folder = tmp_path_factory.mktemp(f"hostile-{request.param}")
    with serve_as_documented(request.param, folder, new_database()) as site:
        yield site


@pytest.fixture
def secrets(target: Site) -> list[str]:
    """What must come back in no answer."""
    return [*target.tokens.values(), target.credentials["chat"]["token"]]
