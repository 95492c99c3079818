"""A page's code runs, and its JSON is what a view answers."""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.test.utils import isolate_apps

from connectnow_api import checks
from tests.docs.pages import PAGES, TEXTS, Block, projects_of
from tests.docs.projects import Project


def projects() -> Iterator[Any]:
    for page in PAGES:
        for number, blocks in enumerate(projects_of(page.read_text(encoding="utf-8")), start=1):
            if any(block.info.split()[0] in ("python", "json") for block in blocks):
                yield pytest.param(page, blocks, id=f"{page.stem}-{number}")


@pytest.fixture
def own_apps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let models of pages belong to an app named by their package, unseen by other tests."""

    def app_of(name: str) -> Any:
        return types.SimpleNamespace(label=name.partition(".")[0])

    with isolate_apps() as isolated:

        @functools.cache
        def get_models(**kwargs: Any) -> list[type[models.Model]]:
            """Return also those of an app that is not installed, or relations lead nowhere."""
            return [model for found in isolated.all_models.values() for model in found.values()]

        monkeypatch.setattr(isolated, "get_models", get_models)
        monkeypatch.setattr(apps, "get_containing_app_config", app_of)
        yield


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("page", "blocks"), [*projects()])
def test_page(
    page: Path,
    blocks: list[Block],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    own_apps: None,
) -> None:
    """A page's code runs, and its JSON is what is answered."""
    settings.TIME_ZONE = "UTC"  # as startproject writes it
    settings.ROOT_URLCONF = ()
    project = Project(page, settings, monkeypatch)
    project.set(REST_FRAMEWORK={}, CONNECTNOW_API={})
    try:
        for block in blocks:
            project.run(block)
        for block in blocks:
            if block.info.startswith("json"):
                project.compare(block)
        assert not checks.check_views()
    finally:
        project.close()


LANGUAGES = {"python", "json", "nginx", "po", "sh", "text"}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.stem)
def test_blocks_are_of_a_known_language(page: Path) -> None:
    """No code escapes the tests above by another name for Python."""
    fences = re.findall(r"^ *(```.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert all(closing == "```" for closing in fences[1::2])
    assert {opening.removeprefix("```").split()[0] for opening in fences[::2]} <= LANGUAGES
