"""The DRF views of a project, as its URLconf has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.conf import settings as django_settings
from django.urls import URLPattern, URLResolver, get_resolver

from .authentication import BaseAPITokenAuthentication

CLASSES = (
    "authentication_classes",
    "parser_classes",
    "permission_classes",
    "renderer_classes",
    "throttle_classes",
)
SINGLE_CLASSES = ("content_negotiation_class", "pagination_class")
NAMES = ("basename", "description", "detail", "name", "suffix")
"""What routers tell ``as_view`` of a viewset, and no check asks for."""


class MountedView:
    """A view class as routes have it: what ``as_view`` was given goes before its attributes.

    Values that only a request decides, such as properties, are as good as none.
    """

    def __init__(self, view: type, options: Mapping[str, Any]) -> None:
        """Take the class and the arguments of ``as_view``."""
        self.view, self.options = view, options
        self.paths: list[str] = []

    @property
    def label(self) -> str:
        """The dotted name of the class."""
        return f"{self.view.__module__}.{self.view.__name__}"

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, ``default`` if there is none or it is decided later."""
        value = self.options.get(name, getattr(self.view, name, default))
        is_decided = isinstance(value, type) or not hasattr(value, "__get__")
        return value if is_decided else default

    def classes(self, name: str) -> list[Any]:
        """Return a list of classes, such as ``throttle_classes``; ``[]`` if it is none."""
        found = self.get(name)
        return [*found] if isinstance(found, list | tuple) else []

    @property
    def token_authenticators(self) -> list[type[BaseAPITokenAuthentication]]:
        """Those of the authenticators that read our tokens."""
        found = self.classes("authentication_classes")
        return [cls for cls in found if is_subclass(cls, BaseAPITokenAuthentication)]

    @property
    def has_ours(self) -> bool:
        """Whether one of the classes that do the view's work is ours."""
        found = [cls for name in CLASSES for cls in self.classes(name)]
        found += [self.get(name) for name in SINGLE_CLASSES]
        bases = [base for cls in found for base in getattr(cls, "__mro__", ())]
        return any(base.__module__.startswith("connectnow_api.") for base in bases)


def is_subclass(found: Any, base: Any) -> bool:
    """Tell whether something is a class, and one of these."""
    return isinstance(found, type) and issubclass(found, base)


def mounted_views() -> list[MountedView]:
    """Return the views of the URLconf, each once for each way in which it is mounted."""
    if not getattr(django_settings, "ROOT_URLCONF", None):
        return []
    found: dict[tuple[type, str], MountedView] = {}
    for path, callback in _callbacks(get_resolver().url_patterns):
        given = getattr(callback, "initkwargs", {})
        options = {name: value for name, value in given.items() if name not in NAMES}
        key = (callback.cls, repr(sorted(options.items())))
        found.setdefault(key, MountedView(callback.cls, options)).paths.append(path)
    return [*found.values()]


def _callbacks(patterns: Iterable[Any], path: str = "/") -> Iterator[tuple[str, Any]]:
    """Yield each DRF view of a URLconf with its path, as the URLconf spells it."""
    for pattern in patterns:
        here = path + str(pattern.pattern).lstrip("^")
        if isinstance(pattern, URLResolver):
            yield from _callbacks(pattern.url_patterns, here)
        elif isinstance(pattern, URLPattern):
            view = getattr(pattern.callback, "cls", None)
            # DRF's own views, such as a router's root, are not the project's to change.
            if view is not None and not view.__module__.startswith("rest_framework."):
                yield here, pattern.callback
