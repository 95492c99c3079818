"""The page bodies, with Laravel's keys in Laravel's order (8 to 12)."""

from __future__ import annotations

import dataclasses
from typing import Any

from .bodies import PageBody
from .links import PageLinks
from .windows import window


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageFacts:
    """What a page says of itself. ``total`` and ``last_page`` are ``None`` on a simple page."""

    data: list[Any]
    links: PageLinks
    current_page: int
    per_page: int
    has_next: bool
    total: int | None
    last_page: int | None
    previous_label: str
    next_label: str
    on_each_side: int
    page_in_links: bool
    current_page_url: bool

    @property
    def first_item(self) -> int | None:
        """The place of the page's first item in the whole list, from 1; ``None`` if it is empty."""
        return (self.current_page - 1) * self.per_page + 1 if self.data else None

    @property
    def last_item(self) -> int | None:
        """The place of the page's last item in the whole list; ``None`` if it is empty."""
        first = self.first_item
        return None if first is None else first + len(self.data) - 1

    @property
    def previous_page(self) -> int | None:
        """The page before; past the end it may be empty itself, as Laravel's."""
        return self.current_page - 1 if self.current_page > 1 else None

    @property
    def next_page(self) -> int | None:
        """The page after, if there is one."""
        return self.current_page + 1 if self.has_next else None

    def url(self, page: int | None) -> str | None:
        """Return the URL of ``page``, ``None`` for ``None``."""
        return None if page is None else self.links.url(page)


def resource_page(facts: PageFacts) -> PageBody:
    """Return ``{"data", "links", "meta"}``; on a simple page ``links.last`` is ``None``."""
    return PageBody(
        data=facts.data,
        links={
            "first": facts.url(1),
            "last": facts.url(facts.last_page),
            "prev": facts.url(facts.previous_page),
            "next": facts.url(facts.next_page),
        },
        meta=_meta(facts),
    )


def _meta(facts: PageFacts) -> dict[str, Any]:
    return {
        "current_page": facts.current_page,
        **_current_page_url(facts),
        "from": facts.first_item,
        **_numbers(facts),
        "path": facts.links.path,
        "per_page": facts.per_page,
        "to": facts.last_item,
        **_total(facts),
    }


def flat_page(facts: PageFacts) -> PageBody:
    """Return a page with everything at the top level; with totals unless the page is simple."""
    return PageBody(
        {
            "current_page": facts.current_page,
            **_current_page_url(facts),
            "data": facts.data,
            "first_page_url": facts.url(1),
            "from": facts.first_item,
            **_numbers(facts, last_page_url=facts.url(facts.last_page)),
            "next_page_url": facts.url(facts.next_page),
            "path": facts.links.path,
            "per_page": facts.per_page,
            "prev_page_url": facts.url(facts.previous_page),
            "to": facts.last_item,
            **_total(facts),
        }
    )


def _current_page_url(facts: PageFacts) -> dict[str, str]:
    """Return the member that only simple pages have, and only in later versions."""
    if facts.last_page is not None or not facts.current_page_url:
        return {}
    return {"current_page_url": facts.links.url(facts.current_page)}


def _numbers(facts: PageFacts, **urls: str | None) -> dict[str, Any]:
    """Return the last page, its URL where one is wanted, and the links; none on a simple page."""
    if facts.last_page is None:
        return {}
    return {"last_page": facts.last_page, **urls, "links": page_links(facts, facts.last_page)}


def _total(facts: PageFacts) -> dict[str, int | None]:
    return {} if facts.last_page is None else {"total": facts.total}


def page_links(facts: PageFacts, last_page: int) -> list[dict[str, Any]]:
    """Return the entries of ``meta.links``: previous, page numbers with dots, next."""
    numbers = window(facts.current_page, last_page, facts.on_each_side)
    return [
        _entry(facts, facts.previous_page, facts.previous_label),
        *(_dots() if n is None else _number(facts, n) for n in numbers),
        _entry(facts, facts.next_page, facts.next_label),
    ]


def _number(facts: PageFacts, page: int) -> dict[str, Any]:
    return _entry(facts, page, str(page), active=page == facts.current_page)


def _entry(
    facts: PageFacts, page: int | None, label: str, *, active: bool = False
) -> dict[str, Any]:
    number = {"page": page} if facts.page_in_links else {}
    return {"url": facts.url(page), "label": label, **number, "active": active}


def _dots() -> dict[str, Any]:
    return {"url": None, "label": "...", "active": False}
