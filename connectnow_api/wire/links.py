"""Page URLs, spelt as PHP spells them (``http_build_query`` with RFC 3986 escapes)."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from .brackets import Brackets

Pairs = list[tuple[str, str]]

_PAGE_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


def page_number(text: str | None) -> int | None:
    """Return the positive integer that ``text`` spells in at most 18 ASCII digits, else ``None``.

    Nothing is trimmed and a leading zero is refused, so that there is one spelling of each page.
    """
    return int(text) if text is not None and _PAGE_NUMBER.fullmatch(text) else None


def base_name(key: str) -> str:
    """Return the name before PHP's brackets: ``"tags"`` of ``"tags[0]"``."""
    head, _, _ = key.partition("[")
    return head or key


def plain_name(key: str) -> str:
    """Return what somebody meant who wrote ``" API_token\\0[]"``."""
    return "".join(filter(str.isprintable, base_name(key))).strip().lower()


def from_query(lists: Iterable[tuple[str, list[str]]], *, keep_repeated: bool) -> Pairs:
    """Return the pairs of a parsed query in PHP's order and spelling.

    ``lists`` holds each key with its values, as ``QueryDict.lists()`` gives them. ``tags[]`` takes
    the next free index; the keys of one array stand together; empty values go. Of a name that is
    repeated the last value stays, and an array and a text of one name replace each other; with
    ``keep_repeated`` all of them stay.
    """
    groups: dict[str, Pairs] = {}
    brackets = Brackets()
    for key, values in lists:
        name = base_name(key)
        group = groups.setdefault(name, [])
        if not keep_repeated:
            group[:] = [pair for pair in group if (pair[0] == name) == (key == name)]
        kept = values if keep_repeated or "[]" in key else values[-1:]
        group.extend([(_bracketed(brackets.path(key)), value) for value in kept])
    return [pair for group in groups.values() for pair in group if pair[1] != ""]


def _bracketed(path: list[str]) -> str:
    return path[0] + "".join(f"[{step}]" for step in path[1:])


def from_mapping(values: Mapping[str, Any]) -> Pairs:
    """Return the pairs of a (nested) mapping; ``None`` and empty values are left out.

    Lists are numbered, keys of mappings bracketed, ``True`` and ``False`` written as 1 and 0.
    """
    return list(_flatten(values))


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{prefix}[{key}]" if prefix else str(key)
        if isinstance(value, Mapping):
            yield from _flatten(value, name)
        elif isinstance(value, list | tuple):
            yield from _flatten({str(i): item for i, item in enumerate(value)}, name)
        elif value is not None and value != "":
            yield name, _as_text(value)


def _as_text(value: Any) -> str:
    """Return a value as PHP writes it: no zero fraction, a capital E, 1 and 0 for booleans."""
    if isinstance(value, bool):
        return str(int(value))
    if not isinstance(value, float):
        return str(value)
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa.removesuffix(".0")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent):+d}"


@dataclasses.dataclass(frozen=True)
class PageLinks:
    """The URLs of one list's pages: ``path``, the parameters kept, then the page parameter."""

    path: str
    """Scheme, host and path, percent-encoded, without a query."""
    parameter: str = "page"
    pairs: Pairs = dataclasses.field(default_factory=list)

    def without(self, names: Iterable[str]) -> PageLinks:
        """Return the same links without the parameters of these names.

        However they are spelt: in any letter case, with brackets, blanks or control characters. A
        slip of whoever sent a secret is no reason to repeat it.
        """
        unwanted = {plain_name(name) for name in names}
        pairs = [pair for pair in self.pairs if plain_name(pair[0]) not in unwanted]
        return dataclasses.replace(self, pairs=pairs)

    def _is_kept(self, key: str) -> bool:
        """Tell whether a parameter is another than that of the page, which stands at the end."""
        return self.parameter not in (key, base_name(key))

    def url(self, page: int) -> str:
        """Return the URL of page ``page``."""
        return f"{self._stem}{page}"

    @functools.cached_property
    def _stem(self) -> str:
        kept = "".join(
            f"{quote(key, safe='')}={quote(value, safe='')}&"
            for key, value in self.pairs
            if self._is_kept(key)
        )
        return f"{self.path}?{kept}{quote(self.parameter, safe='')}="
