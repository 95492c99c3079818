"""A walk through every endpoint, every method and every status that it can answer."""

from __future__ import annotations

import dataclasses
import json
import re
from itertools import cycle
from typing import Any, NamedTuple

import pytest

from .conftest import Stopped
from .help_desk import EMPTY, MESSAGE, TICKET
from .hostile import MALFORMED
from .support import INVALID, JSON, ROOT, Answer, Limit, Site, probe, wait_for
from .test_issue_tracker_writes import FORBIDDEN, ISSUE
from .test_limits import REFUSALS, REPORTS, THROTTLED, TOO_MANY, UNAUTHENTICATED

pytestmark = [pytest.mark.servers, pytest.mark.frameworks]

COMPANY = {"name": "Elm Street Bakery"}
CATEGORY = {"name": "Bread", "company_id": 1}
OTHERS_CATEGORY = {"name": "Bread", "company_id": 4}
EMAIL = {"email": "walker@example.com"}
NO_EMAIL = {"email": "nobody"}
HOOK = {"url": "https://walk.example/hook"}
CUSTOMER = {"name": "Nora Nord", "email": "nora.nord@example.com"}
TAG = {"name": "Walked"}
SET = {"webhooks": {"enabled": True}}
DAYS = {"start": "2021-09-03", "end": "2021-09-30"}
NO_DAYS = {"start": "2021-09-03", "end": "x"}
OVER = {"description": "All is well."}
NO_CODE = {"email": "vera@example.com", "auth-code": "1"}
API, CHAT = "api_token", "chat_user_token"
"""The two kinds of token, by their parameters."""
TOKEN = "[0-9A-Za-z]{46}"


def exchange(site: Site) -> dict[str, str]:
    """Return what the demo's chat user exchanges."""
    chat = site.credentials["chat"]
    return {"email": chat["email"], "auth-code": chat["auth_code"]}


class Refused(NamedTuple):
    """A request that is refused whoever sends it."""

    status: int
    body: Any = None
    path: str | None = None


class Row(NamedTuple):
    """One endpoint and method: with which request it does what it is for, and what it refuses."""

    method: str
    path: str
    status: int
    body: Any = None
    """A value, or what makes one of the site."""
    needs: str | None = None
    """An ability, ``""`` for any token, ``None`` for nothing at all."""
    refused: tuple[Refused, ...] = ()
    kind: str = API


def read(path: str, needs: str | None = None, missing: str | None = None) -> Row:
    """Return the row of a GET, which can miss nothing but an object."""
    return Row("GET", path, 200, None, needs, (Refused(404, None, missing),) if missing else ())


# The fourth issue, category and company are the other user's; the fifteenth issue is closed.
# What the last ones of a kind are, is deleted in the end.
# fmt: off
TABLE = [
    Row("GET", "/api/issues", 200, refused=(Refused(422, path="/api/issues?before=x"),)),
    Row("POST", "/api/issues", 201, ISSUE, "issues:write", (
        Refused(403, {**ISSUE, "category_ids": [10]}),
        Refused(422, {**ISSUE, "category_ids": [1, 999]}), Refused(422, {"name": ""}))),
    read("/api/issues/1", missing="/api/issues/999"),
    Row("PUT", "/api/issues/1", 200, ISSUE, "issues:write", (
        Refused(404, ISSUE, "/api/issues/999"), Refused(403, ISSUE, "/api/issues/4"),
        Refused(403, ISSUE, "/api/issues/15"), Refused(403, {**ISSUE, "category_ids": [10]}),
        Refused(422, {"name": "x"}))),
    Row("POST", "/api/issues/2/close", 200, OVER, "issues:write", (
        Refused(404, OVER, "/api/issues/999/close"), Refused(403, OVER, "/api/issues/4/close"),
        Refused(403, OVER, "/api/issues/15/close"), Refused(422, {"x": 1}))),
    Row("POST", "/api/issues/1/subscriptions", 201, EMAIL, refused=(
        Refused(404, EMAIL, "/api/issues/999/subscriptions"), Refused(422, NO_EMAIL))),
    Row("POST", "/api/issues/1/subscriptions", 200, EMAIL),
    Row("DELETE", "/api/issues/9", 200, None, "issues:write", (
        Refused(404, path="/api/issues/999"), Refused(403, path="/api/issues/4"))),
    read("/api/categories"),
    Row("POST", "/api/categories", 201, CATEGORY, "categories:write", (
        Refused(403, OTHERS_CATEGORY), Refused(422, {**CATEGORY, "company_id": 999}))),
    read("/api/categories/1", missing="/api/categories/999"),
    Row("PUT", "/api/categories/1", 200, CATEGORY, "categories:write", (
        Refused(404, CATEGORY, "/api/categories/999"), Refused(422, {"name": "x"}),
        Refused(403, CATEGORY, "/api/categories/10"), Refused(403, OTHERS_CATEGORY))),
    Row("POST", "/api/categories/1/subscriptions", 201, EMAIL, refused=(
        Refused(404, EMAIL, "/api/categories/999/subscriptions"), Refused(422, NO_EMAIL))),
    Row("POST", "/api/categories/1/subscriptions", 200, EMAIL),
    Row("DELETE", "/api/categories/3", 200, None, "categories:write", (
        Refused(404, path="/api/categories/999"), Refused(403, path="/api/categories/10"))),
    read("/api/companies"),
    Row("POST", "/api/companies", 201, COMPANY, "companies:write", (Refused(422, {"name": ""}),)),
    read("/api/companies/1", missing="/api/companies/999"),
    Row("PUT", "/api/companies/1", 200, COMPANY, "companies:write", (
        Refused(404, COMPANY, "/api/companies/999"), Refused(403, COMPANY, "/api/companies/4"),
        Refused(422, {"slug": "alder-energy"}))),
    Row("GET", "/api/companies/1/users", 200, None, "", (
        Refused(404, path="/api/companies/999/users"),
        Refused(403, path="/api/companies/4/users"))),
    Row("POST", "/api/companies/1/users", 201, EMAIL, "companies:write", (
        Refused(404, EMAIL, "/api/companies/999/users"), Refused(422, NO_EMAIL),
        Refused(403, EMAIL, "/api/companies/4/users"),
        Refused(422, {"email": "maria@example.com"}))),
    Row("DELETE", "/api/companies/2/users/2", 200, None, "companies:write", (
        Refused(404, path="/api/companies/2/users/1"),
        Refused(403, path="/api/companies/4/users/4"))),
    Row("DELETE", "/api/companies/3", 200, None, "companies:write", (
        Refused(404, path="/api/companies/999"), Refused(403, path="/api/companies/4"))),
    read("/api/webhooks", ""),
    Row("POST", "/api/webhooks", 201, HOOK, "webhooks:write", (Refused(422, {"url": "x"}),)),
    read("/api/webhooks/1", "", missing="/api/webhooks/999"),
    Row("PUT", "/api/webhooks/1", 200, HOOK, "webhooks:write", (
        Refused(404, HOOK, "/api/webhooks/999"), Refused(422, {"url": ""}))),
    Row("DELETE", "/api/webhooks/1", 200, None, "webhooks:write", (
        Refused(404, path="/api/webhooks/999"),)),
    read("/api/user", ""),
    Row("POST", "/api/exports", 202, {"format": "csv"}, "exports:write"),
    read("/api/throttled"),
    Row("GET", "/api/chat-user", 200, None, "", kind=CHAT),
    Row("POST", "/api/chat-user", 200, None, "", kind=CHAT),
    Row("POST", "/api/chats/1/users/get-token", 201, exchange, refused=(
        Refused(404, exchange, "/api/chats/999/users/get-token"), Refused(422, NO_CODE),
        Refused(422, exchange, "/api/chats/2/users/get-token"), Refused(422, {"auth-code": "1"}))),

    read("/api/v1/tickets", "tickets:read"),
    Row("POST", "/api/v1/tickets", 201, TICKET, "tickets:write", (
        Refused(422, {**TICKET, "channel": {"id": 4}}), Refused(422, {"subject": "x"}))),
    read("/api/v1/tickets/1", "tickets:read", missing="/api/v1/tickets/61"),
    *[Row(method, "/api/v1/tickets/1", 200, {"status": "open"}, "tickets:write", (
        Refused(404, TICKET, "/api/v1/tickets/61"), Refused(422, {"status": "x"})))
      for method in ("PATCH", "PUT")],
    Row("GET", "/api/v1/tickets/1/messages", 200, None, "tickets:read", (
        Refused(404, path="/api/v1/tickets/61/messages"),
        Refused(422, path="/api/v1/tickets/1/messages?types[]=x"))),
    Row("POST", "/api/v1/tickets/1/messages", 201, MESSAGE, "tickets:write", (
        Refused(404, MESSAGE, "/api/v1/tickets/61/messages"), Refused(422, {"body": ""}))),
    read("/api/v1/tickets/1/messages/1", "tickets:read", missing="/api/v1/tickets/1/messages/9"),
    Row("DELETE", "/api/v1/tickets/60", 200, None, "tickets:write", (
        Refused(404, path="/api/v1/tickets/61"),)),
    read("/api/v1/customers", "customers:read"),
    Row("POST", "/api/v1/customers", 201, CUSTOMER, "customers:write", (
        Refused(422, {"name": "x", "email": "ada.archer.1@example.com"}),)),
    read("/api/v1/customers/1", "customers:read", missing="/api/v1/customers/121"),
    *[Row(method, "/api/v1/customers/1", 200, {"city": "Oslo"}, "customers:write", (
        Refused(404, CUSTOMER, "/api/v1/customers/121"), Refused(422, {"email": "x"})))
      for method in ("PATCH", "PUT")],
    Row("DELETE", "/api/v1/customers/120", 200, None, "customers:write", (
        Refused(404, path="/api/v1/customers/121"),)),
    read("/api/v1/tags", "tags:read"),
    Row("POST", "/api/v1/tags", 201, TAG, "tags:write", (
        Refused(422, {"name": "x", "color": "red"}),)),
    read("/api/v1/tags/1", "tags:read", missing="/api/v1/tags/999"),
    Row("PATCH", "/api/v1/tags/1", 200, TAG, "tags:write", (
        Refused(404, TAG, "/api/v1/tags/999"), Refused(422, {"slug": "refund"}))),
    Row("DELETE", "/api/v1/tags/10", 200, None, "tags:write", (
        Refused(404, path="/api/v1/tags/999"),)),
    read("/api/v1/webhook", "webhooks:read"),
    Row("POST", "/api/v1/webhook", 201, SET, "webhooks:write", (Refused(422, {"x": 1}),)),
    read("/api/v1/webhook/logs", "webhooks:read"),
    *[Row("POST", f"/api/v1/reports/{report}", 200, DAYS, "reports:read", (Refused(422, NO_DAYS),))
      for report in ("channels", "performance")],
]
# fmt: on

NOWHERE = ["/api/", "/api/nowhere", "/api/issues/", "/api/issues/1.json", "/api/issues/x"]
NOWHERE += ["/api/v1/", "/api/v1/nowhere", "/api/v1/tickets/1%0a", "/api/v1/webhook/1"]
LIMITS = {
    "/api/throttled": THROTTLED,
    "/api/v1/reports/channels": REPORTS,
    "/api/v1/reports/performance": REPORTS,
}
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
WITH_BODY = {"POST", "PUT", "PATCH"}
PLACES = ["header", "query", "payload"]
ABILITIES = sorted({row.needs for row in TABLE if row.needs})
UNKNOWN = "cn_NobodyHasEverIssuedThisToken0123456789"


@dataclasses.dataclass(frozen=True)
class Step:
    """One request of the walk, and what came back."""

    method: str
    path: str
    what: str
    expected: int
    answer: Answer

    def __str__(self) -> str:
        """Return a line that says which request it was."""
        status = f"{self.expected} expected, {self.answer.status} received"
        return f"{self.method} {self.path}, {self.what}: {status}: {self.answer.text[:300]}"


class Walk:
    """Asks each time from another address, and with another token of the same abilities."""

    def __init__(
        self, site: Site, tokens: list[str], chat_tokens: list[str], powerless: str
    ) -> None:
        self.site, self.powerless, self.tokens = site, powerless, tokens
        chat = site.credentials["chat"]
        self.secrets = [*site.tokens.values(), chat["token"], chat["auth_code"], UNKNOWN, API]
        self.secrets += [*tokens, *chat_tokens, powerless]
        self.next_token = {API: cycle(tokens), CHAT: cycle(chat_tokens)}
        self.steps: list[Step] = []

    def ask(
        self,
        expected: int,
        what: str,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        place: str = "header",
        kind: str = API,
        **options: Any,
    ) -> Answer:
        """Send one request and keep what came back."""
        if callable(body):
            body = body(self.site)
        if path.startswith("/api/v1/"):
            options = {"client": "acme", **options}
        if token and place == "query":
            path = f"{path}{'&' if '?' in path else '?'}{kind}={token}"
        if token and place == "payload":
            body = {**(body or {}), kind: token}
        options["token"] = token if place == "header" else None
        options["body" if isinstance(body, bytes) else "json"] = body
        sender = options.pop("sender", None) or self.site.from_new_address()
        answer = sender.request(path, method=method, **options)
        self.steps.append(Step(method, path, what, expected, answer))
        return answer

    def go(self, row: Row) -> None:
        """Send all that an endpoint refuses, then what it does not."""
        token = None if row.needs is None else next(self.next_token[row.kind])
        self.ask_without_rights(row)
        if row.method in WITH_BODY:
            self.ask_with_bad_bodies(row)
        for refused in row.refused:
            path = refused.path or row.path
            for place in PLACES[: 3 if row.method in WITH_BODY else 2]:
                what, sent = f"refused, token in the {place}", next(self.next_token[row.kind])
                request = (row.method, path, refused.body, sent, place, row.kind)
                self.ask(refused.status, what, *request)
        if row.method == "GET":
            self.ask(200, "headers only", "HEAD", row.path, None, token)
        self.ask(row.status, "success", row.method, row.path, row.body, token)

    def ask_without_rights(self, row: Row) -> None:
        """Send no token, wrong ones, two, and one without the ability; none of it has an effect."""
        method, path, body, kind = row.method, row.path, row.body, row.kind
        places = PLACES[: 3 if method in WITH_BODY and row.needs is not None else 2]
        for token in (UNKNOWN, self.site.tokens["expired"], self.site.tokens["revoked"]):
            for place in places:
                what = f"a refused token in the {place}"
                self.ask(401, what, method, path, body, token, place, kind)
        first, second = next(self.next_token[kind]), next(self.next_token[kind])
        two = f"{path}?{kind}={first}"
        self.ask(400, "two tokens", method, two, body, second)
        if row.needs is not None:
            self.ask(401, "no token", method, path, body)
            other = next(self.next_token[CHAT if kind == API else API])
            for place in places:
                self.ask(401, "the other kind of token", method, path, body, other, place, kind)
        if row.needs:
            for place in places:
                self.ask(403, "no ability", method, path, body, self.powerless, place)
        if path.startswith("/api/v1/"):
            for client in (None, "other", "acme,acme"):
                self.ask(401, f"as client {client}", method, path, body, first, client=client)

    def ask_with_bad_bodies(self, row: Row) -> None:
        """Send what cannot be read."""
        malformed = 400 if row.path.startswith("/api/v1/") else 422
        large = b'{"name": "' + b"x" * 3_000_000 + b'"}'
        bodies = [(malformed, body, JSON) for body in (b"{", b"[1]", b"\xff", b"NaN")]
        bodies += [(413, large, JSON), (415, b"x", "text/plain"), (415, b"x", "multipart/x")]
        if malformed == 400:
            bodies += [(400, b"", JSON), (400, b"{}", JSON)]
        for status, body, type_ in bodies:
            options = {"content_type": type_, "token": next(self.next_token[row.kind])}
            what = f"{len(body)} bytes of {type_}"
            self.ask(status, what, row.method, row.path, body, **options)

    def ask_with_other_methods(self, path: str, allowed: set[str], kind: str) -> None:
        """Send the methods that an endpoint does not know, and the one that asks for them."""
        for method in sorted(METHODS - allowed):
            for token in (None, next(self.next_token[kind])):
                answer = self.ask(405, "another method", method, path, token=token)
                found = set(answer.headers["Allow"].split(", "))
                assert found == allowed | {"OPTIONS"} | ({"HEAD"} if "GET" in allowed else set())
        self.ask(200, "options", "OPTIONS", path, token=next(self.next_token[kind]))

    def exhaust(self) -> None:
        """Send one token, or none, until it is one too many; then refused ones everywhere."""
        for row in TABLE:
            if limit := LIMITS.get(row.path):
                self.ask_too_often(row, limit)
        sender = self.site.from_new_address()
        for _ in range(REFUSALS.number):
            self.ask(401, "refused", "GET", "/api/user", None, UNKNOWN, sender=sender)
        for row in TABLE:
            step = ("refused too often", row.method, row.path, row.body, UNKNOWN)
            self.ask(429, *step, sender=sender)
        self.ask(200, "valid", "GET", "/api/user", token=self.tokens[0], sender=sender)

    def ask_too_often(self, row: Row, limit: Limit) -> None:
        """Send as many requests as the limit allows, and one more."""
        token = None if row.needs is None else next(self.next_token[row.kind])
        sender = self.site.from_new_address()
        for status in [200] * limit.number + [429]:
            self.ask(status, "in time", row.method, row.path, row.body, token, sender=sender)


@pytest.fixture(scope="module")
def database_url(stopped_server: Stopped) -> str:
    """The database that the walk changes."""
    return stopped_server.database_url


@pytest.fixture(scope="module")
def endpoints(database_url: str) -> dict[str, list[str]]:
    """Route to the paths in the table that lead there."""
    paths = sorted({row.path for row in TABLE})
    (routes,) = probe(["routes_of", paths], database_url=database_url)
    return {route: [path for path in paths if routes[path] == route] for route in routes.values()}


@pytest.fixture(scope="module")
def walk(stopped_server: Stopped, database_url: str, endpoints: dict[str, list[str]]) -> Walk:
    """The whole walk, once."""
    stopped_server.clock.go_on(60)
    calls = [["issue", ABILITIES]] * 40
    calls += [["issue_to_chat_user"]] * 4
    *tokens, powerless = probe(*calls, ["issue", []], database_url=database_url)
    walk = Walk(stopped_server.site, tokens[:40], tokens[40:], powerless)
    for row in TABLE:
        walk.go(row)
    for paths in endpoints.values():
        # The walk has deleted some of the rows; their paths still have methods.
        rows = [row for row in TABLE if row.path in paths]
        walk.ask_with_other_methods(paths[0], {row.method for row in rows}, rows[0].kind)
    for path in NOWHERE:
        for method in sorted(METHODS):
            for token in (None, next(walk.next_token[API]), UNKNOWN):
                walk.ask(404, "no route", method, path, token=token, place="query")
    walk.exhaust()
    return walk


def test_every_endpoint_and_method_is_walked(
    database_url: str, endpoints: dict[str, list[str]]
) -> None:
    (routes,) = probe(["routes"], database_url=database_url)
    walked = {
        route: sorted({row.method for row in TABLE if row.path in paths})
        for route, paths in endpoints.items()
    }
    assert walked == routes


def test_every_endpoint_and_method_is_documented(database_url: str) -> None:
    (routes,) = probe(["routes"], database_url=database_url)
    plain = {f"/{re.sub('<[^>]+>', '{id}', route)}": methods for route, methods in routes.items()}
    documented: dict[str, set[str]] = {}
    for line in (ROOT / "docs" / "example.md").read_text().splitlines():
        cell = line.split("|")[1] if line.startswith("| `") else ""
        methods: set[str] = set()
        for method, path in re.findall("`([A-Z]+)(?: (/api/[^`]+))?`", cell):
            methods.add(method)
            if path:
                documented[path], methods = documented.get(path, set()) | methods, set()
    assert {path: sorted(methods) for path, methods in documented.items()} == plain


def test_every_status_is_the_one_expected(walk: Walk) -> None:
    assert not [str(step) for step in walk.steps if step.answer.status != step.expected]
    statuses = {step.answer.status for step in walk.steps}
    assert statuses == {200, 201, 202, 400, 401, 403, 404, 405, 413, 415, 422, 429}


def test_every_answer_is_json(walk: Walk) -> None:
    wrong = [str(step) for step in walk.steps if step.answer.headers["Content-Type"] != JSON]
    assert not wrong
    for step in walk.steps:
        assert step.method == "HEAD" or isinstance(json.loads(step.answer.text), dict), str(step)
        assert "<" not in step.answer.text, str(step)


def message_of(step: Step) -> str:
    """Return the message that a refusal has to have."""
    is_help_desk = step.path.startswith("/api/v1/")
    is_unreadable = " bytes of " in step.what
    malformed = MALFORMED["message"]
    return {
        400: EMPTY["message"] if is_unreadable else "Send one API token, in one place.",
        401: UNAUTHENTICATED["message"],
        403: "The issue is closed." if "/issues/15" in step.path else FORBIDDEN["message"],
        404: "Object not found" if is_help_desk else "Not found.",
        405: "Method not allowed.",
        413: "The request is too large.",
        415: "Unsupported media type.",
        422: malformed if is_unreadable else INVALID,
        429: TOO_MANY["message"],
    }[step.answer.status]


def test_every_refusal_has_its_message(walk: Walk) -> None:
    for step in walk.steps:
        if step.answer.status >= 400:
            body = step.answer.json()
            errors = step.answer.errors() if body["message"] == INVALID else None
            expected = {"message": message_of(step), **({"errors": errors} if errors else {})}
            assert body == expected, str(step)


def test_every_answer_forbids_to_guess_its_type(walk: Walk) -> None:
    headers = [step.answer.headers["X-Content-Type-Options"] for step in walk.steps]
    assert set(headers) == {"nosniff"}


def test_each_challenge_says_what_is_missing(walk: Walk) -> None:
    """No token, a wrong one, two, or no ability; no other answer has a challenge."""
    needs = {(row.method, row.path): row.needs for row in TABLE}
    for step in walk.steps:
        expected = None
        if step.what == "two tokens":
            expected = 'Bearer realm="api", error="invalid_request"'
        if step.answer.status == 401:
            error = "" if step.what == "no token" else ', error="invalid_token"'
            expected = f'Bearer realm="api"{error}'
        if step.what == "no ability":
            scope = needs[step.method, step.path.partition("?")[0]]
            expected = f'Bearer realm="api", error="insufficient_scope", scope="{scope}"'
        assert step.answer.headers["WWW-Authenticate"] == expected, str(step)


def test_no_answer_holds_a_token(walk: Walk) -> None:
    pattern = re.compile("|".join(map(re.escape, walk.secrets)))
    given = []
    for step in walk.steps:
        answer = step.answer
        text = f"{answer.headers.items()} {answer.text}"
        assert not pattern.search(text), str(step)
        given += [step] if re.search(f"{CHAT}|chat_{TOKEN}", text) else []
    # The one answer that is there to hold one, and the description of its members.
    path = "/api/chats/1/users/get-token"
    assert [(step.method, step.path) for step in given] == [("POST", path), ("OPTIONS", path)]


def test_the_log_holds_no_token_and_no_failure(walk: Walk) -> None:
    walk.site.request("/api/the-end")
    log = wait_for('"GET /api/the-end HTTP/1.1" 404', walk.site.log)
    for secret in [*walk.secrets, CHAT]:
        assert secret not in log
    assert not re.search(f"chat_{TOKEN}", log)
    assert not re.findall('.*" 5[0-9][0-9] .*', log)
    assert not re.search("Traceback|Internal Server Error|Exception", log)
