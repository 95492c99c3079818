"""The third placement: a token in the body."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.views.debug import SafeExceptionReporterFilter
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from connectnow_api import tokens
from connectnow_api.authentication import APITokenAuthentication, PayloadTokenAuthentication
from tests.conftest import Mount

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
INVALID = 'Bearer realm="api", error="invalid_token"'
CHALLENGE = 'Bearer realm="api"'


class View(APIView):
    authentication_classes: Any = [APITokenAuthentication]
    permission_classes: Any = [IsAuthenticated]

    def post(self, request: Any) -> Response:
        return Response({"user": str(request.user), "got": request.data})

    get = put = patch = delete = post


@pytest.fixture
def send(mount: Mount, client: APIClient) -> Callable[..., Any]:
    def send(
        body: Any, content_type: str = JSON, method: str = "POST", query: str = "", **headers: str
    ) -> Any:
        view = headers.pop("view", View)
        mount({"flat/x": view.as_view()})  # type: ignore[attr-defined]
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.generic(
            method, f"/flat/x{query}", data, content_type=content_type, headers=headers
        )

    return send


Send = Callable[..., Any]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_json_and_form(send: Send, issue: Issue, method: str) -> None:
    text = issue().plain_text
    expected = {"user": "ada", "got": {"a": "1"}}
    assert send({"api_token": text, "a": "1"}, method=method).json() == expected
    form = f"api_token={text}&a=1".encode()
    assert send(form, FORM, method).json() == expected
    charset = f"{JSON}; charset=utf-8"
    assert send({"api_token": text, "a": "1"}, charset, method).json() == expected


def test_an_escaped_name_is_the_name(send: Send, issue: Issue) -> None:
    text = issue().plain_text
    body = f'{{"api\\u005ftoken": "{text}"}}'.encode()
    assert send(body).json() == {"user": "ada", "got": {}}
    assert send(f"api%5Ftoken={text}".encode(), FORM).json() == {"user": "ada", "got": {}}


def test_a_refused_token_looks_like_any(send: Send, issue: Issue) -> None:
    revoked = issue()
    revoked.token.revoke()
    for text in ("garbage", tokens.generate("cn"), revoked.plain_text):
        response = send({"api_token": text})
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == INVALID
        assert response.json() == {"message": "Unauthenticated."}


@pytest.mark.parametrize(
    "value", [None, "", "  ", 0, 1, True, False, [], {}, ["x"], {"a": "x"}, 1.5, [["x"]]]
)
def test_what_is_no_text_is_no_token(send: Send, value: Any) -> None:
    response = send({"api_token": value})
    assert (response.status_code, response["WWW-Authenticate"]) == (401, CHALLENGE)


def test_a_list_around_a_token_is_no_token(send: Send, issue: Issue) -> None:
    text = issue().plain_text
    for body in ({"api_token": [text]}, {"api_token": {"0": text}}, [text], [{"api_token": text}]):
        assert send(body).status_code == 401
    assert send(f"api_token[]={text}".encode(), FORM).status_code == 401


def test_two_different_tokens_are_a_bad_request(send: Send, issue: Issue) -> None:
    one, two = issue().plain_text, issue().plain_text
    assert send({"api_token": one}, authorization=f"Bearer {two}").status_code == 400
    assert send({"api_token": one}, query=f"?api_token={two}").status_code == 400
    same = send({"api_token": one}, query=f"?api_token={one}", authorization=f"Bearer {one}")
    assert same.json() == {"user": "ada", "got": {}}


def test_safe_methods_and_other_media_types_are_not_read(send: Send, issue: Issue) -> None:
    text = issue().plain_text
    assert send({"api_token": text}, method="GET").status_code == 401
    assert send({"api_token": text}, "text/plain").status_code == 401
    body = f'--x\r\nContent-Disposition: form-data; name="api_token"\r\n\r\n{text}\r\n--x--\r\n'
    assert send(body.encode(), "multipart/form-data; boundary=x").status_code == 401


class Public(View):
    permission_classes: Any = ()


def test_a_look_up_makes_no_error_of_what_needs_no_token(send: Send) -> None:
    assert send({"a": 1}, view=Public).status_code == 200
    assert send(b"{", view=Public).status_code == 422
    assert send(b"[1]", view=Public).status_code == 422
    assert send(b'"api_token"', view=Public).status_code == 422
    assert send(b"<x>", "text/plain", view=Public).status_code == 415
    assert send(b"x" * 3_000_000, view=Public).status_code == 413


def test_a_malformed_body_with_a_right_header_is_malformed_not_401(
    send: Send, issue: Issue
) -> None:
    bearer = f"Bearer {issue().plain_text}"
    assert send(b'{"api_token": ', authorization=bearer).status_code == 422
    assert send(b'{"api_token": "a", "api_token": "b"}', authorization=bearer).status_code == 422


def test_a_body_over_the_limit_is_not_read_for_a_token(send: Send, issue: Issue) -> None:
    body = {"api_token": issue().plain_text, "a": "x" * 3_000_000}
    assert send(body).status_code == 401


def test_a_body_that_ended_early_authenticates_nobody(
    client: APIClient, mount: Mount, issue: Issue
) -> None:
    """Also where the view reads no data: a deletion that was cut off is not done."""

    class Deletes(View):
        def delete(self, request: Any) -> Response:
            return Response(status=204)

    mount({"flat/x": Deletes.as_view()})
    body = json.dumps({"api_token": issue().plain_text}).encode()
    environ: dict[str, Any] = {"CONTENT_LENGTH": "500", "wsgi.input": io.BytesIO(body)}
    response = client.generic("DELETE", "/flat/x", b"", content_type=JSON, **environ)
    assert response.status_code == 400


def test_a_body_that_ended_early_is_no_error_where_no_token_is_in_it(
    client: APIClient, mount: Mount
) -> None:
    class Deaf(Public):
        def post(self, request: Any) -> Response:
            return Response({"ok": True})

    mount({"flat/x": Deaf.as_view()})
    environ: dict[str, Any] = {"CONTENT_LENGTH": "500", "wsgi.input": io.BytesIO(b'{"a": 1')}
    response = client.generic("POST", "/flat/x", b"", content_type=JSON, **environ)
    assert (response.status_code, response.json()) == (200, {"ok": True})


def test_a_form_with_too_many_fields_is_not_searched(
    send: Send, issue: Issue, settings: Any
) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 2
    body = f"a=1&b=2&api_token={issue().plain_text}".encode()
    assert send(body, FORM).status_code == 401


def test_a_stream_that_ended_holds_no_token(mount: Mount, client: APIClient) -> None:
    class Deaf(Public):
        def post(self, request: Any) -> Response:
            return Response({"ok": True})

    def deaf(request: Any) -> Any:
        request.read()
        return Deaf.as_view()(request)

    deaf.csrf_exempt = True  # type: ignore[attr-defined]
    mount({"flat/x": deaf})
    assert client.post("/flat/x", {"api_token": "x"}, "json").json() == {"ok": True}


@pytest.mark.parametrize("hidden", [["password"], "__ALL__"])
def test_djangos_error_reports_do_not_show_it(issue: Issue, settings: Any, hidden: Any) -> None:
    settings.DEBUG = False
    text = issue().plain_text
    request = APIRequestFactory().post("/flat/x", f"api_token={text}&a=1", content_type=FORM)
    request.sensitive_post_parameters = hidden
    PayloadTokenAuthentication().authenticate(request)
    shown = SafeExceptionReporterFilter().get_post_parameters(request)
    assert text not in str(shown)


def test_one_class_reads_the_body_alone(send: Send, issue: Issue) -> None:
    class Payload(View):
        authentication_classes = [PayloadTokenAuthentication]

    text = issue().plain_text
    assert send({"api_token": text}, view=Payload).status_code == 200
    assert send({}, view=Payload, authorization=f"Bearer {text}").status_code == 401
    assert send({}, view=Payload, query=f"?api_token={text}").status_code == 401


def test_a_token_costs_one_query_wherever_it_is(send: Send) -> None:
    with CaptureQueriesContext(connection) as queries:
        send({"api_token": tokens.generate("cn")})
    assert len(queries) == 1


@pytest.mark.parametrize("profile", ["laravel-8", "laravel-12"])
def test_laravels_profiles_do_not_read_it(
    send: Send, issue: Issue, settings: Any, profile: str
) -> None:
    settings.CONNECTNOW_API = {"PROFILE": profile}
    text = issue().plain_text
    assert send({"api_token": text}).status_code == 401
    settings.CONNECTNOW_API = {"PROFILE": profile, "PLACEMENTS": ["payload"]}
    assert send({"api_token": text}).status_code == 200
