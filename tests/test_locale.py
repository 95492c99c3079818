"""The shipped translations are complete, compiled, and change nothing of other apps."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from rest_framework import exceptions

from connectnow_api.handlers import exception_handler

from .catalogues import (
    LANGUAGES,
    Text,
    compiled,
    compiled_by_others,
    error_texts,
    texts_of_code,
    texts_of_template,
    used_texts,
    written,
)

PLACEHOLDER = re.compile(r"%\(\w+\)\w|%%|\{\w*\}")
"""``%(name)s``, ``%(name)r``, ``{name}``."""

CODE = """
from django.utils import translation
from django.utils.translation import gettext_lazy as _, ngettext, npgettext_lazy, pgettext

def title(count, text):
    _("A title"), _("Two " "literals"), translation.gettext("By its module's name")
    ngettext("%(count)d page", "%(count)d pages", count) % {"count": count}
    npgettext_lazy("book", "leaf", "leaves", count)
    pgettext("book", "leaf"), pgettext("API error", text), other("No text to translate")
"""

TEMPLATE = """
{% load i18n %}{# translate "Nothing" #}{{ _("In an expression")|upper }}
{% if a %}{% translate "It's (one) \\ text" %}{% endif %}{% translate "leaf" context "book" %}
{% blocktranslate trimmed with name=book.name %}
    The "{{ name }}"
    is 100% yours
{% endblocktranslate %}
{% blocktranslate count n=n %}a page{% plural %}{{ n }} pages{% endblocktranslate %}
"""


# --- Complete -------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_by_us_or_by_those_that_it_is_from(language: str) -> None:
    missing = used_texts() - written(language).keys()
    others = compiled_by_others(language)
    assert {text for text in missing if not text.keys <= others.keys()} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_text_of_every_profile_is_translated(language: str) -> None:
    assert set().union(*(text.keys for text in error_texts())) <= compiled(language).keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_translated_that_nothing_uses(language: str) -> None:
    assert written(language).keys() - used_texts() == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_entry_has_all_its_forms(language: str) -> None:
    found = written(language)
    forms = {text: len(text.keys) for text in found}
    assert {text: len([*filter(None, texts)]) for text, texts in found.items()} == forms


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_stay_as_they_are(language: str) -> None:
    for entry, texts in written(language).items():
        expected = sorted(PLACEHOLDER.findall(entry.text))
        for text in filter(None, (entry.plural, *texts)):
            assert sorted(PLACEHOLDER.findall(text)) == expected, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    expected: dict[Any, str] = {}
    for entry, texts in written(language).items():
        expected.update(zip(sorted(entry.keys), texts, strict=True))
    assert compiled(language) == expected


def test_texts_are_found_in_code() -> None:
    assert set(texts_of_code(CODE)) == {
        Text(text="A title"),
        Text(text="Two literals"),
        Text(text="By its module's name"),
        Text(text="%(count)d page", plural="%(count)d pages"),
        Text("book", "leaf", "leaves"),
        Text("book", "leaf"),
    }


def test_a_text_that_no_source_has_is_refused() -> None:
    with pytest.raises(ValueError, match="malformed node"):
        list(texts_of_code("gettext(text)"))


def test_texts_are_found_in_templates() -> None:
    assert set(texts_of_template(TEMPLATE)) == {
        Text(text="In an expression"),
        Text(text="It's (one) \\ text"),
        Text("book", "leaf"),
        Text(text='The "%(name)s" is 100%% yours'),
        Text(text="a page", plural="%(n)s pages"),
    }


# --- Beside other apps ----------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_of_other_apps_keep_their_translations(language: str) -> None:
    ours, theirs = compiled(language), compiled_by_others(language)
    assert {key: ours[key] for key in ours.keys() & theirs} == {
        key: theirs[key] for key in ours.keys() & theirs
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_error_texts_are_translated_in_their_context_only(language: str) -> None:
    """DRF's "Not found." is not ours."""
    assert compiled(language).keys() & {text.text for text in error_texts()} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_single_word_has_a_context(language: str) -> None:
    """Another app's "Issue" is what people file, and its "state" one of fifty."""
    words = {text for text in written(language) if " " not in text.text}
    assert {text for text in words if text.context in (None, "")} == set()


# --- In use ---------------------------------------------------------------------------------------


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


def test_a_mail_is_in_the_active_language() -> None:
    token = {"name": "Import & Co", "masked": "api_…abcd"}
    expires_at = datetime(2030, 1, 31, 12, tzinfo=UTC)
    context = {"token": token, "owner_name": "Ada", "expires_at": expires_at}
    with translation.override("de"):
        subject = render_to_string("connectnow_api/token_expiring_subject.txt", context)
        body = render_to_string("connectnow_api/token_expiring.txt", context)
    assert subject.strip() == "Ihr API-Token „Import & Co“ läuft bald ab"
    assert body.splitlines()[:3] == [
        "Guten Tag Ada,",
        "",
        "Ihr API-Token „Import & Co“ (api_…abcd) läuft am 31. Januar 2030 12:00 (UTC) ab.",
    ]


def test_a_word_is_translated_in_its_context_only() -> None:
    with translation.override("de"):
        assert translation.pgettext("API token", "Issue") == "Ausstellen"
        assert translation.gettext("Issue") == "Issue"
