"""The shipped translations are complete, compiled, and change nothing of other apps."""

from __future__ import annotations

import gettext
import re
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation
from rest_framework import exceptions

import connectnow_api
from connectnow_api.handlers import WORDED_BY_US, exception_handler
from connectnow_api.profiles import PROFILES

LOCALE = Path(connectnow_api.__file__).parent / "locale"
LANGUAGES = sorted(folder.name for folder in LOCALE.iterdir())
CONTEXT = "API error\x04"


def compiled(language: str) -> dict[Any, str]:
    with (LOCALE / language / "LC_MESSAGES/django.mo").open("rb") as file:
        catalogue: dict[Any, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in catalogue.items() if key != ""}


def written(language: str) -> list[str]:
    """Return the texts of the .po file."""
    source = (LOCALE / language / "LC_MESSAGES/django.po").read_text(encoding="utf-8")
    return [
        text for text in re.findall(r'^msgstr(?:\[\d\])? "(.*)"$', source, re.MULTILINE) if text
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    assert sorted(compiled(language).values()) == sorted(written(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_text_is_translated(language: str) -> None:
    texts = {text for profile in PROFILES.values() for text in profile.messages.values()}
    texts |= {profile.malformed_message for profile in PROFILES.values()}
    texts |= {refusal.default_detail for refusal in WORDED_BY_US}
    assert {CONTEXT + text for text in texts} <= set(compiled(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_of_other_apps_keep_their_translations(language: str) -> None:
    """Error texts have a context of their own: DRF's "Not found." is not ours."""
    without_context = {key for key in compiled(language) if CONTEXT not in str(key)}
    texts = {text for profile in PROFILES.values() for text in profile.messages.values()}
    assert not texts & without_context


def test_a_text_follows_the_language_under_the_setting(settings: Any) -> None:
    settings.CONNECTNOW_API = {"TRANSLATE_MESSAGES": True}
    with translation.override("fr"):
        response = exception_handler(exceptions.NotFound(), {})
    assert response is not None
    assert response.data == {"message": "Objet introuvable"}


def test_the_tail_of_a_summary_is_in_the_language_of_its_texts(settings: Any) -> None:
    settings.CONNECTNOW_API = {"PROFILE": "laravel-12"}
    with translation.override("de"):
        detail = {"a": ["Eins.", "Zwei.", "Drei."]}
        response = exception_handler(exceptions.ValidationError(detail), {})
    assert response is not None
    assert response.data["message"] == "Eins. (und 2 weitere Fehler)"
