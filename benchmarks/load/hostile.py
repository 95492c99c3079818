"""What no client should send: broken bodies, odd headers, wrong tokens, sockets that go away."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from connectnow_api import tokens

from .clients import Caller, Person
from .connections import FORM, JSON, Answer, Unanswered, encode
from .desk import Desk
from .tracker import Tracker

REFUSED = (400, 401, 403, 404, 405, 406, 408, 411, 413, 414, 415, 417, 422, 429, 431)
"""Any of these will do where the server and Django may each be the first to refuse."""
UNREAD = (400, 422)
WRITES = [
    *("/api/issues", "/api/companies", "/api/categories"),
    *("/api/v1/tickets", "/api/v1/customers", "/api/v1/tags", "/api/v1/tickets/1/messages"),
]
BODIES = [
    *(b"{", b"[", b'{"name": }', b"{'name': 'x'}", b"nothing", b"\xff\xfe", b'{"name": "\xff"}'),
    *(b'\xef\xbb\xbf{"name": "x"}', '{"name": "x"}'.encode("utf-16"), b'{"name": NaN}'),
    *(b"[" * 3000, b'{"a":' * 3000, b'{"name": ' + b"9" * 5000 + b"}", b'{"name": Infinity}'),
    *(b'{"name": "\\u0000"}', b'{"name": "\\ud800"}', b"[]", b"null", b'"x"', b"1", b"{}", b" "),
    *(b'{"name": {"$ne": 1}}', b'{"name": ["x"], "subject": {}}', b'{"name": 1e999}'),
]
TYPES = ["text/plain", "application/xml", "multipart/form-data; boundary=x", "garbage", "a/b; c"]
PAGES = ["0", "-1", "abc", "9" * 18, "9" * 400, "1.5", "%D9%A3", "%00", "1%0a", "+1", "", "0x1"]
IDS = ["0", "9" * 20, "9" * 2000, "%00", "%ff", "abc", "1%0a", "%D9%A1", "..%2f..", "1'--", "-1"]
QUERIES = ["before=x", "severity=x", "status[]=open&status=x", "after=2021-02-30", "before=%00"]
GUESSES = 110
"""More than an address may have refused in a minute."""
AUTHORIZATIONS = [
    *("", "Bearer", "Bearer ", "Basic eDp5", "Token x", "Bearer a b", "bearer,x", ","),
    *("Bearer \xff", "Bearer " + "x" * 7000, "Bearer cn_%00", "Bearer x, Bearer y"),
]
LINES = [
    *(
        b"garbage\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\0\1\r\n\r\n",
    ),
    b"GET /api/user HTTP/1.1\r\nAuthorization: \x7f\r\n\r\n",
    *(b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"G@T / HTTP/1.1\r\n\r\n"),
    b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
    b"POST /api/issues HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
]


class Hostile:
    """One client that means no good."""

    def __init__(self, caller: Caller, tracker: Tracker, desk: Desk, requests: float) -> None:
        """``requests``: how many this one may send."""
        self.caller, self.rng = caller, caller.rng
        self.good_writes = {**tracker.writes, **desk.writes}
        self.actions: dict[Callable[[], Any], float] = {
            self.break_off: 18,
            self.send_bad_body: 6,
            self.send_huge_body: 0.3,
            self.send_short_body: 2,
            self.send_other_type: 2,
            self.send_many_fields: 0.5,
            self.ask_odd_page: 5,
            self.ask_odd_id: 3,
            self.ask_odd_query: 2,
            self.send_odd_authorization: 4,
            self.send_wrong_token: 5,
            # A good many requests at once, which a short run has no room for.
            self.guess_tokens: 0.4 if caller.number == 0 and requests > 4 * GUESSES else 0,
            self.send_two_tokens: 2,
            self.send_odd_headers: 3,
            self.use_odd_method: 2,
            self.send_no_http: 3,
            self.send_chunks: 1,
            self.ask_many_ids: 0.5,
        }

    def break_off(self) -> None:
        """Break off a good write: half way, or before its answer."""
        self.caller.fault = self.rng.choice(["cut", "vanish"])
        try:
            _choose(self.caller, self.good_writes)()
        finally:
            self.caller.fault = ""

    def send_bad_body(self) -> None:
        """Send a body that says nothing, to whoever may write."""
        body = self.rng.choice(BODIES)
        type_ = FORM if self.rng.random() < 0.1 and body.isascii() else JSON
        self._post(self.rng.choice(WRITES), body, type_, UNREAD)

    def send_huge_body(self) -> None:
        """Send more than the server takes; it may close the connection before it has all."""
        body = b'{"name": "' + b"x" * 2_700_000 + b'"}'
        data = self._request("POST", self.rng.choice(WRITES), body, JSON)
        try:
            answer = self.caller.connections.send_raw(data)
        except Unanswered:
            self.caller.report.broken["answer lost to a huge body"] += 1
        else:
            self.caller.check("a huge body", answer, 413)

    def send_short_body(self) -> None:
        """Send less than announced, and no more."""
        body, missing = b'{"name": "short", "slug": "short"}', b"x" * 500
        data = self._request("POST", self.rng.choice(WRITES), body + missing, JSON)
        self.caller.send_raw("a short body", data.removesuffix(missing), UNREAD)

    def send_other_type(self) -> None:
        """Send a body of a type that nobody reads."""
        self._post(self.rng.choice(WRITES), b'{"name": "x"}', self.rng.choice(TYPES), 415)

    def send_many_fields(self) -> None:
        """Send more fields than a form may have."""
        body = b"&".join([b"category_ids[]=1"] * 1001)
        self._post(self.rng.choice(WRITES), body, FORM, 400)

    def ask_odd_page(self) -> None:
        """Ask for a page that is none."""
        size = self.rng.choice(["per_page", "per-page"])
        query = f"page={self.rng.choice(PAGES)}&{size}={self.rng.choice(PAGES)}"
        path = self.rng.choice(["/api/issues", "/api/v1/tickets", "/api/v1/customers"])
        self.caller.ask("GET", f"{path}?{query}", person=self._person())

    def ask_odd_id(self) -> None:
        """Ask for an id that is none."""
        path = self.rng.choice(["/api/issues", "/api/companies", "/api/v1/tickets", "/api/v1/tags"])
        method = self.rng.choice(["GET", "DELETE", "PUT" if "v1" not in path else "PATCH"])
        body = None if method != "PUT" else {"name": "x"}
        id_ = self.rng.choice(IDS)
        self.caller.ask(method, f"{path}/{id_}", 404, person=self._person(), body=body)

    def ask_odd_query(self) -> None:
        """Ask for what no filter takes."""
        person = self._person()
        self.caller.ask("GET", f"/api/issues?{self.rng.choice(QUERIES)}", 422, person=person)
        path = "/api/v1/tickets/1/messages?types[]=x" if person.client == "acme" else "/api/issues"
        self.caller.ask("GET", path, 422 if "types" in path else 200, person=person)

    def send_odd_authorization(self) -> None:
        """Send a header that holds no token."""
        value = self.rng.choice(AUTHORIZATIONS)
        headers = {"Authorization": value, "Hs-Client-Id": "acme"}
        path = self.rng.choice(["/api/user", "/api/v1/tickets"])
        self.caller.ask("GET", path, (400, 401), headers=headers)

    def send_wrong_token(self) -> None:
        """Send a token that opens nothing, in any place."""
        path = self.rng.choice(["/api/user", "/api/v1/tags"])
        self.caller.ask("GET", path, 401, person=self._person(), token=self._wrong_token())
        person = self._person()
        self.caller.ask(
            "POST", "/api/companies", 401, person=person, token=self._wrong_token(), body={"a": "b"}
        )

    def guess_tokens(self) -> None:
        """Try tokens from one address until that is refused, and a good one: it is still good."""
        head = (
            f"GET /api/user HTTP/1.1\r\nHost: {self.caller.target.host}\r\nAuthorization: Bearer "
        )
        address = self.caller.connections.address(62_000)
        for _ in range(GUESSES):
            data = f"{head}{self._wrong_token()}\r\n\r\n".encode()
            answer = self.caller.send_raw("a guess", data, (401, 429), address)
            if answer is None or answer.status == 429:
                break
        data = f"{head}{self._person().tokens['valid']}\r\n\r\n".encode()
        self.caller.send_raw("a good token among guesses", data, 200, address)

    def send_two_tokens(self) -> None:
        """Send two tokens of different people."""
        first, second = self.caller.people
        path = f"/api/user?api_token={first.tokens['valid']}"
        headers = {"Authorization": f"Bearer {second.tokens['valid']}"}
        self.caller.ask("GET", path, 400, headers=headers)

    def send_odd_headers(self) -> None:
        """Send headers that are none of the server's business, or not what they should be."""
        headers, expected = self.rng.choice(
            [
                ({"Host": "evil.example"}, 400),
                ({"Host": "127.0.0.1:x"}, 400),
                ({"Accept": "text/html"}, 200),
                ({"Accept": "garbage"}, 200),
                ({"X-Forwarded-For": "1.2.3.4, garbage"}, 200),
                ({"X-HTTP-Method-Override": "DELETE"}, 200),
                ({"Cookie": "sessionid=x; csrftoken=" + "y" * 2000}, 200),
                ({"Accept-Language": "de-DE,*;q=x"}, 200),
                ({"Accept-Encoding": "\xff"}, 200),
                ({"If-None-Match": '"', "If-Modified-Since": "garbage"}, 200),
                ({"Range": "bytes=5-1"}, 200),
                ({"Content-Type": "application/json; charset=base64"}, (200, 400, 415)),
                ({"Content-Type": "x; charset=\xff"}, (200, 400, 415)),
            ]
        )
        self.caller.ask("GET", "/api/issues/1", expected, headers=headers)

    def use_odd_method(self) -> None:
        """Use a method that nothing has."""
        method = self.rng.choice(["TRACE", "BREW", "PATCH", "PROPFIND"])
        path = self.rng.choice(["/api/issues", "/api/companies/1", "/api/user"])
        self.caller.ask(method, path, 405, person=self._person())

    def send_no_http(self) -> None:
        """Send what the server itself cannot read, and answers in words of its own."""
        data = self.rng.choice(LINES)
        try:
            answer = self.caller.connections.send_raw(data)
        except Unanswered:
            self.caller.report.broken["no HTTP, no answer"] += 1
            return
        self.caller.report.statuses[answer.status] += 1
        if answer.status not in REFUSED and answer.status != 505:
            self.caller.report.problems.append(f"{data[:60]!r}: {answer.status}")

    def send_chunks(self) -> None:
        """Send a body in chunks that end nowhere."""
        lines = [*self._headers("/api/companies"), "Transfer-Encoding: chunked", "", '5\r\n{"n']
        data = "\r\n".join(["POST /api/companies HTTP/1.1", *lines]).encode()
        self.caller.send_raw("chunks", data, REFUSED)

    def ask_many_ids(self) -> None:
        """Send more ids than a list may have."""
        body = {"name": "x", "description": "x", "severity": "info"}
        body |= {"category_ids": list(range(1, 2001))}
        self._post("/api/issues", json.dumps(body).encode(), JSON, 422)

    # --- Helpers ------------------------------------------------------------------------------

    def _person(self) -> Person:
        return self.rng.choice(self.caller.people)

    def _wrong_token(self) -> str:
        good = self._person().tokens["valid"]
        return self.rng.choice(
            [tokens.generate("cn"), good[:-1], good.swapcase(), good + "x", "5|" + "a" * 40, "x"]
        )

    def _headers(self, path: str) -> list[str]:
        # Row 1 of the help desk is of its first client.
        person = self.caller.people[0]
        return [
            f"Host: {self.caller.target.host}",
            f"Authorization: Bearer {person.tokens['valid']}",
            f"Hs-Client-Id: {person.client}",
        ]

    def _request(self, method: str, path: str, body: bytes, type_: str) -> bytes:
        headers = [tuple(line.split(": ", 1)) for line in self._headers(path)]
        return encode(method, path, [*headers, ("Content-Type", type_)], body)

    def _post(self, path: str, body: bytes, type_: str, expected: int | tuple[int, ...]) -> Answer:
        data = self._request("POST", path, body, type_)
        return self.caller.exchange("POST", path, data, expected)


def _choose(caller: Caller, actions: dict[Callable[[], Any], float]) -> Callable[[], Any]:
    return caller.rng.choices(list(actions), list(actions.values()))[0]
