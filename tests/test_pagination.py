"""The paginators as DRF views use them; the bodies themselves are compared with recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.template import Context, Template
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import generics, serializers
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from connectnow_api.pagination import LengthAwarePagination, Pagination, SimplePagination
from connectnow_api.profiles import CONNECTNOW, HELPSPACE, LARAVEL_8, LARAVEL_12
from tests.conftest import Mount, fixtures_once
from tests.library.models import Book

pytestmark = pytest.mark.django_db

LABELS = {"previous": "« Previous", "next": "Next »"}


class BookSerializer(serializers.ModelSerializer[Book]):
    class Meta:
        model = Book
        fields = ["id"]


@pytest.fixture
def books() -> list[Book]:
    """Seven books of one year."""
    rows = [
        Book(title=f"b{i}", isbn=f"{i}", published_at=datetime(2021, 4, 26, tzinfo=UTC))
        for i in range(7)
    ]
    return Book.objects.bulk_create(rows)


@pytest.fixture
def get(mount: Mount, client: APIClient, books: list[Book]) -> Callable[..., Any]:
    """Get a page of the books: ``get("?page=2", page_size=3)``; keywords are view attributes."""

    def get(query: str = "", **attributes: Any) -> Any:
        defaults = {
            "serializer_class": BookSerializer,
            "queryset": Book.objects.all(),
            "permission_classes": (),
            "page_size": 3,
        }
        view = type("Books", (generics.ListAPIView,), {**defaults, **attributes})
        mount({"flat/books": view.as_view(), "resource/books": view.as_view()})
        return client.get(query if query.startswith("/") else f"/resource/books{query}").json()

    return get


Get = Callable[..., Any]


def ids(body: dict[str, Any]) -> list[int]:
    return [row["id"] for row in body["data"]]


def test_the_profile_decides_paginator_shape_and_size(get: Get, books: list[Book]) -> None:
    flat = get("/flat/books?per_page=2&page=2")
    assert flat == {
        "current_page": 2,
        "data": [{"id": books[2].pk}, {"id": books[3].pk}],
        "first_page_url": "http://testserver/flat/books?per_page=2&page=1",
        "from": 3,
        "next_page_url": "http://testserver/flat/books?per_page=2&page=3",
        "path": "http://testserver/flat/books",
        "per_page": 2,
        "prev_page_url": "http://testserver/flat/books?per_page=2&page=1",
        "to": 4,
    }
    resource = get("/resource/books?per-page=4")
    url = "http://testserver/resource/books?per-page=4&page="
    assert resource == {
        "data": [{"id": book.pk} for book in books[:4]],
        "links": {"first": f"{url}1", "last": f"{url}2", "prev": None, "next": f"{url}2"},
        "meta": {
            "current_page": 1,
            "from": 1,
            "last_page": 2,
            "links": [
                {"url": None, "label": LABELS["previous"], "active": False},
                {"url": f"{url}1", "label": "1", "active": True},
                {"url": f"{url}2", "label": "2", "active": False},
                {"url": f"{url}2", "label": LABELS["next"], "active": False},
            ],
            "path": "http://testserver/resource/books",
            "per_page": 4,
            "to": 4,
            "total": 7,
        },
    }


@pytest.mark.parametrize(
    ("profile", "size", "maximum"),
    [(CONNECTNOW, 15, 249), (HELPSPACE, 50, 50), (LARAVEL_8, 15, 100), (LARAVEL_12, 15, 100)],
)
def test_sizes_of_the_profiles(profile: Any, size: int, maximum: int) -> None:
    assert (profile.page_size, profile.max_page_size) == (size, maximum)


@pytest.mark.parametrize(
    ("asked", "given"),
    [("2", 2), ("5", 5), ("9999", 5), ("0", 3), ("-1", 3), ("abc", 3), ("", 3), ("٣", 3)],
)
def test_the_client_chooses_the_size_up_to_the_maximum(get: Get, asked: str, given: int) -> None:
    body = get(f"?per-page={asked}", max_page_size=5)
    assert body["meta"]["per_page"] == given


def test_the_maximum_does_not_bound_what_the_view_sets(get: Get) -> None:
    assert get("", page_size=6, max_page_size=2)["meta"]["per_page"] == 6
    assert get("?per-page=6", page_size=6, max_page_size=2)["meta"]["per_page"] == 2


def test_a_view_may_lift_the_maximum(get: Get) -> None:
    assert get("?per-page=999999", max_page_size=None)["meta"]["per_page"] == 999999


def test_a_view_may_keep_the_size_to_itself(get: Get) -> None:
    body = get("?per-page=2&per_page=2", page_size_query_param=None)
    assert body["meta"]["per_page"] == 3


def test_a_view_without_a_page_size_has_no_pages(get: Get, books: list[Book]) -> None:
    assert ids(get("", page_size=None)) == [book.pk for book in books]


def test_parameter_names_are_the_views(get: Get, books: list[Book]) -> None:
    body = get("?seite=2&size=2", page_query_param="seite", page_size_query_param="size")
    assert ids(body) == [books[2].pk, books[3].pk]
    assert body["links"]["next"] == "http://testserver/resource/books?size=2&seite=3"


def test_view_before_paginator_before_setting_before_profile(get: Get, settings: Any) -> None:
    class Two(Pagination):
        page_size = 2

    def size(**attributes: Any) -> Any:
        class View(generics.ListAPIView[Book]):
            pass

        return get("", **attributes)["meta"]["per_page"]

    unset = {"page_size": 1, "pagination_class": Two}
    assert size(**unset) == 1
    view = {
        "serializer_class": BookSerializer,
        "queryset": Book.objects.all(),
        "permission_classes": (),
    }
    paged = type("Paged", (generics.ListAPIView,), {**view, "pagination_class": Two})
    plain = type("Plain", (generics.ListAPIView,), view)
    factory = APIRequestFactory().get("/resource/books")
    settings.CONNECTNOW_API = {"PAGE_SIZE": 4}
    assert paged.as_view()(factory).data["meta"]["per_page"] == 2
    assert plain.as_view()(factory).data["meta"]["per_page"] == 4
    settings.CONNECTNOW_API = {}
    assert plain.as_view()(factory).data["meta"]["per_page"] == 50


def test_each_paginator_writes_each_shape(get: Get) -> None:
    keys = {
        (LengthAwarePagination, "resource"): ["data", "links", "meta"],
        (SimplePagination, "resource"): ["data", "links", "meta"],
        (LengthAwarePagination, "flat"): [
            *("current_page", "data", "first_page_url", "from", "last_page", "last_page_url"),
            *("links", "next_page_url", "path", "per_page", "prev_page_url", "to", "total"),
        ],
        (SimplePagination, "flat"): [
            *("current_page", "data", "first_page_url", "from", "next_page_url", "path"),
            *("per_page", "prev_page_url", "to"),
        ],
    }
    for (paginator, shape), expected in keys.items():
        assert list(get("", pagination_class=paginator, shape=shape)) == expected
    simple = get("", pagination_class=SimplePagination, shape="resource")
    assert simple["links"]["last"] is None
    assert list(simple["meta"]) == ["current_page", "from", "path", "per_page", "to"]


def test_a_simple_page_counts_nothing_and_reads_one_row_more(get: Get) -> None:
    with CaptureQueriesContext(connection) as queries:
        body = get("", pagination_class=SimplePagination)
    assert len(queries) == 1
    assert "COUNT" not in queries[0]["sql"]
    assert "LIMIT 4" in queries[0]["sql"]
    assert body["links"]["next"].endswith("page=2")
    last = get("?page=3", pagination_class=SimplePagination)
    assert (len(last["data"]), last["links"]["next"]) == (1, None)


def test_a_length_aware_page_counts_once(get: Get) -> None:
    with CaptureQueriesContext(connection) as queries:
        get("", pagination_class=LengthAwarePagination)
    assert ["COUNT" in query["sql"] for query in queries] == [True, False]


@pytest.mark.parametrize("page", ["3", "4", "1000", "9" * 18])
@pytest.mark.parametrize("paginator", [LengthAwarePagination, SimplePagination])
def test_a_page_past_the_end_is_empty(get: Get, page: str, paginator: Any) -> None:
    body = get(f"?page={page}", pagination_class=paginator, page_size=4)
    assert body["data"] == []
    assert body["meta"]["current_page"] == int(page)
    assert (body["meta"]["from"], body["meta"]["to"]) == (None, None)
    assert body["links"]["next"] is None
    assert body["links"]["prev"].endswith(f"page={int(page) - 1}")


def test_an_empty_list_has_one_page(get: Get) -> None:
    body = get("", queryset=Book.objects.none())
    assert body["meta"]["last_page"] == 1
    assert body["meta"]["total"] == 0
    assert (body["links"]["prev"], body["links"]["next"]) == (None, None)


def test_a_page_of_nine_digits_costs_as_much_as_the_first(get: Get) -> None:
    """Not a list of all pages is ever made."""
    body = get("?page=7", get_queryset=lambda self: range(10**12), serializer_class=Numbers)
    assert body["meta"]["last_page"] == 333333333334
    assert len(body["meta"]["links"]) == 15


class Numbers(serializers.Serializer[Any]):
    def to_representation(self, instance: Any) -> Any:
        return {"id": instance}


class SearchResults:
    """What a search engine's client returns: it counts and slices, and is no list."""

    def count(self) -> int:
        return 7

    def __getitem__(self, key: slice) -> Iterator[int]:
        return iter(range(10, 17)[key])


@pytest.mark.parametrize("paginator", [LengthAwarePagination, SimplePagination])
@pytest.mark.parametrize("source", [list(range(10, 17)), range(10, 17), SearchResults()])
def test_lists_and_search_results_have_pages(get: Get, source: Any, paginator: Any) -> None:
    body = get(
        "?page=3",
        get_queryset=lambda self: source,
        serializer_class=Numbers,
        pagination_class=paginator,
    )
    assert ids(body) == [16]
    assert body["links"]["next"] is None
    assert body["meta"].get("total", 7) == 7


def test_raw_and_values_querysets_have_pages(get: Get, books: list[Book]) -> None:
    raw = Book.objects.raw("SELECT * FROM library_book ORDER BY id DESC")
    body = get("?page=3", get_queryset=lambda self: raw)
    assert (ids(body), body["meta"]["total"]) == ([books[0].pk], 7)
    values = Book.objects.order_by("-id").values("id")
    assert ids(get("?page=3", queryset=values)) == [books[0].pk]


def test_a_caller_may_know_the_total(get: Get) -> None:
    class Known(LengthAwarePagination):
        def get_total(self, queryset: Any) -> int:
            return 100

    with CaptureQueriesContext(connection) as queries:
        body = get("", pagination_class=Known)
    assert (body["meta"]["total"], body["meta"]["last_page"]) == (100, 34)
    assert len(queries) == 1


def test_a_function_view_may_hand_over_the_total(
    mount: Mount, client: APIClient, books: list[Book]
) -> None:
    @api_view()
    @permission_classes([])
    def view(request: Request) -> Any:
        paginator = Pagination()
        rows = paginator.paginate_queryset(Book.objects.all(), request, total=1000)
        return paginator.get_paginated_response(BookSerializer(rows, many=True).data)

    mount({"resource/books": view})
    with CaptureQueriesContext(connection) as queries:
        body = client.get("/resource/books").json()
    assert body["meta"]["total"] == 1000
    assert len(queries) == 1


@pytest.mark.parametrize(
    ("keep", "query", "kept"),
    [
        (True, "?q=a b&empty=&tags[]=x&tags[]=y", "q=a%20b&tags%5B0%5D=x&tags%5B1%5D=y&"),
        (True, "?page=1&a=1&a=2", "a=1&a=2&"),
        (False, "?q=1", ""),
        (
            {"flag": True, "none": None, "list": [1, 2]},
            "?q=1",
            "flag=1&list%5B0%5D=1&list%5B1%5D=2&",
        ),
        ({}, "?q=1", ""),
        ({"page": 9, "api_token": "secret", "a": 1}, "", "a=1&"),
    ],
)
def test_what_links_keep_of_the_query(get: Get, keep: Any, query: str, kept: str) -> None:
    body = get(query, keep_query=keep)
    assert body["links"]["next"] == f"http://testserver/resource/books?{kept}page=2"


@pytest.mark.parametrize(
    "query", ["?api_token=cn_x", "?API_TOKEN=cn_x", "?api_token[]=cn_x", "?api%5Ftoken=cn_x"]
)
def test_a_token_is_in_no_link(get: Get, query: str) -> None:
    attributes = {"authentication_classes": ()}
    assert "cn_x" not in str(get(query, keep_query=True, **attributes))
    assert "cn_x" not in str(get(f"/flat/books{query}", keep_query=True, **attributes))


def test_the_parameter_of_every_kind_of_token_is_in_no_link(get: Get, settings: Any) -> None:
    from connectnow_api.authentication import QueryTokenAuthentication

    class Chat(QueryTokenAuthentication):
        parameter = "chat_user_token"
        placements = ()

    query = "?chat_user_token=cn_x&other_token=cn_y"
    body = get(query, keep_query=True, authentication_classes=[Chat])
    assert "cn_x" not in str(body)
    assert "cn_y" in str(body)
    settings.CONNECTNOW_API = {"TOKEN_PARAMETERS": ["other_token", "chat_user_token"]}
    assert "token" not in str(get(query, keep_query=True))


def test_links_follow_scheme_host_port_and_script_name(
    get: Get, client: APIClient, settings: Any
) -> None:
    get()
    response = client.get("/resource/books", secure=True, headers={"host": "Example.COM"})
    assert response.json()["meta"]["path"] == "https://example.com/resource/books"
    response = client.get("/resource/books", headers={"host": "testserver:8080"})
    assert response.json()["meta"]["path"] == "http://testserver:8080/resource/books"
    response = client.get("/resource/books", SCRIPT_NAME="/app")
    assert response.json()["meta"]["path"] == "http://testserver/app/resource/books"
    assert response.json()["meta"]["per_page"] == 3


def test_the_path_keeps_its_slash_unless_the_profile_trims_it(
    mount: Mount, client: APIClient, books: list[Book]
) -> None:
    view = generics.ListAPIView.as_view(
        queryset=Book.objects.all(), serializer_class=BookSerializer, permission_classes=()
    )
    mount({"resource/books/": view})
    path = "http://testserver/resource/books/"
    assert client.get("/resource/books/").json()["meta"]["path"] == path


def test_page_object_for_templates(books: list[Book]) -> None:
    request = Request(APIRequestFactory().get("/resource/books?page=2&per-page=3"))
    template = Template("{{ p.number }} {{ p.has_next }} {{ p.has_previous }} {{ p.count }}")
    for paginator, rendered in [
        (LengthAwarePagination(), "2 True True 7"),
        (SimplePagination(), "2 True True None"),
    ]:
        paginator.paginate_queryset(Book.objects.all(), request)
        assert template.render(Context({"p": paginator.page})) == rendered
        assert (paginator.page.start_index(), paginator.page.end_index()) == (4, 6)
        assert (paginator.page.previous_page_number(), paginator.page.next_page_number()) == (1, 3)
        assert len(paginator.page) == 3


@pytest.mark.parametrize("paginator", [LengthAwarePagination(), SimplePagination()])
def test_page_object_past_the_end(books: list[Book], paginator: Any) -> None:
    request = Request(APIRequestFactory().get("/resource/books?page=9&per-page=3"))
    paginator.paginate_queryset(Book.objects.all(), request)
    assert (paginator.page.start_index(), paginator.page.end_index()) == (0, 0)
    assert (paginator.page.has_next(), paginator.page.previous_page_number()) == (False, 8)


@pytest.mark.parametrize("paginator", [LengthAwarePagination, SimplePagination])
@pytest.mark.parametrize("shape", ["resource", "flat"])
@pytest.mark.parametrize("profile", ["helpspace", "laravel-12"])
def test_schema_names_exactly_the_keys_of_the_body(
    get: Get, paginator: Any, shape: str, profile: str, settings: Any
) -> None:
    settings.CONNECTNOW_API = {"PROFILE": profile, "SHAPE": shape}
    schema = paginator().get_paginated_response_schema({"type": "array", "items": {}})

    def assert_described(body: Any, schema: dict[str, Any]) -> None:
        if schema["type"] == "object":
            assert set(body) == set(schema["properties"])
            assert set(schema["required"]) <= set(body)
            for key, value in body.items():
                assert_described(value, schema["properties"][key])
        elif body is None:
            assert schema["nullable"]
        else:
            kinds = {"array": list, "integer": int, "string": str, "boolean": bool}
            assert isinstance(body, kinds[schema["type"]])
            for item in body if isinstance(body, list) and schema["items"] else []:
                assert_described(item, schema["items"])

    assert_described(get("?page=2", pagination_class=paginator, profile=profile), schema)


def test_schema_parameters_are_the_views(get: Get) -> None:
    class View:
        page_size_query_param = "size"
        max_page_size = 9

    found = Pagination().get_schema_operation_parameters(View())
    assert [(p["name"], p["schema"].get("maximum")) for p in found] == [("page", None), ("size", 9)]
    View.page_size_query_param = None  # type: ignore[assignment]
    assert len(Pagination().get_schema_operation_parameters(View())) == 1


def test_browsable_pages_have_controls_without_the_token(books: list[Book]) -> None:
    request = Request(APIRequestFactory().get("/resource/books?api_token=cn_x&per-page=3"))
    paginator = Pagination()
    assert not paginator.display_page_controls
    paginator.paginate_queryset(Book.objects.all(), request)
    assert paginator.display_page_controls
    html = paginator.to_html()
    assert "per-page=3&amp;page=2" in html
    assert "cn_x" not in html
    assert paginator.get_results({"data": [1]}) == [1]


@fixtures_once
@given(page=st.text(), size=st.text(), other=st.text())
def test_no_query_raises(books: list[Book], page: str, size: str, other: str) -> None:
    query = {"page": page, "per-page": size, other.encode(errors="replace").decode(): other}
    query = {key: value.encode(errors="replace").decode() for key, value in query.items()}
    request = Request(APIRequestFactory().get("/resource/books", query))
    paginator = Pagination()
    rows = paginator.paginate_queryset(Book.objects.all(), request)
    assert rows is not None
    assert paginator.get_body(rows)["meta"]["current_page"] >= 1
