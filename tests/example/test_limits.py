"""Limits: client keys, what counts, and 429 answers, by a stopped clock."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, product

import pytest

from .conftest import Stopped
from .support import FORM, Answer, Limit, Site, probe

pytestmark = pytest.mark.servers

TOO_MANY = {"message": "Too Many Attempts."}
UNAUTHENTICATED = {"message": "Unauthenticated."}
MONTH = {"start": "2021-09-01", "end": "2021-09-30"}
THROTTLED = Limit(5, 60)
REPORTS = Limit(10, 5)
REFUSALS = Limit(100, 60)
"""Rejected tokens of one address."""


def assert_429(answer: Answer, limit: Limit, now: int) -> int:
    """Assert that an answer is a 429 of this limit, and return its ``Retry-After``."""
    assert (answer.status, answer.json()) == (429, TOO_MANY)
    headers = answer.headers
    wait = int(headers["Retry-After"])
    assert 1 <= wait <= limit.seconds
    assert int(headers["X-RateLimit-Reset"]) == now + wait
    number = str(limit.number)
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == (number, "0")
    assert "no-store" in headers["Cache-Control"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "WWW-Authenticate" not in headers
    return wait


def assert_counted_down(answers: list[Answer], status: int, limit: Limit) -> None:
    """Assert that the answers are those of one whole window."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")
    found = [(answer.status, *(answer.headers[name] for name in names)) for answer in answers]
    left = range(limit.number - 1, -1, -1)
    assert found == [(status, str(limit.number), str(number), None, None) for number in left]


# --- The throttled endpoint --------------------------------------------------------------------


def test_five_requests_a_minute(stopped: Stopped) -> None:
    site, clock, _ = stopped
    for _ in range(2):
        answers = [site.request("/api/throttled") for _ in range(5)]
        assert_counted_down(answers, 200, THROTTLED)
        assert [answer.json() for answer in answers] == [{"message": "You were let through."}] * 5
        wait = assert_429(site.request("/api/throttled"), THROTTLED, clock.now)
        clock.go_on(wait - 1)
        assert assert_429(site.request("/api/throttled"), THROTTLED, clock.now) == 1
        assert site.request("/api/issues").status == 200
        assert site.from_new_address().request("/api/throttled").status == 200
        clock.go_on(1)


def test_headers_make_no_new_client(stopped: Stopped) -> None:
    numbers = count(1)

    def call() -> Answer:
        address = f"10.0.0.{next(numbers)}"
        headers = {"X-Forwarded-For": address, "X-Real-IP": address, "Forwarded": f"for={address}"}
        return stopped.site.request("/api/throttled", headers=headers)

    assert_counted_down([call() for _ in range(5)], 200, THROTTLED)
    assert_429(call(), THROTTLED, stopped.clock.now)


def test_a_user_is_one_client_wherever_it_comes_from(stopped: Stopped) -> None:
    def call() -> Answer:
        return stopped.site.from_new_address().request("/api/throttled", token="other_user")

    stopped.clock.go_on(THROTTLED.seconds)
    assert_counted_down([call() for _ in range(5)], 200, THROTTLED)
    assert_429(call(), THROTTLED, stopped.clock.now)


# --- Everything else ---------------------------------------------------------------------------


def test_ordinary_answers_say_how_many_are_left(stopped: Stopped) -> None:
    stopped.clock.go_on(60)
    paths = ["/api/issues", "/api/issues/1", "/api/user", "/api/v1/tickets", "/api/v1/tags/1"]
    answers = [stopped.site.as_acme(path) for path in paths]
    found = [
        (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"])
        for answer in answers
    ]
    assert found == [("6000", str(5999 - number)) for number in range(5)]
    for answer in answers:
        assert answer.headers["X-RateLimit-Reset"] is None
        assert answer.headers["Retry-After"] is None


# --- Reports -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["channels", "performance"])
def test_ten_reports_in_five_seconds(stopped: Stopped, name: str) -> None:
    """By token and report; invalid requests count as well."""
    site, clock, url = stopped
    token, another = probe(*[["issue", ["reports:read"]]] * 2, database_url=url)

    def ask(token: str = token, name: str = name, **values: str) -> Answer:
        path = f"/api/v1/reports/{name}"
        return site.as_acme(path, method="POST", json={**MONTH, **values}, token=token)

    for values, status in (({}, 200), ({"start": "x"}, 422)):
        assert_counted_down([ask(**values) for _ in range(10)], status, REPORTS)
        wait = assert_429(ask(), REPORTS, clock.now)
        assert assert_429(ask(**values), REPORTS, clock.now) == wait
        other = {"channels": "performance", "performance": "channels"}[name]
        for answer in (ask(name=other), ask(token=another)):
            assert answer.status == 200
            assert answer.headers["X-RateLimit-Remaining"] == "9"
        # Both counters begin with the first request of this round.
        clock.go_on(REPORTS.seconds)


# --- Rejected tokens ---------------------------------------------------------------------------


def by_header(asker: Site, token: str) -> Answer:
    return asker.request("/api/v1/tags", token=token, client="acme")


def by_header_where_none_is_needed(asker: Site, token: str) -> Answer:
    return asker.request("/api/issues/1", token=token)


def by_query(asker: Site, token: str) -> Answer:
    return asker.request(f"/api/user?api_token={token}")


def by_json(asker: Site, token: str) -> Answer:
    return asker.request("/api/webhooks", method="POST", json={"api_token": token, "url": "x"})


def by_form(asker: Site, token: str) -> Answer:
    body = f"color=x&api_token={token}".encode()
    options = {"method": "POST", "body": body, "content_type": FORM}
    return asker.request("/api/v1/tags", client="acme", **options)


Placement = Callable[[Site, str], Answer]
PLACEMENTS: list[Placement] = [
    *(by_header, by_header_where_none_is_needed, by_query, by_json, by_form)
]


def test_100_rejected_tokens_a_minute(stopped: Stopped) -> None:
    """Every placement and every kind of unusable token counts, and all in one counter."""
    site = stopped.site
    texts = ["cn_unknown", "garbage", site.tokens["expired"], site.tokens["revoked"]]
    ways = list(product(PLACEMENTS, texts))
    for place, text in ways * (REFUSALS.number // len(ways)):
        answer = place(site, text)
        assert (answer.status, answer.json()) == (401, UNAUTHENTICATED)
    for place, text in ways:
        assert_429(place(site, text), REFUSALS, stopped.clock.now)


def test_100_rejected_tokens_keep_out_no_valid_one(stopped: Stopped) -> None:
    site, valid = stopped.site, stopped.site.tokens["valid"]
    assert {by_header(site, "garbage").status for _ in range(REFUSALS.number)} == {401}
    assert_429(by_header(site, "garbage"), REFUSALS, stopped.clock.now)
    assert [place(site, valid).status for place in PLACEMENTS] == [200, 200, 200, 422, 422]
    assert site.request("/api/issues").status == 200
    answer = site.request("/api/user")
    assert (answer.status, answer.json()) == (401, UNAUTHENTICATED)
    assert by_header(site.from_new_address(), "garbage").status == 401


def test_requests_without_a_token_do_not_count(stopped: Stopped) -> None:
    for path in ("/api/user", "/api/v1/tags"):
        answers = [stopped.site.request(path, client="acme") for _ in range(51)]
        assert {answer.status for answer in answers} == {401}
    assert by_header(stopped.site, "garbage").status == 401
