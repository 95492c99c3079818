"""Reads which texts the package's sources have translated, and what its catalogues make of them."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import django
import rest_framework
from django.utils.translation import templatize

import connectnow_api
from connectnow_api.handlers import WORDED_BY_US
from connectnow_api.profiles import PROFILES

PACKAGE = Path(connectnow_api.__file__).parent
LANGUAGES = sorted(folder.name for folder in (PACKAGE / "locale").iterdir())
DJANGO = Path(django.__file__).parent
OTHERS = (DJANGO / "conf", DJANGO / "contrib/admin", Path(rest_framework.__file__).parent)
"""The apps besides ours whose catalogues are at hand wherever our texts are shown."""

ERROR = "API error"
"""The context of what clients read: profiles and exceptions have these texts, and no gettext."""

ARGUMENTS = {
    "gettext": ("text",),
    "ngettext": ("text", "plural"),
    "pgettext": ("context", "text"),
    "npgettext": ("context", "text", "plural"),
}
"""Django's functions and what they are called with; their names may end in ``_lazy``."""

CALL = re.compile(r"""\b(?:n?p?gettext|_)\((?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^'")])*\)""")
"""A call in what ``templatize`` makes of a template."""


class Text(NamedTuple):
    """What is looked up in a catalogue."""

    context: str | None = None
    text: str = ""
    plural: str | None = None

    @property
    def keys(self) -> set[Any]:
        """What a compiled catalogue calls it: all languages of ours have two numbers."""
        key = self.text if self.context is None else f"{self.context}\x04{self.text}"
        return {(key, 0), (key, 1)} if self.plural else {key}


# --- Sources --------------------------------------------------------------------------------------


def used_texts() -> set[Text]:
    """Return all texts that the package can look up."""
    code = (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    templates = (
        path.read_text(encoding="utf-8")
        for path in PACKAGE.rglob("templates/**/*")
        if path.is_file()
    )
    return {
        *error_texts(),
        *(text for source in code for text in texts_of_code(source)),
        *(text for source in templates for text in texts_of_template(source)),
    }


def error_texts() -> Iterator[Text]:
    """Yield what clients read under ``TRANSLATE_MESSAGES``."""
    for profile in PROFILES.values():
        for text in (*profile.messages.values(), profile.malformed_message):
            yield Text(ERROR, text)
    for exception in WORDED_BY_US:
        yield Text(ERROR, exception.default_detail)


def texts_of_code(source: str) -> Iterator[Text]:
    """Yield the texts of Python code; raise ``ValueError`` for one that is not written there."""
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    aliases = {name.asname: name.name for node in imports for name in node.names if name.asname}
    return texts_of_calls(tree, aliases)


def texts_of_template(source: str) -> Iterator[Text]:
    """Yield the texts of a template's tags and expressions."""
    calls = "\n".join(CALL.findall(templatize(source)))
    return texts_of_calls(ast.parse(calls), {"_": "gettext"})


def texts_of_calls(tree: ast.AST, aliases: Mapping[str, str]) -> Iterator[Text]:
    """Yield what gettext's functions are called with, under whatever name."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        arguments = ARGUMENTS.get(aliases.get(name, name).removesuffix("_lazy"))
        if arguments is None or getattr(call.args[0], "value", None) == ERROR:
            continue
        values = map(ast.literal_eval, call.args)
        yield Text(**dict(zip(arguments, values, strict=False)))


# --- Catalogues -----------------------------------------------------------------------------------


def written(language: str) -> dict[Text, list[str]]:
    """Return the entries of our ``.po`` file, each with its translation, or one for each number."""
    source = (PACKAGE / f"locale/{language}/LC_MESSAGES/django.po").read_text(encoding="utf-8")
    _header, *entries = map(_entry, re.split(r"\n{2,}", source))
    return dict(entries)


def _entry(block: str) -> tuple[Text, list[str]]:
    found: dict[str, str] = {}
    keyword = ""
    for word, literal in re.findall(r'^(?:(msg\S+) )?(".*")$', block, re.MULTILINE):
        keyword = word or keyword
        found[keyword] = found.get(keyword, "") + ast.literal_eval(literal)
    text = Text(found.get("msgctxt"), found["msgid"], found.get("msgid_plural"))
    return text, [value for name, value in found.items() if name.startswith("msgstr")]


def compiled(language: str, app: Path = PACKAGE) -> dict[Any, str]:
    """Return an app's ``.mo`` file: keys, which have a number beside them for plurals, to texts."""
    with (app / f"locale/{language}/LC_MESSAGES/django.mo").open("rb") as file:
        catalogue: dict[Any, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in catalogue.items() if key != ""}


def compiled_by_others(language: str) -> dict[Any, str]:
    """Return what Django and Django REST framework translate themselves."""
    return {key: text for app in OTHERS for key, text in compiled(language, app).items()}
