"""Fixtures for pytest, which finds them where the package is installed.

So every run of pytest imports this, also that of a project with nothing of ours: nothing of Django
is imported before a fixture is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .test import Limits


def _help() -> Any:
    return import_module(".test", __package__)


@pytest.fixture
def api_limits() -> Iterator[Limits]:
    """Limits are on, with counters of the test's own and a clock that stands still."""
    with _help().limits_frozen() as limits:
        yield limits


@pytest.fixture
def api_limits_off() -> Iterator[None]:
    """Limits are off."""
    with _help().limits_off():
        yield
