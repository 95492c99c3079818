"""One view of an existing site in our dialect, while all others stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from rest_framework import fields
from rest_framework.negotiation import BaseContentNegotiation

from .handlers import exception_handler
from .negotiation import JSONContentNegotiation
from .pagination import Pagination
from .parsers import StrictFormParser, StrictJSONParser
from .renderers import EnvelopeJSONRenderer


class APIViewMixin:
    """Gives a DRF view the bodies, pages, envelope, dates and errors of a profile.

    Put it first among the bases; set ``profile`` to a name, a ``Profile``, or leave it to
    ``PREFIXES``. Authentication and permissions stay the view's own.
    """

    content_negotiation_class: type[BaseContentNegotiation] = JSONContentNegotiation
    pagination_class: ClassVar[Any] = Pagination
    parser_classes: ClassVar[Any] = (StrictJSONParser, StrictFormParser)
    renderer_classes: ClassVar[Any] = (EnvelopeJSONRenderer,)

    def get_exception_handler(self) -> Callable[..., Any]:
        """Return our handler in place of the site's."""
        return exception_handler

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Return the view's serializer with dates left to the renderer.

        The site's ``DATETIME_FORMAT`` would make texts of them before the renderer sees them. A
        field with a ``format`` of its own keeps it.
        """
        serializer = super().get_serializer(*args, **kwargs)  # type: ignore[misc]
        for field in _datetime_fields(serializer):
            if not hasattr(field, "format"):
                field.format = None
        return serializer


def _datetime_fields(field: Any) -> Iterator[fields.DateTimeField]:
    """Yield the datetime fields among a serializer's fields, however deep they are nested."""
    if isinstance(field, fields.DateTimeField):
        yield field
    children = [field.child] if hasattr(field, "child") else getattr(field, "fields", {}).values()
    for child in children:
        yield from _datetime_fields(child)
