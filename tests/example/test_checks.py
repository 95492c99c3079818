"""What Django's checks say of the example."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .support import EXAMPLE, PATIENCE

pytestmark = pytest.mark.servers

PRODUCTION = {
    "SECRET_KEY": "of-many-different-characters-" + "0123456789abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "api.example.com",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
}


def check(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "check", "--fail-level", "WARNING", *options]
    return subprocess.run(
        command,
        cwd=EXAMPLE,
        env={**os.environ, "REDIS_URL": "", **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_the_demo_is_quiet() -> None:
    done = check("--settings", "project.settings")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues" in done.stdout


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"REDIS_URL": ""}, "connectnow_api.W004"),
        ({"ALLOWED_HOSTS": "*"}, "connectnow_api.W012"),
    ],
)
def test_production_without_a_part_is_told_so(environment: dict[str, str], found: str) -> None:
    options = ["--deploy", "--settings", "project.production"]
    done = check(*options, **{**PRODUCTION, **environment})
    assert done.returncode == 1
    assert f"({found})" in done.stderr
