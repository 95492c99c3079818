"""The marked bodies: what a page and an error are, so that nobody has to guess from the keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class PageBody(dict[str, Any]):
    """A whole page. The mark dies in ``{**body}``; from then on the keys decide."""


class ErrorBody(dict[str, Any]):
    """A whole error: ``message``, and ``errors`` where fields are to blame."""


def error(message: str, errors: Mapping[str, list[str]] | None = None) -> ErrorBody:
    """Return ``{"message"}``, with ``errors`` (field to its texts) for a failed validation."""
    body = ErrorBody(message=message)
    if errors is not None:
        body["errors"] = dict(errors)
    return body


def resource(data: Any, wrap: str) -> dict[str, Any]:
    """Return ``data`` under the key ``wrap``."""
    return {wrap: data}
