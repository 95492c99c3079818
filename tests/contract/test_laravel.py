"""What a client of a stock Laravel application reads, in one process with both versions."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers, viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.response import Response
from rest_framework.test import APIClient

from tests.conftest import Mount


class IssueSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()


class Issues(viewsets.GenericViewSet[Any]):
    serializer_class = IssueSerializer
    authentication_classes = ()
    permission_classes = ()

    def list(self, request: Any) -> Response:
        if "bad" in request.query_params:
            raise ValidationError({"a": ["The a field is required."], "b": ["One.", "Two."]})
        page = self.paginate_queryset([{"id": 1}])  # type: ignore[arg-type]
        return self.get_paginated_response(page)

    def retrieve(self, request: Any, pk: int) -> Response:
        if pk != 1:
            raise NotFound
        return Response({"id": 1})


@pytest.fixture(autouse=True)
def api(settings: Any, mount: Mount) -> None:
    settings.CONNECTNOW_API = {"PREFIXES": {"/8/": "laravel-8", "/12/": "laravel-12"}}
    routes = {}
    for version in ("8", "12"):
        routes[f"{version}/issues"] = Issues.as_view({"get": "list"})
        routes[f"{version}/issues/<int:pk>"] = Issues.as_view({"get": "retrieve"})
    mount(routes)


def page(version: str, *extra: tuple[str, Any]) -> dict[str, Any]:
    """Return the only page of one issue; ``extra``: Laravel 12's ``page`` of the three entries."""
    url = f"http://testserver/{version}/issues"
    pages = dict(extra)

    def entry(target: str | None, label: str, *, active: bool) -> dict[str, Any]:
        number = {"page": pages[label]} if pages else {}
        return {"url": target, "label": label, **number, "active": active}

    return {
        "data": [{"id": 1}],
        "links": {"first": f"{url}?page=1", "last": f"{url}?page=1", "prev": None, "next": None},
        "meta": {
            "current_page": 1,
            "from": 1,
            "last_page": 1,
            "links": [
                entry(None, "&laquo; Previous", active=False),
                entry(f"{url}?page=1", "1", active=True),
                entry(None, "Next &raquo;", active=False),
            ],
            "path": url,
            "per_page": 15,
            "to": 1,
            "total": 1,
        },
    }


def test_pages_of_both_versions(client: APIClient) -> None:
    assert client.get("/8/issues").json() == page("8")
    newer = page("12", ("&laquo; Previous", None), ("1", 1), ("Next &raquo;", None))
    assert client.get("/12/issues").json() == newer


@pytest.mark.parametrize("version", ["8", "12"])
def test_one_object_and_none(client: APIClient, version: str) -> None:
    assert client.get(f"/{version}/issues/1").json() == {"data": {"id": 1}}
    assert client.get(f"/{version}/issues/2").json() == {"message": "Not found."}


def test_the_message_of_a_422(client: APIClient) -> None:
    errors = {"a": ["The a field is required."], "b": ["One.", "Two."]}
    assert client.get("/8/issues?bad").json() == {
        "message": "The given data was invalid.",
        "errors": errors,
    }
    assert client.get("/12/issues?bad").json() == {
        "message": "The a field is required. (and 2 more errors)",
        "errors": errors,
    }
