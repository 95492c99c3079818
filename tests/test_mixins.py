"""Step by step: one view of an existing site speaks a profile, the rest answers as before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework import generics, serializers, viewsets
from rest_framework.authentication import TokenAuthentication
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import PageNumberPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.test import APIClient

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.mixins import APIViewMixin
from connectnow_api.pagination import LengthAwarePagination
from connectnow_api.permissions import HasAbilities
from connectnow_api.renderers import EnvelopeJSONRenderer
from tests.conftest import Mount
from tests.library.models import Author, Book

pytestmark = pytest.mark.django_db

WHEN = datetime(2021, 4, 26, 22, 25, 35, 123456, tzinfo=UTC)


class AuthorSerializer(serializers.ModelSerializer[Author]):
    class Meta:
        model = Author
        fields = ["name"]


class BookSerializer(serializers.ModelSerializer[Book]):
    class Meta:
        model = Book
        fields = ["id", "published_at"]


class NestedSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(source="published_at")
    year = serializers.DateTimeField(source="published_at", format="%Y")
    book = BookSerializer(source="*")
    dates = serializers.ListField(child=serializers.DateTimeField(), source="all_dates")


class TenPerPage(PageNumberPagination):
    page_size = 10


class SiteView(viewsets.ReadOnlyModelViewSet[Book]):
    """A view as the site had it before our app came: DRF's own classes and settings."""

    queryset = Book.objects.order_by("id")
    serializer_class = BookSerializer
    authentication_classes = []
    permission_classes = []
    pagination_class: Any = TenPerPage


class TheirView(SiteView):
    """The same, spelt out, because the tests' project has our classes as DRF's defaults."""

    renderer_classes = [JSONRenderer]
    content_negotiation_class = DefaultContentNegotiation


class OurView(APIViewMixin, SiteView):
    pagination_class = APIViewMixin.pagination_class
    profile = "connectnow"


@pytest.fixture(autouse=True)
def site_settings(settings: Any) -> None:
    """What a site has that never heard of us."""
    settings.CONNECTNOW_API = {}
    settings.REST_FRAMEWORK = {"TEST_REQUEST_DEFAULT_FORMAT": "json"}


@pytest.fixture
def book() -> Book:
    return Book.objects.create(title="b", isbn="1", published_at=WHEN)


@pytest.fixture
def site(mount: Mount, book: Book) -> dict[str, Any]:
    routes = {}
    for name, view in (("theirs", TheirView), ("ours", OurView)):
        routes[f"{name}/books"] = view.as_view({"get": "list"})
        routes[f"{name}/books/<int:pk>"] = view.as_view({"get": "retrieve"})
    mount(routes)
    return routes


@pytest.mark.usefixtures("site")
def test_our_view_speaks_its_profile(client: APIClient, book: Book) -> None:
    row = {"id": book.pk, "published_at": "2021-04-26T22:25:35.123456Z"}
    assert client.get("/ours/books").json() == {
        "current_page": 1,
        "data": [row],
        "first_page_url": "http://testserver/ours/books?page=1",
        "from": 1,
        "next_page_url": None,
        "path": "http://testserver/ours/books",
        "per_page": 15,
        "prev_page_url": None,
        "to": 1,
    }
    assert client.get(f"/ours/books/{book.pk}").json() == row
    assert client.get("/ours/books/9999").json() == {"message": "Not found."}
    response = client.post("/ours/books", {})
    assert (response.status_code, response.json()) == (405, {"message": "Method not allowed."})


@pytest.mark.usefixtures("site")
def test_every_other_view_answers_byte_for_byte_as_before(client: APIClient, book: Book) -> None:
    """What DRF answers by itself, written down in full."""
    row = f'{{"id":{book.pk},"published_at":"2021-04-26T22:25:35.123456Z"}}'
    expected = {
        ("get", "/theirs/books"): (
            200,
            f'{{"count":1,"next":null,"previous":null,"results":[{row}]}}',
        ),
        ("get", f"/theirs/books/{book.pk}"): (200, row),
        ("get", "/theirs/books/9999"): (404, '{"detail":"No Book matches the given query."}'),
        ("get", "/theirs/books?page=9"): (404, '{"detail":"Invalid page."}'),
        ("post", "/theirs/books"): (405, '{"detail":"Method \\"POST\\" not allowed."}'),
        ("get", "/theirs/books?format=zzz"): (404, '{"detail":"Not found."}'),
    }
    for (method, uri), (status, body) in expected.items():
        response = getattr(client, method)(uri)
        assert (response.status_code, response.content.decode()) == (status, body)
        assert response["Content-Type"] == "application/json"


def test_nested_dates_are_written_by_the_profile_and_own_formats_stay(
    client: APIClient, mount: Mount, book: Book
) -> None:
    class View(APIViewMixin, generics.RetrieveAPIView[Book]):
        queryset = Book.objects.all()
        serializer_class = NestedSerializer
        authentication_classes = ()
        permission_classes = ()
        profile = "helpspace"

    Book.all_dates = property(lambda self: [self.published_at])  # type: ignore[attr-defined]
    try:
        mount({"books/<int:pk>": View.as_view()})
        assert client.get(f"/books/{book.pk}").json() == {
            "data": {
                "at": "2021-04-26T22:25:35+00:00",
                "year": "2021",
                "book": {"id": book.pk, "published_at": "2021-04-26T22:25:35+00:00"},
                "dates": ["2021-04-26T22:25:35+00:00"],
            }
        }
    finally:
        del Book.all_dates  # type: ignore[attr-defined]


def test_single_classes_can_be_taken_one_by_one(
    client: APIClient, mount: Mount, book: Book, issue: Any
) -> None:
    """Pages, envelope or tokens alone, under the site's own handler and negotiation."""

    class Pages(TheirView):
        pagination_class = LengthAwarePagination
        shape = "flat"

    class Envelope(TheirView):
        renderer_classes = [EnvelopeJSONRenderer]

    class Tokens(TheirView):
        authentication_classes = [TokenAuthentication, APITokenAuthentication]
        permission_classes = [HasAbilities]
        required_abilities = ["books:read"]

    mount(
        {
            "pages": Pages.as_view({"get": "list"}),
            "envelope/<int:pk>": Envelope.as_view({"get": "retrieve"}),
            "tokens/<int:pk>": Tokens.as_view({"get": "retrieve"}),
        }
    )
    assert client.get("/pages").json()["total"] == 1
    assert client.get(f"/envelope/{book.pk}").json()["data"]["id"] == book.pk
    missing = client.get("/envelope/9999")
    assert missing.json() == {"detail": "No Book matches the given query."}

    uri = f"/tokens/{book.pk}"
    assert client.get(uri).json() == {"detail": "Authentication credentials were not provided."}
    text = issue(abilities=["books:read"]).plain_text
    response = client.get(uri, headers={"authorization": f"Bearer {text}"})
    assert response.json()["id"] == book.pk
    refused = client.get(uri, headers={"authorization": "Bearer cn_garbage"})
    assert refused.status_code == 401
    assert refused.json() == {"detail": "Incorrect authentication credentials."}


def test_the_mixin_is_usable_on_urls_of_any_profile(client: APIClient, mount: Mount) -> None:
    """Its own attribute goes before the prefix of its path."""

    class View(APIViewMixin, generics.ListAPIView[Book]):
        queryset = Book.objects.all()
        serializer_class = BookSerializer
        permission_classes = ()
        profile = "laravel-12"

    mount({"flat/books": View.as_view()})
    assert client.get("/flat/books").json()["meta"]["links"][0]["page"] is None
