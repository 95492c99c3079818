"""When a page's order gets one more term, and which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Count, F, QuerySet, Value
from django.db.models.functions import Lower, Random

from connectnow_api.ordering import with_tie_breaker
from tests.library.models import Author, Book

Make = Callable[[Any], Any]


def order(queryset: Any) -> list[str]:
    """Return the terms of a queryset, expressions as their text."""
    return [str(term) for term in queryset.query.order_by]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(lambda q: q, ["pk"], id="unordered"),
        pytest.param(lambda q: q.order_by(), ["pk"], id="ordering cleared"),
        pytest.param(lambda q: q.order_by("title"), ["title", "pk"], id="ascending"),
        pytest.param(lambda q: q.order_by("-title"), ["-title", "-pk"], id="descending"),
        pytest.param(
            lambda q: q.order_by("-year", "title"), ["-year", "title", "pk"], id="last term decides"
        ),
        pytest.param(
            lambda q: q.order_by("author__id"), ["author__id", "pk"], id="unique over a relation"
        ),
        pytest.param(lambda q: q.order_by("author"), ["author", "pk"], id="a relation's own order"),
        pytest.param(lambda q: q.order_by("author_id"), ["author_id", "pk"], id="a foreign key"),
        pytest.param(
            lambda q: q.order_by("shelf_mark"), ["shelf_mark", "pk"], id="unique and nullable"
        ),
        pytest.param(
            lambda q: q.annotate(n=Count("author")).order_by("-n"), ["-n", "-pk"], id="aggregate"
        ),
        pytest.param(
            lambda q: q.annotate(isbn_=F("isbn")).order_by("isbn_"), ["isbn_", "pk"], id="alias"
        ),
        pytest.param(
            lambda q: q.order_by(F("year").desc(nulls_last=True)),
            ["OrderBy(F(year), descending=True)", "-pk"],
            id="expression",
        ),
        pytest.param(
            lambda q: q.order_by(F("year").desc()).reverse(),
            ["OrderBy(F(year), descending=True)", "-pk"],
            id="reversed as a whole",
        ),
        pytest.param(
            lambda q: q.order_by(Lower("title")), ["Lower(F(title))", "pk"], id="function"
        ),
    ],
)
def test_the_primary_key_is_appended(make: Make, expected: list[str]) -> None:
    assert order(with_tie_breaker(make(Book.objects.all()))) == expected


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda q: q.order_by("pk"), id="pk"),
        pytest.param(lambda q: q.order_by("-id"), id="pk by name"),
        pytest.param(lambda q: q.order_by("year", "isbn"), id="unique not null"),
        pytest.param(lambda q: q.order_by(F("isbn").desc()), id="unique expression"),
        pytest.param(lambda q: q.order_by("?"), id="random"),
        pytest.param(lambda q: q.order_by(Random()), id="random function"),
        pytest.param(lambda q: q.order_by("year").distinct(), id="distinct"),
        pytest.param(lambda q: q.order_by("year").distinct("year"), id="distinct on"),
        pytest.param(lambda q: q.order_by("year")[:5], id="slice"),
        pytest.param(lambda q: q.order_by("year").union(q), id="combinator"),
        pytest.param(lambda q: q.order_by("year").values("title"), id="values"),
        pytest.param(lambda q: q.order_by("year").values_list("title"), id="values_list"),
        pytest.param(lambda q: q.values("year").annotate(n=Count("id")), id="group by"),
        pytest.param(lambda q: q.extra(order_by=["year"]), id="extra order"),
        pytest.param(lambda q: q.model.objects.raw("SELECT 1"), id="raw"),
        pytest.param(lambda q: [1, 2], id="list"),
    ],
)
def test_what_is_left_alone(make: Make) -> None:
    source = make(Book.objects.all())
    assert with_tie_breaker(source) is source


def test_the_models_own_ordering_is_completed() -> None:
    assert order(with_tie_breaker(Author.objects.all())) == ["name", "pk"]
    assert order(with_tie_breaker(Author.objects.order_by())) == ["pk"]


@pytest.mark.django_db
def test_rows_that_were_read_are_not_read_again() -> None:
    read = Book.objects.order_by("year")
    list(read)
    assert with_tie_breaker(read) is read


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("isbn", ["-year", "-isbn"]),
        ("-isbn", ["-year", "-isbn"]),
        (None, ["-year", "-pk"]),
        (False, ["-year"]),
    ],
)
def test_a_name_or_false_overrides(name: Any, expected: list[str]) -> None:
    queryset: QuerySet[Book] = Book.objects.order_by("-year")
    assert order(with_tie_breaker(queryset, name)) == expected


def test_a_name_with_a_sign_keeps_its_direction_also_in_a_reversed_queryset() -> None:
    queryset = with_tie_breaker(Book.objects.order_by("year").reverse(), "-isbn")
    sql = str(queryset.query).replace("`", '"')  # MariaDB's quotes
    assert 'ORDER BY "library_book"."year" DESC, "library_book"."isbn" DESC' in sql


def test_true_means_the_primary_key() -> None:
    assert order(with_tie_breaker(Book.objects.all(), True)) == ["pk"]


def test_a_constant_annotation_that_hides_a_unique_column_is_not_taken_for_it() -> None:
    queryset = Book.objects.alias(mark=Value(1)).order_by("mark")
    assert order(with_tie_breaker(queryset)) == ["mark", "pk"]
