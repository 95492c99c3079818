"""How gunicorn serves the example: no token in its logs, and JSON also where it refuses itself.

``gunicorn --config example_project/gunicorn.conf.py …``; options of the command go first.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from connectnow_api.logs import RedactTokens

# The master process logs, too, and the filter asks the settings which parameters hold tokens.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

chdir = str(Path(__file__).parent)
wsgi_app = "project.wsgi"
# Nobody stands in front: what a client says of its scheme is its own word.
forwarded_allow_ips = ""
threads = 4
"""So that clients who take their time hold up nobody else of the same process."""


class RedactingLogger(Logger):  # type: ignore[misc]
    """gunicorn's own logs, the access log among them, without the tokens of URLs and headers."""

    def setup(self, cfg: Any) -> None:
        """Put the filter on each handler."""
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.addFilter(RedactTokens())


class JSONRefusals:
    """A connection on which gunicorn's page about a refusal becomes ``{"message"}``."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def sendall(self, page: bytes) -> None:
        """Send the page's status with a body that repeats nothing of the request."""
        status = page.partition(b"\r\n")[0]
        phrase = status.decode("latin-1").split(" ", 2)[2]
        body = json.dumps({"message": f"{phrase}."}).encode()
        head = (
            status,
            b"Connection: close",
            b"Content-Type: application/json",
            b"X-Content-Type-Options: nosniff",
            b"Content-Length: %d" % len(body),
        )
        self._connection.sendall(b"\r\n".join([*head, b"", body]))


class JSONThreadWorker(ThreadWorker):  # type: ignore[misc]
    """Threads, and refusals in JSON of what never gets to Django."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Refuse as gunicorn does, in other words."""
        super().handle_error(req, JSONRefusals(client), addr, exc)


logger_class = RedactingLogger
worker_class = JSONThreadWorker
