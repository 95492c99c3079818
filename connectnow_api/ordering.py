"""A total order for pages: rows that tie in every term are told apart by one more."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, QuerySet
from django.db.models.expressions import F, OrderBy
from django.db.models.functions import Random

Term = Any
"""What ``order_by`` takes: a name with or without ``-``, or an expression."""


def with_tie_breaker(queryset: Any, tie_breaker: Any = None) -> Any:
    """Return ``queryset`` with a term appended that makes its order total, or as it is.

    ``tie_breaker`` is a field name to append (``"-id"`` as it stands, ``"id"`` in the direction of
    the last term), ``False`` to append nothing, or ``None`` for the primary key. Only a plain model
    queryset is touched, and only if no term is unique already: without a total order the database
    may show a row on two pages, or on none.
    """
    if tie_breaker is False or not _is_plain(queryset):
        return queryset
    terms = _terms(queryset)
    if _is_random(terms) or any(_is_unique(queryset, term) for term in terms):
        return queryset
    return queryset.order_by(*terms, _last_term(queryset, terms, tie_breaker))


def _last_term(queryset: Any, terms: list[Term], tie_breaker: Any) -> str:
    name = tie_breaker if isinstance(tie_breaker, str) else "pk"
    if not name.startswith("-"):
        return f"-{name}" if terms and _descends(terms[-1]) else name
    # reverse() turns every term round; one whose direction was given is turned round before.
    return name if queryset.query.standard_ordering else name.removeprefix("-")


def _is_plain(queryset: Any) -> bool:
    if not isinstance(queryset, QuerySet) or queryset._result_cache is not None:
        return False
    query = queryset.query
    narrowed = query.is_sliced or query.combinator or query.distinct or query.extra_order_by
    # group_by is True for an annotated aggregate, whose rows are still the model's own.
    grouped = getattr(queryset, "_fields", None) is not None or isinstance(query.group_by, tuple)
    return not (narrowed or grouped)


def _terms(queryset: QuerySet[Model]) -> list[Term]:
    query = queryset.query
    if query.order_by:
        return list(query.order_by)
    return list(query.get_meta().ordering or ()) if query.default_ordering else []


def _is_random(terms: list[Term]) -> bool:
    return any(
        isinstance(_expression(term), Random) or (isinstance(term, str) and term.strip("-") == "?")
        for term in terms
    )


def _expression(term: Term) -> Any:
    return term.expression if isinstance(term, OrderBy) else term


def _descends(term: Term) -> bool:
    if isinstance(term, OrderBy):
        return term.descending
    return isinstance(term, str) and term.startswith("-")


def _is_unique(queryset: QuerySet[Model], term: Term) -> bool:
    """Tell whether no two rows can tie in ``term``: a unique column that is never null."""
    expression = _expression(term)
    name: Any = getattr(expression, "name", None) if isinstance(expression, F) else expression
    if not isinstance(name, str):
        return False
    name = name.removeprefix("-")
    if name in queryset.query.annotations:
        return False
    options = queryset.model._meta
    if name == "pk":
        return True
    try:
        field = options.get_field(name)
    except FieldDoesNotExist:
        return _is_unique_attname(queryset, name)
    # A relation's bare name orders by the related model's own ordering, which need not be total.
    return not field.is_relation and _is_unique_column(field)


def _is_unique_attname(queryset: QuerySet[Model], name: str) -> bool:
    return any(
        field.attname == name and _is_unique_column(field)
        for field in queryset.model._meta.concrete_fields
    )


def _is_unique_column(field: Any) -> bool:
    return field.primary_key or (field.unique and not field.null)
