"""Runs inside the example project, whose settings are not those of the other tests.

    python tests/hostile/inside.py routes                       print the routes as JSON
    python tests/hostile/inside.py wsgi CREDENTIALS EXAMPLES    attack the WSGI application
    python tests/hostile/inside.py asgi CREDENTIALS EXAMPLES    attack the ASGI application

``CREDENTIALS`` is the file that ``demo --credentials`` wrote. Each request is rolled back, so that
all of them find the same rows and what failed can be done again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "example_project")]
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
django.setup()

from asgiref.sync import async_to_sync  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.core.signals import request_finished, request_started  # noqa: E402
from django.db import close_old_connections, transaction  # noqa: E402
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402

from project import asgi, wsgi  # noqa: E402
from tests.hostile import strategies  # noqa: E402
from tests.hostile.oracle import Answer, Secrets  # noqa: E402
from tests.hostile.routes import get_routes  # noqa: E402
from tests.hostile.strategies import Credentials, Request  # noqa: E402
from tests.hostile.wire import assert_answer, environ, read_credentials, scope  # noqa: E402

Application = Callable[[Request], Answer]


# --- The applications -------------------------------------------------------------------------


def ask_wsgi(request: Request) -> Answer:
    """Call the WSGI application as a server does, with an environment of its own making."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started[:] = [status, headers]

    chunks = wsgi.application(environ(request), start_response)
    try:
        body = b"".join(chunks)
    finally:
        chunks.close()
    status, headers = started
    return Answer(int(status.split()[0]), headers, body, request.method)


def ask_asgi(request: Request) -> Answer:
    """Call the ASGI application as a server does; the body comes in two pieces."""
    middle = len(request.body) // 2
    messages = [
        {"type": "http.request", "body": request.body[:middle], "more_body": True},
        {"type": "http.request", "body": request.body[middle:], "more_body": False},
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        # Nothing more comes until the answer is there.
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    # In this thread, which has the transaction.
    async_to_sync(asgi.application)(scope(request), receive, send)
    start, *rest = sent
    headers = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]
    ]
    return Answer(
        start["status"], headers, b"".join(m.get("body", b"") for m in rest), request.method
    )


APPLICATIONS: dict[str, Application] = {"wsgi": ask_wsgi, "asgi": ask_asgi}


# --- The property -----------------------------------------------------------------------------


class Errors(logging.Handler):
    """Keeps what is logged of errors: an answer may look well after something broke."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, unless it is of what Django logs as errors of the client's."""
        if not record.name.startswith("django.security"):
            self.texts.append(self.format(record))


@contextmanager
def rolled_back() -> Iterator[None]:
    """Undo what happens to the database, and forget what was counted."""
    cache.clear()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def attack(application: Application, credentials: dict[str, Any], examples: int) -> None:
    """Raise ``AssertionError`` with the request that was answered as it should not be."""
    tokens, chat = credentials["tokens"], credentials["chat"]["token"]
    others = [token for kind, token in tokens.items() if kind != "valid"]
    secrets = Secrets([*tokens.values(), chat])
    errors = Errors()
    logging.getLogger().handlers[:] = [errors]
    known = Credentials(tokens["valid"], chat, others)
    counts: dict[int, int] = {}

    @settings(
        max_examples=examples,
        # The short form sends the same requests in each run.
        derandomize=not os.environ.get("TEST_LONG"),
        deadline=None,
        database=None,
        print_blob=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategies.requests(get_routes(), known))
    def every_answer_is_good(request: Request) -> None:
        errors.texts.clear()
        with rolled_back():
            answer = application(request)
        counts[answer.status] = counts.get(answer.status, 0) + 1
        assert not errors.texts, "\n".join(errors.texts)
        assert_answer(request, answer, secrets)

    every_answer_is_good()
    sys.stdout.write(json.dumps(counts, sort_keys=True))


def main(arguments: list[str]) -> None:
    """Do what the first argument says."""
    name, *rest = arguments
    if name == "routes":
        sys.stdout.write(json.dumps(get_routes()))
        return
    # The transaction of ``rolled_back`` has to outlive the request.
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    path, examples = rest
    attack(APPLICATIONS[name], read_credentials(path), int(examples))


if __name__ == "__main__":
    main(sys.argv[1:])
