"""Whole requests that no client of good will sends, put together from hostile parts.

Each part is a strategy of its own: tokens, headers, bodies, queries, paths. ``requests`` mixes
them with what is right, so that many get past the first refusal.
"""

from __future__ import annotations

import hashlib
import json
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from connectnow_api.tokens import ALPHABET, SECRET_LENGTH, checksum

from . import cases

Headers = list[tuple[str, str]]
Route = tuple[str, Sequence[str]]

METHODS = [
    *("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"),
    *("TRACE", "CONNECT", "BREW", "get", "PROPFIND"),
]
TOKEN_NAMES = ["api_token", "chat_user_token"]


@dataclass(frozen=True)
class Request:
    """One request, as it is on the wire."""

    method: str
    path: str
    """Percent-encoded."""
    query: str
    """Percent-encoded, or not."""
    headers: Headers = field(default_factory=list)
    """Texts of latin-1."""
    body: bytes = b""
    length: str | None = None
    """What the request says of its body's length, if not the truth."""

    @property
    def target(self) -> str:
        """The path with its query."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True)
class Credentials:
    """What the example's clients were given."""

    valid: str
    chat: str
    others: list[str]
    """Tokens that were revoked, have expired, or belong to others."""


def often(usual: SearchStrategy[Any], odd: SearchStrategy[Any], times: int = 3) -> SearchStrategy:
    """Return mostly the one, and the other once in about so many times more."""
    # Not at an end: those are drawn more often than what lies between.
    return st.integers(0, times).flatmap(lambda drawn: odd if drawn == (times + 1) // 2 else usual)


# --- Texts ------------------------------------------------------------------------------------

wild = st.text(st.characters(), max_size=40)
"""Any text that UTF-8 can spell."""
wild_latin = st.text(st.characters(max_codepoint=255), max_size=60)
unstorable = st.sampled_from(cases.UNSTORABLE)
markup = st.sampled_from([
    *("<script>alert(1)</script>", "' OR 1=1 --", '"; drop table x; --', "%(message)s", "{0.a}"),
    *("{{ 7*7 }}", "%s%n", "../../etc/passwd", "\u202e", "\u2028", "\ufeff", "\U0010ffff", "ß" * 9),
    *("e\u0301", "İ", "\x1b[31m", "\r\nX-Injected: 1", "١٢٣", "１", "1\n", " 1", "1_0", "-0"),
])  # fmt: skip
long_texts = st.sampled_from([15, 65, 255, 256, 1500, 1501, 70_000]).map(lambda size: "x" * size)
texts = st.one_of(wild, markup, unstorable, long_texts)


# --- Tokens -----------------------------------------------------------------------------------


def _flip(token: str, position: int) -> str:
    position %= len(token)
    other = "0" if token[position] != "0" else "1"
    return token[:position] + other + token[position + 1 :]


def near_tokens(token: str) -> SearchStrategy[str]:
    """Return what is almost a token, and opens nothing."""
    return st.one_of(
        st.integers(0, len(token) - 1).map(lambda position: _flip(token, position)),
        st.integers(1, len(token) - 1).map(lambda size: token[:size]),
        st.text(string.ascii_letters + string.digits, min_size=1, max_size=9).map(token.__add__),
        st.sampled_from([
            *(token.upper(), token.lower(), token.swapcase(), token[::-1], token * 2),
            *(f"1|{token}", f"{token}\0", f"\ufeff{token}", token.replace("_", "-")),
            hashlib.sha256(token.encode()).hexdigest(),
        ]),
    )  # fmt: skip


def tokens(credentials: Credentials) -> SearchStrategy[str]:
    """Return tokens: good ones, near ones, well-formed ones that nobody issued, and others."""
    secrets = st.text(ALPHABET, min_size=SECRET_LENGTH, max_size=SECRET_LENGTH)
    unknown = secrets.map(lambda secret: f"cn_{secret}{checksum(secret)}")
    strange = st.one_of(
        wild,
        st.sampled_from(cases.BODY_TOKENS),
        st.sampled_from([255, 256, 7000]).map(lambda size: "cn_" + "a" * size),
        st.from_regex(r"\A[0-9]{1,20}\|[A-Za-z0-9]{40}\Z"),
        st.text("0123456789abcdef", min_size=64, max_size=64),
        st.text(string.punctuation, min_size=1, max_size=20),
    )
    return st.one_of(
        st.sampled_from(credentials.others),
        near_tokens(credentials.valid),
        near_tokens(credentials.chat),
        unknown,
        strange,
    )


# --- Headers ----------------------------------------------------------------------------------


def _latin(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def authorizations(credentials: Credentials) -> SearchStrategy[str]:
    """Return values of ``Authorization``."""
    token = st.one_of(st.just(credentials.valid), tokens(credentials).map(_latin))
    spellings = ["Bearer {}", "bearer {}", "BEARER  {}", "Bearer\t{}", "Bearer {} ", "Bearer{}"]
    spellings += ["Token {}", "Basic {}", "Bearer {0}, Bearer {0}", "Bearer {},", '"Bearer {}"']
    spellings += ["{}", "Basic x, Bearer {}", "Bearer Bearer {}", "Bearer token={}"]
    return st.one_of(
        st.builds(str.format, st.sampled_from(spellings), token),
        st.sampled_from(cases.AUTHORIZATIONS),
        wild_latin,
    )


_ADDRESSES = st.sampled_from([
    *("203.0.113.7", "::1", "10.0.0.1, 203.0.113.9", "unknown", "127.0.0.1:80", "x" * 300, "\x7f"),
    *(",,,", "[::1]:9", "fe80::1%eth0", "999.1.1.1", ""),
])  # fmt: skip
_ODD_TYPES = st.one_of(
    st.sampled_from([*cases.UNSUPPORTED_TYPES, cases.JSON, cases.FORM, ""]),
    st.builds(
        "{}; charset={}".format,
        st.sampled_from([cases.JSON, cases.FORM, "text/plain", "multipart/form-data"]),
        st.sampled_from([
            *("utf-8", '"UTF-8"', "utf8", "ascii", "latin-1", "utf-7", "idna", "undefined", "hex"),
            *("zlib", "rot13", "unicode_escape", "raw_unicode_escape", "punycode", "x" * 500, ""),
            *("utf-8\x00", "../x", "mbcs"),
        ]),
    ),
    # RFC 2231: in an encoding, in pieces.
    st.builds(
        "{}; {}{}={}".format,
        st.sampled_from([cases.JSON, cases.FORM, "text/plain", "multipart/form-data"]),
        st.sampled_from(["charset", "boundary", "x"]),
        st.sampled_from(["*", "*0", "*0*", "*1", "**"]),
        st.sampled_from(["utf-8''base64", "nope''y", "'", "base64", "x''%00", "utf-8'en'%ff"]),
    ),
    wild_latin,
)  # fmt: skip
_OTHER_HEADERS: dict[str, SearchStrategy[str]] = {
    "Accept": st.sampled_from([
        *("*/*", "text/html", "application/xml;q=0.9, */*;q=0", "garbage", "application/json; q=x"),
        *(";", "application/json; indent=99999999999", "application/json;indent=4", "", "\xff"),
    ]),
    "Accept-Language": st.sampled_from(["de", "fr;q=9", "*", "x" * 600, "de-" * 200, "\x00", ""]),
    "Accept-Encoding": st.sampled_from(["gzip", "identity;q=0", "\xff"]),
    "X-Forwarded-For": _ADDRESSES,
    "X-Forwarded-Host": st.sampled_from(cases.HOSTS),
    "X-Forwarded-Proto": st.sampled_from(["https", "http, https", "x", ""]),
    "X-Forwarded-Port": st.sampled_from(["443", "x", "-1"]),
    "X-HTTP-Method-Override": st.sampled_from(METHODS),
    "X-Requested-With": st.just("XMLHttpRequest"),
    "X-CSRFToken": wild_latin,
    "Cookie": st.one_of(st.sampled_from(["sessionid=x", "csrftoken=" + "x" * 99, "="]), wild_latin),
    "Content-Encoding": st.sampled_from(["gzip", "br", "identity", "x"]),
    "Range": st.sampled_from(["bytes=0-1", "bytes=-", "x=9"]),
    "If-Modified-Since": st.sampled_from(["Sun, 99 Xxx 9999 99:99:99 GMT", "x", "\xff"]),
    "If-None-Match": st.sampled_from(["*", '"x"', 'W/"', "\xff"]),
    "Origin": st.sampled_from(["null", "https://evil.example", "x"]),
    "Referer": st.sampled_from(["https://evil.example/?x=y", "\xff", "x" * 3000]),
    "User-Agent": wild_latin,
}  # fmt: skip
"""Header to values of it."""


def other_headers() -> SearchStrategy[Headers]:
    """Return a few of the headers that somebody may read."""
    one = st.sampled_from(sorted(_OTHER_HEADERS)).flatmap(
        lambda name: _OTHER_HEADERS[name].map(lambda value: (name, value))
    )
    return st.lists(one, max_size=4, unique_by=lambda pair: pair[0])


clients = often(
    st.just(["acme"]),
    st.one_of(
        st.sampled_from([[], ["other"], ["acme", "acme"], ["acme", "other"], ["acme,acme"], [""]]),
        st.sampled_from([["ACME"], ["acme\0"], ["\xff"], ["x" * 3000], ["acme "], ["1"]]),
        wild_latin.map(lambda text: [text]),
    ),
    5,
)
"""Values of ``Hs-Client-Id``."""
hosts = often(st.just(["localhost"]), st.sampled_from(cases.HOSTS).map(lambda host: [host]), 12)
lengths = often(
    st.none(), st.sampled_from([*cases.LENGTHS, "", "0", "1", "500", "2621441", "٣"]), 12
)
"""What is said of the body's length; ``None``: the truth."""


# --- Bodies -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Literal:
    """Something that stands in JSON as it is."""

    text: str


@dataclass(frozen=True)
class Pairs:
    """An object of JSON, with repeated keys if it is so."""

    pairs: list[tuple[str, Any]]


def dump(value: Any) -> str:
    """Return JSON, or what claims to be."""
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, dict):
        value = Pairs(list(value.items()))
    if isinstance(value, Pairs):
        members = (f"{json.dumps(key)}: {dump(item)}" for key, item in value.pairs)
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(dump, value))}]"
    return json.dumps(value)


literals = st.sampled_from([
    *cases.NUMBERS,
    *("NaN", "-Infinity", "9" * 19, str(2**31), str(2**63), str(-(2**63) - 1), "1e400", "0.1e-400"),
    *("1.0", "1E0", "00", "tru", '"\\ud800"', '"\\u0000"', '"\\x"', "[" * 99 + "]" * 99),
]).map(Literal)  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 130), st.integers(), st.floats(), texts, literals
)
keys = st.one_of(
    st.sampled_from(["id", "name", "email", "0", "", "a.b", "key", "value", "x" * 300]),
    st.text("abcxyz_[]0. ", max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.lists(st.tuples(keys, inner), max_size=3).map(Pairs),
        st.integers(1, 101).map(lambda depth: Literal('{"a":' * depth + "1" + "}" * depth)),
        st.sampled_from([101, 300]).map(lambda size: [1] * size),
    ),
    max_leaves=8,
)

_CONTACT = {"email": "sam@example.com", "name": "Sam"}
_GOOD: list[tuple[str, dict[str, Any]]] = [
    ("/close$", {"description": "Done"}),
    ("/subscriptions$", {"email": "sam@example.com"}),
    ("/issues", {"name": "N", "description": "D", "severity": "info", "category_ids": [1]}),
    ("/categories", {"name": "N", "company_id": 1}),
    ("/companies/[^/]*/users", {"email": "sam@example.com"}),
    ("/companies", {"name": "N", "logo_url": "https://x.example/", "slug": "n"}),
    ("/get-token$", {"email": "sam@example.com", "auth-code": "123456789012345"}),
    ("/webhooks", {"url": "https://x.example/hook", "description": "D"}),
    ("/exports$", {}),
    (
        "/messages",
        {
            "body": "B",
            "from_contact": _CONTACT,
            "type": "external",
            "to": ["a@example.com"],
            "cc": [],
            "bcc": [],
            "attachments": [{"name": "a"}],
        },
    ),
    (
        "/tickets",
        {
            "subject": "S",
            "from_contact": _CONTACT,
            "channel": {"id": 1},
            "status": "open",
            "message": {"body": "B", "attachments": [{}]},
            "team": 1,
            "assignee": {"id": 1},
            "tags": ["Invoice", 1],
        },
    ),
    (
        "/customers",
        {
            "name": "N",
            "email": "new@example.com",
            "locale": "en-GB",
            "postal_code": "1",
            "note": "",
            "timezone": "UTC",
            "job_title": "x",
            "country": None,
        },
    ),
    ("/tags", {"name": "N", "slug": "n", "color": "#fff", "type": "all"}),
    (
        "/webhook$",
        {
            "webhooks": {
                "enabled": True,
                "url": "https://x.example/",
                "secret": "s",
                "headers": [{"key": "X-A", "value": "b"}],
                "trigger": {"ticket": {"created": True}, "tag": {"deleted": False}},
            }
        },
    ),
    ("/reports/", {"start": "2026-01-01", "end": "2026-01-31"}),
]
"""Route to a body that is right."""


def good_body(template: str) -> dict[str, Any]:
    """Return a body that a route takes, which for some is an empty object."""
    return next((body for pattern, body in _GOOD if re.search(pattern, template)), {})


def spoilt(value: Any) -> SearchStrategy[Any]:
    """Return a value in which one thing, anywhere in it, is not as it should be."""
    if isinstance(value, dict) and value:
        members = st.sampled_from(sorted(value)).flatmap(
            lambda key: spoilt(value[key]).map(lambda odd: {**value, key: odd})
        )
        missing = st.sampled_from(sorted(value)).map(
            lambda key: {name: item for name, item in value.items() if name != key}
        )
        repeated = st.tuples(st.sampled_from(sorted(value)), values).map(
            lambda pair: Pairs([*value.items(), pair])
        )
        return st.one_of(members, members, members, missing, repeated, values)
    if isinstance(value, list) and value:
        return st.one_of(spoilt(value[0]).map(lambda odd: [*value, odd]), values)
    return values


def objects(template: str) -> SearchStrategy[Any]:
    """Return what is sent to a route: right, spoilt, or anything."""
    good = good_body(template)
    return st.one_of(st.just(good), spoilt(good), spoilt(good), values)


_BRACKETS = st.sampled_from([
    *("{}", "{}[]", "{}[0]", "{}[a]", "{}[a][b]", "{}[", "{}]", "[{}]", "{}[][]", "{}[-1]"),
    *("{}[99999999999999999999]", "{}[0", "{}[[]]", "{}.a", "{}%5B%5D", "{}[a]b", "{}%00"),
    *("{}%20[]", "{}[%ff]"),
])  # fmt: skip
escaped = st.one_of(
    texts.map(lambda text: quote(text.encode("utf-8", "surrogatepass"))),
    st.sampled_from(["%", "%zz", "%ff", "%00", "%ED%A0%80", "+", "%2B", "a%0d%0ab", "%u0041", "1"]),
)


def forms(names: list[str]) -> SearchStrategy[bytes]:
    """Return forms with PHP's brackets in every odd shape."""
    name = st.one_of(st.sampled_from([*names, "x"]), escaped)
    pair = st.builds(
        lambda brackets, name, equals, value: brackets.format(name) + equals + value,
        *(_BRACKETS, name, often(st.just("="), st.sampled_from(["", "=="])), escaped),
    )
    mixed = st.lists(pair, max_size=8).map("&".join).map(lambda text: text.encode("latin-1"))
    fixed = st.sampled_from([
        *cases.MALFORMED_FORMS,
        *cases.ODD_FORMS,
        b"&".join([b"category_ids[]=1"] * 1001),
        b"a" + b"[]" * 1000 + b"=1",
    ])  # fmt: skip
    return often(mixed, fixed)


multiparts = st.one_of(
    st.just(cases.PART % b"x"),
    st.binary(max_size=60).map(lambda content: cases.PART % content),
    st.just(cases.PART[:40]),
    st.sampled_from([b"--xyz--", b"--xyz\r\n\r\n--xyz--\r\n", b"--xyz\r\nx" * 50]),
    st.just(
        b'--xyz\r\nContent-Disposition: form-data; name="f"; filename="../../x"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!\r\n--xyz--\r\n"
    ),
)


def _with_token(value: Any, name: str, token: Any) -> Any:
    """Return an object with one more member, if it is an object."""
    if isinstance(value, dict):
        value = Pairs(list(value.items()))
    return Pairs([*value.pairs, (name, token)]) if isinstance(value, Pairs) else value


@st.composite
def bodies(
    draw: Any, template: str, credentials: Credentials, token: str | None
) -> tuple[bytes, str]:
    """Return a body and its type; ``token`` stands in it, or a wrong one, or none."""
    kind = draw(st.sampled_from(["json"] * 6 + ["form"] * 3 + ["multipart", "broken", "empty"]))
    if kind == "json":
        value = draw(objects(template))
        placed = [token] if token is not None else []
        odd = st.lists(st.one_of(scalars, tokens(credentials)), min_size=1, max_size=2)
        for sent in [*placed, *draw(often(st.just([]), odd, 8))]:
            value = _with_token(value, draw(st.sampled_from(TOKEN_NAMES)), sent)
        text = dump(value).encode()
        cut = draw(often(st.none(), st.integers(0, len(text)), 12))
        return text[:cut], cases.JSON
    if kind == "form":
        body = draw(forms(sorted(good_body(template))))
        if token is not None:
            body += f"&{draw(st.sampled_from(TOKEN_NAMES))}={token}".encode()
        return body, cases.FORM
    if kind == "multipart":
        return draw(multiparts), cases.MULTIPART
    if kind == "broken":
        odd = st.one_of(st.sampled_from(list(cases.BODIES.values())), st.binary(max_size=200))
        return draw(odd), draw(st.sampled_from([cases.JSON, cases.FORM, cases.PLAIN]))
    return b"", draw(st.sampled_from([cases.JSON, cases.FORM, ""]))


# --- Queries ----------------------------------------------------------------------------------

PARAMETERS = [
    *("page", "per_page", "per-page", "severity", "status", "before", "after", "with", "withCount"),
    *("scopes", "company_ids", "category_ids", "types", "additional-types", "created-between"),
    *("subject", "subject-or-body", "tags", "format", "sort", "include", "callback", "_method"),
]
_ODD_VALUES = st.one_of(
    st.sampled_from([
        *("0", "-1", "1", "2", "01", "1.0", "1e3", "9" * 18, "9" * 19, "9" * 400, "%D9%A3", "+1"),
        *("2026-01-01", "2026-13-45", "0000-00-00", "9999-12-31", "0001-01-01", "critical", "open"),
        *("categories", "categories.company", "a.b.c.d", "__class__", "pk__in", "latest", ""),
        *("external", "2026-01-01/2026-02-01", "/", "infinity", "zzz", "1%0a", "%EF%BC%91", "%20"),
    ]),
    escaped,
)  # fmt: skip


def queries() -> SearchStrategy[str]:
    """Return queries without a token: pages, filters, repeated, bracketed, encoded oddly."""
    pair = st.builds(
        lambda brackets, name, value: f"{brackets.format(name)}={value}",
        *(_BRACKETS, often(st.sampled_from(PARAMETERS), escaped, 6), _ODD_VALUES),
    )
    mixed = st.lists(pair, max_size=5).map("&".join)
    odd = st.sampled_from(["&", "=", "?", "&&=&", "page", "x=1;page=2", "%", "page=1&" * 300])
    many = st.just("&".join(f"x{number}=1" for number in range(1001)))
    return often(mixed, st.one_of(odd, many), 12)


@st.composite
def token_queries(draw: Any, credentials: Credentials, token: str | None) -> str:
    """Return the part of a query that has a token, or several, or something like it."""
    parts = [f"{draw(st.sampled_from(TOKEN_NAMES))}={quote(token)}"] if token is not None else []
    if draw(often(st.just(False), st.just(True), 5)):
        odd = draw(st.one_of(
            tokens(credentials).map(lambda text: quote(text.encode("utf-8", "surrogatepass"))),
            st.sampled_from(cases.QUERY_TOKENS),
        ))  # fmt: skip
        brackets = draw(st.sampled_from(["{}", "{}[]", "{}[a]", "{}[0]", "{}%00", "{}["]))
        parts.append(f"{brackets.format(draw(st.sampled_from(TOKEN_NAMES)))}={odd}")
    return "&".join(parts)


# --- Paths ------------------------------------------------------------------------------------

good_ids = st.integers(1, 12).map(str)
odd_ids = st.one_of(
    st.sampled_from([
        *("0", "-1", "+1", "01", "1.0", "1e0", "0x1", "1%0a", "%D9%A1", "%00", "%ff", "1%00"),
        *("9" * 18, "9" * 19, str(2**31), str(2**63 - 1), str(2**63), "9" * 400, "9" * 3000),
        *("%20", "1%20", ".", "..", "%2e%2e", "1%2F2", "1;x", "1.json", "null", "%ED%A0%80", "*"),
        "abc",
    ]),
    escaped.filter(lambda text: "?" not in text and "#" not in text),
)  # fmt: skip
odd_paths = st.sampled_from([
    *("/api", "/api/", "/api//", "//api/issues", "/api/./issues", "/api/../api/issues", "/api/v1"),
    *("/api/v1/", "/api/v1//tags", "/api/nowhere", "/api/v1/nowhere", "/api/%00", "/api/%ff"),
    *("/api/issues/", "/api/issues.json", "/api/issues%2F1", "/api/Issues", "/api/issues%0a"),
    *("/api/%2e%2e/admin/", "/api/v1/..%2f..%2fadmin", "/api/" + "a/" * 500, "/api/" + "x" * 3000),
    *("/api/issues/1/close/", "/api/issues/1/close/close", "/api/%E0%A4%A", "/api/{}", "/api/<x>"),
    *("/api/tags;x=1", "/%61pi/issues", "/api%2Fissues", "/api/v1/tickets/1/messages/1/1"),
])  # fmt: skip


@st.composite
def paths(draw: Any, template: str) -> str:
    """Return a path of the route, mostly, with ids that mostly exist."""
    if draw(often(st.just(False), st.just(True), 15)):
        return draw(odd_paths)
    path = re.sub(r"\{[a-z_]+\}", lambda _: draw(often(good_ids, odd_ids, 5)), template)
    end = st.sampled_from(["/", ".json", "%0a", "%00", "//", "/x", ";"])
    return path + draw(often(st.just(""), end, 15))


# --- All of it --------------------------------------------------------------------------------


@st.composite
def requests(draw: Any, routes: Sequence[Route], credentials: Credentials) -> Request:
    """Return a whole request to one of the routes."""
    template, methods = draw(st.sampled_from(routes))
    method = draw(often(st.sampled_from(sorted(methods)), st.sampled_from(METHODS), 6))
    good = credentials.chat if "chat-user" in template else credentials.valid
    place = draw(st.sampled_from(["header"] * 4 + ["query", "body", "nowhere", "wild"]))
    headers: Headers = [("Host", host) for host in draw(hosts)]
    if place == "header":
        headers.append(("Authorization", f"Bearer {good}"))
    if place == "wild":
        odd = st.lists(authorizations(credentials), min_size=1, max_size=2)
        headers += [("Authorization", value) for value in draw(odd)]
    if "/v1/" in template or draw(st.booleans()):
        headers += [("Hs-Client-Id", client) for client in draw(clients)]
    headers += draw(other_headers())
    query = "&".join(filter(None, [
        draw(often(st.just(""), queries(), 1)),
        draw(token_queries(credentials, good if place == "query" else None)),
    ]))  # fmt: skip
    body, content_type = b"", None
    if method in {"POST", "PUT", "PATCH"} or draw(often(st.just(False), st.just(True), 5)):
        body, content_type = draw(bodies(template, credentials, good if place == "body" else None))
        content_type = draw(often(st.just(content_type), _ODD_TYPES, 12))
    if content_type is not None:
        headers.append(("Content-Type", content_type))
    return Request(method, draw(paths(template)), query, headers, body, draw(lengths))
