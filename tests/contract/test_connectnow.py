"""ConnectNow's "API Philosophy", sentence by sentence, as far as a reading client sees it."""

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
from tests.library.models import Book

pytestmark = pytest.mark.django_db

HOST = "api.connectnow.org.uk"


class ModelSerializer(serializers.ModelSerializer[Book]):
    created_at = serializers.DateTimeField(source="published_at")

    class Meta:
        model = Book
        fields = ["id", "created_at"]


class Models(viewsets.ReadOnlyModelViewSet[Book]):
    queryset = Book.objects.all()
    serializer_class = ModelSerializer
    permission_classes = [HasAbilities]
    required_abilities = ["models:read"]

    def get_queryset(self) -> Any:
        if "before" in self.request.query_params:
            raise ValidationError({"before": ["This is not a date."]})
        return super().get_queryset()


@pytest.fixture(autouse=True)
def api(settings: Any, mount: Mount) -> None:
    """An API under /api/ with 31 rows."""
    settings.ALLOWED_HOSTS = [HOST]
    settings.CONNECTNOW_API = {"PREFIXES": {"/api/": "connectnow"}}
    when = datetime(2021, 4, 26, 22, 25, 35, tzinfo=UTC)
    rows = [Book(id=i, title="b", isbn=f"{i}", published_at=when) for i in range(1, 32)]
    Book.objects.bulk_create(rows)
    mount(
        {
            "api/models": Models.as_view({"get": "list"}),
            "api/models/<int:pk>": Models.as_view({"get": "retrieve"}),
        }
    )


@pytest.fixture
def get(client: Client, issue: Callable[..., Any]) -> Callable[..., Any]:
    """Send what the document asks for: the Accept header and a token in the Authorization."""
    token = issue(abilities=["models:read"]).plain_text

    def send(uri: str, *, method: str = "get", token: str | None = token, **more: str) -> Any:
        headers = {"accept": "application/json", "host": HOST, **more}
        if token:
            headers["authorization"] = f"Bearer {token}"
        return getattr(client, method)(uri, secure=True, headers=headers)

    return send


Get = Callable[..., Any]


def row(number: int) -> dict[str, Any]:
    return {"id": number, "created_at": "2021-04-26T22:25:35.000000Z"}


def test_the_page_is_the_documents(get: Get) -> None:
    """ "Paginated responses include additional information": the sample, with rows for dots."""
    assert get("/api/models").json() == {
        "current_page": 1,
        "data": [row(number) for number in range(1, 16)],
        "first_page_url": "https://api.connectnow.org.uk/api/models?page=1",
        "from": 1,
        "next_page_url": "https://api.connectnow.org.uk/api/models?page=2",
        "path": "https://api.connectnow.org.uk/api/models",
        "per_page": 15,
        "prev_page_url": None,
        "to": 15,
    }


def test_additional_pages_by_the_page_parameter(get: Get) -> None:
    """ "You can access additional pages by passing the `page` parameter." """
    last = get("/api/models?page=3").json()
    assert last["data"] == [row(31)]
    assert (last["from"], last["to"], last["next_page_url"]) == (31, 31, None)


def test_one_object_is_bare(get: Get) -> None:
    """ "`GET /api/users/1` to list a single user": 200, all good."""
    response = get("/api/models/1")
    assert (response.status_code, response.json()) == (200, row(1))


def test_the_token_via_query_parameters(get: Get, issue: Callable[..., Any]) -> None:
    """ "you can either pass a `api_token` as a query parameter" """
    token = issue(abilities=["models:read"]).plain_text
    response = get(f"/api/models?api_token={token}", token=None)
    assert response.status_code == 200
    assert token not in response.content.decode()


@pytest.mark.parametrize(
    ("uri", "changes", "status", "body"),
    [
        ("/api/models", {"token": None}, 401, {"message": "Unauthenticated."}),
        ("/api/models", {"token": "cn_wrong"}, 401, {"message": "Unauthenticated."}),
        ("/api/models/99", {}, 404, {"message": "Not found."}),
        ("/api/models/1", {"method": "delete"}, 405, {"message": "Method not allowed."}),
        (
            "/api/models?before=soon",
            {},
            422,
            {
                "message": "The given data was invalid.",
                "errors": {"before": ["This is not a date."]},
            },
        ),
    ],
)
def test_status_codes(get: Get, uri: str, changes: Any, status: int, body: Any) -> None:
    """The table "Response status codes", as far as reading goes."""
    response = get(uri, **changes)
    assert (response.status_code, response.json()) == (status, body)


def test_403_is_not_401(get: Get, issue: Callable[..., Any]) -> None:
    """ "you are not allowed to do something (but your token may be valid)" """
    response = get("/api/models", token=issue().plain_text)
    assert response.status_code == 403
    assert response.json() == {"message": "This action is unauthorized."}


def test_the_accept_header_can_be_demanded(get: Get, settings: Any) -> None:
    """ "You must pass an `accept` header with the value of `application/json`" """
    assert get("/api/models", accept="text/html").status_code == 200
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "STRICT_ACCEPT": True}
    response = get("/api/models", accept="text/html")
    assert (response.status_code, response.json()) == (406, {"message": "Not acceptable."})
    assert get("/api/models").status_code == 200
