"""Request bodies, read strictly: bytes in, plain values out, one error for all malformed ones."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from .brackets import Brackets

MAX_DEPTH = 100

# A text that is never closed is taken to the end: else each of its quotes would begin a search.
_BRACKET_OR_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
_MARK = re.compile(rb"\xef\xbb\xbf|%ef%bb%bf", re.IGNORECASE)
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|%00|\x00|[0-9][eE]\+?[0-9]{2}|[0-9]{300}")
_UNUSABLE = re.compile("[\0\ud800-\udfff]")


class MalformedBodyError(ValueError):
    """The body is not what its media type promises."""


class TooManyFieldsError(ValueError):
    """The form has more fields than are allowed."""


def read_json(body: bytes, once: Collection[str] = ()) -> Any:
    """Return what UTF-8 JSON (RFC 8259) says; raise ``MalformedBodyError`` for anything else.

    Refused as well: a byte-order mark, ``NaN`` and ``Infinity``, more than 100 levels, and a key
    of ``once`` that stands twice in one object.
    """
    try:
        text = body.decode()
        _refuse_depth(text)
        hook = _refuser_of_repeated(once) if _may_repeat(text, once) else None
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=hook)
    except (ValueError, RecursionError):
        raise MalformedBodyError from None


def _refuse_depth(text: str) -> None:
    """Raise before anything is built; without enough brackets there is nothing to look for."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _BRACKET_OR_TEXT.finditer(text):
        first = match[0][0]
        depth += (first in "[{") - (first in "]}")
        if depth > MAX_DEPTH:
            raise MalformedBodyError


def _refuse_constant(name: str) -> None:
    raise MalformedBodyError


def _may_repeat(text: str, names: Collection[str]) -> bool:
    return any(text.count(name) > 1 for name in names) or (bool(names) and "\\u" in text)


def _refuser_of_repeated(names: Collection[str]) -> Any:
    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if any(keys.count(name) > 1 for name in names):
            raise MalformedBodyError
        return dict(pairs)

    return build


def read_form(
    body: bytes, *, once: Collection[str] = (), max_fields: int | None = None
) -> dict[str, Any]:
    """Return what an urlencoded form says, PHP's brackets as lists and mappings.

    ``tags[]=a&tags[]=b`` and ``tags[0]=a&tags[1]=b`` are the list ``["a", "b"]``, ``from[email]=x``
    is a mapping; of a name without brackets the last value stays. Raises ``TooManyFieldsError``,
    and ``MalformedBodyError`` for what is not UTF-8, is nested too deep, or repeats a name of
    ``once``.
    """
    if max_fields is not None and body.count(b"&") > max_fields:
        raise TooManyFieldsError
    fields = [field for field in body.split(b"&") if field]
    if max_fields is not None and len(fields) > max_fields:
        raise TooManyFieldsError
    if _MARK.match(body):
        raise MalformedBodyError
    brackets = Brackets()
    pairs = [(brackets.path(key), value) for key, value in map(_pair, fields)]
    names = [path[0] for path, _ in pairs]
    if any(names.count(name) > 1 for name in once):
        raise MalformedBodyError
    if any(len(path) > MAX_DEPTH for path, _ in pairs):
        raise MalformedBodyError
    root: dict[str, Any] = {}
    for path, value in pairs:
        _put(root, path, value)
    return {key: _with_lists(value) for key, value in root.items()}


def _pair(field: bytes) -> tuple[str, str]:
    key, _, value = field.replace(b"+", b" ").partition(b"=")
    try:
        return unquote_to_bytes(key).decode(), unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise MalformedBodyError from None


def _put(root: dict[str, Any], path: list[str], value: str) -> None:
    """Set a value; a text in the way gives way."""
    *steps, last = path
    node = root
    for step in steps:
        if not isinstance(node.get(step), dict):
            node[step] = {}
        node = node[step]
    node[last] = value


def _with_lists(node: Any) -> Any:
    """Turn mappings whose keys are all numbers into lists, in the order in which they came."""
    if not isinstance(node, dict):
        return node
    inner = {key: _with_lists(value) for key, value in node.items()}
    numbered = all(key.isascii() and key.isdigit() for key in inner)
    return list(inner.values()) if numbered else inner


def unusable_values(body: bytes, data: Any) -> list[str]:
    """Return the dotted places of values that databases and encoders cannot hold.

    Those are texts with a NUL or a lone surrogate, and numbers beyond floats. ``body`` is what
    ``data`` was read from: most bodies hold nothing like it, and are not looked through again.
    """
    if not _SUSPECT.search(body):
        return []
    return list(dict.fromkeys(_places(data, ())))


def _places(data: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            here = (*path, _UNUSABLE.sub(_escaped, key))
            if _UNUSABLE.search(key):
                yield ".".join(here)
            yield from _places(value, here)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _places(value, (*path, str(index)))
    elif _is_unusable(data):
        yield ".".join(path)


def _is_unusable(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, str) and _UNUSABLE.search(value) is not None


def _escaped(match: re.Match[str]) -> str:
    """Return a character that cannot be written as JSON's escape, to show it in a name."""
    return f"\\u{ord(match[0]):04x}"
