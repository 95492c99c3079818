"""What the example project answers below ``/api/``, as its URLconf says.

Only for a process in which the project is set up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

PREFIX = "api/"


class Route(NamedTuple):
    """One path, with ``{name}`` for each number in it, and its methods."""

    template: str
    methods: list[str]


def get_routes() -> list[Route]:
    """Return all routes of both APIs, without the ``HEAD`` and ``OPTIONS`` that all of them have.

    A path that stands in the URLconf twice is one route: the router lists an extra action apart
    for each method.
    """
    found: dict[str, list[str]] = {}
    for path, pattern in _walk(get_resolver().url_patterns, ""):
        if path.startswith(PREFIX):
            template = "/" + re.sub("<int:([a-z_]+)>", r"{\1}", path)
            assert "<" not in template, f"{template} has a converter that no test knows"
            found.setdefault(template, []).extend(_methods(pattern.callback))
    return [Route(template, methods) for template, methods in found.items()]


def _walk(patterns: list[Any], start: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        path = start + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        else:
            yield path, pattern


def _methods(callback: Any) -> list[str]:
    view = getattr(callback, "cls", None) or callback.view_class
    actions = getattr(callback, "actions", None)
    names = actions or [name for name in view.http_method_names if hasattr(view, name)]
    implied = {"head", "options"}
    return sorted(n.upper() for n in names if n in view.http_method_names and n not in implied)
