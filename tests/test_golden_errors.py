"""Every recorded error of Laravel 8 and 12 against what real views of ours answer.

The views do in DRF's words what the recorded route did; ``recorded_errors`` reads that from the
recording. Where ours differs on purpose, the difference is stated here once as a rule:

* the answer is JSON whatever ``Accept`` says: never HTML, never a redirect, and no 500 for lack of
  a login page; a recording of one of those is compared with the same route asked for JSON;
* an empty text is a neutral one, and so are texts that name classes, routes or methods: those of
  missing rows and unknown routes (404), wrong methods (405), Django's bad requests (400, which
  Laravel 8 answers with 404) and CSRF failures (403, where Laravel invents 419);
* a 401 carries a challenge, and it is the authenticator's;
* a failed validation is 422 unless its class says otherwise than DRF's, which is 400;
* the names and texts of validation rules are DRF's;
* ``errors`` is an object: ``{}`` where PHP prints ``[]``;
* debug mode adds nothing;
* OPTIONS answers JSON, and ``Allow`` names OPTIONS;
* the method is the request's: no field and no header overrides it;
* a body that cannot be read (syntax, byte-order mark, more than 100 levels) or is no object is
  refused with the profile's status and text, where Laravel takes it for an empty input;
* a text with a NUL or half of a surrogate pair is 422;
* integers stay whole, texts are not trimmed, an empty text is not null;
* a media type other than JSON's own and urlencoded is 415; urlencoded bodies are read as such;
* ``X-RateLimit-*`` are written by throttles, not by an exception; ``Cache-Control`` is not ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from http.client import responses
from typing import Any

import pytest
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.test import Client
from django.urls import path
from rest_framework import serializers
from rest_framework.response import Response

from connectnow_api.models import APIToken
from connectnow_api.profiles import LARAVEL_8
from tests.conftest import load_golden
from tests.recorded_errors import (
    BAD_REQUEST,
    MISSING_ROUTE,
    MISSING_ROW,
    VALIDATION,
    VERSIONS,
    WRONG_METHOD,
    Case,
    View,
    allowed,
    body_of,
    form,
    own_headers,
    raising,
    recording,
    refused,
    returning,
    views,
    with_methods,
)

pytestmark = pytest.mark.django_db

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MIDDLEWARE = [
    "connectnow_api.middleware.JSONErrorMiddleware",
    "django.middleware.common.CommonMiddleware",
]
UNUSABLE = re.compile(rb"\\u(0000|d[89a-f])", re.IGNORECASE)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        cases = load_golden(metafunc.config, "errors")
        metafunc.parametrize(
            ("case", "version"),
            [
                pytest.param(case.values[0], version, id=f"{case.id}-{version}")
                for case in cases
                for version in VERSIONS
                if version.startswith("12") or "only_in" not in case.values[0]
            ],
        )


# Routes that read what was sent, or their path.


class Bound(View):
    def get(self, request: Any, key: str) -> Response:
        try:
            number = int(key)
        except ValueError:
            raise Http404(f"No Issue matches {key}.") from None
        return Response(get_object_or_404(APIToken, pk=number).pk)


class Echo(View):
    def post(self, request: Any) -> Response:
        return Response({"all": request.data})


class NameSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()


class Validated(View):
    def post(self, request: Any) -> Response:
        serializer = NameSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.validated_data)


# What was sent.


def accept(case: Case) -> str | None:
    """Return the ``Accept`` header that a description tells of; JSON's unless it does."""
    found = re.search(r"with Accept: ?(.*?)(?: where .*)?$", case["description"])
    if found is None:
        return "*/*" if "XMLHttpRequest" in case["description"] else JSON
    return None if found[1] == "(none)" else found[1]


def content_type(case: Case) -> str:
    if case["request"][-1].startswith("_method="):
        return FORM
    found = re.search(r"^JSON body with Content-Type: ?(.*)$", case["description"])
    return found[1].replace("(none)", "") if found else JSON


def sent_body(case: Case) -> bytes:
    """Return the recorded body; of one that is only described, one that fits the description."""
    text = case["request"][2] if len(case["request"]) > 2 else ""
    if not isinstance(text, str):
        return json.dumps(text).encode()
    deep = re.fullmatch(r"(.+?)\.\.\. \((\d+) deep\)", text)
    if deep:
        level = "[" if deep[1].startswith("[") else '{"a":'
        return (level * int(deep[2]) + "1" + {"[": "]"}.get(level, "}") * int(deep[2])).encode()
    if "byte 0x" in text:
        byte = bytes.fromhex(text.partition("0x")[2][:2])
        return b'{"a": "' + byte + b'"}'
    return text.encode()


def readable(body: bytes) -> bool:
    """Tell whether a body is a JSON object of at most 100 levels."""
    try:
        found = json.loads(body.decode(), parse_constant=int)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and depth(found) <= 100


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0


@pytest.fixture
def send(settings: Any) -> Callable[..., Any]:
    """Send a recorded request to a view, in a project whose ``/api/`` speaks a profile."""

    def send(case: Case, view: Any, profile: Any) -> Any:
        settings.CONNECTNOW_API = {"PREFIXES": {"/api/": profile.name}}
        settings.MIDDLEWARE = MIDDLEWARE
        settings.DEBUG = "with debug on" in case["description"]
        method, uri = case["request"][:2]
        route = uri.lstrip("/")
        settings.ROOT_URLCONF = (path(route, view),) if view is not None else ()
        headers = {} if accept(case) is None else {"accept": accept(case)}
        for name in ("X-Requested-With", "X-HTTP-Method-Override", "X-PJAX"):
            found = re.search(rf"{name}(?:: ([\w-]+))?", case["description"])
            if found:
                headers[name] = found[1] or "true"
        client = Client(raise_request_exception=False, enforce_csrf_checks=True)
        if view is form:
            method = "POST"
        return client.generic(
            method, uri, sent_body(case), content_type=content_type(case), headers=headers
        )

    return send


Send = Callable[..., Any]

# What comes back.


def neutral(profile: Any, status: int) -> str:
    return profile.messages.get(status) or responses.get(status, "Error")


def expected_status(recorded: Case) -> int:
    """Return the recorded status, or the one that a rule puts in its place."""
    kind = recorded["request"][1].rpartition("/")[2]
    status: int = recorded["status"]
    if recorded.get("body") is None and kind in ("authentication", "validation"):
        return {"authentication": 401, "validation": 422}[kind]
    if (recorded.get("body") or {}).get("message") in BAD_REQUEST:
        return 400
    if status == 400 and "errors" in (recorded.get("body") or {}):
        return 422
    return {419: 403}.get(status, status)


def expected_body(recorded: Case, profile: Any) -> Any:
    """Return the recorded body, or the one that a rule puts in its place."""
    status = expected_status(recorded)
    body = body_of(recorded)
    if body is None and status == 422:
        first = VALIDATION["email"][0]
        text = f"{first} (and 1 more error)" if profile.summarise_errors else neutral(profile, 422)
        body = {"message": text, "errors": VALIDATION}
    elif body is None:
        body = {"message": ""}
    if body.get("errors") == []:
        body = {**body, "errors": {}}
    text = body["message"]
    leaks = (
        text.startswith(MISSING_ROW)
        or WRONG_METHOD.match(text)
        or MISSING_ROUTE.match(text)
        or text in BAD_REQUEST
        or recorded["status"] == 419
    )
    return {**body, "message": neutral(profile, status)} if leaks or not text else body


def check_headers(response: Any, recorded: Case, view_made_them: bool) -> None:
    """Every recorded header that is not about caching, throttling or a foreign scheme is there."""
    assert response.headers["Content-Type"] == JSON
    if response.status_code == 401 and response.exception:
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm="')
    if response.status_code == 405:
        assert {*allowed(recorded), "OPTIONS"} == set(response.headers["Allow"].split(", "))
    for name, value in own_headers(recorded).items() if view_made_them else ():
        if not name.startswith("X-RateLimit-") and name != "Location":
            assert response.headers[name] == value


def test_answer_equals_the_recording(case: Case, version: str, send: Send) -> None:
    """Status and body equal the recorded ones, or those that a rule above puts in their place."""
    recorded, profile = recording(case, version), VERSIONS[version]
    method, uri = case["request"][:2]
    for reached, check in (
        (uri.endswith("/echo"), check_echo),
        (uri.endswith("/val"), check_validated),
        ("/bind/" in uri or uri.endswith("/nope"), check_missing),
        (uri.endswith("/putdel"), check_route),
        (uri.endswith("/onlyget"), check_route),
    ):
        if reached:
            check(case, recorded, profile, send)
            return
    for view in views(case, recorded):
        response = send(case, view, profile)
        assert response.status_code == expected_status(recorded)
        if method == "HEAD" or response.status_code < 400:
            assert method != "HEAD" or response.content == b""
            continue
        assert response.json() == expected_body(recorded, profile)
        check_headers(response, recorded, view_made_them=view is not form)


def check_echo(case: Case, recorded: Case, profile: Any, send: Send) -> None:
    """A JSON object is read as it stands; whatever else is refused as its rule says."""
    response = send(case, Echo.as_view(), profile)
    body, media_type = sent_body(case), content_type(case).partition(";")[0].strip().lower()
    if not body:
        assert (response.status_code, response.json()) == (200, {"all": {}})
    elif media_type == FORM:
        assert recorded["body"]["isJson"] is False
        assert response.status_code == 200
    elif media_type != JSON:
        message = neutral(profile, 415)
        assert (response.status_code, response.json()) == (415, {"message": message})
    elif readable(body) and UNUSABLE.search(body):
        assert response.status_code == 422
        assert set(response.json()) == {"message", "errors"}
    elif readable(body):
        assert response.status_code == recorded["status"] == 200
        read = json.loads(body)
        assert response.json() == {"all": read}
        if recorded["body"]["isJson"]:
            check_what_php_made_of_it(recorded["body"]["all"], read)
    else:
        refusal = {"message": profile.malformed_message}
        assert (response.status_code, response.json()) == (profile.malformed_status, refusal)


def check_what_php_made_of_it(recorded: Any, read: Any) -> None:
    """What Laravel read is what was sent, but for big integers, trimmed texts and empty maps."""
    if isinstance(read, dict | list) and not read:
        assert not recorded
    elif isinstance(read, dict):
        found = dict(enumerate(recorded)) if isinstance(recorded, list) else recorded
        assert {str(key) for key in found} == set(read)
        for key, value in found.items():
            check_what_php_made_of_it(value, read[str(key)])
    elif isinstance(read, list):
        for value, mine in zip(recorded, read, strict=True):
            check_what_php_made_of_it(value, mine)
    elif isinstance(read, str):
        assert (recorded or "") == read.strip()
    else:
        assert recorded == (float(read) if isinstance(recorded, float) else read)


def check_validated(case: Case, recorded: Case, profile: Any, send: Send) -> None:
    """An empty body fails ``required``; one that cannot be read, or is no object, is refused."""
    response = send(case, Validated.as_view(), profile)
    body = sent_body(case)
    assert response.status_code == recorded["status"]
    if recorded["status"] == 200:
        return
    if body and not readable(body):
        assert response.json() == {"message": profile.malformed_message}
        return
    errors = response.json()["errors"]
    assert list(errors) == list(recorded["body"]["errors"])
    assert list(map(len, errors.values())) == list(map(len, recorded["body"]["errors"].values()))


def check_missing(case: Case, recorded: Case, profile: Any, send: Send) -> None:
    """An unknown route, or a row that is not there: 404 with a neutral text."""
    made: dict[str, Any] = {}
    if "/bind/" in case["request"][1]:
        made["view"] = lambda request: Bound.as_view()(
            request, key=case["request"][1].rpartition("/")[2]
        )
    response = send(case, made.get("view"), profile)
    assert response.status_code == recorded["status"] == 404
    if case["request"][0] == "HEAD":
        assert response.content == b""
    else:
        assert response.json() == {"message": neutral(profile, 404)}


def check_route(case: Case, recorded: Case, profile: Any, send: Send) -> None:
    """A method that the route has answers; another is 405, whatever a field or header says."""
    methods = ["GET", "HEAD"] if case["request"][1].endswith("/onlyget") else ["PUT", "DELETE"]
    response = send(case, with_methods(*methods).as_view(), profile)
    if recorded["status"] == 405 or case["request"][0] not in [*methods, "OPTIONS"]:
        assert response.status_code == 405
        assert response.json() == {"message": neutral(profile, 405)}
    else:
        assert response.status_code == recorded["status"]
    if "Allow" in recorded.get("headers", {}):
        assert set(response.headers["Allow"].split(", ")) == {*allowed(recorded), "OPTIONS"}
    assert response.headers.get("Content-Type", JSON) == JSON


STATUSES = [400, 401, 403, 404, 409, 422, 429, 500, 503]


@pytest.mark.parametrize("status", STATUSES)
def test_no_text_is_a_neutral_one(send: Send, status: int) -> None:
    """Laravel sends ``""`` for ``abort(404)``; a client of ours always has something to show."""
    case = {"description": "", "request": ["GET", "/api/t/empty"]}
    expected = {"message": neutral(LARAVEL_8, status)}
    for view in (raising(type(refused(status, ""))), returning({"message": ""}, status)):
        response = send(case, view, LARAVEL_8)
        assert (response.status_code, response.json()) == (status, expected)


def test_a_text_that_was_chosen_and_is_empty_is_a_neutral_one(send: Send) -> None:
    case = {"description": "", "request": ["GET", "/api/t/empty"]}
    kinds = [type(refused(status, "")) for status in STATUSES]
    answers = [send(case, raising(lambda kind=kind: kind("")), LARAVEL_8) for kind in kinds]
    messages = [answer.json()["message"] for answer in answers]
    assert messages == [neutral(LARAVEL_8, status) for status in STATUSES]


def test_a_401_written_by_hand_carries_a_challenge_too(send: Send) -> None:
    case = {"description": "", "request": ["GET", "/api/t/by_hand"]}
    response = send(case, returning({"message": "Who?"}, 401), LARAVEL_8)
    assert response.json() == {"message": "Who?"}
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")
