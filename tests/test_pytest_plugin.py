"""Fixtures in pytest runs of other projects: of one that has limits, and of one without Django."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import connectnow_api
from connectnow_api.limits import hit
from connectnow_api.pytest_plugin import api_limits, api_limits_off
from connectnow_api.test import Limits

# The fixtures of the checkout, whether or not it is installed.
__all__ = ["api_limits", "api_limits_off"]

PACKAGE = Path(connectnow_api.__file__).parents[1]
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
SETTINGS = """
SECRET_KEY = "only for tests"
INSTALLED_APPS = ["rest_framework", "connectnow_api"]
ROOT_URLCONF = "urls"
REST_FRAMEWORK = {"UNAUTHENTICATED_USER": None}
CONNECTNOW_API = {"LIMITERS": {"reports": "2/m"}}
"""
URLS = """
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView
from connectnow_api.throttling import limited_by


class Report(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = [limited_by("reports")]

    def get(self, request):
        return Response({})


urlpatterns = [path("report", Report.as_view())]
"""
TESTS = """
import pytest
from django.conf import settings as django_settings


def statuses(client, number):
    return [client.get("/report").status_code for _ in range(number)]


@pytest.mark.parametrize("time", [1, 2])
def test_frozen(client, api_limits, time):
    assert statuses(client, 3) == [200, 200, 429]
    assert client.get("/report")["Retry-After"] == "60"
    api_limits.tick(60)
    assert statuses(client, 1) == [200]


def test_off(client, api_limits_off):
    assert statuses(client, 3) == [200] * 3


def test_on_where_they_are_off(client, api_limits_off, api_limits):
    assert statuses(client, 3) == [200, 200, 429]


def test_with_settings_of_its_own(settings, client, api_limits):
    settings.CONNECTNOW_API = {"LIMITERS": {"reports": "1/m"}}
    settings.RATELIMIT_ENABLE = False
    assert statuses(client, 2) == [200, 429]


def test_afterwards():
    assert not hasattr(django_settings, "RATELIMIT_ENABLE")
"""
PLAIN = """
import sys


def test_plain(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("connectnow_api.pytest_plugin")
    assert not {"django", "rest_framework", "connectnow_api.test"} & {*sys.modules}
"""
NAMED = 'pytest_plugins = ["connectnow_api.pytest_plugin"]'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder in which the package's entry points are as if it was installed."""
    entry_points = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["entry-points"]
    ((name, module),) = entry_points["pytest11"].items()
    info = tmp_path / "as_installed-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: as-installed\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[pytest11]\n{name} = {module}\n")
    return tmp_path


def run_pytest(project: Path, *arguments: str, **files: str) -> str:
    """Return what pytest says of a project whose tests pass."""
    for name, text in files.items():
        (project / f"{name}.py").write_text(text)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DJANGO_", "PYTEST_"))}
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *arguments],
        cwd=project,
        env={**kept, "PYTHONPATH": os.pathsep.join([str(project), str(PACKAGE)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.mark.parametrize("conftest", ["", NAMED], ids=["found", "named as well"])
def test_a_project_with_limits(project: Path, conftest: str) -> None:
    files = {"settings": SETTINGS, "urls": URLS, "test_reports": TESTS, "conftest": conftest}
    said = run_pytest(project, "--ds=settings", "-p", "no:randomly", **files)
    assert "6 passed" in said


def test_a_project_without_django_does_not_pay_for_it(project: Path) -> None:
    """Nothing of Django is imported, and no settings are asked for."""
    said = run_pytest(project, "-p", "no:django", "-p", "no:randomly", test_plain=PLAIN)
    assert "1 passed" in said


def test_limits_are_on(api_limits: Limits) -> None:
    usages = [hit("a", "1/m", "x") for _ in range(2)]
    assert [usage.is_exceeded for usage in usages if usage] == [False, True]
    api_limits.tick(60)
    assert not hit("a", "1/m", "x").is_exceeded  # type: ignore[union-attr]


def test_limits_are_off(limits: None, api_limits_off: None) -> None:
    assert hit("a", "0/m", "x") is None
