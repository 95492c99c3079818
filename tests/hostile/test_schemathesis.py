"""schemathesis, over the example's OpenAPI document: each of its checks, and no failure."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.example.conftest import NewSeeded
from tests.example.support import EXAMPLE, ROOT, Site, serve_as_documented
from tests.services import lack

from .conftest import LONG, examples

pytestmark = pytest.mark.hostile

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def unlimited(tmp_path: Path, new_seeded: NewSeeded) -> Iterator[Site]:
    """The example behind gunicorn, with limits that nobody meets."""
    if importlib.util.find_spec("schemathesis") is None:
        lack("schemathesis is not installed: pip install -e '.[hostile]'")
    own = {
        "DJANGO_SETTINGS_MODULE": "tests.hostile.unlimited_settings",
        "PYTHONPATH": str(ROOT),
    }
    seeded = new_seeded()
    options: dict[str, Any] = {"credentials": seeded.file, **own}
    with serve_as_documented("gunicorn", tmp_path, seeded.url, **options) as site:
        yield site


def test_no_check_of_schemathesis_fails(unlimited: Site, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG),
        *("run", EXAMPLE / "openapi.yaml", "--url", unlimited.base_url),
        *("--max-examples", str(examples(3)), "--workers", "2", "--no-color"),
        *([] if LONG else ["--generation-deterministic"]),
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={
            **os.environ,
            # Where schemathesis.toml finds its hooks.
            "PYTHONPATH": str(ROOT),
            "API_TOKEN": unlimited.tokens["valid"],
            "CHAT_USER_TOKEN": unlimited.credentials["chat"]["token"],
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "Tested: 57" in done.stdout
