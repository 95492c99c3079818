"""From nested details to dotted names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectnow_api.wire.errors import flatten, texts


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"name": ["Required."]}, {"name": ["Required."]}),
        ({"name": "Required."}, {"name": ["Required."]}),
        (["Broken."], {"non_field_errors": ["Broken."]}),
        ("Broken.", {"non_field_errors": ["Broken."]}),
        ({"address": {"city": ["Required."]}}, {"address.city": ["Required."]}),
        (
            {"items": [{}, {"name": ["Required."]}]},
            {"items.1.name": ["Required."]},
        ),
        (
            {"items": {0: {"name": ["Required."]}, 2: {"name": ["Long."]}}},
            {"items.0.name": ["Required."], "items.2.name": ["Long."]},
        ),
        ([{}, {"name": ["Required."]}], {"1.name": ["Required."]}),
        ({0: {"name": ["Required."]}}, {"0.name": ["Required."]}),
        ({"ids": {1: ["No such id."]}}, {"ids.1": ["No such id."]}),
        ({"name": []}, {}),
        ({}, {}),
    ],
)
def test_flatten(detail: Any, expected: dict[str, list[str]]) -> None:
    assert flatten(detail) == expected


def test_texts_that_belong_to_no_field_have_a_name_of_choice() -> None:
    assert flatten(["Broken."], "form") == {"form": ["Broken."]}


details = st.recursive(
    st.text(min_size=1),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1) | st.integers(0), inner),
    max_leaves=20,
)


def count(detail: Any) -> int:
    if isinstance(detail, dict):
        return sum(map(count, detail.values()))
    return sum(map(count, detail)) if isinstance(detail, list) else 1


@given(details)
def test_flatten_loses_no_text_and_gives_lists_of_texts(detail: Any) -> None:
    errors = flatten(detail)
    assert len(texts(errors)) == count(detail)
    assert all(isinstance(name, str) and field for name, field in errors.items())
