"""Requests that would crash before any middleware is asked."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.core.handlers.wsgi import WSGIHandler
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api.entry_points import asgi, safe_content_type, wsgi
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
    b"".join(application(environ, start_response))
    return answer["status"], answer["content-type"]


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
