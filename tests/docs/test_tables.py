"""The tables of the pages say what the code does."""

from __future__ import annotations

import ast
import dataclasses
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.urls import path
from rest_framework import exceptions, generics, serializers
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api import authentication, checks, limiters, placements, signals, throttling
from connectnow_api.events import TokenEvent
from connectnow_api.models import APIToken
from connectnow_api.ordering import with_tie_breaker
from connectnow_api.profiles import MESSAGES, PROFILES, Profile, rest_framework
from connectnow_api.rates import parse_rate
from connectnow_api.settings import PROFILE_KEYS, SITE_KEYS, api_settings
from connectnow_api.signals import TOKEN_SIGNALS
from connectnow_api.wire.reading import read_form
from tests.docs.tables import names, plain, rows
from tests.library.models import Book


def test_every_profile_field_is_listed_with_its_values() -> None:
    listed = rows("docs/profiles.md", "field", "view")
    fields = [field.name for field in dataclasses.fields(Profile) if field.name != "name"]
    assert [row["field"] for row in listed] == fields
    for row in listed:
        for name, profile in PROFILES.items():
            if row["field"] != "messages":  # which have a table of their own
                told = ast.literal_eval(row[plain(name)])
                assert told == getattr(profile, row["field"]), (row["field"], name)


def test_every_profile_is_listed() -> None:
    assert [row["profile"] for row in rows("docs/profiles.md", "profile")] == [*PROFILES]


class AllKinds(generics.ListAPIView[Any]):
    """Answers pages, errors raised and written by hand, and deletions."""

    permission_classes = ()
    serializer_class = serializers.Serializer

    def get_queryset(self) -> Any:
        return [{}]

    def filter_queryset(self, queryset: Any) -> Any:
        if self.request.query_params.get("fail"):
            raise exceptions.ValidationError("no")
        return queryset

    def post(self, request: Any) -> Response:
        return Response({"read": request.data}, status=400)

    def delete(self, request: Any) -> Response:
        return Response(status=204)


@pytest.mark.django_db
def test_the_fields_that_a_view_may_override_are_marked(settings: Any) -> None:
    """What is asked of a view in the course of a few requests is what the table says."""
    asked: set[str] = set()
    fields = [field.name for field in dataclasses.fields(Profile)]

    def spy(name: str) -> property:
        def ask(view: Any) -> Any:
            asked.add(name)
            raise AttributeError(name)

        return property(ask)

    class View(AllKinds):
        pass

    for name in fields:
        if not hasattr(View, name):  # a generic view's ``paginator`` is DRF's
            setattr(View, name, spy(name))
    settings.ROOT_URLCONF = (path("flat/rows", View.as_view()),)
    owner = get_user_model().objects.create_user("ada")
    token = APIToken.objects.issue(owner, "token").plain_text
    client = APIClient(headers={"Authorization": f"Bearer {token}"})
    for query in ("", "?per_page=1", "?fail=1"):
        client.get(f"/flat/rows{query}")
    for body in ("", "{}", "{"):
        client.post("/flat/rows", body, content_type="application/json")
    client.delete("/flat/rows")

    listed = rows("docs/profiles.md", "field", "view")
    assert {row["field"] for row in listed if row["view"] == "yes"} == asked - {"name"}
    assert {row["view"] for row in listed} == {"yes", "no"}


def test_every_setting_is_listed_with_its_default_and_its_check(settings: Any) -> None:
    settings.CONNECTNOW_API = {}
    listed = {row["key"]: row for row in rows("docs/settings.md", "key", "default", "has to be")}
    assert set(listed) == set(PROFILE_KEYS) | SITE_KEYS
    for key, row in listed.items():
        if key in PROFILE_KEYS:
            assert row["default"] == "profile", key
        else:
            told = eval(row["default"], {"timedelta": timedelta})
            value = getattr(api_settings, key.lower())
            assert told == (value.name if isinstance(value, Profile) else value), key
        if key in checks.VALUES:
            assert row["has to be"] == checks.VALUES[key][1], key
            assert row["check"].split(", ")[0] == "E004", key


def test_what_rest_framework_sets_is_listed() -> None:
    listed = rows("docs/settings.md", "key", "value")
    assert {row["key"]: ast.literal_eval(row["value"]) for row in listed} == rest_framework()


def test_every_check_is_listed() -> None:
    tables = [rows("docs/settings.md", header) for header in ("id", "id in production")]
    listed = [next(iter(row.values())) for table in tables for row in table]
    known = re.findall(r"^([EW]\d{3}) ", str(checks.__doc__), re.MULTILINE)
    assert sorted(listed) == [f"connectnow_api.{number}" for number in known]


def test_every_error_text_is_listed() -> None:
    listed = rows("docs/errors.md", "status", "`connectnow`, `laravel-8`, `laravel-12`")
    for name, profile in PROFILES.items():
        column = next(key for key in listed[0] if name in key)
        assert {int(row["status"]): row[column] for row in listed} == dict(profile.messages)


def test_every_error_status_is_listed() -> None:
    listed = [int(row["status"]) for row in rows("docs/errors.md", "status", "when")]
    assert listed == [*MESSAGES]


def test_what_is_wrapped_is_listed(client: APIClient, settings: Any) -> None:
    for row in rows("docs/gotchas.md", "the view returns"):
        body = ast.literal_eval(row["the view returns"])
        settings.ROOT_URLCONF = (path("resource/x", answering(body)),)
        answer = client.get("/resource/x").json()
        assert answer == ast.literal_eval(row["the client reads"]), row


def answering(body: Any, status: int = 200) -> Any:
    class View(APIView):
        permission_classes = ()

        def get(self, request: Any) -> Response:
            return Response(body, status=status)

    return View.as_view()


def test_how_forms_are_read_is_listed() -> None:
    listed = rows("docs/writing.md", "a form sends")
    assert len(listed) > 4
    for row in listed:
        told = ast.literal_eval(row["the view reads"])
        assert read_form(row["a form sends"].encode()) == told, row


def test_what_becomes_of_errors_written_by_hand_is_listed(client: APIClient, settings: Any) -> None:
    listed = rows("docs/errors.md", "the view returns", "with")
    assert len(listed) > 4
    for row in listed:
        view = answering(ast.literal_eval(row["the view returns"]), int(row["with"]))
        settings.ROOT_URLCONF = (path("flat/x", view),)
        answer = client.get("/flat/x")
        told = (int(row["the client gets"]), ast.literal_eval(row["and reads"]))
        assert (answer.status_code, answer.json()) == told, row


def test_what_orders_a_queryset_is_listed() -> None:
    listed = rows("docs/pagination.md", "queryset")
    assert len(listed) > 5
    for row in listed:
        queryset = with_tie_breaker(eval(row["queryset"], {"Book": Book}))
        assert queryset.query.order_by == ast.literal_eval(row["is ordered by"]), row


def test_the_attributes_of_pages_are_profile_fields() -> None:
    listed = {
        name for row in rows("docs/pagination.md", "attribute") for name in names(row["attribute"])
    }
    fields = {row["field"] for row in rows("docs/profiles.md", "field") if row["view"] == "yes"}
    elsewhere = {"wrap", "datetime_format", "placements", "required_headers", "strict_accept"}
    elsewhere |= {"empty_body", "malformed_status", "malformed_message", "delete_status"}
    elsewhere |= {"reshape_manual_errors"}
    assert listed == (fields - elsewhere) | {"tie_breaker"}


def test_rates_are_listed_with_what_they_mean() -> None:
    listed = rows("docs/throttling.md", "rate", "requests")
    assert len(listed) > 5
    for row in listed:
        assert parse_rate(row["rate"]) == (int(row["requests"]), int(row["in seconds"])), row


def test_every_field_of_a_limiter_is_listed() -> None:
    listed = [name for row in rows("docs/throttling.md", "field") for name in names(row["field"])]
    assert listed == [*limiters.FIELDS]


def test_every_throttle_is_listed_with_its_scope() -> None:
    listed = {row["class"]: row["scope"] for row in rows("docs/throttling.md", "class")}
    found = {
        name: value
        for name, value in vars(throttling).items()
        if isinstance(value, type)
        and issubclass(value, throttling.BaseRateThrottle)
        and value is not throttling.BaseRateThrottle
    }
    assert set(listed) == set(found)
    for name, throttle in found.items():
        assert listed[name] == throttle.scope or "throttle_scope" in listed[name]


def test_every_column_of_the_token_table_is_listed() -> None:
    listed = {name for row in rows("docs/tokens.md", "column") for name in names(row["column"])}
    assert listed | {"id"} == {field.name for field in APIToken._meta.get_fields()} - {"rotated_to"}


def test_every_signal_of_tokens_is_listed_with_its_action() -> None:
    listed = [(row["action"], row["signal"]) for row in rows("docs/events.md", "signal", "action")]
    named = {id(signal): name for name, signal in vars(signals).items()}
    assert listed == [(action, named[id(found)]) for action, found in TOKEN_SIGNALS.items()]


def test_every_field_of_an_event_is_listed() -> None:
    listed = [row["field"] for row in rows("docs/events.md", "field", "holds")]
    assert listed == [field.name for field in dataclasses.fields(TokenEvent)]


def test_every_placement_is_listed() -> None:
    listed = rows("docs/authentication.md", "placement")
    assert [row["placement"] for row in listed] == [*placements.READERS]
    for row in listed:
        reader = getattr(authentication, row["class that reads only this one"])
        assert [*reader.placements] == [row["placement"]]
        using = [name for name, found in PROFILES.items() if row["placement"] in found.placements]
        told = row["in profiles"]
        assert using == ([*PROFILES] if told == "all" else re.findall(r"[\w-]+", told))
