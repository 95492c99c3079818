"""Every recorded token look-up of Laravel's token guard, against our authentication.

Its placements are header, query and payload. Where ours differs on purpose, the difference is
stated here once as a rule:

* two different values are refused with 400: none wins, no order is asked;
* the password of ``Basic`` is no token;
* a token is a text: arrays, numbers and booleans are none, neither in a body nor as
  ``api_token[]``, and a parameter has the name ``api_token`` alone, not ``api.token``;
* a token has our form: none holds a space, another script or digits only, so what Laravel had
  stored as such is nobody's;
* nothing is trimmed from a query or body; blank is nothing;
* a body is read with POST, PUT, PATCH and DELETE only, and as JSON's own media type or urlencoded;
* the header is ``Bearer``, in any case and first in the header, then one or more spaces, then the
  token and nothing else: no comma, no second word;
* no value makes a 500.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from rest_framework.test import APIClient

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.models import APIToken
from tests.conftest import Mount
from tests.recorded_tokens import Case, Outcome, Whoami, bearer, load, user

pytestmark = pytest.mark.django_db

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
VERSIONS = ("8", "12")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "guard_case" in metafunc.fixturenames:
        golden = load(metafunc.config)
        metafunc.parametrize(
            ("guard_case", "version", "users_by_token"),
            [
                pytest.param(case, version, golden["users_by_token"], id=f"guard-{index}-{version}")
                for index, case in enumerate(golden["token_guard"])
                for version in VERSIONS
            ],
        )


@dataclasses.dataclass(frozen=True)
class Sent:
    """A recorded request with our tokens in it."""

    method: str
    query: str
    authorization: str | None
    body: str
    content_type: str
    headers: dict[str, str]
    parameter: str

    @property
    def found(self) -> list[str]:
        """What stands in the placements, blank or not."""
        pairs = [*pairs_of(self.query), *self.payload]
        values = [value for name, value in pairs if name == self.parameter]
        return [*values, *bearer(self.authorization)]

    @property
    def candidates(self) -> set[str]:
        return {value for value in self.found if value.strip()}

    @property
    def payload(self) -> list[tuple[str, str]]:
        """The texts at the top of a body that is read."""
        if self.method not in ("POST", "PUT", "PATCH", "DELETE"):
            return []
        if self.content_type == FORM:
            return pairs_of(self.body)
        data = json.loads(self.body) if self.content_type == JSON and self.body else None
        members = data.items() if isinstance(data, dict) else ()
        return [(name, value) for name, value in members if isinstance(value, str)]


def pairs_of(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True)


def sent(case: Case, ours: dict[str, str]) -> Sent:
    """Return a recorded request with our tokens in place of the stored ones."""

    def put(text: str) -> str:
        return re.sub(r"T\d+", lambda match: ours.get(match[0], match[0]), text)

    headers = {name: put(value) for name, value in (case.get("headers") or {}).items()}
    content_type = headers.pop("Content-Type", JSON if "json" in case else FORM)
    body = put(json.dumps(case["json"])) if "json" in case else ""
    if "form" in case:
        body = put(urlencode(list(bracketed(case["form"]))))
    authorization = case["authorization"]
    if authorization is not None and authorization.startswith("Basic "):
        with_ours = re.sub(
            r"(?<=^Basic )[\w+/=]+", lambda m: put_in_basic(m[0], put), authorization
        )
        authorization = with_ours
    return Sent(
        method=case["method"],
        query=put(case["query_string"]),
        authorization=None if authorization is None else put(authorization),
        body=body,
        content_type=content_type,
        headers=headers,
        parameter="key" if case["guard"] == "other" else "api_token",
    )


def put_in_basic(credentials: str, put: Callable[[str], str]) -> str:
    return base64.b64encode(put(base64.b64decode(credentials).decode()).encode()).decode()


def bracketed(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the fields of a form as PHP spells lists and maps."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else (("", item) for item in value)
        for key, item in items:
            yield from bracketed(item, f"{name}[{key}]" if name else str(key))
    else:
        yield name, str(value)


def is_mixture(case: Case, request: Sent) -> bool:
    return len(request.candidates) > 1


def is_basic(case: Case, request: Sent) -> bool:
    return (request.authorization or "").startswith("Basic ")


def is_no_text(case: Case, request: Sent) -> bool:
    name = request.parameter
    fields = [key for key, _ in pairs_of(request.query)] + list(case.get("form") or {})
    data = case.get("json")
    value = data.get(name) if isinstance(data, dict) else None
    form = (case.get("form") or {}).get(name)
    respelt = any(key != name and re.split(r"[\[.]", key)[0] in ("api", name) for key in fields)
    return respelt or not isinstance(value, str | None) or not isinstance(form, str | None)


def has_no_form_of_ours(case: Case, request: Sent) -> bool:
    wanted = case.get("expected_token")
    return isinstance(wanted, str) and re.fullmatch(r"T\d+", wanted) is None


def is_padded(case: Case, request: Sent) -> bool:
    return any(value != value.strip() for value in request.found)


def is_in_the_body_of_a_safe_method(case: Case, request: Sent) -> bool:
    return bool(request.body) and request.method in ("GET", "HEAD", "OPTIONS")


def is_of_another_media_type(case: Case, request: Sent) -> bool:
    return bool(request.body) and request.content_type not in (JSON, FORM)


def is_another_header(case: Case, request: Sent) -> bool:
    header = request.authorization
    return header is not None and re.fullmatch(r"Bearer [^\s,]+", header) is None


def is_a_crash(case: Case, request: Sent) -> bool:
    return bool(case["status"] == 500)


GUARD_RULES = (
    *(is_mixture, is_basic, is_no_text, has_no_form_of_ours, is_padded),
    *(is_in_the_body_of_a_safe_method, is_of_another_media_type, is_another_header, is_a_crash),
)


class KeyAuthentication(APITokenAuthentication):
    parameter = "key"


def test_guard_finds_whom_the_recording_finds(
    guard_case: Case,
    version: str,
    users_by_token: dict[str, int],
    mount: Mount,
    client: APIClient,
) -> None:
    """Whom Laravel found, or what a rule above puts in their place."""
    stored = {text: number for text, number in users_by_token.items() if text.startswith("T")}
    ours = {
        text: APIToken.objects.issue(user(number), text).plain_text
        for text, number in stored.items()
        if re.fullmatch(r"T\d+", text)
    }
    case = {**guard_case, **(guard_case.get("laravel_12", {}) if version == "12" else {})}
    request = sent(case, ours)
    kind = KeyAuthentication if case["guard"] == "other" else APITokenAuthentication
    mount({"api/guard": Whoami.as_view(authentication_classes=[kind])})

    response = ask(client, request)

    expected = looked_up(request, {ours[text]: stored[text] for text in ours})
    found = int(response.json()["user"]) if response.status_code == 200 else None
    assert Outcome(response.status_code, found) == expected
    if response.status_code == 401:
        named = 'error="invalid_token"' in response.headers["WWW-Authenticate"]
        assert named is bool(request.candidates)
        assert response.json() == {"message": "Unauthenticated."}
    recorded = case.get("expected_user")
    assert found == recorded or any(rule(case, request) for rule in GUARD_RULES)


def ask(client: APIClient, request: Sent) -> Any:
    extra: dict[str, Any] = {"headers": request.headers}
    if request.authorization is not None:
        # What arrives is bytes, which WSGI shows as Latin-1.
        extra["HTTP_AUTHORIZATION"] = request.authorization.encode().decode("latin-1")
    return client.generic(
        request.method,
        f"/api/guard?{request.query}",
        request.body,
        content_type=request.content_type,
        **extra,
    )


def looked_up(request: Sent, owners: dict[str, int]) -> Outcome:
    """Return what the rules make of a request."""
    if len(request.candidates) > 1:
        return Outcome(400)
    owner = next((owners[value] for value in request.candidates if value in owners), None)
    return Outcome(401) if owner is None else Outcome(200, owner)
