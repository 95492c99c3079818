"""What goes wrong outside DRF's views, below the prefixes and elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.conf.urls.i18n import i18n_patterns
from django.core.signals import got_request_exception
from django.db import connection
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.test import AsyncClient, Client
from django.urls import path
from django.views.decorators.csrf import csrf_protect
from rest_framework.decorators import api_view, permission_classes
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api.middleware import JSONErrorMiddleware
from connectnow_api.models import APIToken
from connectnow_api.renderers import EnvelopeJSONRenderer
from tests.library.models import Author

OURS = "connectnow_api.middleware.JSONErrorMiddleware"
HTML = "text/html; charset=utf-8"


def crash(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("secret")


def half(request: HttpRequest) -> HttpResponse:
    Author.objects.create(name="half")
    raise ZeroDivisionError("secret")


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<p>fine</p>")


def teapot(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("<p>tea</p>", status=418)
    response["Retry-After"] = "5"
    response["Access-Control-Allow-Origin"] = "*"
    response.set_cookie("a", "b")
    return response


def own_json(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"detail": "mine"}, status=404)


def problem(request: HttpRequest) -> HttpResponse:
    return HttpResponse("{}", status=409, content_type="application/problem+json")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"part"]), status=500)


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(iter([b"part"]), status=404, content_type="text/plain")


def elsewhere(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/flat/page")


@csrf_protect
def form(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


@api_view(["GET"])
@permission_classes([])
def unrenderable(request: Any) -> Response:
    return Response({"x": object()})


@api_view(["GET", "POST"])
@permission_classes([])
def function(request: Any) -> Response:
    return Response({"page": request.query_params.get("page")})


NAMES = [
    *("crash", "half", "page", "teapot", "own_json", "problem", "stream", "file", "elsewhere"),
    *("form", "unrenderable", "function"),
]


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    """The same views below an API's prefix, below another's and on the site's own pages."""
    settings.MIDDLEWARE = [OURS, "django.middleware.common.CommonMiddleware", *settings.MIDDLEWARE]
    settings.ROOT_URLCONF = tuple(
        path(f"{prefix}{name}", globals()[name])
        for prefix in ("flat/", "resource/", "site/")
        for name in NAMES
    )


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def message(response: Any) -> tuple[int, str]:
    assert response["Content-Type"] == "application/json"
    assert response["Content-Length"] == str(len(response.content))
    body = response.json()
    assert set(body) == {"message"}
    return response.status_code, body["message"]


def test_unrouted_paths(client: Client) -> None:
    assert message(client.get("/flat/nope")) == (404, "Not found.")
    assert message(client.get("/resource/nope")) == (404, "Object not found")
    assert message(client.post("/resource/nope")) == (404, "Object not found")
    outside = client.get("/nope")
    assert (outside.status_code, outside["Content-Type"]) == (404, HTML)


def test_crashes(client: Client) -> None:
    for name in ("crash", "unrenderable"):
        assert message(client.get(f"/flat/{name}")) == (500, "Server Error")
        assert client.get(f"/site/{name}")["Content-Type"] == HTML


@pytest.mark.parametrize("debug", [True, False])
def test_nothing_of_a_crash_is_told(client: Client, settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    assert b"secret" not in client.get("/flat/crash").content
    assert message(client.get("/flat/nope"))[0] == 404


def test_a_crash_is_described_if_debug_errors_and_debug_are_on(
    client: Client, settings: Any
) -> None:
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "DEBUG_ERRORS": True}
    assert message(client.get("/flat/crash")) == (500, "Server Error")
    settings.DEBUG = True
    body = client.get("/flat/crash").json()
    assert (body["message"], body["exception"]) == ("Server Error", "ZeroDivisionError")
    assert body["detail"] == "secret"
    assert "test_middleware" in "".join(body["trace"])
    assert message(client.get("/flat/nope")) == (404, "Not found.")


@pytest.mark.django_db(transaction=True)
def test_a_crash_leaves_no_row_and_sends_one_signal(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Under ATOMIC_REQUESTS, and it is logged once."""
    seen = []

    def listen(**kwargs: Any) -> None:
        seen.append(kwargs)

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    got_request_exception.connect(listen)
    try:
        assert message(client.get("/flat/half"))[0] == 500
    finally:
        got_request_exception.disconnect(listen)
    assert not Author.objects.exists()
    assert len(seen) == 1
    assert [r.levelname for r in caplog.records if r.name == "django.request"] == ["ERROR"]


def test_headers_stay(client: Client) -> None:
    response = client.get("/flat/teapot")
    assert message(response) == (418, "I'm a Teapot")
    assert response["Retry-After"] == "5"
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response.cookies["a"].value == "b"


def test_json_streams_and_files_are_left_alone(client: Client) -> None:
    assert client.get("/flat/own_json").json() == {"detail": "mine"}
    assert client.get("/flat/problem").content == b"{}"
    assert client.get("/flat/stream").getvalue() == b"part"
    assert client.get("/flat/file").getvalue() == b"part"
    assert client.get("/flat/page").content == b"<p>fine</p>"
    assert client.get("/flat/elsewhere").status_code == 302


@pytest.mark.parametrize("host", ["evil.example", "a b", "x" * 300, "\xe9"])
def test_bad_hosts(client: Client, host: str) -> None:
    response = client.get("/flat/page", headers={"host": host})
    assert message(response) == (400, "Bad request.")
    assert client.get("/site/page", headers={"host": host})["Content-Type"] == HTML


def test_head_has_no_body_and_options_is_drfs(client: Client) -> None:
    response = client.head("/flat/nope")
    assert (response.status_code, response.content) == (404, b"")
    assert client.options("/flat/function").status_code == 200
    refused = client.delete("/flat/function")
    assert message(refused) == (405, "Method not allowed.")
    assert set(refused["Allow"].split(", ")) == {"GET", "POST", "OPTIONS"}


def test_csrf_below_the_prefix() -> None:
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    assert message(strict.post("/flat/form")) == (403, "This action is unauthorized.")
    assert strict.post("/site/form")["Content-Type"] == HTML


def test_over_size_bodies_and_too_many_fields_that_a_middleware_reads(
    client: Client, settings: Any
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_middleware.read_post"]
    big = "a=" + "x" * 3_000_000
    form = "application/x-www-form-urlencoded"
    assert message(client.post("/flat/page", big, content_type=form)) == (
        413,
        "The request is too large.",
    )
    many = "a=1&" * 1001
    assert message(client.post("/flat/page", many, content_type=form)) == (400, "Bad request.")


def read_post(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        request.POST  # noqa: B018
        return get_response(request)

    return middleware


def test_a_middleware_that_crashes(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_middleware.crash_always"]
    assert message(client.get("/flat/page")) == (500, "Server Error")
    assert client.get("/site/page")["Content-Type"] == HTML


def crash_always(get_response: Any) -> Any:
    return crash


def test_too_many_query_parameters(client: Client) -> None:
    query = "&".join(["a=1"] * 1001)
    assert message(client.get(f"/flat/function?{query}"))[0] == 400


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "put"])
def test_append_slash_neither_repeats_a_token_nor_drops_a_body(
    client: Client, settings: Any, user: Any, method: str
) -> None:
    settings.ROOT_URLCONF = (
        path("flat/slash/", page),
        path("site/slash/", page),
    )
    text = APIToken.objects.issue(user, "laptop").plain_text
    response = getattr(client, method)(f"/flat/slash?api_token={text}")
    assert message(response) == (404, "Not found.")
    assert "Location" not in response
    plain = getattr(client, method)("/flat/slash?a=1")
    assert plain.status_code == (301 if method == "get" else 404)
    assert client.get("/site/slash?api_token=x").status_code == 301


@pytest.mark.parametrize("name", ["é", "a%20b", "a%2Bb"])
def test_append_slash_where_a_path_is_escaped(client: Client, settings: Any, name: str) -> None:
    settings.ROOT_URLCONF = (path("flat/<str:name>/", page),)
    assert message(client.get(f"/flat/{name}?api_token=x")) == (404, "Not found.")
    assert message(client.post(f"/flat/{name}")) == (404, "Not found.")


def test_append_slash_with_too_many_parameters(client: Client, settings: Any) -> None:
    settings.ROOT_URLCONF = (path("flat/slash/", page),)
    query = "&".join(["a=1"] * 1001)
    assert message(client.get(f"/flat/slash?{query}"))[0] in (400, 404)


@pytest.mark.parametrize("uri", ["/flat/nope", "/flat/crash", "/flat/own_json", "/flat/page"])
def test_whatever_answers_a_url_with_a_token_stays_private(client: Client, uri: str) -> None:
    response = client.get(f"{uri}?api_token=x")
    assert response["Cache-Control"] == "private, no-store"
    assert response["Referrer-Policy"] == "no-referrer"


def test_prefix_of_the_root(client: Client, settings: Any) -> None:
    settings.CONNECTNOW_API = {"PREFIXES": {"/": "helpspace"}}
    assert message(client.get("/nope")) == (404, "Object not found")


def test_no_prefix_no_change(client: Client, settings: Any) -> None:
    settings.CONNECTNOW_API = {"PROFILE": "helpspace"}
    assert client.get("/flat/nope")["Content-Type"] == HTML


def test_script_name_is_no_part_of_the_prefix(client: Client) -> None:
    assert message(client.get("/flat/nope", SCRIPT_NAME="/app"))[0] == 404


def test_i18n_patterns(client: Client, settings: Any) -> None:
    settings.ROOT_URLCONF = tuple(i18n_patterns(path("flat/page", page)))
    settings.CONNECTNOW_API = {"PREFIXES": {"/de/flat/": "connectnow"}}
    assert client.get("/de/flat/page").status_code == 200
    assert message(client.get("/de/flat/nope"))[0] == 404


def test_cors_headers_stay_on_every_error(client: Client, settings: Any) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "corsheaders"]
    settings.MIDDLEWARE = [OURS, "corsheaders.middleware.CorsMiddleware", *settings.MIDDLEWARE[1:]]
    settings.CORS_ALLOW_ALL_ORIGINS = True
    settings.CORS_EXPOSE_HEADERS = ["WWW-Authenticate", "Retry-After"]
    for uri in ("/flat/nope", "/flat/crash", "/flat/teapot"):
        response = client.get(uri, headers={"origin": "https://app.example"})
        assert message(response)[0] >= 400
        assert response["Access-Control-Allow-Origin"] == "*"
        assert response["Access-Control-Expose-Headers"] == "WWW-Authenticate, Retry-After"
    preflight = client.options(
        "/flat/function",
        headers={
            "origin": "https://app.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type",
        },
    )
    assert preflight.status_code == 200
    assert "authorization" in preflight["Access-Control-Allow-Headers"]


def test_async() -> None:
    """Under ASGI the middleware is a coroutine, and answers the same."""

    async def ask(uri: str) -> Any:
        return await AsyncClient(raise_request_exception=False).get(uri)

    get = async_to_sync(ask)
    assert message(get("/flat/nope")) == (404, "Not found.")
    assert message(get("/flat/crash")) == (500, "Server Error")
    assert get("/site/nope")["Content-Type"] == HTML
    assert get("/flat/page").content == b"<p>fine</p>"


def test_the_middleware_is_what_the_next_one_is() -> None:
    async def asynchronous(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert iscoroutinefunction(JSONErrorMiddleware(asynchronous))
    assert not iscoroutinefunction(JSONErrorMiddleware(page))


def test_headers_that_describe_the_old_body_go(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = [OURS, "django.middleware.gzip.GZipMiddleware"]
    settings.ROOT_URLCONF = (path("flat/long", long_page),)
    response = client.get("/flat/long", headers={"accept-encoding": "gzip"})
    assert message(response) == (500, "Server Error")
    for name in ("Content-Encoding", "Content-Disposition", "ETag", "Last-Modified"):
        assert name not in response


def long_page(request: HttpRequest) -> HttpResponse:
    headers = {"Content-Disposition": "inline", "ETag": '"x"', "Last-Modified": "yesterday"}
    return HttpResponse("<p>long</p>" * 500, status=500, headers=headers)


def test_what_a_drf_view_renders_is_its_own_affair(client: Client, settings: Any) -> None:
    class View(APIView):
        renderer_classes = (EnvelopeJSONRenderer, BrowsableAPIRenderer)
        authentication_classes = ()
        permission_classes = ()

        def get(self, request: Any) -> None:
            raise ValidationError({"name": ["Too long."]})

    settings.ROOT_URLCONF = (path("flat/x", View.as_view()),)
    response = client.get("/flat/x", headers={"accept": "text/html"})
    assert (response.status_code, response["Content-Type"]) == (422, HTML)
    assert b"Too long." in response.content
