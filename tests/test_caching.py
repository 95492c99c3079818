"""What caches make of our answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.renderers import EnvelopeJSONRenderer
from connectnow_api.throttling import AnonRateThrottle
from tests.conftest import Clock, Mount

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]


class View(APIView):
    authentication_classes = [APITokenAuthentication]
    permission_classes = ()

    def get(self, request: Any) -> Response:
        return Response({"user": str(request.user)})


@method_decorator(cache_page(60), name="dispatch")
class Cached(View):
    pass


def test_answers_vary_by_the_authorization_header(mount: Mount, client: APIClient) -> None:
    class Two(View):
        renderer_classes = (EnvelopeJSONRenderer, BrowsableAPIRenderer)

    class QueryOnly(View):
        placements = ("query",)

    mount({"flat/x": View.as_view(), "flat/y": Two.as_view(), "flat/z": QueryOnly.as_view()})
    vary = {uri: client.get(uri).get("Vary", "") for uri in ("/flat/x", "/flat/y", "/flat/z")}
    assert "Authorization" in vary["/flat/x"]
    assert {"Accept", "Authorization"} <= set(vary["/flat/y"].split(", "))
    assert "Authorization" not in vary["/flat/z"]


def test_cache_page_keeps_an_answer_for_each_token(
    mount: Mount, client: APIClient, issue: Issue, django_user_model: Any
) -> None:
    grace = django_user_model.objects.create_user("grace")
    bearers = {
        "ada": {"authorization": f"Bearer {issue().plain_text}"},
        "grace": {"authorization": f"Bearer {issue(owner=grace).plain_text}"},
        "AnonymousUser": {},
    }
    mount({"flat/x": Cached.as_view()})
    for _ in range(2):
        for name, headers in bearers.items():
            assert client.get("/flat/x", headers=headers).json() == {"user": name}


def test_cache_page_keeps_an_answer_for_each_required_header(
    mount: Mount, client: APIClient, issue: Issue
) -> None:
    class Client(View):
        required_headers = {"Hs-Client-Id": "client"}

    mount({"flat/x": cache_page(60)(Client.as_view())})
    bearer = {"authorization": f"Bearer {issue(client='acme').plain_text}"}
    assert client.get("/flat/x", headers={**bearer, "hs-client-id": "acme"}).status_code == 200
    assert client.get("/flat/x", headers={**bearer, "hs-client-id": "other"}).status_code == 401
    assert client.get("/flat/x", headers=bearer).status_code == 401


def test_cache_page_keeps_no_answer_to_a_query_token(
    mount: Mount, client: APIClient, issue: Issue
) -> None:
    new = issue()
    mount({"flat/x": Cached.as_view()})
    uri = f"/flat/x?api_token={new.plain_text}"
    assert client.get(uri).status_code == 200
    new.token.revoke()
    assert client.get(uri).status_code == 401


def test_conditional_get_answers_304_to_whom_may_see_it(
    mount: Mount, client: APIClient, issue: Issue, settings: Any
) -> None:
    settings.MIDDLEWARE = [
        "connectnow_api.middleware.JSONErrorMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        *settings.MIDDLEWARE,
    ]
    mount({"flat/x": View.as_view()})
    new = issue()
    headers = {"authorization": f"Bearer {new.plain_text}"}
    etag = client.get("/flat/x", headers=headers)["ETag"]
    again = client.get("/flat/x", headers={**headers, "if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    new.token.revoke()
    refused = client.get("/flat/x", headers={**headers, "if-none-match": etag})
    assert (refused.status_code, refused.json()) == (401, {"message": "Unauthenticated."})


def test_what_cache_page_answers_is_not_counted_and_a_429_is_not_kept(
    mount: Mount, client: APIClient, limits: None, clock: Clock
) -> None:
    class Once(AnonRateThrottle):
        rate = "1/d"

    class Limited(View):
        throttle_classes = (Once,)

    mount({"flat/x": cache_page(60)(Limited.as_view()), "flat/y": Limited.as_view()})
    answers = [client.get("/flat/x") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["0"] * 3
    assert client.get("/flat/y").status_code == 429
    assert client.get("/flat/x?page=2").status_code == 429
    clock.now += int(client.get("/flat/y")["Retry-After"])
    assert client.get("/flat/x?page=2").status_code == 200
