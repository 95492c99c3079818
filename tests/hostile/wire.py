"""A request in the words of WSGI, of ASGI and of HTTP/1.1."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from .oracle import Answer, Secrets, assert_good, assert_outside
from .strategies import Headers, Request

ADDRESS = "203.0.113.1"


def environ(request: Request) -> dict[str, Any]:
    """Return what a WSGI server hands over: of repeated headers one, with commas between."""
    values: dict[str, list[str]] = {}
    for name, value in request.headers:
        values.setdefault(name.upper().replace("-", "_"), []).append(value)
    joined = {name: ",".join(found) for name, found in values.items()}
    typed = {"CONTENT_TYPE": joined.pop("CONTENT_TYPE")} if "CONTENT_TYPE" in joined else {}
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "CONTENT_LENGTH": length(request),
        **typed,
        **{f"HTTP_{name}": value for name, value in joined.items()},
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": ADDRESS,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(request.body),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def scope(request: Request) -> dict[str, Any]:
    """Return what an ASGI server hands over."""
    headers = [*request.headers, ("Content-Length", length(request))]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "root_path": "",
        "headers": [
            (n.lower().encode("latin-1"), v.encode("latin-1", "replace")) for n, v in headers
        ],
        "client": (ADDRESS, 50_000),
        "server": ("localhost", 8000),
    }


def http(request: Request, netloc: str, *, close: bool = False) -> bytes:
    """Return the bytes of a request, whose framing is right whatever else is not.

    ``Content-Length`` is the truth, and no value ends its line or starts another.
    """
    headers: Headers = [(name, _one_line(value)) for name, value in request.headers]
    headers = [(n, netloc if (n, v) == ("Host", "localhost") else v) for n, v in headers]
    headers += [("Content-Length", str(len(request.body)))]
    headers += [("Connection", "close")] if close else []
    lines = [f"{request.method} {request.target} HTTP/1.1", *(f"{n}: {v}" for n, v in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + request.body


def length(request: Request) -> str:
    """Return what the request says of its body's length."""
    return str(len(request.body)) if request.length is None else request.length


def assert_answer(request: Request, answer: Answer, secrets: Secrets) -> None:
    """Assert all that has to hold of the answer to a request."""
    if unquote_to_bytes(request.path).startswith(b"/api/"):
        assert_good(answer, secrets, gives_token=request.path.endswith("/users/get-token"))
    else:
        assert_outside(answer, secrets)


def read_credentials(path: str | Path) -> dict[str, Any]:
    """Return what ``demo --credentials`` wrote."""
    return json.loads(Path(path).read_text())


def _one_line(value: str) -> str:
    return value.translate({ord("\r"): " ", ord("\n"): " ", 0: " "})
