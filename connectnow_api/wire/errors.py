"""From a framework's nested error detail to dotted field names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Errors = dict[str, list[str]]


def flatten(
    detail: Any, root: str = "non_field_errors", leaf: Callable[[Any], str] = str
) -> Errors:
    """Return ``{"items.0.name": ["text", ...]}`` for any nesting of mappings, lists and texts.

    Lists of errors come padded with empty mappings (DRF before 3.18) or as a mapping keyed by
    index (since 3.18); both give the index as a part of the name, counted from 0. Texts that
    belong to no field come under ``root``. Fields without a text are left out, and fields keep
    the order in which they came. ``leaf`` says what is told of a text: itself, unless given.
    """
    errors: Errors = {}
    for path, text in _leaves(detail, ()):
        errors.setdefault(".".join(path) or root, []).append(leaf(text))
    return errors


def _leaves(detail: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(detail, list | tuple):
        for index, value in enumerate(detail):
            nested = isinstance(value, Mapping | list | tuple)
            yield from _leaves(value, (*path, str(index)) if nested else path)
    else:
        yield path, detail


def texts(errors: Errors) -> list[str]:
    """Return all texts of all fields in their order."""
    return [text for field in errors.values() for text in field]
