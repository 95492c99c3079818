"""Hostile values with a name, one by one: tests send each, strategies mix them."""

from __future__ import annotations

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PLAIN = "text/plain"
MULTIPART = "multipart/form-data; boundary=xyz"
PART = b'--xyz\r\nContent-Disposition: form-data; name="api_token"\r\n\r\n%s\r\n--xyz--\r\n'

BODIES = {
    "cut": b'{"name": "x"',
    "trailing": b'{"name": "x"} x',
    "single quotes": b"{'name': 'x'}",
    "not UTF-8": b'{"name": "\xff"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "byte-order mark": b'\xef\xbb\xbf{"name": "x"}',
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": -Infinity}',
    "101 levels": b'{"name": ' + b"[" * 100 + b"]" * 100 + b"}",
    "100,000 lists": b"[" * 100_000,
    "100,000 objects": b'{"a":' * 100_000,
    "5,000 digits": b'{"name": ' + b"1" * 5_000 + b"}",
    "control character": b'{"name": "a\nb"}',
    "bad escape": b'{"name": "\\x"}',
    "NUL": b"\0",
    "form": b"name=x",
}
"""Bodies that are no JSON."""

MALFORMED_FORMS = [b"name=%ff", b"name=\xff", b"a" + b"[b]" * 101 + b"=1"]
ODD_FORMS = [
    b"name[=x",
    b"[]=x",
    b"[name]=x",
    b"name[]=x&name[a]=y&name=z",
    b"category_ids[999999999999999999999]=1",
    b"category_ids[-1]=1",
    b"category_ids[][]=1&category_ids[][a]=2",
    b"&&&=&=x",
    b"%00=%00",
    b"name=" + b"%" * 1000,
]
UNSTORABLE = ["\0", "a\0b", "\ud800", "\udfff\ud800", "\0" * 1000]
"""Texts that no database can hold."""
NUMBERS = ["1e999", "-1e999", "1" * 4000, "1e-999", "-0", "1.5"]

UNSUPPORTED_TYPES = [
    *(PLAIN, "text/html", "application/xml", MULTIPART, "multipart/form-data"),
    *("application/vnd.api+json", "garbage", "application/json; charset=utf-16"),
    *("application/json; charset=base64", "application/json; charset=nope"),
]
LENGTHS = ["-1", "x", "9" * 30, "1, 1", "+5", "0x10"]
"""Values of ``Content-Length`` that are none."""
HOSTS = ["evil.example", "", "a b", "x" * 300, "127.0.0.1:x", "[::1", "\xff"]
AUTHORIZATIONS = [
    *("", "Bearer", "Bearer ", "Basic eDp5", "Token x", "Bearer a b", "bearer,x", ",", "\x7f"),
    *("Bearer \xff", "Bearer é", "Bearer " + "x" * 7000, "Bearer cn_%00"),
]
"""Values of ``Authorization`` that open nothing."""
BODY_TOKENS = ["", " ", "x\0", "\ud800", "é", "cn_" + "a" * 46, "x" * 5000]
QUERY_TOKENS = ["%00", "%ff", "%ED%A0%80", "x%0d%0aSet-Cookie:x", "9" * 5000]
