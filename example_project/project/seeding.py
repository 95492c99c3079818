"""Emptying tables and filling them with rows whose ids are given, on every database alike."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any

from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, connection, connections, models, transaction

BATCH = 500
PLAIN = (models.AutoField, models.CharField, models.ForeignKey, models.TextField)
"""Fields whose values every database takes as they are."""


def create(rows: Iterable[models.Model]) -> None:
    """Insert rows of one model with the ids they bring, without holding all of them at once.

    ``bulk_create`` spends most of its time on what these rows never hold: expressions, and values
    that the database makes. A hundred thousand tickets are worth the difference.
    """
    remaining = iter(rows)
    while first := next(remaining, None):
        fields = first._meta.concrete_fields
        # A statement may hold only so many values, some hundreds on an old SQLite.
        size = min(BATCH, connection.ops.bulk_batch_size(fields, [first] * BATCH))
        _insert(fields, [first, *islice(remaining, size - 1)])


def _insert(fields: Sequence[models.Field], rows: Sequence[models.Model]) -> None:
    quote = connection.ops.quote_name
    table = quote(rows[0]._meta.db_table)
    columns = ", ".join(quote(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    places = ", ".join([f"({marks})"] * len(rows))
    getters = [_getter(field) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({columns}) VALUES {places}",  # noqa: S608
            [get(row) for row in rows for get in getters],
        )


def _getter(field: models.Field) -> Callable[[models.Model], Any]:
    """Return what reads a field's value in the database's form."""
    read = attrgetter(field.attname)
    if isinstance(field, PLAIN):
        return read
    database = connections[DEFAULT_DB_ALIAS]
    return lambda row: field.get_db_prep_save(read(row), database)


def empty(tables: Iterable[type[models.Model]]) -> None:
    """Remove all rows of the models, which only refer to one another, as ``flush`` does."""
    names = [model._meta.db_table for model in tables]
    # Without new sequences, because on MariaDB those would end the transaction.
    statements = connection.ops.sql_flush(no_style(), names, reset_sequences=False)
    with transaction.atomic():
        connection.ops.execute_sql_flush(statements)


def reset_sequences(tables: Iterable[type[models.Model]]) -> None:
    """Give the next row of each model the id after its highest.

    To be called outside a transaction: MariaDB ends the current one.
    """
    models_ = list(tables)
    statements = connection.ops.sequence_reset_sql(no_style(), models_)
    if not statements:
        # PostgreSQL counts apart from its tables and has said how; the others never go below
        # what a table holds, so that they can be sent back to the start.
        statements = connection.ops.sequence_reset_by_name_sql(
            no_style(),
            [{"table": m._meta.db_table, "column": m._meta.pk.column} for m in models_],
        )
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
