"""The server behind ``demo``: Django's own, which drops header names spelt with underscores.

What it adds: it can hold an address before it answers there, its log shows no query string, and
what is refused before Django sees it is JSON, too.
"""

import json
import re
import socketserver
from http import HTTPStatus
from typing import Any

from django.core.servers.basehttp import (
    ThreadedWSGIServer,
    WSGIRequestHandler,
    get_internal_wsgi_application,
)

from connectnow_api.profiles import MESSAGES

FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*)?\r?\n")
"""A line of the headers, or the empty one after them. Python reads more, each in its own way."""
ABSOLUTE = re.compile(r"(?i:https?)://(?P<host>[^/?#]*)(?P<path>/.*)?")


class Lines:
    """Keeps the lines that are read from a file."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.read: list[bytes] = []

    def readline(self, size: int) -> bytes:
        """Return the next line."""
        self.read.append(self.file.readline(size))
        return self.read[-1]


class RequestHandler(WSGIRequestHandler):
    """Reads one connection's requests."""

    timeout = 60
    """Seconds that a silent connection is kept."""
    error_content_type = "application/json"
    error_message_format = "%(explain)s"

    def handle_one_request(self) -> None:
        """Answer the next request; a connection that stays silent is closed."""
        try:
            super().handle_one_request()
        except TimeoutError:
            self.close_connection = True

    def parse_request(self) -> bool:
        """Tell whether there is a request that can be answered; else refuse it.

        Where a body ends must be plain: its rest would be taken for the next request.
        """
        lines = Lines(self.rfile)
        self.rfile = lines
        try:
            if not super().parse_request():
                return False
        finally:
            self.rfile = lines.file
        if refusal := self._get_refusal(lines.read):
            self.send_error(refusal)
            return False
        return True

    def _get_refusal(self, lines: list[bytes]) -> HTTPStatus | None:
        """Return the status for a request that others could read otherwise (RFC 9112)."""
        lengths = self.headers.get_all("Content-Length", [])
        if self.request_version == "HTTP/0.9" or not all(map(FIELD_LINE.fullmatch, lines)):
            return HTTPStatus.BAD_REQUEST
        if len(lengths) > 1 or not all(re.fullmatch("[0-9]{1,18}", text) for text in lengths):
            return HTTPStatus.BAD_REQUEST
        if "Transfer-Encoding" in self.headers:
            return HTTPStatus.LENGTH_REQUIRED
        if whole := ABSOLUTE.fullmatch(self.path):
            # What a client says to a proxy; servers have to take it (section 3.2.2).
            del self.headers["Host"]
            self.headers["Host"], self.path = whole["host"], whole["path"] or "/"
        return None

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin a refusal; Django's answers have this header from a middleware."""
        super().send_response(code, message)
        self.send_header("X-Content-Type-Options", "nosniff")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request that never gets to Django, without repeating any of it."""
        if self.request_version == "HTTP/0.9":
            # What no version can be read from would be answered without a status.
            self.request_version = "HTTP/1.0"
        text = MESSAGES.get(code, f"{HTTPStatus(code).phrase}.")
        super().send_error(code, explain=json.dumps({"message": text}))

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Log a request without its query string, which may hold a token."""
        code = code.value if isinstance(code, HTTPStatus) else code
        self.log_message('"%s" %s %s', self._loggable(), str(code), str(size))

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: the answer's own line follows, and the details may hold a token."""

    def _loggable(self) -> str:
        if not self.command:
            return "-"
        line = f"{self.command} {self.path.partition('?')[0]} {self.request_version}"
        return line.encode("unicode_escape").decode("ascii")


class Server(ThreadedWSGIServer):
    """A thread for each connection. ``Server(host, port)`` holds the address; ``open()`` it."""

    request_queue_size = 128

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), RequestHandler, ipv6=":" in host, bind_and_activate=False)
        try:
            self.server_bind()
        except OSError:
            self.server_close()
            raise

    def server_bind(self) -> None:
        """Hold the address, without asking a name server for this machine's name."""
        socketserver.TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)
        self.setup_environ()

    def open(self) -> None:
        """Let connections in; they are answered from ``serve_forever()`` on."""
        self.set_app(get_internal_wsgi_application())
        self.server_activate()
