"""The application that the defects were seen in, in our words, and how it is asked."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.shortcuts import get_object_or_404
from django.test import Client
from django.urls import path
from rest_framework import serializers, viewsets
from rest_framework.authentication import SessionAuthentication
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.exceptions import TokenConflict
from connectnow_api.fields import RelatedIdsField
from connectnow_api.models import APIToken
from connectnow_api.throttling import AnonRateThrottle
from tests.at_once import ACTIONS
from tests.library.models import Author, Book

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
MALFORMED = {
    "flat": (422, {"message": "The request body is malformed."}),
    "resource": (400, {"message": "Empty request, check your JSON syntax."}),
}
PREFIXES = ("flat", "resource")

Issue = Callable[..., Any]


def refuse_infinity(number: float) -> None:
    """What ``FloatField`` does by itself since Django REST framework 3.18."""
    if not math.isfinite(number):
        raise serializers.ValidationError("A valid number is required.")


class ItemSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(required=False)
    meta = serializers.JSONField(required=False)
    ratio = serializers.FloatField(required=False, validators=[refuse_infinity])


class Items(APIView):
    """Takes an item from anybody and gives it back."""

    permission_classes: Any = ()
    serializer_class: Any = ItemSerializer
    envelope = None

    def get(self, request: Any) -> Response:
        return Response({"ok": True})

    def post(self, request: Any) -> Response:
        serializer = self.serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.data, status=201)

    put = patch = post


class Unread(Items):
    """Takes a body and does not look at it."""

    def post(self, request: Any) -> Response:
        return Response({"ok": True})


class Raw(Items):
    """Reads the body by hand, as if it could be nothing but an object."""

    def post(self, request: Any) -> Response:
        return Response({"name": request.data.get("name"), "data": request.data}, status=201)


class Upload(Raw):
    parser_classes = (MultiPartParser,)


class Private(Raw):
    permission_classes: Any = [IsAuthenticated]


class Sessions(Private):
    authentication_classes = [SessionAuthentication, APITokenAuthentication]


class Crash(Items):
    def get(self, request: Any) -> Response:
        raise ZeroDivisionError("SELECT secret")

    def post(self, request: Any) -> Response:
        return Response({"secret": object()})


class Slash(Items):
    pass


class BookSerializer(serializers.ModelSerializer[Book]):
    class Meta:
        model = Book
        fields = ["id", "title", "isbn", "year"]


class Books(viewsets.ModelViewSet[Book]):
    queryset = Book.objects.order_by("id")
    serializer_class = BookSerializer
    permission_classes = ()

    def perform_create(self, serializer: Any) -> None:
        serializer.save(published_at=datetime(2021, 1, 1, tzinfo=UTC))

    def filter_queryset(self, queryset: Any) -> Any:
        year = self.request.query_params.get("year")
        return queryset if year is None else queryset.filter(year=year)


class SlowSerializer(BookSerializer):
    """Gives others time to look for the same value before any of them inserts it."""

    def validate(self, attrs: Any) -> Any:
        time.sleep(0.1)
        return attrs


class RelatedSerializer(serializers.Serializer[Any]):
    authors = RelatedIdsField(queryset=Author.objects.all(), max_length=10)


class Related(Items):
    serializer_class = RelatedSerializer

    def post(self, request: Any) -> Response:
        serializer = RelatedSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response({"authors": [a.pk for a in serializer.validated_data["authors"]]})


class Limited(Items):
    """Lets 20 requests of an address pass."""

    throttle_classes = [type("Twenty", (AnonRateThrottle,), {"rate": "20/d"})]


def odd(name: str, rate: str) -> Any:
    """Return a view with a rate that is none."""
    return Items.as_view(throttle_classes=[type(name, (AnonRateThrottle,), {"rate": rate})])


class Stale(Private):
    """Changes the token that authenticated the request, after it has been revoked meanwhile."""

    def post(self, request: Any) -> Response:
        APIToken.objects.get(pk=request.auth.pk).revoke()
        with contextlib.suppress(TokenConflict):
            ACTIONS[request.data["change"]](request.auth)
        return Response({"state": APIToken.objects.get(pk=request.auth.pk).state})


class Rotate(Items):
    """Rotates any token."""

    http_method_names = ("post",)

    def post(self, request: Any, pk: int) -> Response:
        return Response({"id": get_object_or_404(APIToken, pk=pk).rotate().token.pk})


ROUTES = {
    "items": Items.as_view(),
    "unread": Unread.as_view(),
    "raw": Raw.as_view(),
    "upload": Upload.as_view(),
    "private": Private.as_view(),
    "crash": Crash.as_view(),
    "slash/": Slash.as_view(),
    "books": Books.as_view({"get": "list", "post": "create"}),
    "books/<pk>": Books.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    "numbered/<int:pk>": Books.as_view({"get": "retrieve"}),
    "slow-books": Books.as_view({"post": "create"}, serializer_class=SlowSerializer),
    "related": Related.as_view(),
    "sessions": Sessions.as_view(),
    "limited": Limited.as_view(),
    "odd/5": odd("Five", "5"),
    "odd/5-x": odd("FiveAnX", "5/x"),
    "odd/5-month": odd("FiveAMonth", "5/month"),
    "stale": Stale.as_view(),
    "rotate/<int:pk>": Rotate.as_view(),
}
urlpatterns = [
    path(f"{prefix}/{route}", view) for prefix in PREFIXES for route, view in ROUTES.items()
]


def post(client: Client, uri: str, body: Any, content_type: str = JSON, **extra: Any) -> Any:
    """Send a body: bytes as they are, anything else as JSON; ``extra`` overrides the environ."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.generic("POST", uri, data, content_type=content_type, **extra)


def answer(response: Any) -> tuple[int, Any]:
    """Return status and body of what has to be JSON, an error with a text of its own."""
    assert response.headers["Content-Type"] == JSON
    body = response.json()
    if response.status_code >= 400:
        assert isinstance(body["message"], str)
        assert body["message"]
    return response.status_code, body


def invalid(response: Any, *fields: str) -> None:
    """The answer is a 422 that names these fields."""
    status, body = answer(response)
    assert status == 422
    assert tuple(body["errors"]) == fields


def make_books(count: int) -> list[Book]:
    day = datetime(2021, 1, 1, tzinfo=UTC)
    books = [Book(title=f"{n}", isbn=f"{n}", published_at=day) for n in range(count)]
    return Book.objects.bulk_create(books)
