"""HelpSpace's "General Response Structure", sample by sample, for a reading client."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from rest_framework import serializers, viewsets
from rest_framework.exceptions import ValidationError

from connectnow_api.permissions import HasAbilities
from tests.conftest import Mount
from tests.library.models import Author, Book

pytestmark = pytest.mark.django_db

LINK = "https://acme.example.com/api/v1/things"


class RelatedSerializer(serializers.ModelSerializer[Author]):
    class Meta:
        model = Author
        fields = ["id"]


class ThingSerializer(serializers.ModelSerializer[Book]):
    created_at = serializers.DateTimeField(source="published_at")
    related_object = RelatedSerializer(source="author")

    class Meta:
        model = Book
        fields = ["id", "created_at", "related_object"]


class Things(viewsets.ReadOnlyModelViewSet[Book]):
    queryset = Book.objects.select_related("author")
    serializer_class = ThingSerializer
    permission_classes = [HasAbilities]
    required_abilities = ["things:read"]
    required_headers = {"Hs-Client-Id": "client"}

    def get_queryset(self) -> Any:
        if "email" in self.request.query_params:
            raise ValidationError({"email": ["The email has already been taken."]})
        return super().get_queryset()


@pytest.fixture(autouse=True)
def api(settings: Any, mount: Mount) -> None:
    """An API under /api/v1/ with six rows."""
    settings.ALLOWED_HOSTS = ["acme.example.com"]
    settings.CONNECTNOW_API = {"PREFIXES": {"/api/v1/": "helpspace"}}
    when = datetime(2021, 9, 3, 12, 40, 43, tzinfo=UTC)
    author = Author.objects.create(id=45, name="Ada")
    rows = [
        Book(id=i, title="b", isbn=f"{i}", published_at=when, author=author) for i in range(1, 7)
    ]
    Book.objects.bulk_create(rows)
    mount(
        {
            "api/v1/things": Things.as_view({"get": "list"}),
            "api/v1/things/<int:pk>": Things.as_view({"get": "retrieve"}),
        }
    )


@pytest.fixture
def get(client: Client, issue: Callable[..., Any]) -> Callable[..., Any]:
    token = issue(abilities=["things:read"], client="acme").plain_text

    def send(uri: str, *, method: str = "get", token: str | None = token, **more: str) -> Any:
        headers = {"hs-client-id": "acme", "host": "acme.example.com", **more}
        if token:
            headers["authorization"] = f"Bearer {token}"
        return getattr(client, method)(uri, secure=True, headers=headers)

    return send


Get = Callable[..., Any]


def thing(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "created_at": "2021-09-03T12:40:43+00:00",
        "related_object": {"id": 45},
    }


def page_entry(page: int, *, active: bool = False) -> dict[str, Any]:
    kept = "?per-page=2&page="
    return {"url": f"{LINK}{kept}{page}", "label": str(page), "active": active}


def test_the_collection_is_the_documents(get: Get) -> None:
    """The sample of "Collections and Pagination".

    Its figures fit two rows a page; its own ``per_page`` of 50 contradicts its ``last_page``.
    """
    kept = f"{LINK}?per-page=2&page="
    assert get("/api/v1/things?per-page=2").json() == {
        "data": [thing(1), thing(2)],
        "links": {
            "first": f"{kept}1",
            "last": f"{kept}3",
            "prev": None,
            "next": f"{kept}2",
        },
        "meta": {
            "current_page": 1,
            "from": 1,
            "last_page": 3,
            "links": [
                {"url": None, "label": "« Previous", "active": False},
                page_entry(1, active=True),
                page_entry(2),
                page_entry(3),
                {"url": f"{kept}2", "label": "Next »", "active": False},
            ],
            "path": LINK,
            "per_page": 2,
            "to": 2,
            "total": 6,
        },
    }


def test_meta_per_page_is_fifty_and_links_have_one_parameter(get: Get) -> None:
    body = get("/api/v1/things").json()
    assert body["meta"]["per_page"] == 50
    assert body["links"]["first"] == f"{LINK}?page=1"


def test_a_single_object_is_under_data_with_id_and_created_at(get: Get) -> None:
    """ "If a specific object is requested, the data field always contains id, and created_at." """
    response = get("/api/v1/things/1")
    assert (response.status_code, response.json()) == (200, {"data": thing(1)})


def test_object_not_found(get: Get) -> None:
    response = get("/api/v1/things/7")
    assert (response.status_code, response.json()) == (404, {"message": "Object not found"})


def test_validation_errors(get: Get) -> None:
    response = get("/api/v1/things?email=taken")
    assert response.status_code == 422
    assert response.json() == {
        "message": "The given data was invalid.",
        "errors": {"email": ["The email has already been taken."]},
    }


@pytest.mark.parametrize("client_id", ["", "other", "acme,acme", "acme, acme", "acme "])
def test_the_client_header_has_to_be_the_tokens(get: Get, client_id: str) -> None:
    """Missing, foreign, sent twice or as a list."""
    response = get("/api/v1/things", **{"hs-client-id": client_id})
    assert (response.status_code, response.json()) == (401, {"message": "Unauthenticated."})


def test_no_token_is_401_and_a_wrong_method_405(get: Get) -> None:
    assert get("/api/v1/things", token=None).status_code == 401
    response = get("/api/v1/things/1", method="delete")
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, OPTIONS")
