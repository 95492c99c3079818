"""Whole requests of every kind to the example behind each of its servers.

Several at once, so that all processes have something to do; changes stay.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.example.support import Site

from . import strategies
from .conftest import effort
from .oracle import CRASHES, Answer, Secrets, assert_outside, is_servers_own
from .sockets import Connection, netloc
from .strategies import Credentials
from .wire import assert_answer, http

pytestmark = [
    pytest.mark.hostile,
    # What failed is shown whole, however long it is.
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]

LONG = 30_000
"""Bytes of a request that a server need not read to its end before it answers and closes."""


def test_whole_requests(expendable: Site, routes: list[strategies.Route]) -> None:
    site = expendable
    tokens, chat = site.tokens, str(site.credentials["chat"]["token"])
    others = [token for kind, token in tokens.items() if kind != "valid"]
    known, secrets = Credentials(tokens["valid"], chat, others), Secrets([*tokens.values(), chat])
    pool = ThreadPoolExecutor(4)

    def send(request: strategies.Request) -> tuple[strategies.Request, list[Answer]]:
        sent = http(request, netloc(site), close=True)
        with Connection(site) as connection:
            connection.send(sent)
            answer = connection.answer(request.method)
        # Who answers before all of a long request is read may reset, and lose the answer.
        assert answer or len(sent) > LONG, request
        return request, [answer] if answer else []

    @settings(
        **effort(40),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(strategies.requests(routes, known), min_size=4, max_size=4))
    def every_answer_is_good(requests: list[strategies.Request]) -> None:
        for request, answers in pool.map(send, requests):
            for answer in answers:
                if is_servers_own(answer):
                    assert_outside(answer, secrets)
                else:
                    assert_answer(request, answer, secrets)

    with pool:
        every_answer_is_good()
    log = site.log.read_text()
    assert not [line for line in CRASHES if line in log]
    assert not [secret for secret in secrets.texts if secret in log]
