"""Whole requests, made up of what no client of good will sends, to the example behind servers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.example.support import Site

from . import strategies
from .conftest import as_many
from .exchange import CRASHES, Request, ask, check


@as_many
@given(data=st.data())
def test_no_request_is_a_crash(target: Site, secrets: list[str], data: st.DataObject) -> None:
    """Whatever is sent, the answer is JSON below 500 that says nothing of what is inside."""
    request = data.draw(strategies.requests(secrets))
    reply = ask(target, request)
    assert reply is not None, request
    check(request, reply, secrets)


def test_nothing_was_logged_as_a_crash(target: Site, secrets: list[str]) -> None:
    """Which an answer may hide."""
    reply = ask(target, Request("GET", "/api/issues"))
    assert reply is not None
    assert reply.status == 200
    log = target.log.read_text()
    # A wrong host is logged with a traceback, too.
    assert not any(line in log for line in CRASHES)
    assert not any(secret in log for secret in secrets)
