"""Requests that would crash before any middleware is asked."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.core.handlers.wsgi import WSGIHandler
from django.utils.http import parse_header_parameters
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.parsers import FileUploadParser, FormParser, JSONParser, MultiPartParser
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api.entry_points import asgi, safe_content_type, wsgi
from connectnow_api.parsers import StrictJSONParser
from connectnow_api.request_bodies import UNKNOWN, WholeBody
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


UNREADABLE = [
    "application/json; x*=nope''y",
    *(f"application/json; charset*={text}" for text in ("utf-8''base64", "nope''utf-8", "x", "''")),
    *(f"application/json; charset*=utf-8''{text}" for text in ("%00", "rot13", "undefined")),
    "application/json; charset*0=base64",
    "application/json; charset*0=base; charset*1=64",
    "application/json; x*0*=a; x*=b; x*1=c",
    "multipart/form-data; boundary*=nope''x",
    f"application/json; x*{'1' * 5000}=y",
    f"application/json; a={'x' * 20_000}",
    f"{'x' * 20_000}/json",
    "; charset=base64",
    'application/json; a="; charset=base64',
]


@pytest.mark.parametrize("content_type", UNREADABLE)
def test_no_content_type_crashes_a_wsgi_application(content_type: str) -> None:
    """RFC 2231 has parameters in encodings, and in pieces."""
    for query in ("", "q=1"):
        answer = get(wsgi(WSGIHandler()), query, content_type)
        assert answer == ("200", "application/json")


@pytest.mark.parametrize("content_type", UNREADABLE)
def test_no_content_type_crashes_a_parser(content_type: str, mount: Mount) -> None:
    mount({"flat/x": Echo.as_view()})
    body = b'{"a": 1}'
    sent = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    answer = get(wsgi(WSGIHandler()), "", content_type, "/flat/x", **sent)
    assert answer[0] in ("200", "415", "422")
    assert answer[1] == "application/json"


@given(
    st.text(st.sampled_from("abcharset*0123456789=;'\" \t%/utf-8\0é"), max_size=60),
    st.sampled_from(["", "application/json;", "multipart/form-data; boundary=x;"]),
)
def test_django_reads_every_content_type(text: str, head: str) -> None:
    safe = safe_content_type(f"{head}{text}")
    _, parameters = parse_header_parameters(safe)
    assert parameters.get("charset", "x-unsupported") == "x-unsupported"
    assert safe_content_type(safe) == safe


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


def ask_asgi(
    *headers: tuple[bytes, bytes],
    application: Any = None,
    pieces: tuple[bytes, ...] = (b"",),
    **values: Any,
) -> list[Any]:
    """Return the messages with which a request for ``/flat/x`` is answered."""
    first = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    coming = values.pop("coming", [*first[:-1], {**first[-1], "more_body": False}])
    sent: list[Any] = []

    async def receive() -> Any:
        if not coming:
            await asyncio.Event().wait()
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/flat/x",
        "query_string": b"q=1",
        "headers": [(b"host", b"testserver"), *headers],
        **values,
    }
    asyncio.run(asgi(application or get_asgi_application())(scope, receive, send))
    return sent


def body_of(messages: list[Any]) -> Any:
    return json.loads(b"".join(message.get("body", b"") for message in messages))


@pytest.mark.parametrize("content_type", ["text/plain; charset=base64", *UNREADABLE])
def test_no_content_type_crashes_an_asgi_application(content_type: str) -> None:
    header = (b"Content-Type", content_type.encode())
    sent = ask_asgi(header, path="/app/flat/x", root_path="/app")
    assert (sent[0]["status"], body_of(sent)) == (200, {"q": "1"})


# --- WebSockets -------------------------------------------------------------------------------

HANDSHAKE: dict[str, Any] = {
    "type": "websocket",
    "scheme": "wss",
    "extensions": {"websocket.http.response": {}},
    "subprotocols": [],
}
CONNECT = {"type": "websocket.connect"}


def test_a_handshake_is_answered_as_a_get() -> None:
    sent = ask_asgi(**HANDSHAKE, coming=[CONNECT])
    assert [message["type"] for message in sent][:2] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert (sent[0]["status"], body_of(sent)) == (200, {"q": "1"})


def test_a_server_that_cannot_say_more_says_no() -> None:
    sent = ask_asgi(**{**HANDSHAKE, "extensions": None}, coming=[CONNECT])
    assert sent == [{"type": "websocket.close"}]


def test_a_client_that_goes_during_its_handshake_is_gone() -> None:
    sent = ask_asgi(**HANDSHAKE, coming=[CONNECT, {"type": "websocket.disconnect", "code": 1006}])
    assert all(message["type"].startswith("websocket.") for message in sent)


def test_a_site_with_websockets_of_its_own_keeps_them() -> None:
    seen: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    ask_asgi(**HANDSHAKE, application=application)
    ask_asgi(type="lifespan", application=application)
    assert seen == ["websocket", "lifespan"]


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


MULTIPART = "multipart/form-data; boundary=x"
IN_CHUNKS = (b"transfer-encoding", b"chunked")
TOO_LARGE = {"message": "The request is too large."}
PARTS = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n%s\r\n--x--\r\n'


def test_chunks_are_read(mount: Mount) -> None:
    mount({"flat/x": Echo.as_view()})
    assert send_in_chunks(Chunks(b'{"a": 1}')) == ("200", {"data": {"a": 1}})
    upload = Chunks(PARTS % (b"y" * 5_000_000))
    answer = send_in_chunks(upload, MULTIPART)
    assert answer == ("200", {"data": {"f": 5_000_000}})


def test_chunks_that_are_too_many_are_not_read_to_their_end(mount: Mount, settings: Any) -> None:
    mount({"flat/x": Echo.as_view()})
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    endless = Chunks(b"x" * 100_000_000)
    status, body = send_in_chunks(endless)
    assert (status, body) == ("413", TOO_LARGE)
    assert endless._body.tell() < 1_000_000


def test_chunks_that_are_none_are_a_body_that_was_cut_off(mount: Mount, settings: Any) -> None:
    mount({"flat/x": Echo.as_view()})
    message = {"message": "The body is not as long as the request says."}
    for body in (b"", b'{"a": 1}'):
        broken = Chunks(body, ValueError("no chunk"))
        assert send_in_chunks(broken) == ("400", message)
    for most in (10, 10_000):
        settings.FILE_UPLOAD_MAX_MEMORY_SIZE = most
        broken = Chunks(PARTS % (b"y" * 1_000), ValueError("no chunk"))
        assert send_in_chunks(broken, MULTIPART)[0] == "400"


def test_files_that_nobody_wants_are_not_read() -> None:
    endless = Chunks(PARTS % (b"x" * 30_000_000))
    assert send_in_chunks(endless, MULTIPART)[0] == "405"
    assert endless._body.tell() < 5_000_000


class Receive(View):
    """Says how much arrived."""

    def post(self, request: Any) -> Response:
        file = request.data["file"]
        length = len(file)
        if not isinstance(file, str):
            file.close()
        return Response({"length": length})


@pytest.mark.parametrize("limit", [100, 1_000_000, None])
@pytest.mark.parametrize(
    ("parser", "content_type", "body"),
    [
        (FileUploadParser, "application/octet-stream", b"y" * 200_000),
        (FormParser, "application/x-www-form-urlencoded", b"file=" + b"y" * 200_000),
        (JSONParser, "application/json", b'{"file": "%s"}' % (b"y" * 200_000)),
    ],
)
def test_a_long_body_arrives_whole_or_not_at_all(
    mount: Mount, settings: Any, limit: int | None, parser: Any, content_type: str, body: bytes
) -> None:
    """The parsers of others know no limit; what they are given must not look like the end."""
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = limit
    mount({"flat/x": Receive.as_view(parser_classes=[parser])})
    name = {"HTTP_CONTENT_DISPOSITION": "attachment; filename=f"}
    answer = send_in_chunks(Chunks(body), content_type, **name)
    header = (b"content-disposition", b"attachment; filename=f")
    pieces = tuple(body[start : start + 60_000] for start in range(0, len(body), 60_000))
    sent = ask_asgi(
        (b"content-type", content_type.encode()), header, IN_CHUNKS, pieces=pieces, method="POST"
    )
    expected = [(200, {"length": 200_000})]
    if limit == 100:
        expected.append((413, TOO_LARGE))
    assert (int(answer[0]), answer[1]) in expected
    assert (sent[0]["status"], body_of(sent)) in expected


def test_a_server_that_does_not_know_the_end_is_not_waited_for(mount: Mount) -> None:
    mount({"flat/x": Echo.as_view()})
    stream = Chunks(b"", AssertionError("it was read"))
    status, _ = send_in_chunks(stream, **{"wsgi.input_terminated": False})
    assert status == "400"


@pytest.mark.parametrize(
    ("pieces", "limit", "status", "body"),
    [
        ((b'{"a"', b": 1}"), 100, 200, {"data": {"a": 1}}),
        ((b"x" * 60, b"x" * 60, b"x" * 60), 100, 413, TOO_LARGE),
    ],
)
def test_chunks_under_asgi(
    mount: Mount, settings: Any, pieces: tuple[bytes, ...], limit: int, status: int, body: Any
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = limit
    mount({"flat/x": Echo.as_view()})
    sent = ask_asgi((b"content-type", b"application/json"), IN_CHUNKS, pieces=pieces, method="POST")
    assert (sent[0]["status"], body_of(sent)) == (status, body)


def test_no_more_is_kept_than_shows_that_it_is_too_much(settings: Any) -> None:
    """The rest goes past us to Django, which has the disk for it."""
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 100
    coming = [{"type": "http.request", "body": b"x" * 60, "more_body": n < 9} for n in range(10)]
    found: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        found.append(len(coming))
        while (message := await receive()).get("more_body"):
            found.append(message["body"])
        found.append(dict(scope["headers"])[b"content-length"])

    kind = (b"content-type", MULTIPART.encode())
    ask_asgi(kind, IN_CHUNKS, application=application, method="POST", coming=coming)
    assert found == [8, *[b"x" * 60] * 9, str(UNKNOWN).encode()]
