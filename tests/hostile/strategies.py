"""What clients may send that nobody should: tokens, headers, bodies, queries, paths, requests."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from connectnow_api import tokens as token_strings
from tests.example.support import FORM, JSON

from .exchange import Request

ROUTES = [
    *("/api/issues", "/api/issues/{}", "/api/issues/{}/close", "/api/issues/{}/subscriptions"),
    *("/api/categories", "/api/categories/{}", "/api/categories/{}/subscriptions"),
    *("/api/companies", "/api/companies/{}", "/api/companies/{}/users"),
    *("/api/companies/1/users/{}", "/api/webhooks", "/api/webhooks/{}", "/api/user"),
    *("/api/chat-user", "/api/chats/{}/users/get-token", "/api/exports", "/api/throttled"),
    *("/api/v1/tickets", "/api/v1/tickets/{}", "/api/v1/tickets/{}/messages"),
    *("/api/v1/tickets/1/messages/{}", "/api/v1/customers", "/api/v1/customers/{}"),
    *("/api/v1/tags", "/api/v1/tags/{}", "/api/v1/webhook", "/api/v1/webhook/logs"),
    *("/api/v1/reports/channels", "/api/v1/reports/performance"),
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"]

# What a request line and a header can hold: a server refuses anything else (see test_sockets).
line_text = st.text(
    st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f\x85\xa0")
)
header_text = st.text(
    st.one_of(
        st.characters(min_codepoint=32, max_codepoint=126),
        st.characters(min_codepoint=161, max_codepoint=255),
    ),
    max_size=200,
)
ODD = ["", "0", "-1", "+1", "1.0", "1e3", "٣", "NaN", "null", "true", "\0", "\ud800", "a\0b", "%00"]
odd_texts = st.one_of(
    st.sampled_from(ODD),
    st.text(max_size=40),
    st.text("<>'\"%\\;&=[]{}()|\n\r\t\0", max_size=20),
    st.sampled_from(
        ["x" * 300, "9" * 19, "9" * 400, "../../etc", "' OR 1=1 --", "{{7*7}}", "%n%s"]
    ),
)


def tokens(valid: list[str]) -> st.SearchStrategy[str]:
    """Tokens, valid ones and those that are nearly so."""

    @st.composite
    def near(draw: st.DrawFn) -> str:
        token = draw(st.sampled_from(valid))
        where = draw(st.integers(0, len(token) - 1))
        return draw(
            st.sampled_from(
                [
                    token[:where] + "x" + token[where + 1 :],
                    token[:where],
                    token + token[where:],
                    token.upper(),
                    token.swapcase(),
                    token_strings.digest(token),
                    f"{where}|{token}",
                    f"{token}\t{token}",
                    token.replace("_", "-"),
                ]
            )
        )

    return st.one_of(
        st.sampled_from(valid), near(), odd_texts, st.just("cn_" + "a" * 46), st.just("x" * 5000)
    )


def headers(valid: list[str]) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """Up to five headers, each of which says something of the request."""
    bearer = st.builds(
        "{}{}{}".format,
        st.sampled_from(["Bearer ", "bearer ", "Bearer", "Bearer  ", "Basic ", "Token ", ""]),
        tokens(valid).map(_as_header),
        st.sampled_from(["", ", Bearer x", " ", ",", "=="]),
    )
    values = {
        "Authorization": bearer,
        "Hs-Client-Id": st.one_of(
            st.sampled_from(["acme", "other", "ACME", "acme,acme"]), header_text
        ),
        "Accept": st.one_of(
            st.sampled_from(["*/*", "text/html", "application/json;q=0", "a/b;q=x,,", ""]),
            header_text,
        ),
        "Content-Type": st.one_of(
            st.sampled_from(
                [
                    *(JSON, FORM, "multipart/form-data", "multipart/form-data; boundary=x", ""),
                    *("text/plain", f"{JSON}; charset=base64", f"{JSON}; charset=utf-16", "a"),
                    *(f"{FORM}; charset=latin-1", f"{JSON};;;", "application/vnd.api+json"),
                ]
            ),
            header_text,
        ),
        "Content-Encoding": st.sampled_from(["gzip", "identity", "x"]),
        "Host": st.sampled_from(["127.0.0.1", "evil.example", "a b", "[", "127.0.0.1:99999", ""]),
        "X-Forwarded-For": st.one_of(
            st.sampled_from(["1.2.3.4", "unknown", "[]", "::1"]), header_text
        ),
        "X-HTTP-Method-Override": st.sampled_from(["DELETE", "PUT", "x"]),
        "Cookie": header_text,
        "Referer": header_text,
        "Accept-Language": header_text,
        "If-Modified-Since": header_text,
        "If-None-Match": header_text,
        "Range": st.sampled_from(["bytes=0-1", "bytes=-1", "x"]),
    }
    one = st.sampled_from(sorted(values)).flatmap(
        lambda name: values[name].map(lambda value: (name, _as_header(value)))
    )
    return st.lists(one, max_size=5, unique_by=lambda header: header[0]).map(tuple)


def _as_header(value: str) -> str:
    """Return a text as a header can hold it: servers refuse the rest."""
    kept = "".join(c for c in value if c == "\t" or " " <= c <= "~" or "\xa1" <= c <= "\xff")
    return kept.strip()


# --- Bodies -----------------------------------------------------------------------------------

FIELDS = [
    *("name", "description", "severity", "category_ids", "email", "company_id", "logo_url", "slug"),
    *("url", "auth-code", "subject", "from_contact", "channel", "message", "status", "team"),
    *("assignee", "tags", "body", "type", "to", "cc", "bcc", "attachments", "job_title", "note"),
    *("postal_code", "locale", "color", "webhooks", "start", "end", "api_token", "id", "data"),
]
numbers = st.one_of(
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([0, -0.0, 1, 2**31, 2**63, -(2**63) - 1, 1e308, math.inf, math.nan]),
)
sound_values = st.sampled_from(
    ["x", "a@example.com", "info", "2021-04-26", "#123", [1], [1, 2], 1, {"id": 1}, None, True]
)
scalars = st.one_of(sound_values, numbers, odd_texts, st.none(), st.booleans())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(FIELDS), odd_texts), inner, max_size=4),
    ),
    max_leaves=15,
)
objects = st.dictionaries(st.one_of(st.sampled_from(FIELDS), odd_texts), values, max_size=8)


def _dumps(value: Any) -> bytes:
    # Surrogates are escaped, NaN and Infinity are not: neither is what RFC 8259 has.
    return json.dumps(value).encode()


json_bodies = st.one_of(
    objects.map(_dumps),
    values.map(_dumps),
    st.sampled_from(
        [
            *(b"", b" ", b"{", b"[", b"nul", b"{}", b"[]", b"\xef\xbb\xbf{}", b'{"a": 1e999}'),
            *(b'{"name": "\\ud800"}', b'{"name": "\\u0000"}', b'{"a":1,"a":2}', b"\xff\xfe{\x00"),
            *(
                b"[" * 2000,
                b'{"a":' * 2000,
                b"1" * 5000,
                b'{"api_token": 1}',
                b'{"api_token": [1]}',
            ),
        ]
    ),
    st.builds(lambda body, cut: _dumps(body)[:cut], objects, st.integers(0, 60)),
    st.binary(max_size=200),
)
form_names = st.builds(
    "{}{}".format,
    st.one_of(st.sampled_from(FIELDS), st.text(max_size=5)),
    st.sampled_from(
        ["", "[]", "[0]", "[a]", "[a][b]", "[", "]", "[][]", "[999999999999]", "[0][id]"]
    ),
)
form_bodies = st.one_of(
    st.lists(st.tuples(form_names, odd_texts), max_size=8).map(
        lambda pairs: urlencode(pairs, errors="surrogatepass").encode()
    ),
    st.text("ab[]=&%0;", max_size=60).map(str.encode),
    st.binary(max_size=200),
)
multipart_bodies = st.one_of(
    st.builds(
        lambda name, value: (
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--x--\r\n'
        ).encode(errors="surrogatepass"),
        st.sampled_from(FIELDS),
        odd_texts,
    ),
    st.binary(max_size=100),
)
bodies = st.one_of(
    st.none(),
    st.tuples(st.just(JSON), json_bodies),
    st.tuples(st.just(FORM), form_bodies),
    st.tuples(st.just("multipart/form-data; boundary=x"), multipart_bodies),
    st.tuples(st.just("text/plain"), st.binary(max_size=50)),
)

# --- Targets ----------------------------------------------------------------------------------

PARAMETERS = [
    *("page", "per_page", "per-page", "severity", "status", "before", "after", "types[]", "with[]"),
    *("additional-types[]", "withCount[]", "scopes[]", "status[0]", "created-between", "format"),
    *("api_token[]", "company_ids[]", "_method", "types[0][a]", "page[]", "per_page[0]"),
]
query_values = st.one_of(
    st.sampled_from(["1", "2", "open", "info", "2021-04-26", "external", "categories", "latest"]),
    odd_texts,
)


def queries(valid: list[str]) -> st.SearchStrategy[str]:
    """Queries, some of them with a token."""
    pair = st.tuples(st.one_of(st.sampled_from(PARAMETERS), odd_texts), query_values)
    token = st.tuples(st.sampled_from(["api_token", "chat_user_token"]), tokens(valid))
    return st.one_of(
        st.just(""),
        st.lists(st.one_of(pair, pair, token), max_size=5).map(
            lambda pairs: "?" + urlencode(pairs, errors="surrogatepass")
        ),
        line_text.map(lambda text: "?" + quote(text, safe="%&=[]+;", errors="replace")),
    )


ids = st.one_of(
    st.integers(1, 5).map(str),
    st.sampled_from(
        ["0", "01", "99999999999999999999", "9" * 400, "%00", "%ff", "1%0a", "+1", "0x1"]
    ),
    odd_texts.map(lambda text: quote(text, errors="replace")),
)
paths = st.one_of(
    st.builds(str.format, st.sampled_from(ROUTES), ids),
    st.builds("{}{}".format, st.sampled_from(["/api/", "/api/v1/", "/api/v1/tickets/"]), ids),
    st.builds(
        "{}{}".format,
        st.builds(str.format, st.sampled_from(ROUTES), ids),
        st.sampled_from(["/", "//", "/..", "/.", ".json", ";a=b", "%2f", "/%2e%2e/issues"]),
    ),
)


def requests(valid: list[str]) -> st.SearchStrategy[Request]:
    """Whole requests to the example, with tokens in any place or none."""

    @st.composite
    def build(draw: st.DrawFn) -> Request:
        method = draw(st.sampled_from(METHODS))
        target = draw(paths) + draw(queries(valid))
        found = dict(draw(headers(valid)))
        if draw(st.booleans()):
            # Otherwise few would get beyond authentication.
            found["Authorization"] = f"Bearer {valid[0]}"
            found["Hs-Client-Id"] = "acme"
        body = draw(bodies)
        if body is not None:
            found.setdefault("Content-Type", body[0])
        # Longer request lines than this are the server's to refuse.
        return Request(method, target[:3000], tuple(found.items()), body and body[1])

    return build()
