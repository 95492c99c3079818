"""Bodies, read strictly."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectnow_api.wire.reading import (
    MAX_DEPTH,
    MalformedBodyError,
    TooManyFieldsError,
    read_form,
    read_json,
    unusable_values,
)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_json_of_any_value_reads_back(value: Any) -> None:
    for escape in (True, False):
        text = json.dumps(value, ensure_ascii=escape)
        assert read_json(text.encode(errors="surrogatepass" if escape else "strict")) == value


@given(st.binary())
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    for read in (read_json, read_form):
        with contextlib.suppress(MalformedBodyError):
            read(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"\xef\xbb\xbf{}",
        b'{"a": "\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"1" * 5000,
        b'{"a": "\x00"}',
        b"{} {}",
    ],
)
def test_what_is_malformed_json(body: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        read_json(body)


@pytest.mark.parametrize("tail", [b'\\"', b'"', b'"\\'])
def test_a_text_that_is_never_closed_is_read_once(tail: bytes) -> None:
    """Looked for from each of its quotes anew, this would take hours."""
    with pytest.raises(MalformedBodyError):
        read_json(b"[]" * 101 + tail * 1_000_000)


def test_depth_is_that_of_brackets_outside_texts() -> None:
    assert read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    text = "[{" * 500 + '\\"'
    assert read_json(json.dumps([text, [], {}]).encode()) == [text, [], {}]
    assert len(read_json(b"[" + b"[],{}," * 500 + b"1]")) == 1001


@pytest.mark.parametrize(
    "body",
    [
        b'{"api_token": "a", "api_token": "b"}',
        b'{"api_token": "a", "api_token": "a"}',
        b'{"api_token": "a", "api\\u005ftoken": "b"}',
    ],
)
def test_a_repeated_name_that_may_stand_once_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        read_json(body, once=["api_token"])
    assert read_json(body)["api_token"] in ("a", "b")


def test_other_repeated_names_keep_the_last_value() -> None:
    body = b'{"a": 1, "a": 2, "api_token": "x", "b": "api_token"}'
    assert read_json(body, once=["api_token"]) == {"a": 2, "api_token": "x", "b": "api_token"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", {}),
        (b"a=1&b=x+y&c=%C3%A9", {"a": "1", "b": "x y", "c": "é"}),
        (b"a=1&a=2", {"a": "2"}),
        (b"a", {"a": ""}),
        (b"ids[]=1&ids[]=2", {"ids": ["1", "2"]}),
        (b"ids[0]=1&ids[1]=2", {"ids": ["1", "2"]}),
        (b"ids%5B%5D=1", {"ids": ["1"]}),
        (b"ids[3]=1&ids[7]=2", {"ids": ["1", "2"]}),
        (b"from[email]=x&from[name]=y", {"from": {"email": "x", "name": "y"}}),
        (b"t[][id]=1&t[][id]=2", {"t": [{"id": "1"}, {"id": "2"}]}),
        (b"t[0][id]=1&t[0][n]=2", {"t": [{"id": "1", "n": "2"}]}),
        (b"a=1&a[]=2", {"a": ["2"]}),
        (b"a[1]=x&a[]=y", {"a": ["x", "y"]}),
        (b"a[x]=1&a[]=2", {"a": {"x": "1", "0": "2"}}),
        (b"a[]=1&a=2", {"a": "2"}),
        (b"a[b=1", {"a[b": "1"}),
        (b"[x]=1", {"[x]": "1"}),
        (b"a[b]c=1", {"a[b]c": "1"}),
        (b"=1", {"": "1"}),
    ],
)
def test_forms_in_phps_spelling(body: bytes, expected: Any) -> None:
    assert read_form(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbfa=1",
        b"%EF%bb%BFa=1",
        b"a=%ff",
        b"%ff=a",
        b"a=\xff",
        b"a" + b"[]" * 200 + b"=1",
    ],
)
def test_what_is_a_malformed_form(body: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        read_form(body)


def test_a_form_may_name_a_token_once() -> None:
    assert read_form(b"api_token=a&b=1", once=["api_token"]) == {"api_token": "a", "b": "1"}
    with pytest.raises(MalformedBodyError):
        read_form(b"api_token=a&api%5ftoken=a", once=["api_token"])
    with pytest.raises(MalformedBodyError):
        read_form(b"api_token=a&api_token[]=b", once=["api_token"])


def test_a_form_has_so_many_fields_and_no_more() -> None:
    assert len(read_form(b"&".join(b"a%d=1" % i for i in range(10)), max_fields=10)) == 10
    with pytest.raises(TooManyFieldsError):
        read_form(b"a=1&" * 11, max_fields=10)
    with pytest.raises(TooManyFieldsError):
        read_form(b"&".join([b"a=1"] * 11), max_fields=10)


names = st.text(st.characters(exclude_characters="[]", exclude_categories=["Cs"]))


@given(st.dictionaries(names, st.text(st.characters(exclude_categories=["Cs"]))))
def test_any_plain_form_reads_back(form: dict[str, str]) -> None:
    assert read_form(urlencode(form).encode()) == form


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('{"a": "\\u0000"}', ["a"]),
        ('{"a": ["x", "\\ud800"]}', ["a.1"]),
        ('{"a": {"b": "\\udc00x"}}', ["a.b"]),
        ('{"\\ud800": 1}', ["\\ud800"]),
        ('{"\\u0000": {"b": "\\u0000"}}', ["\\u0000", "\\u0000.b"]),
        ('{"a": "\\ud83d\\ude00", "b": "\\u00e9"}', []),
        ('{"a": "\\\\u0000"}', []),
        ('["\\u0000"]', ["0"]),
        ('"\\u0000"', [""]),
        ('{"a": 1, "b": 1e10, "c": 1e308}', []),
        ('{"a": 1e999, "b": [-1E400]}', ["a", "b.0"]),
        (f'{{"a": {"9" * 400}.0}}', ["a"]),
    ],
)
def test_texts_that_nothing_can_hold_are_found_where_they_stand(
    text: str, places: list[str]
) -> None:
    assert unusable_values(text.encode(), read_json(text.encode())) == places


def test_a_null_character_in_a_form_is_found() -> None:
    assert unusable_values(b"a=x%00", read_form(b"a=x%00")) == ["a"]
