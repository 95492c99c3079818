"""Serializer fields that both applications use."""

import re
from datetime import date
from typing import Any

from rest_framework import serializers

from connectnow_api.fields import RelatedIdsField


class Choice(serializers.ChoiceField):
    """One of few values, spelt exactly so; a wrong one is not repeated in the answer."""

    default_error_messages = {"invalid_choice": "The chosen value is not one of those allowed."}


class Day(serializers.DateField):
    """A day such as ``2021-04-26``."""

    default_error_messages = {"invalid": "This is not a valid date."}

    def to_internal_value(self, value: Any) -> date:
        """Return the day; ``strptime`` alone would take other digits, and fewer of them."""
        if not isinstance(value, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            self.fail("invalid")
        return super().to_internal_value(value)


class NullAsBlank:
    """Makes a text field optional, with ``null`` for the empty text as many clients send it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "allow_blank": True, **kwargs})

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Validate a text."""
        return super().run_validation("" if data is None else data)


class OptionalText(NullAsBlank, serializers.CharField):
    """Any text, or none."""


class OptionalURL(NullAsBlank, serializers.URLField):
    """An address on the web, or none."""


class OptionalSlug(NullAsBlank, serializers.SlugField):
    """A slug, or none."""


class RelatedIdField(RelatedIdsField):
    """The id of one row that exists."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the row that an id names."""
        try:
            return super().to_internal_value([data])[0]
        except serializers.ValidationError as error:
            raise serializers.ValidationError(error.detail[0]) from None

    def get_attribute(self, instance: Any) -> Any:
        """Return the id, for which the row itself need not be fetched."""
        return instance.serializable_value(self.source)

    def to_representation(self, value: int) -> int:
        """Return the id."""
        return value
