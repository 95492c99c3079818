"""What has to happen before Django builds its request, where no middleware can help.

Django reads the query as soon as it finds a ``charset`` that Python knows, while it builds the
request: one that decodes no text (``base64``), or a query with too many parameters, is a crash
there (5.2 to 6.1), and the server answers with a page of its own. So is a ``Content-Type`` that
cannot be read: a parameter in an encoding that Python lacks (RFC 2231 section 4), or a long one.

And it takes the end of a WSGI server's stream for the end of the body, however many bytes were
promised. Our parsers ask for the length of what they read; a multipart parser reads piece by piece.
A body that comes in chunks (RFC 9112 section 7.1) says no length, so Django, and Django REST
framework, would take it for none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.utils.http import parse_header_parameters

from .request_bodies import DIGITS, UNKNOWN, WholeBody, measure, most_bytes
from .settings import is_api_path

UNSUPPORTED = "x-unsupported"
"""A charset that Django passes over, and parsers refuse."""
_LONGEST = 255
"""Characters of a media type: two names of 127 (RFC 6838 section 4.2)."""
_CHARSET = re.compile(r";\s*charset\s*=\s*(?P<charset>[^;]*)", re.IGNORECASE)
_UTF_8 = re.compile(r'"?(?:utf-?8|(?:us-)?ascii)"?\s*', re.IGNORECASE)

WSGIApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]


def wsgi(application: WSGIApplication) -> WSGIApplication:
    """Return a WSGI application that is safe from what requests below ``PREFIXES`` say wrongly.

    In ``wsgi.py``: ``application = wsgi(get_wsgi_application())``. UTF-8, which needs no saying,
    is taken out of ``Content-Type``; any other charset, and what cannot be read, is put in a form
    that Django passes over and parsers refuse. A body that ends before its ``Content-Length`` is
    that of a client that is gone, whoever reads it; one that comes in chunks is given a length.
    """

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not is_api_path(environ.get("PATH_INFO", "")):
            return application(environ, start_response)
        content_type = environ["CONTENT_TYPE"] = safe_content_type(environ.get("CONTENT_TYPE", ""))
        said, stream = environ.get("CONTENT_LENGTH") or "", environ.get("wsgi.input")
        if _comes_in_chunks(environ):
            stream, length = measure(stream, content_type)
            environ["CONTENT_LENGTH"] = str(length)
            environ["wsgi.input"] = stream if length == UNKNOWN else WholeBody(stream, length)
        elif DIGITS.fullmatch(said):
            environ["wsgi.input"] = WholeBody(stream, int(said))
        return application(environ, start_response)

    return guarded


def _comes_in_chunks(environ: Mapping[str, Any]) -> bool:
    """Tell whether there is a body whose length nobody says, and whose end the server knows."""
    return (
        "HTTP_TRANSFER_ENCODING" in environ
        and not environ.get("CONTENT_LENGTH")
        and bool(environ.get("wsgi.input_terminated"))
    )


def asgi(application: Any) -> Any:
    """Return an ASGI application that is as safe; see ``wsgi``.

    ASGI servers say by themselves that a client is gone. The handshake of a WebSocket, which is a
    crash to an application of Django alone, is answered as the GET that it is to WSGI servers.
    """

    async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> Any:
        is_handshake = scope["type"] == "websocket" and isinstance(application, ASGIHandler)
        if not (is_handshake or scope["type"] == "http") or not is_api_path(_path(scope)):
            return await application(scope, receive, send)
        if is_handshake:
            scope, receive, send = _as_get(scope, receive, send)
        headers = [_safe_header(*header) for header in scope["headers"]]
        said = {name.lower(): value for name, value in headers}
        if b"transfer-encoding" in said and b"content-length" not in said:
            content_type = said.get(b"content-type", b"").decode("latin-1")
            length, receive = await _measure_messages(receive, content_type)
            headers.append((b"content-length", str(length).encode()))
        return await application({**scope, "headers": headers}, receive, send)

    return guarded


def _as_get(scope: dict[str, Any], receive: Any, send: Any) -> tuple[dict[str, Any], Any, Any]:
    """Return the handshake of a WebSocket as a GET.

    A server without ``websocket.http.response`` (ASGI's extension) answers 403 in its own words.
    """
    scheme = "https" if scope.get("scheme") == "wss" else "http"
    asked = {**scope, "type": "http", "method": "GET", "scheme": scheme}
    messages = [{"type": "http.request", "body": b"", "more_body": False}]
    is_told = "websocket.http.response" in (scope.get("extensions") or {})

    async def ask() -> Any:
        if messages:
            return messages.pop()
        while (await receive())["type"] != "websocket.disconnect":
            continue
        return {"type": "http.disconnect"}

    async def answer(message: dict[str, Any]) -> None:
        if is_told:
            await send({**message, "type": f"websocket.{message['type']}"})
        elif message["type"] == "http.response.start":
            await send({"type": "websocket.close"})

    return asked, ask, answer


async def _measure_messages(receive: Any, content_type: str) -> tuple[int, Any]:
    """Return how long a body is that comes in messages, and what gives them once more.

    Of what is long the rest comes as it is asked for.
    """
    messages, length, most = [], 0, most_bytes(content_type)
    while most is None or length <= most:
        message = await receive()
        messages.append(message)
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    else:
        length = UNKNOWN

    async def again() -> Any:
        return messages.pop(0) if messages else await receive()

    return length, again


def _path(scope: dict[str, Any]) -> str:
    """Return the path below the application's root, as Django reads it."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def _safe_header(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name.lower() != b"content-type":
        return name, value
    return name, safe_content_type(value.decode("latin-1")).encode("latin-1")


def safe_content_type(value: str) -> str:
    """Return a ``Content-Type`` that Django can read, and whose charset it does not act upon."""
    safe = _CHARSET.sub(_safe_charset, value)
    try:
        charset = parse_header_parameters(safe)[1].get("charset", UNSUPPORTED)
    except Exception:  # noqa: BLE001 - what reads it is Python's library, which raises what it likes
        charset = ""
    if charset == UNSUPPORTED:
        return safe
    return f"{value.partition(';')[0][:_LONGEST]}; charset={UNSUPPORTED}"


def _safe_charset(match: re.Match[str]) -> str:
    return "" if _UTF_8.fullmatch(match["charset"]) else f"; charset={UNSUPPORTED}"
