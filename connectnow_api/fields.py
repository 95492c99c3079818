"""Serializer fields that are ours."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail


class RelatedIdsField(serializers.Field[Any, Any, Any, Any]):
    """A list of ids of rows that exist: one query, whatever their number.

    ``queryset``: the rows that may be named. ``max_length``: how many ids are taken (100 unless
    given), checked before any of them is looked at. Input is a list of positive integers or their
    decimal texts; the validated value is a list of the rows in the order sent, each once. An id
    that is none, or names no row, is an error under its index.
    """

    default_error_messages = {
        "not_a_list": _("Expected a list of items."),
        "empty": _("This list may not be empty."),
        "max_length": _("Ensure this field has no more than {max_length} elements."),
        "incorrect_type": _("A valid integer is required."),
        "does_not_exist": _('Invalid pk "{pk_value}" - object does not exist.'),
    }

    def __init__(
        self, *, queryset: Any, max_length: int = 100, allow_empty: bool = False, **kwargs: Any
    ) -> None:
        """Take the rows that may be named and the bounds of the list."""
        self.queryset, self.max_length, self.allow_empty = queryset, max_length, allow_empty
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        """Return the rows that ``data`` names; raise ``ValidationError`` by index."""
        if not isinstance(data, list | tuple):
            self.fail("not_a_list")
        if not data and not self.allow_empty:
            self.fail("empty")
        if len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        ids = [_as_id(item) for item in data]
        rows = self.get_rows({number for number in ids if number is not None})
        errors = {
            index: self.describe(number)
            for index, number in enumerate(ids)
            if number is None or number not in rows
        }
        if errors:
            raise serializers.ValidationError(errors)  # type: ignore[arg-type]
        return [rows[number] for number in dict.fromkeys(ids) if number is not None]

    def get_rows(self, ids: set[int]) -> dict[int, Any]:
        """Return the rows with these ids, by id."""
        return {row.pk: row for row in self.queryset.filter(pk__in=ids)}

    def describe(self, number: int | None) -> list[Any]:
        """Return the error of an id that names no row, or that is none."""
        key = "incorrect_type" if number is None else "does_not_exist"
        text = str(self.error_messages[key]).format(pk_value=number)
        return [ErrorDetail(text, code=key)]

    def to_representation(self, value: Any) -> list[int]:
        """Return the ids of the related rows."""
        return [row.pk for row in value.all()]


def _as_id(item: Any) -> int | None:
    """Return a positive integer of at most 18 digits, or ``None``."""
    text = str(item) if type(item) in (int, str) else ""
    valid = text.isascii() and text.isdigit() and len(text) <= 18
    return int(text) if valid and int(text) > 0 else None
