"""A digest of what no client of good will sends."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n1\r\n'

TEXTS = [
    *("\0", "a\0b", "\ud800", "\udfff\ud800", "\x7f\x1b[31m", "\u202e", "\uffff", "\U0010ffff"),
    *("x" * 100_000, "9" * 400, "-1", "1e999", "NaN", "null", "' OR 1=1 --", "%s%n"),
    *("{0.__class__}", "../../etc/passwd", "<script>", "\r\nX: y", "٣", "", " ", "=1+1"),
]
VALUES = [
    *TEXTS,
    *(0, -1, 2**31, 2**63, -(2**63) - 1, 10**400, 1.5, -0.0, True, None, [], {}, [[]], [None]),
    *({"a": "\0"}, ["\ud800"], {"\0": 1}, {"__proto__": {}}, [{"title": "a"}]),
]
FIELDS = ("name", "meta", "ratio", "title", "isbn", "year", "authors", "api_token")
BODIES = [
    *(b"", b" ", b"{", b"[", b"[" * 100_000, b'{"a":' * 100_000, b'"', b"1" * 5000, b"\xff", b"\0"),
    *(b"\xef\xbb\xbf{}", b"{'a': 1}", b"[1,]", b"{} {}", b"NaN", b"-", b"null", b'{"a" 1}', b"//"),
    *('{"name": "a"}'.encode("utf-16"), '{"name": "a"}'.encode("utf-32")),
    *(b'"\\x"', b'{"\\ud8": 1}', b"=", b"%", b"%00=%00", b"+", b";", b"a=" + b"%" * 999),
    *(b"a=%ff", b"a[=1", b"[]=1", b"a[b]=1&a=2&a[]=3", b"a" + b"[b]" * 500 + b"=1", b"&" * 999),
    *(b"a[9999999999999999999]=1", b"--x", b"--x\r\n\r\n", b"--x--"),
    *(PART + b"--x--", PART[:-5], PART * 3),
]
TYPES = [
    *(JSON, FORM, MULTIPART, "multipart/form-data", "text/plain", "", "x", "application/json;"),
    *(f"{JSON}; charset=utf-16", f"{FORM}; charset=nope", "application/vnd.api+json", "*/*"),
]
NAMES = ["page", "per_page", "per-page", "year", "api_token", "format", "page[]", "a[b", "%00", ""]
KEYS = [
    *("%00", "%ff", "%D9%A3", "9" * 30, "-1", "0", "01", "1.0", "abc", "%20", "%0a", "%2f", "*"),
]
HEADERS = [
    *("authorization", "accept", "accept-language", "x-forwarded-for", "content-encoding"),
    *("if-none-match", "if-modified-since", "x-http-method-override", "referer", "cookie"),
    *("origin", "range"),
]
HEADER_VALUES = [
    *("", "\xff", "\x00", "x" * 9000, ",;=\"'", "Bearer \xff", "Bearer cn_\0", "bytes=-"),
    "*/*;q=x",
]


@dataclasses.dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = dataclasses.field(default_factory=dict)

    def __repr__(self) -> str:
        body = self.body[:100]
        return f"{self.method} {self.path} {self.content_type} {body!r} {self.headers}"


def digest(paths: Sequence[str]) -> Iterator[Asked]:
    """Return requests to each of the paths in turn, and all to those that take anything."""
    yield from _values(paths)
    yield from _bodies(paths)
    yield from _queries()
    yield from _keys()
    yield from _headers()


def _values(paths: Sequence[str]) -> Iterator[Asked]:
    for number, (field, value) in enumerate(itertools.product(FIELDS, VALUES)):
        body = json.dumps({field: value}).encode()
        for path in ("items", "books", paths[number % len(paths)]):
            yield Asked("POST", path, body)


def _bodies(paths: Sequence[str]) -> Iterator[Asked]:
    for number, (body, content_type) in enumerate(itertools.product(BODIES, TYPES)):
        method = ("POST", "PUT", "PATCH", "DELETE", "GET")[number % 5]
        often = ("raw", "upload", "private", "books")[(number + number // len(TYPES)) % 4]
        for path in (often, paths[number % len(paths)]):
            yield Asked(method, path, body, content_type)


def _queries() -> Iterator[Asked]:
    for name, value in itertools.product(NAMES, KEYS):
        for path in ("books", "items", "private"):
            yield Asked("GET", f"{path}?{name}={value}")


def _keys() -> Iterator[Asked]:
    for key, path in itertools.product(KEYS, ("books", "numbered", "rotate", "nope")):
        for method in ("GET", "PUT", "POST", "DELETE", "OPTIONS", "BREW"):
            yield Asked(method, f"{path}/{key}", b"{}")


def _headers() -> Iterator[Asked]:
    for name, value in itertools.product(HEADERS, HEADER_VALUES):
        for path in ("private", "books"):
            yield Asked("GET", path, headers={name: value})
