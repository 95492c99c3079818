"""What has to happen before Django builds its request, where no middleware can help.

Django reads the query as soon as it finds a ``charset`` that Python knows, while it builds the
request: one that decodes no text (``base64``), or a query with too many parameters, is a crash
there (5.2 to 6.1), and the server answers with a page of its own.

And it takes the end of a WSGI server's stream for the end of the body, however many bytes were
promised. Our parsers ask for the length of what they read; a multipart parser reads piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from .request_bodies import DIGITS, WholeBody
from .settings import is_api_path

_CHARSET = re.compile(r";\s*charset\s*=\s*(?P<charset>[^;]*)", re.IGNORECASE)
_UTF_8 = re.compile(r'"?(?:utf-?8|(?:us-)?ascii)"?\s*', re.IGNORECASE)

WSGIApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]


def wsgi(application: WSGIApplication) -> WSGIApplication:
    """Return a WSGI application that is safe from what requests below ``PREFIXES`` say wrongly.

    In ``wsgi.py``: ``application = wsgi(get_wsgi_application())``. UTF-8, which needs no saying,
    is taken out of ``Content-Type``; any other charset is put in a form that Django passes over
    and parsers refuse. A body that ends before its ``Content-Length`` is that of a client that is
    gone, whoever reads it.
    """

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if is_api_path(environ.get("PATH_INFO", "")):
            environ["CONTENT_TYPE"] = safe_content_type(environ.get("CONTENT_TYPE", ""))
            length = environ.get("CONTENT_LENGTH") or ""
            if DIGITS.fullmatch(length):
                environ["wsgi.input"] = WholeBody(environ["wsgi.input"], int(length))
        return application(environ, start_response)

    return guarded


def asgi(application: Any) -> Any:
    """Return an ASGI application that is as safe; see ``wsgi``.

    ASGI servers say by themselves that a client is gone.
    """

    async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> Any:
        if scope["type"] == "http" and is_api_path(_path(scope)):
            scope = {**scope, "headers": [_safe_header(*header) for header in scope["headers"]]}
        return await application(scope, receive, send)

    return guarded


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
