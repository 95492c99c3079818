"""Bodies: what is malformed, too much, cut off, or not what a serializer expects."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.test import Client

from .site import (
    FORM,
    JSON,
    MALFORMED,
    MULTIPART,
    PREFIXES,
    Issue,
    answer,
    invalid,
    post,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"meta": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"meta": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
    ],
    ids=["brackets", "braces", "deep list", "deep object"],
)
def test_row_09_deep_json(client: Client, crashes: Any, prefix: str, body: bytes) -> None:
    for route in ("items", "raw"):
        assert answer(post(client, f"/{prefix}/{route}", body)) == MALFORMED[prefix]
    assert not crashes


@pytest.mark.parametrize(
    "body", [rb'{"meta": "\ud800"}', rb'{"meta": {"a": ["\udfff"]}}', rb'{"meta": {"\ud800": 1}}']
)
def test_row_10_lone_surrogates(client: Client, crashes: Any, body: bytes) -> None:
    for prefix in PREFIXES:
        for route in ("items", "raw"):
            status, answered = answer(post(client, f"/{prefix}/{route}", body))
            assert (status, set(answered)) == (422, {"message", "errors"})
    assert not crashes


def test_row_11_nul_in_bodies(client: Client, crashes: Any) -> None:
    invalid(post(client, "/flat/items", rb'{"meta": "\u0000"}'), "meta")
    invalid(post(client, "/flat/items", rb'{"name": "\u0000"}'), "name")
    invalid(post(client, "/flat/items", b"name=a%00b", FORM), "name")
    assert not crashes


def test_row_15_bodies_over_the_limits(client: Client, crashes: Any) -> None:
    large = b'{"a": "' + b"x" * 3_000_000 + b'"}'
    too_large = (413, {"message": "The request is too large."})
    assert answer(post(client, "/flat/raw", large)) == too_large
    assert answer(post(client, "/flat/raw", b"a=" + large, FORM)) == too_large
    too_many = (400, {"message": "The request has too many fields."})
    assert answer(post(client, "/flat/raw", b"a=1&" * 1001, FORM)) == too_many
    assert answer(client.get("/flat/books?" + "a=1&" * 1001))[0] == 400
    part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n1\r\n'
    files = part * 101 + b"--x--\r\n"
    assert answer(post(client, "/flat/upload", files, MULTIPART)) == too_many
    assert not crashes


class Broken(io.BytesIO):
    """The stream of a client that is gone."""

    def read(self, *args: Any) -> bytes:
        raise OSError("gone")

    readline = read  # type: ignore[assignment]


@pytest.mark.parametrize("content_type", [JSON, FORM, MULTIPART])
def test_row_16_clients_that_vanish(
    own_client: Client, crashes: Any, caplog: Any, content_type: str
) -> None:
    gone = {"CONTENT_LENGTH": "500", "wsgi.input": Broken()}
    route = "upload" if content_type == MULTIPART else "raw"
    caplog.set_level("INFO")
    response = post(own_client, f"/flat/{route}", b"x", content_type, **gone)
    message = "The body is not as long as the request says."
    assert answer(response) == (400, {"message": message})
    assert not crashes
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


@pytest.mark.parametrize("body", [b'{"name":"a"}', b"name=a&b=cccc"])
def test_row_17_bodies_shorter_than_they_say(own_client: Client, body: bytes) -> None:
    content_type = JSON if body.startswith(b"{") else FORM
    short = {"CONTENT_LENGTH": "500", "wsgi.input": io.BytesIO(body)}
    response = post(own_client, "/flat/raw", body, content_type, **short)
    assert answer(response)[0] == 400


def test_row_18_content_lengths_that_are_none(own_client: Client, crashes: Any) -> None:
    """Where no server has refused them before; 413 will do for a number that is one too large."""
    statuses = {}
    for length in ("-1", "abc", "9" * 30, "1e3", "12.0", "٣"):
        environ = {"CONTENT_LENGTH": length, "wsgi.input": io.BytesIO(b'{"name":"a"}')}
        statuses[length], _ = answer(post(own_client, "/flat/raw", b"x", JSON, **environ))
    assert statuses.pop("9" * 30) in (400, 413)
    assert set(statuses.values()) == {400}
    assert not crashes


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b'["api_token"]', b'"api_token"'])
def test_row_19_bodies_that_are_no_object(
    client: Client, crashes: Any, prefix: str, body: bytes
) -> None:
    assert answer(post(client, f"/{prefix}/private", body))[0] == 401
    assert answer(post(client, f"/{prefix}/raw", body)) == MALFORMED[prefix]
    assert not crashes


@pytest.mark.parametrize("body", [b'{"api_token": ', b"\xff", b"<x>api_token</x>"])
def test_row_20_bodies_of_a_public_get(client: Client, body: bytes) -> None:
    for content_type in (JSON, FORM, "text/plain", MULTIPART):
        response = client.generic("GET", "/flat/items", body, content_type=content_type)
        assert answer(response) == (200, {"ok": True})


@pytest.mark.parametrize("prefix", PREFIXES)
def test_row_21_a_malformed_body_is_never_an_empty_one(
    client: Client, issue: Issue, prefix: str
) -> None:
    body = b'{"api_token": "x", "name": '
    assert answer(post(client, f"/{prefix}/raw", body)) == MALFORMED[prefix]
    bearer = {"headers": {"authorization": f"Bearer {issue().plain_text}"}}
    assert answer(post(client, f"/{prefix}/private", body, **bearer)) == MALFORMED[prefix]


TOKEN_PART = '--x\r\nContent-Disposition: form-data; name="api_token"\r\n\r\n%s\r\n--x--\r\n'


def test_row_22_multipart_has_no_token(client: Client, issue: Issue) -> None:
    body = (TOKEN_PART % issue().plain_text).encode()
    assert answer(post(client, "/flat/private", body, MULTIPART))[0] == 401
    large = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n" + b"x" * 30_000_000 + body
    assert answer(post(client, "/flat/private", large, MULTIPART))[0] == 401


def test_row_22_multipart_is_never_read_for_a_token(own_client: Client, issue: Issue) -> None:
    head = TOKEN_PART % issue().plain_text

    class Untouched(io.BytesIO):
        touched = False

        def read(self, *args: Any) -> bytes:
            self.touched = True
            return super().read(*args)

    stream = Untouched(head.encode())
    environ = {"CONTENT_LENGTH": str(len(head)), "wsgi.input": stream}
    assert answer(post(own_client, "/flat/private", b"x", MULTIPART, **environ))[0] == 401
    assert not stream.touched


@pytest.mark.parametrize("content_type", [JSON, FORM])
def test_row_23_the_token_is_not_in_the_data(
    client: Client, issue: Issue, content_type: str
) -> None:
    text = issue().plain_text
    form = f"api_token={text}&name=a".encode()
    body = form if content_type == FORM else {"api_token": text, "name": "a"}
    response = post(client, "/flat/private", body, content_type)
    assert answer(response) == (201, {"name": "a", "data": {"name": "a"}})


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "body",
    [
        *(b'{"name": "\xff"}', b'{"meta": NaN}', b'{"meta": Infinity}', b'{"meta": -Infinity}'),
        *(b'\xef\xbb\xbf{"name": "a"}', b'{"meta": ' + b"9" * 5000 + b"}"),
        '{"name": "a"}'.encode("utf-16"),
        b"{'name': 'a'}",
    ],
)
def test_row_30_one_text_for_all_malformed_bodies(
    client: Client, crashes: Any, prefix: str, body: bytes
) -> None:
    assert answer(post(client, f"/{prefix}/items", body)) == MALFORMED[prefix]
    assert not crashes


@pytest.mark.parametrize("number", [b"1e999", b"-1e999"])
def test_row_31_numbers_beyond_floats(client: Client, crashes: Any, number: bytes) -> None:
    for prefix in PREFIXES:
        invalid(post(client, f"/{prefix}/items", b'{"ratio": ' + number + b"}"), "ratio")
        invalid(post(client, f"/{prefix}/items", b'{"meta": ' + number + b"}"), "meta")
        invalid(post(client, f"/{prefix}/items", b'{"meta": {"a": [' + number + b"]}}"), "meta.a.0")
    assert not crashes


@pytest.mark.parametrize("text", ["1e999", "-inf", "nan", "9" * 400])
def test_row_31_texts_that_are_no_numbers_of_json(client: Client, text: str) -> None:
    for prefix in PREFIXES:
        invalid(post(client, f"/{prefix}/items", {"ratio": text}), "ratio")


def test_row_31_numbers_beyond_floats_that_nobody_checks(client: Client, crashes: Any) -> None:
    """Even a view that gives back what it was sent does not crash."""
    assert answer(post(client, "/flat/raw", b'{"a": 1e999}'))[0] in (400, 422)
    assert not crashes


@pytest.mark.parametrize("charset", ["nope", "base64", "undefined", "utf-16", "latin-1", "hex"])
def test_row_32_charsets(client: Client, charset: str) -> None:
    for media_type, body in ((JSON, b'{"name": "a"}'), (FORM, b"name=a")):
        response = post(client, "/flat/items", body, f"{media_type}; charset={charset}")
        assert answer(response) == (415, {"message": "Unsupported media type."})


@pytest.mark.parametrize("prefix", PREFIXES)
def test_row_33_repeated_keys(client: Client, issue: Issue, prefix: str) -> None:
    response = post(client, f"/{prefix}/items", b'{"name": "a", "name": "b"}')
    assert answer(response) == (201, {"name": "b"})
    text = issue().plain_text.encode()
    twice = b'{"api_token": "%s", "api_token": "%s"}' % (text, text)
    assert answer(post(client, f"/{prefix}/raw", twice)) == MALFORMED[prefix]
    assert answer(post(client, f"/{prefix}/private", twice))[0] == 401


@pytest.mark.parametrize("body", [b"", b" ", b"\n\t"])
def test_row_34_empty_bodies(client: Client, body: bytes) -> None:
    assert answer(post(client, "/resource/books", body)) == MALFORMED["resource"]
    if body:
        assert answer(post(client, "/flat/books", body)) == MALFORMED["flat"]
    else:
        invalid(post(client, "/flat/books", body), "title", "isbn")


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"a"', b"true", b"[1]"])
def test_row_35_no_object_for_a_serializer(
    client: Client, crashes: Any, prefix: str, body: bytes
) -> None:
    for route in ("items", "raw", "books"):
        assert answer(post(client, f"/{prefix}/{route}", body)) == MALFORMED[prefix]
    assert not crashes


BAD_BASE64 = (
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\n!!!\r\n--x--\r\n"
)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n\r\n"),
        ("multipart/form-data; boundary=", b"--x"),
        ("multipart/form-data; boundary=\xc3\xa9", b"--x"),
        (MULTIPART, b"garbage"),
        (MULTIPART, BAD_BASE64),
    ],
    ids=["no boundary", "empty boundary", "odd boundary", "garbage", "bad base64"],
)
def test_row_41_multipart(client: Client, crashes: Any, content_type: str, body: bytes) -> None:
    status, answered = answer(post(client, "/flat/upload", body, content_type))
    assert status in (201, 400, 422)
    assert status == 201 or answered == {"message": answered["message"]}
    assert "oundary" not in str(answered)
    assert answer(post(client, "/flat/raw", body, content_type))[0] == 415
    assert not crashes
