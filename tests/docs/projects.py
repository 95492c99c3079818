"""What the blocks of a page add up to: files, a shell, and requests that JSON answers.

In the fenced blocks of a project,

* ``python`` whose first line is a comment naming a file is that file. ``settings.py`` is put over
  the tests' settings, ``urls.py`` becomes the URLconf, models of any file get a table;
* other ``python`` is run as in one shell, in which ``client`` and ``headers`` are there already;
* ``json`` is the answer to the request that follows the word, after the status unless it is 200:
  ``json 404 GET /api/issues/9 as reader``. ``as`` names one of ``TOKENS`` below, ``with`` the body,
  which is sent as JSON: ``json 201 POST /api/issues as writer with {"name": "Logo"}``.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, models
from rest_framework import generics
from rest_framework.settings import api_settings as drf_settings
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api import checks
from connectnow_api.models import APIToken
from tests.docs.pages import Block

HOST = "example.com"
TOKENS = {
    "reader": ["issues:read"],
    "writer": ["issues:read", "issues:write"],
    "guest": [],
}
"""Whom a request may be sent as, and what that token may do."""

FROZEN = [
    (APIView, "authentication_classes", "DEFAULT_AUTHENTICATION_CLASSES"),
    (APIView, "content_negotiation_class", "DEFAULT_CONTENT_NEGOTIATION_CLASS"),
    (APIView, "parser_classes", "DEFAULT_PARSER_CLASSES"),
    (APIView, "permission_classes", "DEFAULT_PERMISSION_CLASSES"),
    (APIView, "renderer_classes", "DEFAULT_RENDERER_CLASSES"),
    (APIView, "throttle_classes", "DEFAULT_THROTTLE_CLASSES"),
    (generics.GenericAPIView, "pagination_class", "DEFAULT_PAGINATION_CLASS"),
]
"""What DRF reads when its views are imported, which is before a page has its say."""

FURTHER_APPS = {"django_guid"}
"""What pages install that does nothing unless it is installed; their own apps are files."""

_REQUEST = re.compile(r"json(?: (\d+))? ([A-Z]+) (\S+)(?: as (\w+))?(?: with (.+))?")
_FILE_NAME = re.compile(r"# (?P<name>[\w/]+\.py)\n")


class Project:
    """What the blocks of a page add up to."""

    def __init__(self, page: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.page = page
        self.settings = settings
        self.monkeypatch = monkeypatch
        self.client = APIClient(SERVER_NAME=HOST)
        self.files: dict[str, types.ModuleType] = {}
        self.models: list[type[models.Model]] = []
        self.shell: dict[str, Any] = {
            "__name__": "shell",
            "client": self.client,
            "headers": self.headers,
        }

    def headers(self, name: str) -> dict[str, str]:
        """Return the headers of a request that is sent as ``name``."""
        user, _ = get_user_model().objects.get_or_create(username=name)
        issued = APIToken.objects.issue(user, name, TOKENS[name], client="acme")
        return {"Authorization": f"Bearer {issued.plain_text}", "Hs-Client-Id": "acme"}

    def run(self, block: Block) -> None:
        """Run a block of code; leave JSON, which is compared when the project is complete."""
        if block.info.split()[0] != "python":
            return
        name = self.file_name(block)
        if name is None:
            exec(self.compile(block), self.shell)
        elif name == "settings.py":
            self.run_settings(block)
        else:
            self.run_file(name, block)

    def file_name(self, block: Block) -> str | None:
        _, _, hidden = block.info.partition("file: ")
        shown = _FILE_NAME.match(block.text)
        return hidden or (shown["name"] if shown else None)

    def compile(self, block: Block) -> types.CodeType:
        return compile("\n" * block.line + block.text, str(self.page), "exec")

    def run_settings(self, block: Block) -> None:
        before = {
            "INSTALLED_APPS": list(self.settings.INSTALLED_APPS),
            "MIDDLEWARE": list(self.settings.MIDDLEWARE),
            "REST_FRAMEWORK": dict(self.settings.REST_FRAMEWORK),
            "CONNECTNOW_API": dict(self.settings.CONNECTNOW_API),
        }
        after = dict(before)
        exec(self.compile(block), after)
        installed = after.pop("INSTALLED_APPS")
        assert "connectnow_api" in installed
        if further := FURTHER_APPS & {*installed}:
            for name in further:
                if importlib.util.find_spec(name) is None:
                    pytest.skip(f"{name} is not installed")
            self.set(INSTALLED_APPS=[*self.settings.INSTALLED_APPS, *further])
        # The tests' own database stays; a page may look at its own in what it runs.
        self.shell["DATABASES"] = after.pop("DATABASES", {})
        self.set(**{name: value for name, value in after.items() if name.isupper()})
        assert not checks.check_settings()

    def set(self, **values: Any) -> None:
        """Put values over the settings, and DRF's defaults into the views that read them once."""
        for name, value in values.items():
            setattr(self.settings, name, value)
        for view, attribute, name in FROZEN:
            self.monkeypatch.setattr(view, attribute, getattr(drf_settings, name))
        self.client.handler.load_middleware()

    def run_file(self, name: str, block: Block) -> None:
        module = self.files.get(name) or self.new_module(name)
        known = set(models_of(module))
        exec(self.compile(block), vars(module))
        for model in models_of(module):
            if model not in known:
                with connection.schema_editor() as editor:
                    editor.create_model(model)
                self.models.append(model)
        if name.rpartition("/")[2] == "urls.py":
            self.settings.ROOT_URLCONF = module

    def new_module(self, name: str) -> types.ModuleType:
        dotted = name.removesuffix(".py").replace("/", ".")
        module = types.ModuleType(dotted)
        module.__package__ = package = dotted.rpartition(".")[0]
        if package and package not in sys.modules:
            sys.modules[package] = self.files[package] = types.ModuleType(package)
            sys.modules[package].__path__ = []
        sys.modules[dotted] = self.files[name] = module
        return module

    def compare(self, block: Block) -> None:
        """Compare a block of JSON with what its request is answered."""
        match = _REQUEST.fullmatch(block.info)
        assert match, f"{self.page}:{block.line}: say which request `{block.info}` answers"
        status, method, uri, name, body = match.groups()
        self.client.raise_request_exception = False
        response = self.client.generic(
            method,
            uri,
            body or "",
            content_type="application/json" if body else "",
            secure=True,
            headers=self.headers(name) if name else {},
        )
        where = f"{self.page}:{block.line}"
        assert (where, response.status_code) == (where, int(status or 200))
        told = json.loads(block.text)
        assert response.json() == told, where
        assert json.dumps(response.json()) == json.dumps(told), f"{where}: mind the order of keys"

    def close(self) -> None:
        with connection.schema_editor() as editor:
            for model in reversed(self.models):
                editor.delete_model(model)
        for module in self.files.values():
            sys.modules.pop(module.__name__, None)


def models_of(module: types.ModuleType) -> list[type[models.Model]]:
    """Return the models that a module defines, in their order."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, models.Model)
        and value.__module__ == module.__name__
    ]
