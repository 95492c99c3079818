"""Bodies on their way to a view."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import UnreadablePostError
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.parsers import StrictFormParser, StrictJSONParser
from tests.conftest import Mount, fixtures_once

pytestmark = pytest.mark.django_db

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

FLAT = (422, {"message": "The request body is malformed."})
RESOURCE = (400, {"message": "Empty request, check your JSON syntax."})


class Echo(APIView):
    """Answers what it was sent, for each of its methods."""

    permission_classes = ()
    envelope = None

    def post(self, request: Any) -> Response:
        return Response({"got": request.data})

    put = patch = delete = get = post


@pytest.fixture
def send(mount: Mount, client: APIClient) -> Callable[..., Any]:
    """Send a body to a view: ``send(b"{}", JSON, path="/flat/x", accepts_lists=True)``."""

    def send(
        body: bytes,
        content_type: str = JSON,
        path: str = "/flat/x",
        method: str = "POST",
        view: type[APIView] = Echo,
        environ: dict[str, Any] | None = None,
        **attributes: Any,
    ) -> Any:
        made = type("View", (view,), attributes).as_view()
        mount({"flat/x": made, "resource/x": made})
        return client.generic(method, path, body, content_type=content_type, **(environ or {}))

    return send


Send = Callable[..., Any]


def answer(response: Any) -> tuple[int, Any]:
    return response.status_code, response.json()


MALFORMED = [
    b"{",
    b"'",
    b'{"a": NaN}',
    b"\xef\xbb\xbf{}",
    b'{"a": "\xff"}',
    b"[" * 101 + b"]" * 101,
    b"1",
    b'"x"',
    b"null",
    b"[]",
    b"[1]",
    b" ",
    b'{"api_token": "a", "api_token": "a"}',
]


@pytest.mark.parametrize(
    ("body", "method"),
    [
        *[(body, "POST") for body in MALFORMED],
        *[(body, method) for body in (b"{", b"[]", b" ") for method in ("PUT", "PATCH", "DELETE")],
    ],
)
def test_a_malformed_body_has_the_profiles_answer(send: Send, body: bytes, method: str) -> None:
    assert answer(send(body, method=method)) == FLAT
    assert answer(send(body, path="/resource/x", method=method)) == RESOURCE


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"api_token": "x"}'])
def test_an_empty_body_is_refused_where_the_profile_says_so(
    send: Send, body: bytes, method: str
) -> None:
    refused = send(body, path="/resource/x", method=method, authentication_classes=())
    assert answer(refused) == RESOURCE
    if body != b"[]":
        answered = send(body, method=method, authentication_classes=())
        assert answer(answered) == (200, {"got": {}})


@pytest.mark.parametrize(
    "content_type", ["", JSON, FORM, "text/plain", "multipart/form-data; boundary=x"]
)
def test_no_body_is_an_empty_body_of_any_type(send: Send, content_type: str) -> None:
    assert answer(send(b"", content_type, "/resource/x")) == RESOURCE
    assert answer(send(b"", content_type)) == (200, {"got": {}})


def test_get_and_delete_need_no_body(send: Send) -> None:
    for method in ("GET", "DELETE"):
        assert answer(send(b"", path="/resource/x", method=method)) == (200, {"got": {}})


def test_a_view_may_take_an_empty_body(send: Send) -> None:
    for body in (b"", b"{}"):
        response = send(body, path="/resource/x", empty_body="accept")
        assert answer(response) == (200, {"got": {}})


def test_a_view_that_reads_no_data_asks_for_none(send: Send) -> None:
    class Deaf(Echo):
        def post(self, request: Any) -> Response:
            return Response({"ok": True})

    assert send(b"", path="/resource/x", view=Deaf).status_code == 200


def test_a_view_may_take_lists(send: Send) -> None:
    assert answer(send(b"[1, 2]", accepts_lists=True)) == (200, {"got": [1, 2]})
    assert answer(send(b"[]", accepts_lists=True)) == (200, {"got": []})
    assert answer(send(b"[]", path="/resource/x", accepts_lists=True)) == RESOURCE
    assert answer(send(b"1", accepts_lists=True)) == FLAT


def test_texts_are_settings_and_statuses_too(send: Send, settings: Any) -> None:
    settings.CONNECTNOW_API = {"MALFORMED_STATUS": 400, "MALFORMED_MESSAGE": "What?"}
    assert answer(send(b"{")) == (400, {"message": "What?"})


def test_a_form_has_lists_and_objects(send: Send) -> None:
    body = b"name=x&ids[]=1&ids[]=2&from[email]=a%40b"
    got = {"name": "x", "ids": ["1", "2"], "from": {"email": "a@b"}}
    assert answer(send(body, FORM)) == (200, {"got": got})
    assert answer(send(b"a=%ff", FORM)) == FLAT


def test_too_many_fields(send: Send, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    message = {"message": "The request has too many fields."}
    assert answer(send(b"a=1&b=2&c=3&d=4", FORM)) == (400, message)


@pytest.mark.parametrize("content_type", [JSON, FORM])
def test_a_body_over_the_limit_is_refused_unread(send: Send, content_type: str) -> None:
    body = b"a=" + b"x" * 3_000_000
    response = send(body, content_type)
    assert answer(response) == (413, {"message": "The request is too large."})


def test_the_limit_is_djangos(send: Send, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert send(b'{"a": 1234567}').status_code == 413
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
    assert send(b'{"a": "' + b"x" * 3_000_000 + b'"}').status_code == 200


@pytest.mark.parametrize("content_type", [JSON, FORM])
def test_a_body_that_ended_early_is_refused(send: Send, content_type: str) -> None:
    environ = {"CONTENT_LENGTH": "500", "wsgi.input": io.BytesIO(b"{}")}
    response = send(b"", content_type, environ=environ)
    assert answer(response) == (400, {"message": "The body is not as long as the request says."})


@pytest.mark.parametrize("path", ["/flat/x", "/resource/x"])
def test_a_body_that_nobody_says_the_length_of_is_refused(send: Send, path: str) -> None:
    environ = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    response = send(b"{}", path=path, environ=environ)
    assert answer(response) == (400, {"message": "The body is not as long as the request says."})


def test_a_client_that_vanished(mount: Mount) -> None:
    class Broken(io.BytesIO):
        def read(self, *args: Any) -> bytes:
            raise OSError("gone")

    request = APIRequestFactory().post("/flat/x", b"{}", content_type=JSON)
    request._stream = Broken()
    response = Echo.as_view()(request)
    assert response.status_code == 400
    assert response.data == {"message": "The body is not as long as the request says."}
    assert issubclass(UnreadablePostError, OSError)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (JSON, 200),
        ("application/json; charset=utf-8", 200),
        ('application/json; charset="UTF-8"', 200),
        ("application/json; charset=nope", 415),
        ("application/json; charset=latin-1", 415),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=hex", 415),
        ("application/json; charset=undefined", 415),
        ("text/plain", 415),
        ("application/xml", 415),
        ("", 415),
        ("garbage", 415),
        ("multipart/form-data; boundary=x", 415),
    ],
)
def test_media_types(send: Send, content_type: str, status: int) -> None:
    response = send(b'{"a": 1}', content_type)
    assert response.status_code == status
    assert status == 200 or response.json() == {"message": "Unsupported media type."}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"a": "\\u0000"}', "a"),
        (b'{"a": {"b": ["\\ud800"]}}', "a.b.0"),
        (b'{"\\udfff": 1}', "\\udfff"),
    ],
)
def test_texts_that_nothing_can_hold_are_422(send: Send, body: bytes, field: str) -> None:
    for path in ("/flat/x", "/resource/x"):
        response = send(body, path=path)
        assert answer(response) == (
            422,
            {
                "message": "The given data was invalid.",
                "errors": {field: ["This value cannot be stored."]},
            },
        )


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"api_token": "x", "a": 1}', JSON),
        (b'{"api_token": {"b": ["x"]}, "a": 1}', JSON),
        (b"api_token=x&a=1", FORM),
        (b"api_token[]=x&a=1", FORM),
        (b"api%5Ftoken[b]=x&a=1", FORM),
        (b'{"API_TOKEN": "x", " api_token": "x", "api_token\\u200b": "x", "a": 1}', JSON),
        (b"Api_Token=x&api_token+=x&a=1", FORM),
    ],
)
def test_a_token_never_reaches_the_view(send: Send, body: bytes, content_type: str) -> None:
    response = send(body, content_type, authentication_classes=())
    assert set(response.json()["got"]) == {"a"}


def test_the_parameter_of_another_kind_is_taken_out_too(send: Send, settings: Any) -> None:
    class Chat(APITokenAuthentication):
        parameter = "chat_user_token"
        placements = ()

    body = b'{"chat_user_token": "x", "other": "y"}'
    assert send(body, authentication_classes=[Chat]).json() == {"got": {"other": "y"}}
    settings.CONNECTNOW_API = {"TOKEN_PARAMETERS": ["other"]}
    assert send(body, authentication_classes=()).json() == {"got": {"chat_user_token": "x"}}


@pytest.mark.parametrize("content_type", [JSON, FORM])
def test_the_raw_body_is_there_for_signatures(send: Send, content_type: str) -> None:
    """With the payload placement on, a view can read the body before or after the data."""

    class Signed(Echo):
        def post(self, request: Any) -> Response:
            before = request._request.body
            return Response({"got": request.data and before.decode()})

        put = post

    body = b'{"a": 1}' if content_type == JSON else b"a=1"
    assert send(body, content_type, view=Signed).json() == {"got": body.decode()}


def test_multipart_is_left_to_its_parser(send: Send) -> None:
    class Upload(Echo):
        parser_classes = (StrictJSONParser, MultiPartParser)

        def post(self, request: Any) -> Response:
            return Response({"got": request.data["a"], "auth": request.auth is not None})

    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
    response = send(body, "multipart/form-data; boundary=x", view=Upload)
    assert response.json() == {"got": "1", "auth": False}


def test_a_body_that_a_middleware_read_before(mount: Mount, client: APIClient) -> None:
    """As ``body`` or as ``POST``; also a multipart one, whose stream is gone by then."""

    class Upload(Echo):
        parser_classes = (StrictJSONParser, StrictFormParser, MultiPartParser)

    view = Upload.as_view()

    def body_first(request: Any) -> Any:
        assert request.body
        return view(request)

    def post_first(request: Any) -> Any:
        assert request.POST["a"] == "1"
        return view(request)

    body_first.csrf_exempt = post_first.csrf_exempt = True  # type: ignore[attr-defined]
    mount({"flat/body": body_first, "flat/post": post_first})
    assert client.post("/flat/body", {"a": 1}, "json").json() == {"got": {"a": 1}}
    assert client.post("/flat/post", "a=1", content_type=FORM).json() == {"got": {"a": "1"}}
    assert client.post("/flat/post", {"a": 1}, "multipart").json() == {"got": {"a": "1"}}


def test_parsers_work_without_a_context() -> None:
    assert StrictJSONParser().parse(io.BytesIO(b'{"a": 1}')) == {"a": 1}
    assert StrictFormParser().parse(io.BytesIO(b"a[]=1")) == {"a": ["1"]}


@fixtures_once
@given(
    body=st.binary() | st.text(st.characters(exclude_categories=["Cs"])).map(str.encode),
    form=st.booleans(),
    slow=st.booleans(),
)
def test_no_body_raises(body: bytes, form: bool, slow: bool) -> None:
    path = "/resource/x" if slow else "/flat/x"
    request = APIRequestFactory().post(path, body, content_type=FORM if form else JSON)
    response = Echo.as_view()(request)
    assert response.status_code in (200, 400, 401, 422)
    json.dumps(response.data)
