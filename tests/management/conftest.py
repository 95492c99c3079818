"""Running a verb within the test, and as processes of their own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import ConnectionHandler, connections
from django.utils import timezone

from connectnow_api import signals
from connectnow_api.management.commands import api_tokens
from connectnow_api.managers import build
from connectnow_api.models import APIToken
from project.databases import database
from tests.services import (
    BACKENDS,
    PATIENCE,
    REDIS_URL,
    RUN,
    create_database,
    drop_database,
    lack,
    shared_cache,
)


class Outcome(NamedTuple):
    """What a run of the command left behind."""

    stdout: str
    stderr: str
    status: int

    @property
    def data(self) -> Any:
        """The JSON on stdout."""
        return json.loads(self.stdout)


Run = Callable[..., Outcome]
_numbers = itertools.count(1)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a verb here: ``run("list", "--unused")``; ``stdin=`` is what it reads."""
    return runner("api_tokens", monkeypatch)


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a verb here as ``manage.py`` does, to its exit code."""
    # The connection is the test's.
    monkeypatch.setattr(connections, "close_all", lambda: None)
    monkeypatch.setenv("COLUMNS", "100")
    # Django's own options change both.
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    monkeypatch.setattr("sys.path", [*sys.path])

    def script(*arguments: str) -> Outcome:
        status: Any = 0
        try:
            api_tokens.Command().run_from_argv(["manage.py", "api_tokens", *arguments])
        except SystemExit as exc:
            status = exc.code
        return Outcome(*capsys.readouterr(), status)

    return script


@pytest.fixture
def run_limits(monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same of ``api_limits``."""
    return runner("api_limits", monkeypatch)


def runner(command: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str, stdin: str = "") -> Outcome:
        monkeypatch.setattr("sys.stdin", StringIO(stdin))
        stdout, stderr = StringIO(), StringIO()
        try:
            call_command(command, *arguments, stdout=stdout, stderr=stderr)
        except CommandError as exc:
            return Outcome(stdout.getvalue(), f"{stderr.getvalue()}{exc}\n", exc.returncode)
        return Outcome(stdout.getvalue(), stderr.getvalue(), 0)

    return run


@pytest.fixture
def storage(settings: Any) -> None:
    """Count limits in a storage on Redis, which has counted nothing yet."""
    settings.CONNECTNOW_API = {
        "LIMIT_STORAGE": REDIS_URL or lack("TEST_REDIS_URL is not set"),
        "LIMIT_STORAGE_OPTIONS": {"key_prefix": f"{RUN}-management-{next(_numbers)}"},
    }


@pytest.fixture(params=[*BACKENDS, pytest.param("storage", marks=pytest.mark.servers)])
def each_store(request: pytest.FixtureRequest, settings: Any) -> None:
    """Count limits in each kind of cache in turn, then in the storage."""
    settings.CONNECTNOW_API = {}
    if request.param == "storage":
        request.getfixturevalue("storage")
    else:
        settings.CACHES = {"default": shared_cache(request.param)}


@pytest.fixture
def events() -> Iterator[list[tuple[str, str]]]:
    """Action and token id of all events from now on."""
    heard: list[tuple[str, str]] = []

    def hear(event: Any, **kwargs: Any) -> None:
        heard.append((event.action, event.token_id))

    for signal in signals.TOKEN_SIGNALS.values():
        signal.connect(hear)
    yield heard
    for signal in signals.TOKEN_SIGNALS.values():
        signal.disconnect(hear)


SETTINGS = """
import django

from tests.settings import *

BACKEND = "django.core.mail.backends.filebased.EmailBackend"
if django.VERSION >= (6, 1):
    MAILERS = {{"default": {{"BACKEND": BACKEND, "OPTIONS": {{"file_path": {mails!r}}}}}}}
else:
    EMAIL_BACKEND, EMAIL_FILE_PATH = BACKEND, {mails!r}
LOGGING = {{
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {{"file": {{"class": "logging.FileHandler", "filename": {log!r}}}}},
    "loggers": {{"connectnow_api.tokens": {{"handlers": ["file"], "level": "INFO"}}}},
}}
{extra}
"""


class Project:
    """A project with a database of its own, in which processes run the command.

    The tests' process looks into that database as ``ALIAS``.
    """

    ALIAS = "project"

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.folder = folder
        self.log, self.mails = folder / "tokens.log", folder / "mails"
        self.mails.mkdir()
        self.database = create_database(folder)
        settings = SETTINGS.format(mails=str(self.mails), log=str(self.log), extra=extra)
        (folder / "own_settings.py").write_text(settings, encoding="utf-8")
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "own_settings",
            "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
            "TEST_DATABASE_URL": self.database,
            "COLUMNS": "100",
        }
        own = {"default": {}, self.ALIAS: database(self.database)}
        connections[self.ALIAS] = ConnectionHandler(own)[self.ALIAS]
        call_command("migrate", database=self.ALIAS, verbosity=0)

    def close(self) -> None:
        connections[self.ALIAS].close()
        del connections[self.ALIAS]
        drop_database(self.database)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start ``manage.py api_tokens`` with these arguments."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(
            [sys.executable, "-m", "django", "api_tokens", *arguments],
            **{"env": self.environment, "cwd": self.folder, "text": True, **pipes, **options},
        )

    def run(self, *arguments: str, stdin: str = "", **options: Any) -> Outcome:
        """Run it to its end."""
        process = self.start(*arguments, **options)
        stdout, stderr = process.communicate(stdin, timeout=PATIENCE)
        return Outcome(stdout, stderr, process.returncode)

    @property
    def tokens(self) -> Any:
        """The tokens in the project's database."""
        return APIToken.objects.using(self.ALIAS)

    def add(self, number: int, days: float) -> None:
        """Add tokens of ada that expire in so many days."""
        owner = User.objects.using(self.ALIAS).get(username="ada")
        expires_at = timezone.now() + timedelta(days=days)
        new = (build(APIToken, owner=owner, name="x", expires_at=expires_at) for _ in range(number))
        self.tokens.bulk_create([one.token for one in new], batch_size=100)

    def events(self) -> list[str]:
        """Return the actions in the log."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line.partition(" ")[0].partition("=")[2]) for line in lines]


@pytest.fixture(scope="module")
def shared_project(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any
) -> Iterator[Project]:
    with django_db_blocker.unblock():
        project = Project(tmp_path_factory.mktemp("project"))
        User.objects.db_manager(Project.ALIAS).create_user("ada", "ada@example.com")
        yield project
        project.close()


@pytest.fixture
def project(shared_project: Project) -> Project:
    """A project with a user ``ada``, no tokens and no events."""
    shared_project.tokens.all().delete()
    shared_project.log.write_text("", encoding="utf-8")
    return shared_project
