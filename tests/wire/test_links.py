"""Page URLs in PHP's spelling."""

import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectnow_api.wire.links import PageLinks, base_name, from_mapping, from_query, page_number


@pytest.mark.parametrize(
    "text", [None, "", "0", "-1", "+2", " 2", "2 ", "02", "2.0", "1e1", "٣", "２", "abc", "9" * 19]
)
def test_what_is_no_page_number(text: str | None) -> None:
    assert page_number(text) is None


def test_page_number_has_up_to_eighteen_digits() -> None:
    assert page_number("9" * 18) == 10**18 - 1


@given(st.text())
def test_page_number_reads_one_spelling_of_each_number(text: str) -> None:
    number = page_number(text)
    assert number is None or (str(number) == text and 1 <= number < 10**18)


@pytest.mark.parametrize(
    ("query", "keep_repeated", "expected"),
    [
        ({"q": ["a b"], "sort": ["-id"]}, False, [("q", "a b"), ("sort", "-id")]),
        ({"a": ["1", "2"]}, False, [("a", "2")]),
        ({"a": ["1", "2"]}, True, [("a", "1"), ("a", "2")]),
        ({"a": ["1", ""]}, False, []),
        ({"tags[]": ["x", "y"]}, False, [("tags[0]", "x"), ("tags[1]", "y")]),
        ({"a[][b]": ["1", "2"]}, False, [("a[0][b]", "1"), ("a[1][b]", "2")]),
        ({"a[][]": ["1", "2"]}, False, [("a[0][0]", "1"), ("a[1][0]", "2")]),
        ({"status[0]": ["open"]}, False, [("status[0]", "open")]),
        (
            {"f[a]": ["1"], "x": ["2"], "f[b]": ["3"]},
            False,
            [("f[a]", "1"), ("f[b]", "3"), ("x", "2")],
        ),
        ({"q": [""], "r": ["1"]}, True, [("r", "1")]),
        ({"[x]": ["1"]}, False, [("[x]", "1")]),
        ({"t[0]": ["a"], "t[]": ["b"]}, False, [("t[0]", "a"), ("t[1]", "b")]),
        ({"t[5]": ["a"], "t[]": ["b"]}, False, [("t[5]", "a"), ("t[6]", "b")]),
        ({"t[]": ["", "x"]}, False, [("t[1]", "x")]),
        ({"t[]": ["a"], "t": ["b"]}, False, [("t", "b")]),
        ({"t": ["b"], "t[]": ["a"]}, False, [("t[0]", "a")]),
        ({"t[]": ["a"], "t": ["b"]}, True, [("t[0]", "a"), ("t", "b")]),
        ({"a[b": ["1"], "a[x]y": ["2"]}, False, [("a[b", "1"), ("a[x]y", "2")]),
    ],
)
def test_query_is_kept_in_phps_spelling(
    query: dict[str, list[str]], keep_repeated: bool, expected: list[tuple[str, str]]
) -> None:
    assert from_query(query.items(), keep_repeated=keep_repeated) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"flag": True, "none": None, "off": False}, [("flag", "1"), ("off", "0")]),
        (
            {"filter": {"state": "open", "tag": ["x", "y"]}},
            [("filter[state]", "open"), ("filter[tag][0]", "x"), ("filter[tag][1]", "y")],
        ),
        ({"a": "", "b": [], "c": {}, "d": [None, 1]}, [("d[1]", "1")]),
        ({"ratio": 1.5, "n": 0}, [("ratio", "1.5"), ("n", "0")]),
        ({"a": 1.0, "b": 1e22, "c": 2.5e-7}, [("a", "1"), ("b", "1.0E+22"), ("c", "2.5E-7")]),
    ],
)
def test_mapping_is_spelt_as_http_build_query_does(
    values: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert from_mapping(values) == expected


def test_url_escapes_as_rfc_3986_wants_it() -> None:
    links = PageLinks("https://example.com/api", "page", [("tags[0]", "é/&=+ ~")])
    expected = "https://example.com/api?tags%5B0%5D=%C3%A9%2F%26%3D%2B%20~&page=3"
    assert links.url(3) == expected


def test_the_page_stands_once_at_the_end_and_other_spellings_are_other_parameters() -> None:
    pairs = [("page", "9"), ("page[]", "9"), ("PAGE", "7")]
    assert PageLinks("p", "page", pairs).url(3) == "p?PAGE=7&page=3"
    pairs = [("page[number]", "2"), ("page[size]", "5")]
    links = PageLinks("p", "page[number]", pairs)
    assert links.url(3) == "p?page%5Bsize%5D=5&page%5Bnumber%5D=3"


def test_without_takes_out_every_spelling_of_a_name() -> None:
    pairs = [("api_token", "s"), ("API_TOKEN", "s"), ("api_token[]", "s"), ("api_token[0]", "s")]
    pairs += [("api_token\0", "s"), (" api_token ", "s"), ("\ufeffapi_token\n[a]", "s")]
    links = PageLinks("p", "page", [*pairs, ("a", "1")]).without(["api_token"])
    assert links.pairs == [("a", "1")]


@given(st.dictionaries(st.text(min_size=1), st.lists(st.text(min_size=1), min_size=1)))
def test_any_query_makes_a_url_that_reads_back(query: dict[str, list[str]]) -> None:
    """A link is always valid, whatever the client sent, and nothing of it gets lost."""
    query = {key.encode(errors="replace").decode(): values for key, values in query.items()}
    query = {
        key: [value.encode(errors="replace").decode() for value in values]
        for key, values in query.items()
    }
    links = PageLinks("https://example.com/", "page", from_query(query.items(), keep_repeated=True))
    url = links.url(2)
    assert re.fullmatch(r"[A-Za-z0-9_.~%&=:/?-]+", url)
    assert not re.search(r"%(?![0-9A-F]{2})", url)
    sent = sorted(value for values in query.values() for value in values)
    read = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    assert sorted(value for _, value in read[:-1]) == sent
    assert unquote(url).endswith("page=2")


def test_base_name_of_a_name_that_starts_with_a_bracket_is_the_name() -> None:
    assert base_name("[x]") == "[x]"
