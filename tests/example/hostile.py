"""What clients may send that no client should, and what has to come back."""

from __future__ import annotations

import json
from typing import Any

from tests.hostile.oracle import assert_error

from .support import Answer, Site

MALFORMED = {"message": "The request body is malformed."}
UNAUTHENTICATED = {"message": "Unauthenticated."}


def assert_refused(answer: Answer, *statuses: int) -> Any:
    """Return the body of a refusal, which says nothing of what is behind it."""
    assert answer.status in statuses, answer.text[:500]
    body = answer.json()
    assert_error(answer.status, body, answer.text)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return body


def raw(site: Site, request: bytes) -> tuple[int, bytes, Any]:
    """Send bytes; return the answer's status, head and body."""
    head, _, body = site.send(request).partition(b"\r\n\r\n")
    return int(head.split()[1]), head, json.loads(body)


def with_token(site: Site, body: dict[str, Any], token: str = "valid") -> dict[str, Any]:
    return {**body, "api_token": site.tokens.get(token, token)}


PLACES = ["header", "query", "payload", "form"]


def send(site: Site, place: str, path: str, body: dict[str, Any], method: str = "POST") -> Answer:
    """Send a token of the first user in one of the places."""
    token = site.tokens["valid"]
    options: dict[str, Any] = {"method": method, "client": "acme"}
    if place == "header":
        return site.request(path, json=body, token=token, **options)
    if place == "query":
        return site.request(f"{path}?api_token={token}", json=body, **options)
    if place == "payload":
        return site.request(path, json=with_token(site, body), **options)
    return site.request(path, form=[*body.items(), ("api_token", token)], **options)
