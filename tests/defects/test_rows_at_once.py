"""Many ids in one request, and many requests for one row."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import path

from tests.at_once import in_threads, shared_file
from tests.library.models import Author, Book

from .servers import SERVERS, behind
from .site import (
    Books,
    BookSerializer,
    answer,
    invalid,
    post,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("ids", [list(range(1, 2001)), ["x"] * 2000], ids=["ids", "garbage"])
def test_row_48_long_lists_of_ids(client: Client, ids: list[Any]) -> None:
    response = post(client, "/flat/related", {"authors": ids})
    invalid(response, "authors")
    assert response.headers["X-Queries"] == "0"
    assert len(response.content) < 500


def test_row_48_one_query_for_a_list_of_ids(client: Client) -> None:
    authors = Author.objects.bulk_create([Author(name=f"{n}") for n in range(10)])
    ids = [author.pk for author in authors]
    response = post(client, "/flat/related", {"authors": ids})
    assert answer(response) == (200, {"authors": ids})
    assert response.headers["X-Queries"] == "1"


@pytest.fixture
def shared_database(tmp_path: Path) -> Iterator[None]:
    with shared_file(tmp_path, [Author, Book]):
        yield


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("shared_database")
def test_row_49_eight_creates_that_have_all_looked_before(settings: Any, crashes: Any) -> None:
    """All eight have passed the serializer's look-up before the first of them inserts."""
    looked_up = threading.Barrier(8, timeout=60)

    class Slow(BookSerializer):
        def validate(self, attrs: Any) -> Any:
            looked_up.wait()
            return attrs

    class SlowBooks(Books):
        serializer_class = Slow

    settings.ROOT_URLCONF = (path("flat/slow", SlowBooks.as_view({"post": "create"})),)

    def create() -> tuple[int, Any]:
        client = Client(raise_request_exception=False)
        return answer(post(client, "/flat/slow", {"title": "a", "isbn": "1"}))

    answers = sorted(in_threads(create, 8), key=lambda answer: answer[0])

    assert [status for status, _ in answers] == [201] + [422] * 7
    for _, refused in answers[1:]:
        assert refused["errors"] == {"isbn": ["This field must be unique."]}
    assert in_threads(Book.objects.count) == [1]
    assert not crashes


@behind(*SERVERS)
def test_row_49_eight_creates_of_one_unique_value(client: Any) -> None:
    for isbn in ("1", "2", "3"):
        body = {"title": "a", "isbn": isbn}
        with ThreadPoolExecutor(8) as pool:
            tries = [pool.submit(post, client, "/flat/slow-books", body) for _ in range(8)]
            answers = sorted((answer(t.result()) for t in tries), key=lambda answer: answer[0])
        assert [status for status, _ in answers] == [201] + [422] * 7
        assert {*answers[-1][1]["errors"]} == {"isbn"}
        assert Book.objects.filter(isbn=isbn).count() == 1
