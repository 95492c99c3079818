"""``api_tokens placements``: who still sends tokens where."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.utils import timezone

from connectnow_api import placement_counts

pytestmark = pytest.mark.django_db

KIND = "connectnow_api.APIToken"


@pytest.fixture(autouse=True)
def counted(settings: Any) -> None:
    settings.CONNECTNOW_API = {"COUNT_PLACEMENTS": True}
    for placement, number in (("header", 1234), ("query", 2)):
        cache.set(placement_counts._key(placement_counts._today(), KIND, placement), number)


def run(*arguments: str) -> tuple[str, str]:
    stdout, stderr = StringIO(), StringIO()
    call_command("api_tokens", "placements", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue(), stderr.getvalue()


def test_a_table() -> None:
    today = timezone.now().date()
    lines = [
        "DAY         KIND                     PLACEMENT  TOKENS",
        f"{today}  connectnow_api.APIToken  header     1,234",
        f"{today}  connectnow_api.APIToken  query      2",
    ]
    assert run() == ("\n".join([*lines, ""]), "")


def test_json() -> None:
    today = str(timezone.now().date())
    found = json.loads(run("--format", "json", "--days", "1")[0])
    assert found == [
        {"day": today, "kind": KIND, "placement": "header", "number": 1234},
        {"day": today, "kind": KIND, "placement": "query", "number": 2},
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
