"""Tokens in texts of every kind, and that they are found there."""

from __future__ import annotations

import html
import json
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from django.http import QueryDict
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from connectnow_api import tokens
from connectnow_api.redaction import REDACTED, redact

TOKEN = tokens.generate("cn")
SECRET = "legacy-secret"
"""A value that has not the form of a token: what its place says of it has to be enough."""

PLACES = [
    "GET /api/issues?api_token={} HTTP/1.1",
    "https://example.com/x?a=b&api_token={}&page=2",
    "https://example.com/x?API_TOKEN={}#top",
    "/x?api%5Ftoken={}",
    "/x?%61pi_token={}&b=c",
    "/x?api_token[]={}",
    "/x?api_token%5B0%5D={}&b",
    "next=%2Fx%3Fapi_token%3D{}%26page%3D2",
    "<a href='/x?a=b&amp;api_token={}&amp;c=d'>",
    "api_token={}",
    "name=x&api_token={}",
    '{{"name": "x", "api_token": "{}"}}',
    '{{"api_token":"{}","name":"x"}}',
    '"{{\\"api_token\\": \\"{}\\"}}"',
    "{{'api_token': '{}'}}",
    "<QueryDict: {{'api_token': ['{}']}}>",
    "[('api_token', '{}'), ('a', 'b')]",
    "{{&quot;api_token&quot;: &quot;{}&quot;}}",
    "{{&#x27;api_token&#x27;: &#x27;{}&#x27;}}",
    "{{&#39;api_token&#39;: [&#39;{}&#39;]}}",
    'Content-Disposition: form-data; name="api_token"\r\n\r\n{}\r\n--x--',
    'name="api_token"\r\nContent-Type: text/plain\r\n\r\n{}\r\n--x--',
    "b'name=\"api_token\"\\r\\n\\r\\n{}\\r\\n--x--'",
    "api_token = '{}'",
    "f(api_token='{}', b=1)",
    "(b'authorization', b'Bearer {}')",
    "Authorization: {}",
    '{{"\\u0061pi_token": "{}"}}',
    "x%253Fapi_token%253D{}%2526a",
    "&amp;quot;api_token&amp;quot;: &amp;quot;{}&amp;quot;",
    "Authorization: Bearer {}",
    "authorization: ChatToken {}",
    "'HTTP_AUTHORIZATION': 'Bearer {}'",
    '"Authorization": "Bearer {}"',
    "{{'Authorization': 'Bearer {}', 'Accept': '*/*'}}",
    "-H 'Authorization: Bearer {}'",
]


@pytest.mark.parametrize("place", PLACES)
def test_places(place: str) -> None:
    """Also what is redacted already stays as it is."""
    for secret in (TOKEN, SECRET, REDACTED):
        assert redact(place.format(secret)) == place.format(REDACTED)


@pytest.mark.parametrize(
    "text",
    [
        "<QueryDict: {{'api_token': ['{}', 'x, y', \"it's\"], 'a': ['b']}}>",
        '{{"api_token": ["{}","x"]}}',
    ],
)
def test_each_value_of_a_list(text: str) -> None:
    before, _, after = redact(text.format(SECRET)).partition(REDACTED)
    assert before == text.partition("[")[0].replace("{{", "{") + "["
    assert after in ("], 'a': ['b']}>", "]}")


@pytest.mark.parametrize("after", ["+", "%20", "%00", "[]%20", "+%20+"])
def test_a_name_that_is_spelt_oddly(after: str) -> None:
    text = f"GET /x?api_token{after}={{}}&page=2"
    assert redact(text.format(SECRET)) == text.format(REDACTED)


@pytest.mark.parametrize("rest", [",b", ";b", ",;b;c,d"])
def test_a_value_with_marks_in_it(rest: str) -> None:
    assert redact(f"/x?api_token={SECRET}{rest}&a=b, c") == f"/x?api_token={REDACTED}&a=b, c"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "token {} of Ada",
        "NewAPIToken(token=<APIToken: laptop>, plain_text='{}')",
        "/tokens/{}/x",
        "Bearer {}",
        "b'{}'",
    ],
)
@pytest.mark.parametrize(
    "secret",
    [TOKEN, tokens.generate("chatuser"), "17|" + "aB3" * 14],
    ids=["default prefix", "other prefix", "Laravel Sanctum"],
)
def test_whatever_has_the_form_of_a_token(text: str, secret: str) -> None:
    assert redact(text.format(secret)) == text.format(REDACTED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET /api/issues?page=2&per_page=3 HTTP/1.1",
        "api_token is missing",
        "Vary: Authorization, Cookie",
        "my_api_token_count=3",
        'Bearer realm="api", error="invalid_token"',
        "the bearer of good news",
        'action="refused" kind="connectnow_api.APIToken" fingerprint="2d711642"',
        "a" * 64,
        "cn_" + "a" * 39,
        "snake_case_names_of_whatever_length_they_may_have_in_python",
    ],
)
def test_what_stays(text: str) -> None:
    assert redact(text) == text


def test_requests_and_query_dicts_as_python_shows_them() -> None:
    request = RequestFactory().get(f"/x?api_token={SECRET}&a=b")
    assert repr(request) == f"<WSGIRequest: GET '/x?api_token={SECRET}&a=b'>"
    assert redact(repr(request)) == f"<WSGIRequest: GET '/x?api_token={REDACTED}&a=b'>"
    query = QueryDict(f"api_token={SECRET}&a=b")
    assert redact(repr(query)) == f"<QueryDict: {{'api_token': ['{REDACTED}'], 'a': ['b']}}>"


def test_further_parameters(settings: Any) -> None:
    text = "/x?chat_user_token=abc&api_token=def"
    assert redact(text) == f"/x?chat_user_token=abc&api_token={REDACTED}"
    settings.CONNECTNOW_API = {"TOKEN_PARAMETERS": ["chat_user_token"]}
    assert redact(text) == f"/x?chat_user_token={REDACTED}&api_token=def"
    settings.CONNECTNOW_API = {"TOKEN_PARAMETERS": []}
    assert redact(text) == text


def test_given_values_wherever_they_stand() -> None:
    secret = 'it\'s <a> "secret" & more'
    spelt = [secret, quote(secret), quote_plus(secret), html.escape(secret), json.dumps(secret)]
    for text in (*spelt, repr(secret), urlencode({"x": secret})):
        assert "secret" not in redact(f"before {text} after", [secret])
    # A word is no secret: half of a text would be gone.
    assert redact("the page", ["page"]) == "the page"


values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=8, max_size=300)


@given(values, st.sampled_from(["", "&a=b", "#x"]))
def test_any_value_in_a_url(value: str, rest: str) -> None:
    text = f"/x?api_token={quote(value, safe='')}{rest}"
    assert redact(text) == f"/x?api_token={REDACTED}{rest}"


@given(values)
def test_any_value_in_json(value: str) -> None:
    secret = "~" + value.replace("'", "x").replace("&", "x").replace("%", "x")
    redacted = redact(json.dumps({"api_token": secret, "a": "b"}))
    assert json.loads(redacted) == {"api_token": REDACTED, "a": "b"}


@given(st.text(st.sampled_from("api_token[]=%&\"'\\:,{ BearerAuthorization|\r\n0")))
def test_no_text_is_a_crash(text: str) -> None:
    assert isinstance(redact(text, [text]), str)
