"""Running a verb within the test, and as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management import CommandError, call_command

from connectnow_api import signals
from tests.services import PATIENCE, create_database, drop_database


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


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a verb here: ``run("list", "--unused")``; ``stdin=`` is what it reads."""

    def run(*arguments: str, stdin: str = "") -> Outcome:
        monkeypatch.setattr("sys.stdin", StringIO(stdin))
        stdout, stderr = StringIO(), StringIO()
        try:
            call_command("api_tokens", *arguments, stdout=stdout, stderr=stderr)
        except CommandError as exc:
            return Outcome(stdout.getvalue(), f"{stderr.getvalue()}{exc}\n", exc.returncode)
        return Outcome(stdout.getvalue(), stderr.getvalue(), 0)

    return run


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
    """A project with a database of its own, in which processes run the command."""

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
        self.call("migrate", "--run-syncdb", "--verbosity", "0")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "django", *arguments]

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start ``manage.py api_tokens`` with these arguments."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(
            self.command("api_tokens", *arguments),
            **{"env": self.environment, "cwd": self.folder, "text": True, **pipes, **options},
        )

    def run(self, *arguments: str, stdin: str = "") -> Outcome:
        """Run it to its end."""
        process = self.start(*arguments)
        stdout, stderr = process.communicate(stdin, timeout=PATIENCE)
        return Outcome(stdout, stderr, process.returncode)

    def call(self, *arguments: str) -> str:
        """Run another command, which has to succeed; return what it wrote."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        ).stdout

    def python(self, code: str) -> str:
        """Run code with the project's models at hand."""
        return self.call("shell", "--verbosity", "0", "--no-imports", "--command", code)

    def events(self) -> list[str]:
        """Return the actions in the log, and begin it anew."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        self.log.write_text("", encoding="utf-8")
        return [json.loads(line.partition(" ")[0].partition("=")[2]) for line in lines]


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any
) -> Iterator[Project]:
    """A project with the users ``ada``, ``bob``, and no tokens that others rely on."""
    with django_db_blocker.unblock():
        project = Project(tmp_path_factory.mktemp("project"))
    project.python(
        "from django.contrib.auth.models import User\n"
        "for name in ('ada', 'bob'):\n"
        "    User.objects.create_user(name, f'{name}@example.com')"
    )
    yield project
    with django_db_blocker.unblock():
        drop_database(project.database)
