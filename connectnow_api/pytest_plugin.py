"""Fixtures for pytest; ``pytest_plugins = ["connectnow_api.pytest_plugin"]`` in ``conftest.py``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .test import Limits, limits_frozen, limits_off


@pytest.fixture
def api_limits() -> Iterator[Limits]:
    """Limits are on, with counters of the test's own and a clock that stands still."""
    with limits_frozen() as limits:
        yield limits


@pytest.fixture
def api_limits_off() -> Iterator[None]:
    """Limits are off."""
    with limits_off():
        yield
