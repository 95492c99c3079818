"""A database that is not there, beside the one of the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import ConnectionHandler, connection, connections

from tests.services import free_port

Nowhere = Callable[..., ConnectionHandler]


@pytest.fixture
def nowhere(tmp_path: Path) -> Iterator[Nowhere]:
    """Make a database of the kind that the tests have, on a server that is not there.

    ``nowhere(ATOMIC_REQUESTS=True)`` with values of ``DATABASES`` of its own. It is
    ``connections["down"]``, and the ``default`` of the handler that is returned: Django's tests
    may ask no other.
    """

    def nowhere(**values: Any) -> ConnectionHandler:
        away = {"HOST": "127.0.0.1", "PORT": free_port()}
        if connection.vendor == "sqlite":
            away = {"NAME": str(tmp_path / "no such folder" / "database")}
        found = {**connection.settings_dict, **away, **values}
        handler = ConnectionHandler({"default": found})
        connections.settings["down"], connections["down"] = found, handler["default"]
        return handler

    yield nowhere
    if "down" in connections.settings:
        del connections["down"], connections.settings["down"]
