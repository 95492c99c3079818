"""Limits: who is counted for what, and how a 429 looks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from .support import FORM, Answer, Limit, Site, assert_whole_window, until_429

TOO_MANY = {"message": "Too Many Attempts."}
UNAUTHENTICATED = {"message": "Unauthenticated."}
MONTH = {"start": "2021-09-01", "end": "2021-09-30"}
THROTTLED = Limit(5, 60)
REPORTS = Limit(10, 5)
REFUSALS = Limit(100, 60)
"""Refused tokens of one address."""


def assert_429(answer: Answer, limit: Limit) -> None:
    assert (answer.status, answer.json()) == (429, TOO_MANY)
    headers = answer.headers
    wait, reset = int(headers["Retry-After"]), int(headers["X-RateLimit-Reset"])
    assert 1 <= wait <= limit.seconds
    latest, earliest = (math.ceil(reset - at) for at in (answer.asked_at, answer.answered_at))
    assert max(1, earliest) <= wait <= max(1, latest)
    number = str(limit.number)
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == (number, "0")
    assert "no-store" in headers["Cache-Control"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "WWW-Authenticate" not in headers


def counts(answers: list[Answer]) -> list[tuple[int, str | None, str | None]]:
    """Return status, limit and what is left of it."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining")
    return [(answer.status, *(answer.headers[name] for name in names)) for answer in answers]


# --- The address that is there to be asked too often -------------------------------------------


def ask_throttled(asker: Site) -> Answer:
    return asker.request("/api/throttled")


def test_five_requests_a_minute(site: Site) -> None:
    *passed, refused = until_429(lambda: ask_throttled(site), THROTTLED)
    assert counts(passed[-5:]) == [(200, "5", str(left)) for left in (4, 3, 2, 1, 0)]
    assert_whole_window([*passed, refused], THROTTLED)
    for answer in passed:
        assert answer.json() == {"message": "You were let through."}
        assert answer.headers["X-RateLimit-Reset"] is None
        assert answer.headers["Retry-After"] is None
    assert_429(refused, THROTTLED)


def test_another_address_is_another_client(site: Site) -> None:
    until_429(lambda: ask_throttled(site), THROTTLED)
    assert ask_throttled(site.from_new_address()).status == 200


def test_headers_make_no_new_client(site: Site) -> None:
    numbers = count(1)

    def call() -> Answer:
        address = f"10.0.0.{next(numbers)}"
        headers = {"X-Forwarded-For": address, "X-Real-IP": address, "Forwarded": f"for={address}"}
        return site.request("/api/throttled", headers=headers)

    assert_whole_window(until_429(call, THROTTLED), THROTTLED)


def test_a_user_is_one_client_wherever_it_comes_from(site: Site) -> None:
    def call() -> Answer:
        return site.from_new_address().request("/api/throttled", token="other_user")

    assert_429(until_429(call, THROTTLED)[-1], THROTTLED)


def test_other_endpoints_are_not_affected(site: Site) -> None:
    until_429(lambda: ask_throttled(site), THROTTLED)
    assert site.request("/api/issues").status == 200


# --- Everything else ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/api/issues", "/api/issues/1", "/api/user", "/api/v1/tickets", "/api/v1/tags/1"]
)
def test_ordinary_answers_say_how_many_are_left(site: Site, path: str) -> None:
    first, second = (site.as_acme(path).headers for _ in range(2))
    assert first["X-RateLimit-Limit"] == second["X-RateLimit-Limit"] == "6000"
    assert 0 < int(second["X-RateLimit-Remaining"]) < 6000
    assert first["X-RateLimit-Reset"] is None
    assert first["Retry-After"] is None


# --- Reports -----------------------------------------------------------------------------------


def ask(site: Site, name: str, token: str) -> Answer:
    return site.as_acme(f"/api/v1/reports/{name}", method="POST", json=MONTH, token=token)


@pytest.mark.parametrize("name", ["channels", "performance"])
def test_ten_reports_in_five_seconds(site: Site, new_tokens: Iterator[str], name: str) -> None:
    token = next(new_tokens)

    def call() -> Answer:
        return ask(site, name, token)

    refused = until_429(call, REPORTS)[-1]
    assert_429(refused, REPORTS)
    # A window has begun once it is over, which is what Retry-After promises.
    time.sleep(int(refused.headers["Retry-After"]))
    *passed, refused = until_429(call, REPORTS)
    expected = [(200, "10", str(left)) for left in range(9, -1, -1)]
    assert counts(passed[:1]) == expected[:1]
    assert counts(passed[-10:]) == expected
    assert_whole_window([*passed, refused], REPORTS)
    assert_429(refused, REPORTS)


def test_each_report_has_a_counter_of_its_own(site: Site, new_tokens: Iterator[str]) -> None:
    token = next(new_tokens)
    until_429(lambda: ask(site, "channels", token), REPORTS)
    assert counts([ask(site, "performance", token)]) == [(200, "10", "9")]


def test_each_token_has_a_counter_of_its_own(site: Site, new_tokens: Iterator[str]) -> None:
    first, second = next(new_tokens), next(new_tokens)
    until_429(lambda: ask(site, "channels", first), REPORTS)
    assert counts([ask(site, "channels", second)]) == [(200, "10", "9")]


def test_what_is_invalid_counts_as_well(site: Site, new_tokens: Iterator[str]) -> None:
    token = next(new_tokens)

    def call() -> Answer:
        path = "/api/v1/reports/channels"
        return site.as_acme(path, method="POST", json={"start": "x"}, token=token)

    *passed, refused = until_429(call, REPORTS)
    assert {answer.status for answer in passed} == {422}
    assert_429(refused, REPORTS)


# --- Refused tokens ----------------------------------------------------------------------------


def by_header(asker: Site, token: str) -> Answer:
    return asker.request("/api/v1/tags", token=token, client="acme")


def by_query(asker: Site, token: str) -> Answer:
    return asker.request(f"/api/user?api_token={token}")


def by_json(asker: Site, token: str) -> Answer:
    return asker.request("/api/webhooks", method="POST", json={"api_token": token, "url": "x"})


def by_form(asker: Site, token: str) -> Answer:
    body = f"name=x&api_token={token}".encode()
    return asker.request("/api/v1/tags", method="POST", body=body, content_type=FORM)


PLACEMENTS = [by_header, by_query, by_json, by_form]
Placement = Callable[[Site, str], Answer]


@pytest.mark.parametrize("place", PLACEMENTS)
@pytest.mark.parametrize("token", ["cn_unknown", "garbage", "expired", "revoked"])
def test_100_refused_tokens_a_minute(site: Site, place: Placement, token: str) -> None:
    text = site.tokens.get(token, token)
    *passed, refused = until_429(lambda: place(site, text), REFUSALS)
    assert_whole_window([*passed, refused], REFUSALS)
    for answer in passed:
        assert (answer.status, answer.json()) == (401, UNAUTHENTICATED)
    assert_429(refused, REFUSALS)


def test_placements_and_kinds_share_the_counter(site: Site) -> None:
    number = count()

    def call() -> Answer:
        turn = next(number)
        kinds = ["garbage", site.tokens["expired"], "cn_x", site.tokens["revoked"], "cn_unknown"]
        return PLACEMENTS[turn % 4](site, kinds[turn % 5])

    assert_whole_window(until_429(call, REFUSALS), REFUSALS)


def test_a_valid_token_works_past_the_limit(site: Site) -> None:
    until_429(lambda: by_header(site, "garbage"), REFUSALS)
    valid = site.tokens["valid"]
    assert by_header(site, valid).status == 200
    assert by_query(site, valid).status == 200
    assert by_json(site, valid).status == 422
    assert site.request("/api/issues", token="valid").status == 200


def test_what_needs_no_token_works_past_the_limit(site: Site) -> None:
    until_429(lambda: by_header(site, "garbage"), REFUSALS)
    assert site.request("/api/issues").status == 200
    answer = site.request("/api/user")
    assert (answer.status, answer.json()) == (401, UNAUTHENTICATED)


def test_refusals_of_one_address_are_not_another_s(site: Site) -> None:
    until_429(lambda: by_header(site, "garbage"), REFUSALS)
    assert by_header(site.from_new_address(), "garbage").status == 401


@pytest.mark.parametrize("path", ["/api/user", "/api/v1/tags"])
def test_requests_without_a_token_do_not_count(site: Site, path: str) -> None:
    answers = [site.request(path, client="acme") for _ in range(2 * REFUSALS.number + 5)]
    assert {answer.status for answer in answers} == {401}
    assert by_header(site, "garbage").status == 401


def test_public_reading_with_a_refused_token_counts(site: Site) -> None:
    def call() -> Answer:
        return site.request("/api/issues/1", token="garbage")

    *passed, refused = until_429(call, REFUSALS)
    assert {answer.status for answer in passed} == {401}
    assert_429(refused, REFUSALS)
