"""What lists of the help desk can be narrowed down by."""

import re
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from .models import Message


class MessageFilter(BaseFilterBackend):
    """Applies ``types[]``, which replace the usual ones, and ``additional-types[]``."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Message], view: Any
    ) -> QuerySet[Message]:
        """Return the messages of the types asked for; a single one is found whatever its type."""
        if view.detail:
            return queryset
        types = _types(request, "types") or Message.USUAL_TYPES
        return queryset.filter(type__in=[*types, *_types(request, "additional-types")])


def _types(request: Request, name: str) -> list[str]:
    types = get_array(request.query_params, name)
    errors = {
        f"{name}.{position}": ["This is no type of message."]
        for position, type_ in enumerate(types)
        if type_ not in Message.Type.values
    }
    if errors:
        raise ValidationError(errors)
    return types


def get_array(parameters: QueryDict, name: str) -> list[str]:
    """Return all values of ``name[]``, ``name[0]`` and so on, and of a plain ``name``."""
    spelling = re.compile(rf"{re.escape(name)}(\[[0-9]*\])?")
    return [
        value
        for key, values in parameters.lists()
        if spelling.fullmatch(key)
        for value in values
        if value
    ]
