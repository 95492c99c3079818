"""The filter for logs: what it takes out of a record, and that it keeps the record."""

from __future__ import annotations

import io
import logging
from typing import Any

import pytest
from django.test import RequestFactory
from gunicorn.glogging import SafeAtoms
from uvicorn.logging import AccessFormatter

from connectnow_api import tokens
from connectnow_api.logs import LOST, RedactTokens

TOKEN = tokens.generate("cn")
URL = f"/api/issues?api_token={TOKEN}&page=2"
CLEAN = "/api/issues?api_token=[redacted]&page=2"

FORMAT = '%(client_addr)s - "%(request_line)s" %(status_code)s'
"""uvicorn's own."""


class Log:
    """A logger with one handler, which has the filter."""

    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.addFilter(RedactTokens())
        handler.setFormatter(formatter)
        self.logger = logging.getLogger(f"tests.{id(self)}")
        self.logger.setLevel(logging.DEBUG)
        self.logger.addHandler(handler)

    @property
    def text(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.mark.parametrize(
    ("message", "arguments", "line"),
    [
        (f"GET {URL}", (), f"GET {CLEAN}"),
        ("GET %s", (URL,), f"GET {CLEAN}"),
        ('"%s" %s %d', (f"GET {URL} HTTP/1.1", "200", 12), f'"GET {CLEAN} HTTP/1.1" 200 12'),
        ("api_token=%s", (TOKEN,), "api_token=[redacted]"),
        ("api_token=%s", ("short",), "api_token=[redacted]"),
        ("%(url)s %(n)05d", ({"url": URL, "n": 7},), f"{CLEAN} 00007"),
        ("%r", (RequestFactory().get(URL),), f"<WSGIRequest: GET '{CLEAN}'>"),
        ("%s", (b"api_token=x",), "b'api_token=[redacted]'"),
        (KeyError(TOKEN), (), "'[redacted]'"),
        ("100%", (), "100%"),
        ("%s of %s", ("one", 2), "one of 2"),
        ("nothing", (), "nothing"),
    ],
    ids=range(12),
)
def test_messages(log: Log, message: Any, arguments: tuple[Any, ...], line: str) -> None:
    log.logger.warning(message, *arguments)
    assert log.text == f"{line}\n"


def test_tracebacks(log: Log) -> None:
    try:
        raise ValueError(f"cannot read {URL}")
    except ValueError:
        log.logger.exception("failed")
    lines = log.text.splitlines()
    assert lines[:2] == ["failed", "Traceback (most recent call last):"]
    assert lines[-1] == f"ValueError: cannot read {CLEAN}"


def test_stacks(log: Log) -> None:
    log.logger.warning("here", stack_info=True)
    assert "test_stacks" in log.text


def test_further_texts_of_a_record() -> None:
    log = Log(logging.Formatter("%(message)s %(url)s %(number)d"))
    log.logger.warning("GET", extra={"url": URL, "number": 3})
    assert log.text == f"GET {CLEAN} 3\n"


def test_the_access_log_of_uvicorn() -> None:
    """Its formatter wants five arguments, by place."""
    log = Log(AccessFormatter(FORMAT, use_colors=False))
    line = '%s - "%s %s HTTP/%s" %d'
    log.logger.info(line, "192.0.2.7:80", "GET", URL, "1.1", 200)
    assert log.text == f'192.0.2.7:80 - "GET {CLEAN} HTTP/1.1" 200 OK\n'


def test_the_access_log_of_gunicorn() -> None:
    """Its one argument is a mapping of its own, which knows headers by name."""
    atoms = {
        "r": f"GET {URL} HTTP/1.1",
        "f": f"https://example.com{URL}",
        "s": "200",
        "{authorization}i": "Bearer x",
        "{accept}i": "*/*",
    }
    log = Log()
    line = '%(h)s "%(r)s" %(s)s "%(f)s" %({Authorization}i)s %({accept}i)s'
    log.logger.info(line, SafeAtoms(atoms))
    expected = f'- "GET {CLEAN} HTTP/1.1" 200 "https://example.com{CLEAN}" [redacted] */*\n'
    assert log.text == expected
    assert atoms["f"].endswith(URL)


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError(TOKEN)


def test_a_record_that_cannot_be_searched_says_so(log: Log) -> None:
    log.logger.warning("%s", Unspeakable())
    assert log.text == f"{LOST}\n"


def test_arguments_that_do_not_fit_are_shown(log: Log) -> None:
    log.logger.warning("%d of %s", URL)  # noqa: PLE1206
    log.logger.warning("%(a)s", {"b": URL})
    assert log.text == f"%d of %s ('{CLEAN}',)\n%(a)s {{'b': '{CLEAN}'}}\n"


def test_whatever_holds_texts_is_searched() -> None:
    request = RequestFactory().get(URL)
    record = logging.makeLogRecord({"msg": "%(a)s", "args": ({"a": request},)})
    record.data = {"url": URL, "more": [{"url": URL}, (URL, 1)], "request": request}
    RedactTokens().filter(record)
    assert TOKEN not in repr(vars(record))


def test_every_record_passes() -> None:
    record = logging.makeLogRecord({"msg": Unspeakable(), "args": ()})
    assert RedactTokens().filter(record) is True
