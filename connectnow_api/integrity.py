"""What the refusal of a database, or of Django's ORM, says about the request's data."""

from __future__ import annotations

import re

from django.apps import apps
from django.db import DataError, IntegrityError

# PostgreSQL's SQLSTATE and MariaDB's error number of a violated unique constraint.
UNIQUE_VIOLATIONS = {"23505", "1062"}
SQLITE_UNIQUE = re.compile(r"UNIQUE constraint failed: (?P<columns>.+)")
POSTGRESQL_KEY = re.compile(r"Key \((?P<columns>[^)]+)\)=")
MYSQL_KEY = re.compile(r"for key '(?:[^'.]*\.)?(?P<columns>[^']+)'")
ORM_EXPECTED = re.compile(r"Field '(?P<field>\w+)' expected a \w+ but got ")
SQLITE_OVERFLOW = "Python int too large to convert to SQLite INTEGER"


def violated_fields(exc: IntegrityError) -> list[str] | None:
    """Return the fields whose unique constraint ``exc`` reports, ``[]`` if it names none.

    ``None`` for any other integrity error: a missing foreign key or a null is the server's fault.
    """
    if not _is_unique_violation(exc):
        return None
    found = (pattern.search(str(exc)) for pattern in (SQLITE_UNIQUE, POSTGRESQL_KEY, MYSQL_KEY))
    columns = next((match["columns"] for match in found if match), "")
    fields = [_field_of(name.strip(' "'), _table_of(exc)) for name in columns.split(",")]
    return [field for field in fields if field] if all(fields) else []


def _table_of(exc: IntegrityError) -> str | None:
    """Return the table that PostgreSQL's driver names beside its text."""
    return getattr(getattr(exc.__cause__, "diag", None), "table_name", None)


def _field_of(name: str, table: str | None) -> str | None:
    """Return the field of a column, which SQLite writes after its table.

    ``None`` for what is a constraint's own name, and where tables that it may be have different
    fields for the column.
    """
    own_table, _, column = name.rpartition(".")
    fields = {
        field.name
        for model in apps.get_models()
        if model._meta.db_table == (own_table or table or model._meta.db_table)
        for field in model._meta.concrete_fields
        if field.column == column
    }
    return fields.pop() if len(fields) == 1 else None


def _is_unique_violation(exc: IntegrityError) -> bool:
    cause = exc.__cause__
    codes = {str(getattr(cause, "sqlstate", None)), str(next(iter(exc.args), None))}
    return bool(codes & UNIQUE_VIOLATIONS) or bool(SQLITE_UNIQUE.search(str(exc)))


def misread_field(exc: Exception) -> str | None:
    """Return the field that the ORM was given a value of another type for, if that is what it says.

    It says so of ``.filter(year="abc")``, where nobody looked at the text before.
    """
    match = ORM_EXPECTED.match(str(exc)) if isinstance(exc, ValueError | TypeError) else None
    return match["field"] if match else None


def is_out_of_range(exc: Exception) -> bool:
    """Tell whether a value did not fit its column: a number too large, a text too long."""
    return isinstance(exc, DataError) or str(exc) == SQLITE_OVERFLOW
