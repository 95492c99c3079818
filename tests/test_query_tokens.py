"""Tokens in URLs: views do not see them, redirects do not repeat them, and they can be retired."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.test import Client
from django.urls import path
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.generics import ListAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.mixins import APIViewMixin

pytestmark = pytest.mark.django_db

OURS = "connectnow_api.middleware.JSONErrorMiddleware"


class Seen(APIView):
    """Answers what it sees of a query."""

    authentication_classes: Any = [APITokenAuthentication]
    permission_classes = ()

    def get(self, request: Any) -> Response:
        found = {key: request.query_params.getlist(key) for key in request.query_params}
        response = Response({"seen": found, "django": [*request._request.GET]})
        response["Link"] = '</docs>; rel="help"'
        return response


class Loose(APIViewMixin, Seen):
    authentication_classes = [SessionAuthentication]


class Negotiated(Seen):
    """Uses DRF's content negotiation, so only the authenticator removes the token."""

    content_negotiation_class = DefaultContentNegotiation


def elsewhere(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(f"/flat/seen?{request.META['QUERY_STRING']}#top")


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = [OURS, *settings.MIDDLEWARE]
    settings.ROOT_URLCONF = (
        path("flat/seen", Seen.as_view()),
        path("flat/loose", Loose.as_view()),
        path("flat/negotiated", Negotiated.as_view()),
        path("flat/elsewhere", elsewhere),
        path("site/elsewhere", elsewhere),
    )


@pytest.fixture
def text(issue: Callable[..., Any]) -> str:
    found: str = issue().plain_text
    return found


def test_promise_15_views_find_no_token_in_the_query(client: Client, text: str) -> None:
    for uri in ("/flat/seen", "/flat/loose", "/flat/negotiated"):
        answer = client.get(f"{uri}?a=1&api_token={text}&a=2")
        assert answer.json() == {"seen": {"a": ["1", "2"]}, "django": ["a"]}


@pytest.mark.parametrize(
    "name", ["api_token[]", "api_token[0]", "API_TOKEN", "%20api_token", "api_token%00"]
)
def test_promise_15_other_spellings_are_taken_out_too(client: Client, name: str) -> None:
    """None of them is read as a token, and whoever meant one is not exposed."""
    assert client.get(f"/flat/seen?{name}=x&a=1").json()["seen"] == {"a": ["1"]}


def test_promise_15_serializers_of_a_query_get_none(
    client: Client, text: str, settings: Any
) -> None:
    class Everything(serializers.DictField):
        child = serializers.CharField()

    class Parameters(Seen):
        def get(self, request: Any) -> Response:
            return Response(Everything().run_validation(request.query_params.dict()))

    settings.ROOT_URLCONF = (path("flat/parameters", Parameters.as_view()),)
    assert client.get(f"/flat/parameters?api_token={text}&a=1").json() == {"a": "1"}


def test_promise_15_the_token_is_read_all_the_same(client: Client, text: str) -> None:
    assert client.get("/flat/seen?api_token=x").status_code == 401
    conflict = client.get(f"/flat/seen?api_token={text}", headers={"authorization": "Bearer x"})
    assert conflict.status_code == 400


@pytest.mark.parametrize("query", ["{}", "a=1&{}&b=%20c+d", "{}&a", "a=1&{}"])
def test_promise_15_no_redirect_repeats_a_token(client: Client, text: str, query: str) -> None:
    sent = query.format(f"api_token={text}")
    rest = "&".join(pair for pair in query.split("&") if pair != "{}")
    answer = client.get(f"/flat/elsewhere?{sent}")
    assert answer.status_code == 302
    assert answer["Location"] == f"/flat/seen{'?' if rest else ''}{rest}#top"
    assert text in client.get(f"/site/elsewhere?{sent}")["Location"]


@pytest.mark.parametrize(
    "sent",
    [
        *("api_token={}&api_token=", "api_token={}&api_token=%20", "api_token=&api_token={}"),
        *("API_TOKEN={}", "api_token[]={}", "%20api_token={}"),
    ],
)
def test_promise_15_nor_one_that_is_spelt_oddly(client: Client, text: str, sent: str) -> None:
    answer = client.get(f"/flat/elsewhere?{sent.format(text)}&a=1")
    assert answer["Location"] == "/flat/seen?a=1#top"
    assert answer["Cache-Control"] == "private, no-store"
    nowhere = client.get(f"/flat/nowhere?{sent.format(text)}")
    assert (nowhere.status_code, nowhere["Cache-Control"]) == (404, "private, no-store")


def test_promise_15_nor_does_the_one_to_https(client: Client, text: str, settings: Any) -> None:
    settings.MIDDLEWARE = [OURS, "django.middleware.security.SecurityMiddleware"]
    settings.SECURE_SSL_REDIRECT = True
    answer = client.get(f"/flat/seen?api_token={text}&a=1")
    assert (answer.status_code, answer["Location"]) == (301, "https://testserver/flat/seen?a=1")


def test_promise_15_nor_one_that_leads_back_by_another_page(
    client: Client, text: str, settings: Any
) -> None:
    def log_in(request: HttpRequest) -> Any:
        return redirect_to_login(request.get_full_path(), "/login/")

    settings.ROOT_URLCONF = (path("flat/x", log_in),)
    answer = client.get(f"/flat/x?api_token={text}&a=1")
    assert answer.status_code == 302
    assert text not in answer["Location"]


def test_promise_15_links_of_other_paginators(client: Client, text: str, settings: Any) -> None:
    class Two(PageNumberPagination):
        page_size = 2

    class Numbers(ListAPIView[Any]):
        authentication_classes = [APITokenAuthentication]
        permission_classes = ()
        pagination_class = Two
        serializer_class = serializers.Serializer

        def get_queryset(self) -> Any:
            return [1, 2, 3]

    settings.ROOT_URLCONF = (path("flat/numbers", Numbers.as_view()),)
    answer = client.get(f"/flat/numbers?api_token={text}&a=1").json()
    assert answer["next"] == "http://testserver/flat/numbers?a=1&page=2"


class OthersTokens(BaseAuthentication):
    """Somebody else's, which knows one token."""

    def authenticate(self, request: Any) -> Any:
        sent = request.GET.get("api_token", request.query_params.get("api_token"))
        return (User(username="theirs"), sent) if sent == "theirs" else None


@pytest.mark.parametrize("classes", [[OthersTokens], [OthersTokens, APITokenAuthentication]])
def test_authenticators_of_others_find_what_they_look_for(
    client: Client, settings: Any, classes: Any, text: str
) -> None:
    class Mixed(APIViewMixin, Seen):
        authentication_classes = classes

        def get(self, request: Any) -> Response:
            return Response({"user": request.user.username})

    settings.ROOT_URLCONF = (path("flat/mixed", Mixed.as_view()),)
    assert client.get("/flat/mixed?api_token=theirs").json() == {"user": "theirs"}
    if APITokenAuthentication in classes:
        assert client.get(f"/flat/mixed?api_token={text}").json() == {"user": "ada"}


# --- The end of the placement -----------------------------------------------------------------

END = {
    "QUERY_TOKEN_DEPRECATION": date(2027, 1, 1),
    "QUERY_TOKEN_SUNSET": datetime(2027, 7, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    "QUERY_TOKEN_LINK": "https://example.com/tokens",
}
LINK = '<https://example.com/tokens>; rel="deprecation"; type="text/html"'


@pytest.fixture
def retired(settings: Any) -> None:
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, **END}


@pytest.mark.usefixtures("retired")
@pytest.mark.parametrize("uri", ["/flat/seen", "/flat/nowhere", "/flat/elsewhere"])
def test_whatever_is_answered_says_when_it_ends(client: Client, text: str, uri: str) -> None:
    """RFC 9745 and RFC 8594; also a refusal, a redirect and a path without a route."""
    answer = client.get(f"{uri}?api_token={text}")
    assert answer["Deprecation"] == f"@{int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())}"
    assert answer["Sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
    assert answer["Link"].endswith(LINK)
    assert answer["Link"].count(LINK) == 1
    assert answer["Cache-Control"] == "private, no-store"


@pytest.mark.usefixtures("retired")
def test_a_link_of_the_views_own_stays(client: Client, text: str) -> None:
    assert client.get(f"/flat/seen?api_token={text}")["Link"] == f'</docs>; rel="help", {LINK}'


@pytest.mark.usefixtures("retired")
def test_other_placements_are_not_deprecated(client: Client, text: str) -> None:
    answer = client.get("/flat/seen", headers={"authorization": f"Bearer {text}"})
    assert answer.status_code == 200
    assert not {"Deprecation", "Sunset", "Cache-Control"} & {*answer.headers}
    assert answer["Link"] == '</docs>; rel="help"'


def test_nothing_is_said_unless_it_is_set(client: Client, text: str) -> None:
    answer = client.get(f"/flat/seen?api_token={text}")
    assert not {"Deprecation", "Sunset"} & {*answer.headers}
