"""Requests that would crash before any middleware is asked."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.core.handlers.wsgi import WSGIHandler
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api.entry_points import asgi, safe_content_type, wsgi
from connectnow_api.parsers import StrictJSONParser
from connectnow_api.request_bodies import WholeBody
from tests.conftest import Mount

# A request's end closes connections, which only tests with a database may.
pytestmark = pytest.mark.django_db

HOSTILE = [
    *("base64", "rot13", "hex", "zlib", "undefined", "idna", "nope", "latin-1", '"utf-16"'),
    *("utf-8\0", "x; charset=hex", ""),
]


class View(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Any) -> Response:
        return Response({"q": request.query_params.get("q")})


@pytest.fixture(autouse=True)
def routes(mount: Mount) -> None:
    mount({"flat/x": View.as_view(), "site/x": View.as_view()})


def get(
    application: Any, query: str, content_type: str, path: str = "/flat/x", **sent: Any
) -> tuple[str, str]:
    """Return status and media type of an answer; what is ``sent`` makes it a POST."""
    answer, _ = answered(application, query, content_type, path, **sent)
    return answer["status"], answer["content-type"]


def answered(
    application: Any, query: str, content_type: str, path: str, **sent: Any
) -> tuple[dict[str, Any], bytes]:
    """Return status and headers of an answer, and its body."""
    answer: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], *args: Any) -> None:
        answer.update(status=status.partition(" ")[0], **{k.lower(): v for k, v in headers})

    environ = {
        "REQUEST_METHOD": "POST" if sent else "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
        **sent,
    }
    response = application(environ, start_response)
    body = b"".join(response)
    response.close()
    return answer, body


@pytest.mark.parametrize("charset", HOSTILE)
def test_no_charset_crashes_a_wsgi_application(charset: str) -> None:
    application = wsgi(WSGIHandler())
    for query in ("", "q=1", "q=%ff%c3%a9"):
        answer = get(application, query, f"application/json; charset={charset}")
        assert answer == ("200", "application/json")


def test_django_alone_crashes() -> None:
    """When this fails, Django has mended it, and the wrapper can go."""
    with pytest.raises(LookupError):
        get(WSGIHandler(), "q=1", "application/json; charset=base64")


def test_too_many_parameters_come_to_the_view(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    application = wsgi(WSGIHandler())
    for content_type in ("application/json; charset=utf-8", "application/json"):
        assert get(application, "a=1&b=1&c=1&d=1", content_type)[0] == "400"


def test_other_paths_are_left_to_django() -> None:
    with pytest.raises(LookupError):
        get(wsgi(WSGIHandler()), "q=1", "text/plain; charset=base64", "/site/x")


def test_no_charset_crashes_an_asgi_application() -> None:
    sent: list[Any] = []

    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/app/flat/x",
        "root_path": "/app",
        "query_string": b"q=1",
        "headers": [(b"host", b"testserver"), (b"Content-Type", b"text/plain; charset=base64")],
    }
    asyncio.run(asgi(get_asgi_application())(scope, receive, send))
    assert sent[0]["status"] == 200


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ""),
        ("application/json", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ('application/json;Charset="UTF-8" ; a=b', "application/json; a=b"),
        ("text/plain; a=b; charset=hex", "text/plain; a=b; charset=x-unsupported"),
        ("multipart/form-data; boundary=charset", "multipart/form-data; boundary=charset"),
    ],
)
def test_what_becomes_of_a_content_type(value: str, expected: str) -> None:
    assert safe_content_type(value) == expected


def test_a_body_that_is_whole_is_read_as_ever() -> None:
    whole = WholeBody(io.BytesIO(b"a\nbcd"), 5)
    assert [whole.readline(), whole.readline(1), whole.read(1), whole.read(0)] == [
        *(b"a\n", b"b", b"c", b""),
    ]
    assert [whole.read(), whole.read(), whole.readline()] == [b"d", b"", b""]


@pytest.mark.parametrize("method", ["read", "readline"])
def test_a_body_that_ends_early_is_that_of_a_client_that_is_gone(method: str) -> None:
    cut = WholeBody(io.BytesIO(b"abc"), 4)
    assert getattr(cut, method)(10) == b"abc"
    with pytest.raises(OSError, match="not as long"):
        getattr(cut, method)(10)


class Upload(View):
    parser_classes = (MultiPartParser,)

    def post(self, request: Any) -> Response:
        return Response({"sizes": [file.size for file in request.FILES.values()]})


@pytest.mark.parametrize(("missing", "status"), [(0, "200"), (1, "400"), (500, "400")])
def test_an_upload_that_was_cut_off_is_none(mount: Mount, missing: int, status: str) -> None:
    mount({"flat/x": Upload.as_view()})
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    body = head + b"y" * 1000 + b"\r\n--x--\r\n"
    sent = {"CONTENT_LENGTH": f"{len(body)}", "wsgi.input": io.BytesIO(body[: len(body) - missing])}
    answer = get(wsgi(WSGIHandler()), "", "multipart/form-data; boundary=x", "/flat/x", **sent)
    assert answer == (status, "application/json")


# --- Bodies in chunks -------------------------------------------------------------------------


class Echo(View):
    parser_classes = (StrictJSONParser, MultiPartParser)

    def post(self, request: Any) -> Response:
        files = {name: file.size for name, file in request.FILES.items()}
        return Response({"data": files or dict(request.data)})


class Chunks(io.RawIOBase):
    """What a server makes of chunks: an end that it knows, and at times an error."""

    def __init__(self, body: bytes, error: Exception | None = None) -> None:
        self._body, self._error = io.BytesIO(body), error

    def read(self, size: int = -1, /) -> bytes:
        data = self._body.read(size)
        if not data and self._error:
            raise self._error
        return data


def send_in_chunks(stream: Any, content_type: str = "application/json", **environ: Any) -> Any:
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, **environ}
    environ = {"CONTENT_LENGTH": "", "wsgi.input": stream, **environ}
    answer, body = answered(wsgi(WSGIHandler()), "", content_type, "/flat/x", **environ)
    return answer["status"], json.loads(body)


PARTS = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n%s\r\n--x--\r\n'


def test_chunks_are_read(mount: Mount) -> None:
    mount({"flat/x": Echo.as_view()})
    assert send_in_chunks(Chunks(b'{"a": 1}')) == ("200", {"data": {"a": 1}})
    upload = Chunks(PARTS % (b"y" * 5_000_000))
    answer = send_in_chunks(upload, "multipart/form-data; boundary=x")
    assert answer == ("200", {"data": {"f": 5_000_000}})


def test_chunks_that_are_too_many_are_not_read_to_their_end(mount: Mount, settings: Any) -> None:
    mount({"flat/x": Echo.as_view()})
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    endless = Chunks(b"x" * 100_000_000)
    status, body = send_in_chunks(endless)
    assert (status, body) == ("413", {"message": "The request is too large."})
    assert endless._body.tell() < 1_000_000


def test_chunks_that_are_none_are_a_body_that_was_cut_off(mount: Mount) -> None:
    mount({"flat/x": Echo.as_view()})
    message = {"message": "The body is not as long as the request says."}
    for body in (b"", b'{"a": 1}'):
        broken = Chunks(body, ValueError("no chunk"))
        assert send_in_chunks(broken) == ("400", message)
    broken = Chunks(PARTS % b"y", ValueError("no chunk"))
    assert send_in_chunks(broken, "multipart/form-data; boundary=x")[0] in ("200", "400")


def test_a_server_that_does_not_know_the_end_is_not_waited_for(mount: Mount) -> None:
    mount({"flat/x": Echo.as_view()})
    stream = Chunks(b"", AssertionError("it was read"))
    status, _ = send_in_chunks(stream, **{"wsgi.input_terminated": False})
    assert status in ("200", "422")


@pytest.mark.parametrize(
    ("pieces", "limit", "status", "body"),
    [
        ([b'{"a"', b": 1}"], 100, 200, {"data": {"a": 1}}),
        ([b"x" * 60, b"x" * 60, b"x" * 60], 100, 413, {"message": "The request is too large."}),
    ],
)
def test_chunks_under_asgi(
    mount: Mount, settings: Any, pieces: list[bytes], limit: int, status: int, body: Any
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = limit
    mount({"flat/x": Echo.as_view()})
    coming = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, 1)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        if not coming:
            await asyncio.sleep(3600)
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/flat/x",
        "query_string": b"",
        "headers": [
            (b"host", b"testserver"),
            (b"content-type", b"application/json"),
            (b"transfer-encoding", b"chunked"),
        ],
    }
    asyncio.run(asgi(get_asgi_application())(scope, receive, send))
    assert sent[0]["status"] == status
    assert json.loads(b"".join(message.get("body", b"") for message in sent)) == body
