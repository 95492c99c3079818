"""What has to happen before Django builds its request, where no middleware can help.

Django reads the query as soon as it finds a ``charset`` that Python knows, while it builds the
request: one that decodes no text (``base64``), or a query with too many parameters, is a crash
there (5.2 to 6.1), and the server answers with a page of its own.

And it takes the end of a WSGI server's stream for the end of the body, however many bytes were
promised. Our parsers ask for the length of what they read; a multipart parser reads piece by piece.
A body that comes in chunks (RFC 9112 section 7.1) says no length, so Django, and Django REST
framework, would take it for none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .request_bodies import DIGITS, WholeBody, measure, most_bytes
from .settings import is_api_path

_CHARSET = re.compile(r";\s*charset\s*=\s*(?P<charset>[^;]*)", re.IGNORECASE)
_UTF_8 = re.compile(r'"?(?:utf-?8|(?:us-)?ascii)"?\s*', re.IGNORECASE)

WSGIApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]


def wsgi(application: WSGIApplication) -> WSGIApplication:
    """Return a WSGI application that is safe from what requests below ``PREFIXES`` say wrongly.

    In ``wsgi.py``: ``application = wsgi(get_wsgi_application())``. UTF-8, which needs no saying,
    is taken out of ``Content-Type``; any other charset is put in a form that Django passes over
    and parsers refuse. A body that ends before its ``Content-Length`` is that of a client that is
    gone, whoever reads it; one that comes in chunks is given a length.
    """

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not is_api_path(environ.get("PATH_INFO", "")):
            return application(environ, start_response)
        environ["CONTENT_TYPE"] = safe_content_type(environ.get("CONTENT_TYPE", ""))
        spooled = _spool(environ) if _comes_in_chunks(environ) else None
        length = environ.get("CONTENT_LENGTH") or ""
        if DIGITS.fullmatch(length):
            environ["wsgi.input"] = WholeBody(environ["wsgi.input"], int(length))
        answer = application(environ, start_response)
        return answer if spooled is None else _Closing(answer, spooled)

    return guarded


class _Closing:
    """An answer with a file that is closed when it is: PEP 3333 has servers call ``close``."""

    def __init__(self, answer: Iterable[bytes], file: Any) -> None:
        self._answer, self._file = answer, file

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._answer)

    def close(self) -> None:
        self._file.close()
        if hasattr(self._answer, "close"):
            self._answer.close()


def _spool(environ: dict[str, Any]) -> Any:
    """Give a body in chunks a length, and return the file that it is in."""
    spooled, length = measure(environ["wsgi.input"], environ["CONTENT_TYPE"])
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = spooled, str(length)
    return spooled


def _comes_in_chunks(environ: Mapping[str, Any]) -> bool:
    """Tell whether there is a body whose length nobody says, and whose end the server knows."""
    return (
        "HTTP_TRANSFER_ENCODING" in environ
        and not environ.get("CONTENT_LENGTH")
        and bool(environ.get("wsgi.input_terminated"))
    )


def asgi(application: Any) -> Any:
    """Return an ASGI application that is as safe; see ``wsgi``.

    ASGI servers say by themselves that a client is gone.
    """

    async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> Any:
        if scope["type"] == "http" and is_api_path(_path(scope)):
            headers = [_safe_header(*header) for header in scope["headers"]]
            said = {name.lower(): value for name, value in headers}
            if b"transfer-encoding" in said and b"content-length" not in said:
                content_type = said.get(b"content-type", b"").decode("latin-1")
                length, receive = await _measure_messages(receive, content_type)
                headers.append((b"content-length", str(length).encode()))
            scope = {**scope, "headers": headers}
        return await application(scope, receive, send)

    return guarded


async def _measure_messages(receive: Any, content_type: str) -> tuple[int, Any]:
    """Return how long a body is that comes in messages, and what gives them once more.

    What is too long is not read to its end.
    """
    messages, length, most = [], 0, most_bytes(content_type)
    while True:
        message = await receive()
        messages.append(message)
        length += len(message.get("body", b""))
        if not message.get("more_body") or (most is not None and length > most):
            break
    messages[-1] = {**messages[-1], "more_body": False}

    async def again() -> Any:
        if messages:
            return messages.pop(0)
        while (message := await receive())["type"] == "http.request":
            # What was not read is of no interest, only that the client is gone.
            continue
        return message

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
    """Return a ``Content-Type`` whose charset Django does not act upon."""
    return _CHARSET.sub(_safe_charset, value)


def _safe_charset(match: re.Match[str]) -> str:
    return "" if _UTF_8.fullmatch(match["charset"]) else "; charset=x-unsupported"
