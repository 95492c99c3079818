"""What has to hold of every answer below ``/api/``, whatever was asked.

The one place that knows it: properties, socket cases and the example's own tests ask here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
LEAKS = re.compile(
    r"<html|Traceback|File \"|\.py|Exception|Error:|DoesNotExist|select |insert |sqlite|psycopg"
    r"|mysql|codec|position|Expecting|line 1|/usr/|site-packages|matching query|matches the given",
    re.IGNORECASE,
)
"""Inside words, which no refusal may say."""

SERVERS_OWN = b"Invalid HTTP request received."
"""What uvicorn says to what it cannot read; gunicorn is configured to refuse in JSON."""
CRASHES = ["Traceback", "Internal Server Error", "Exception in ASGI", "Error handling request"]
"""What logs say of an exception that nobody caught."""
NOT_SPOKEN = {501, 505}
"""Of the 5xx those that say that no server has to speak whatever this is."""


@dataclass(frozen=True)
class Answer:
    """One answer as it came, in bytes."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    method: str = "GET"
    """What was asked. What an application says in answer to HEAD, servers leave out."""

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        """Return the value of a header that has to be there once."""
        [value] = self.all(name)
        return value


@dataclass(frozen=True)
class Secrets:
    """What no answer may say."""

    texts: list[str]
    """Tokens and digests."""
    parameters: list[str] = field(default_factory=lambda: ["api_token", "chat_user_token"])


def assert_good(answer: Answer, secrets: Secrets, *, gives_token: bool = False) -> None:
    """Assert all that has to hold of an answer of ours.

    ``gives_token``: the route is the one whose answer is a new token.
    """
    text = answer.body.decode("utf-8")
    told = f"{answer.status} {answer.headers} {text[:2000]}"
    assert 200 <= answer.status < 300 or 400 <= answer.status < 500 or is_not_spoken(answer), told
    assert answer.all("X-Content-Type-Options") == ["nosniff"], told
    assert not answer.all("Location"), told
    # Django's own middleware takes back a session that is none, and mends its own cookie.
    assert all(re.match(" ?(sessionid|csrftoken)=", text) for text in answer.all("Set-Cookie")), (
        told
    )
    if answer.method != "HEAD" or text:
        assert answer.all("Content-Type") == [JSON], told
        body = json.loads(text, parse_constant=_refuse_constant)
        if answer.status >= 400:
            assert_error(answer.status, body, text)
        assert_silent(text, secrets, gives_token=gives_token and answer.status < 300)
    assert_silent(str(answer.headers), secrets)
    assert_headers(answer, told)


def assert_error(status: int, body: Any, text: str) -> None:
    """Assert that the body of a refusal has the members it should, and says no more than them."""
    assert isinstance(body, dict), text
    assert set(body) in ({"message"}, {"message", "errors"}), text
    assert isinstance(body["message"], str), text
    assert body["message"].strip(), text
    if "errors" in body:
        assert status == 422, text
        assert_errors(body["errors"])
    assert not LEAKS.search(text), text[:500]


def assert_errors(errors: Any) -> None:
    """Assert that the errors of a 422 are lists of texts by field."""
    assert isinstance(errors, dict), errors
    assert errors
    for name, texts in errors.items():
        assert isinstance(name, str), errors
        assert isinstance(texts, list), errors
        assert texts, errors
        assert all(isinstance(text, str) and text.strip() for text in texts), errors


def assert_silent(text: str, secrets: Secrets, *, gives_token: bool = False) -> None:
    """Assert that a text holds no secret, and names no parameter that would hold one."""
    for secret in secrets.texts:
        assert secret not in text, "a secret came back"
    for name in [] if gives_token else secrets.parameters:
        assert name not in text, text[:500]


def assert_headers(answer: Answer, told: str) -> None:
    """Assert the headers that a status asks for."""
    if answer.status == 401:
        assert answer.one("WWW-Authenticate").startswith('Bearer realm="'), told
    if answer.status == 405:
        assert answer.one("Allow"), told
    if answer.status == 429:
        assert re.fullmatch("[1-9][0-9]*", answer.one("Retry-After")), told
        assert "no-store" in answer.one("Cache-Control"), told


def is_servers_own(answer: Answer) -> bool:
    """Tell whether a server refused this by itself, in words of its own."""
    return answer.status == 400 and answer.body.strip() == SERVERS_OWN


def is_not_spoken(answer: Answer) -> bool:
    """Tell whether a server says that it does not know a version or an encoding of HTTP."""
    return answer.status in NOT_SPOKEN


def assert_outside(answer: Answer, secrets: Secrets) -> None:
    """Assert what has to hold of pages that are not the APIs', the server's own included."""
    text = answer.body.decode("latin-1")
    told = f"{answer.status} {answer.headers} {text[:2000]}"
    assert answer.status < 500 or is_not_spoken(answer), told
    assert_silent(text, Secrets(secrets.texts, []))
    assert_silent(str(answer.headers), Secrets(secrets.texts, []))


def _refuse_constant(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")
