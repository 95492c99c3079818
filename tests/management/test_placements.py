"""``api_tokens placements``: who still sends tokens where."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command

from connectnow_api import placement_counts

pytestmark = pytest.mark.django_db

KIND = "connectnow_api.APIToken"


@pytest.fixture(autouse=True)
def counted(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CONNECTNOW_API = {"COUNT_PLACEMENTS": True}
    now = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    for placement, number in (("header", 1234), ("query", 2)):
        cache.set(placement_counts._key(placement_counts._today(), KIND, placement), number)


def run(*arguments: str) -> tuple[str, str]:
    stdout, stderr = StringIO(), StringIO()
    call_command("api_tokens", "placements", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue(), stderr.getvalue()


def test_a_table() -> None:
    lines = [
        "DAY         KIND                     PLACEMENT  TOKENS",
        "2026-03-01  connectnow_api.APIToken  header     1,234",
        "2026-03-01  connectnow_api.APIToken  query      2",
    ]
    assert run() == ("\n".join([*lines, ""]), "")


def test_json() -> None:
    found = json.loads(run("--format", "json", "--days", "1")[0])
    assert found == [
        {"day": "2026-03-01", "kind": KIND, "placement": "header", "number": 1234},
        {"day": "2026-03-01", "kind": KIND, "placement": "query", "number": 2},
    ]


def test_where_nothing_is_counted(settings: Any) -> None:
    settings.CONNECTNOW_API = {}
    cache.clear()
    stdout, stderr = run()
    assert stdout == "DAY  KIND  PLACEMENT  TOKENS\n"
    assert 'CONNECTNOW_API["COUNT_PLACEMENTS"] = True' in stderr


def test_a_cache_that_is_gone(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.Gone"}}
    with pytest.raises(CommandError, match="The cache cannot be read: gone"):
        run()


class Gone:
    def __init__(self, location: str, params: Any) -> None:
        pass

    def get_many(self, keys: Any) -> Any:
        raise ConnectionRefusedError("gone")

    def close(self) -> None:
        pass
