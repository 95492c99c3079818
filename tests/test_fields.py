"""A list of ids that costs one query."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from rest_framework import serializers

from connectnow_api.fields import RelatedIdsField
from tests.library.models import Author

pytestmark = pytest.mark.django_db


class Form(serializers.Serializer[Any]):
    ids = RelatedIdsField(queryset=Author.objects.all(), max_length=5)


@pytest.fixture
def authors() -> list[Author]:
    return [Author.objects.create(name=name) for name in "abc"]


def errors_of(ids: Any) -> Any:
    form = Form(data={"ids": ids})
    assert not form.is_valid()
    return form.errors["ids"]


def test_rows_in_the_order_sent_each_once_by_one_query(authors: list[Author]) -> None:
    a, b, _ = authors
    form = Form(data={"ids": [b.pk, str(a.pk), b.pk]})
    with CaptureQueriesContext(connection) as queries:
        assert form.is_valid()
    assert form.validated_data == {"ids": [b, a]}
    assert len(queries) == 1


@pytest.mark.parametrize(
    "wrong", [0, -1, 1.0, True, None, "", " 1", "01x", "٣", [], {}, "9" * 19, "1e1"]
)
def test_an_id_that_is_none_is_an_error_at_its_index(authors: list[Author], wrong: Any) -> None:
    found = errors_of([authors[0].pk, wrong])
    assert found == {1: ["A valid integer is required."]}
    assert found[1][0].code == "incorrect_type"


def test_an_id_of_no_row_is_an_error_at_its_index(authors: list[Author]) -> None:
    found = errors_of([10**17, authors[0].pk, 999])
    assert found == {
        0: [f'Invalid pk "{10**17}" - object does not exist.'],
        2: ['Invalid pk "999" - object does not exist.'],
    }
    assert found[0][0].code == "does_not_exist"


def test_the_length_is_bounded_before_any_item_is_looked_at() -> None:
    with CaptureQueriesContext(connection) as queries:
        found = errors_of([{}] * 2000)
    assert found == ["Ensure this field has no more than 5 elements."]
    assert not queries


@pytest.mark.parametrize("ids", ["1", 1, {"0": 1}, True])
def test_what_is_no_list(ids: Any) -> None:
    assert errors_of(ids)[0].code == "not_a_list"


def test_an_empty_list_has_to_be_allowed() -> None:
    assert errors_of([]) == ["This list may not be empty."]
    field = RelatedIdsField(queryset=Author.objects.all(), allow_empty=True)
    assert field.run_validation([]) == []


def test_ids_are_what_is_shown(authors: list[Author]) -> None:
    field = RelatedIdsField(queryset=Author.objects.all())
    assert field.to_representation(Author.objects.order_by("pk")) == [a.pk for a in authors]


def test_texts_follow_the_language() -> None:
    with translation.override("de"):
        assert errors_of("1") == ["Erwartet wird eine Liste."]
        assert errors_of([0])[0] == ["Eine gültige Ganzzahl ist erforderlich."]
