"""Serializer fields for what belongs to one client, and for objects within a body."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Model, Q, QuerySet
from rest_framework import serializers

from project.fields import RelatedIdField

UNKNOWN = "This is unknown."
REQUIRED = serializers.Field.default_error_messages["required"]
ID = re.compile("[1-9][0-9]{0,17}")


class OwnIdField(RelatedIdField):
    """The id of one of the client's rows; those of other clients do not exist."""

    def get_rows(self, ids: set[int]) -> dict[int, Any]:
        """Return the client's rows with these ids."""
        own = self.queryset.filter(client=self.context["view"].client, pk__in=ids)
        return {row.pk: row for row in own}


class OwnRowField(serializers.Field):
    """One of the client's rows by id or name, alone or as ``{"id": 1}``; ``null`` for none."""

    default_error_messages = {"unknown": UNKNOWN}

    def __init__(self, queryset: QuerySet[Any], **kwargs: Any) -> None:
        self.queryset = queryset
        super().__init__(required=False, allow_null=True, **kwargs)

    def to_internal_value(self, data: Any) -> Model | None:
        """Return the row; an empty text, as forms send it, is none."""
        value = _value(data)
        if value in (None, ""):
            return None
        [row] = find(self.queryset.filter(client=self.context["view"].client), [value])
        if row is None:
            self.fail("unknown")
        return row


class OwnRowsField(serializers.Field):
    """A list of the client's rows, each by id or name; a wrong one is an error at its place."""

    default_error_messages = {
        "not_a_list": "Expected a list of items.",
        "max_length": "Ensure this field has no more than {max_length} elements.",
    }

    def __init__(self, queryset: QuerySet[Any], max_length: int = 100, **kwargs: Any) -> None:
        self.queryset, self.max_length = queryset, max_length
        super().__init__(required=False, **kwargs)

    def to_internal_value(self, data: Any) -> list[Model]:
        """Return the rows, found with one query."""
        if not isinstance(data, list):
            self.fail("not_a_list")
        if len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        own = self.queryset.filter(client=self.context["view"].client)
        rows = find(own, [_value(item) for item in data])
        if None in rows:
            unknown = [index for index, row in enumerate(rows) if row is None]
            raise serializers.ValidationError({index: [UNKNOWN] for index in unknown})
        return rows


class ShortListField(serializers.ListField):
    """A list that is measured before its items are looked at."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "max_length": 100, **kwargs})

    def to_internal_value(self, data: Any) -> list[Any]:
        """Return the validated items."""
        if isinstance(data, list) and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class AttachmentField(serializers.JSONField):
    """An object that is kept as it was sent."""

    default_error_messages = {"not_an_object": "Expected an object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object."""
        if not isinstance(data, dict):
            self.fail("not_an_object")
        return super().to_internal_value(data)


class BodyField(serializers.CharField):
    """A text that is kept as it was sent, and not blank."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the text."""
        text = super().to_internal_value(data)
        if not text.strip():
            self.fail("blank")
        return text


class ObjectSerializer(serializers.Serializer):
    """An object in a body, which nothing else will do for."""

    default_error_messages = {"not_an_object": "Expected an object."}

    def to_internal_value(self, data: Any) -> Any:
        """Validate the fields of an object."""
        if not isinstance(data, dict):
            self.fail("not_an_object")
        return super().to_internal_value(data)


class NestedSerializer(serializers.Serializer):
    """An object in a body. Whatever is none counts as empty: its own fields say what is missing."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Validate the object; an update may leave it out."""
        if data is serializers.empty and self.root.partial:
            raise serializers.SkipField
        return super().run_validation(data if isinstance(data, dict) else {})

    def to_internal_value(self, data: Any) -> Any:
        """Validate the fields; those that an object cannot do without are asked for in updates."""
        required = [name for name, field in self.fields.items() if field.required]
        errors = {name: [REQUIRED] for name in required if name not in data}
        if errors and self.root.partial:
            raise serializers.ValidationError(errors)
        return super().to_internal_value(data)


def find(rows: QuerySet[Any], values: Sequence[Any]) -> list[Any]:
    """Return the row of each id or name, ``None`` where there is none, with one query."""
    ids = [_id(value) for value in values]
    names = [value if isinstance(value, str) else None for value in values]
    wanted = Q(pk__in=set(ids) - {None}) | Q(name__in=set(names) - {None})
    found = list(rows.filter(wanted).order_by("-pk"))
    by_id = {row.pk: row for row in found}
    by_name = {row.name: row for row in found}
    return [by_name.get(name) or by_id.get(id_) for name, id_ in zip(names, ids, strict=True)]


def _value(reference: Any) -> Any:
    """Return the id, else the name, of an object; anything else as it is."""
    if isinstance(reference, Mapping):
        return reference.get("id", reference.get("name"))
    return reference


def _id(value: Any) -> int | None:
    text = str(value) if type(value) in (int, str) else ""
    return int(text) if ID.fullmatch(text) else None
