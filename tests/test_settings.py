"""One source for the profile, read when it is asked."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest
from django.test import RequestFactory

from connectnow_api.profiles import (
    CONNECTNOW,
    HELPSPACE,
    LARAVEL_8,
    LARAVEL_12,
    PROFILES,
    Profile,
    rest_framework,
)
from connectnow_api.settings import PROFILE_KEYS, SITE_KEYS, get_profile, get_value, is_below


def at(path: str, **environ: Any) -> Any:
    return RequestFactory().get(path, **environ)


class View:
    pass


def test_default_is_helpspace(settings: Any) -> None:
    settings.CONNECTNOW_API = {}
    assert get_profile() is HELPSPACE
    del settings.CONNECTNOW_API
    assert get_profile(at("/x")) is HELPSPACE


def test_longest_prefix_wins(settings: Any) -> None:
    settings.CONNECTNOW_API = {
        "PROFILE": "laravel-8",
        "PREFIXES": {"/api/": "connectnow", "/api/v1/": "helpspace", "/": "laravel-12"},
    }
    assert get_profile(at("/api/issues")) is CONNECTNOW
    assert get_profile(at("/api/v1/tickets")) is HELPSPACE
    assert get_profile(at("/elsewhere")) is LARAVEL_12
    settings.CONNECTNOW_API["PREFIXES"].pop("/")
    assert get_profile(at("/elsewhere")) is LARAVEL_8


@pytest.mark.parametrize(
    ("path", "prefix", "below"),
    [
        ("/api/issues", "/api/", True),
        ("/api/issues", "/api", True),
        ("/api", "/api", True),
        ("/api", "/api/", False),
        ("/apiary", "/api", False),
        ("/x", "/", True),
        ("", "/", False),
    ],
)
def test_a_prefix_ends_where_a_segment_ends(path: str, prefix: str, below: bool) -> None:
    assert is_below(path, prefix) is below


def test_script_name_is_no_part_of_the_path(settings: Any) -> None:
    settings.CONNECTNOW_API = {"PREFIXES": {"/api/": "connectnow"}}
    assert get_profile(at("/api/issues", SCRIPT_NAME="/app")) is CONNECTNOW


def test_a_views_profile_goes_before_the_path(settings: Any) -> None:
    settings.CONNECTNOW_API = {"PREFIXES": {"/api/": "connectnow"}}
    view = View()
    view.profile = "laravel-12"  # type: ignore[attr-defined]
    assert get_profile(at("/api/x"), view) is LARAVEL_12
    view.profile = dataclasses.replace(HELPSPACE, page_size=7)  # type: ignore[attr-defined]
    assert get_profile(at("/api/x"), view).page_size == 7
    view.profile = lambda: "an action"  # type: ignore[attr-defined]
    assert get_profile(at("/api/x"), view) is CONNECTNOW


def test_a_profile_of_ones_own_works_as_a_built_in_one(settings: Any) -> None:
    own = dataclasses.replace(HELPSPACE, name="own", page_size=7)
    settings.CONNECTNOW_API = {"PROFILE": own, "PREFIXES": {"/api/": own}}
    assert get_profile() is own
    assert get_profile(at("/api/x")) is own


def test_single_values_are_laid_over_every_profile(settings: Any) -> None:
    settings.CONNECTNOW_API = {
        "PREFIXES": {"/api/": "connectnow"},
        "PAGE_SIZE": 9,
        "MESSAGES": {404: "Gone."},
    }
    for path, base in (("/api/x", CONNECTNOW), ("/x", HELPSPACE)):
        profile = get_profile(at(path))
        assert profile.page_size == 9
        assert profile.messages == {**base.messages, 404: "Gone."}
        assert profile.max_page_size == base.max_page_size


def test_view_before_setting_before_profile(settings: Any) -> None:
    view = View()
    assert get_value("page_size", None, view) == 50
    settings.CONNECTNOW_API = {"PAGE_SIZE": 9}
    assert get_value("page_size", None, view) == 9
    view.page_size = lambda: "an action"  # type: ignore[attr-defined]
    assert get_value("page_size", None, view) == 9
    view.page_size = None  # type: ignore[attr-defined]
    assert get_value("page_size", None, view) is None


def test_an_unknown_profile_is_a_key_error(settings: Any) -> None:
    settings.CONNECTNOW_API = {"PROFILE": "helpspaec"}
    with pytest.raises(KeyError, match="helpspaec"):
        get_profile()


def test_every_field_has_its_key() -> None:
    fields = {field.name for field in dataclasses.fields(Profile)} - {"name"}
    assert set(PROFILE_KEYS.values()) == fields
    assert not SITE_KEYS & set(PROFILE_KEYS)
    assert {"PROFILE", "PREFIXES", "TOKEN_PREFIX", "TRANSLATE_MESSAGES"} <= SITE_KEYS


def test_profiles_are_found_by_their_names_and_cannot_be_changed() -> None:
    assert list(PROFILES) == ["connectnow", "helpspace", "laravel-8", "laravel-12"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        HELPSPACE.page_size = 1  # type: ignore[misc]


ALL = ("header", "query", "payload")
TABLE: dict[str, tuple[Any, Any, Any, Any]] = {
    "shape": ("flat", "resource", "resource", "resource"),
    "paginator": ("simple", "length_aware", "length_aware", "length_aware"),
    "wrap": (None, "data", "data", "data"),
    "page_size": (15, 50, 15, 15),
    "page_size_query_param": ("per_page", "per-page", "per_page", "per_page"),
    "max_page_size": (249, 50, 100, 100),
    "previous_label": ("« Previous", "« Previous", "&laquo; Previous", "&laquo; Previous"),
    "page_in_links": (False, False, False, True),
    "current_page_url": (False, False, False, True),
    "datetime_format": ("zulu", "offset", "zulu", "zulu"),
    "keep_query": (True, True, False, False),
    "summarise_errors": (False, False, False, True),
    "placements": (ALL, ALL, ("header",), ("header",)),
    "empty_body": ("accept", "refuse", "accept", "accept"),
    "malformed_status": (422, 400, 422, 422),
}


@pytest.mark.parametrize("field", TABLE)
def test_where_the_profiles_differ(field: str) -> None:
    assert tuple(getattr(profile, field) for profile in PROFILES.values()) == TABLE[field]


def test_rest_framework_names_classes_that_exist_and_returns_a_fresh_dict() -> None:
    from django.utils.module_loading import import_string

    for value in rest_framework().values():
        for name in value if isinstance(value, list) else [value]:
            assert name is None or import_string(name)
    rest_framework()["DEFAULT_RENDERER_CLASSES"].clear()
    assert rest_framework()["DEFAULT_RENDERER_CLASSES"]


def test_profiles_tokens_and_wire_need_no_django() -> None:
    """A project's settings.py imports them before there are settings."""
    script = (
        "import sys; import connectnow_api.profiles, connectnow_api.tokens;"
        "import connectnow_api.wire.pages, connectnow_api.wire.errors, connectnow_api.wire.dates;"
        "import connectnow_api.wire.schemas;"
        "assert not {'django', 'rest_framework'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", script], check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )


def test_no_setting_is_read_at_import() -> None:
    """Every module can be imported where Django has no settings at all, models apart."""
    script = (
        "import importlib, django.conf\n"
        "class Spy:\n"
        "    def __getattr__(self, name):\n"
        "        assert name != 'CONNECTNOW_API', name\n"
        "        return getattr(real, name)\n"
        "django.conf.settings.configure(INSTALLED_APPS=['django.contrib.contenttypes',"
        "'django.contrib.auth', 'rest_framework', 'connectnow_api'])\n"
        "import django; django.setup()\n"
        "real = django.conf.settings._wrapped\n"
        "django.conf.settings._wrapped = Spy()\n"
        "import sys\n"
        "for name in [n for n in sys.modules if n.startswith('connectnow_api')]:\n"
        "    if not name.endswith('models') and name != 'connectnow_api.apps':\n"
        "        importlib.reload(sys.modules[name])\n"
        "for name in ('authentication', 'checks', 'handlers', 'mixins', 'negotiation',"
        "'pagination', 'permissions', 'renderers', 'ordering', 'exceptions'):\n"
        "    importlib.import_module(f'connectnow_api.{name}')\n"
    )
    subprocess.run(
        [sys.executable, "-c", script], check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
