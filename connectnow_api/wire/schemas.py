"""The schema of each page body in OpenAPI 3.0's words, beside the body that it describes."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

INTEGER: Schema = {"type": "integer"}
NULLABLE_INTEGER: Schema = {"type": "integer", "nullable": True}
URL: Schema = {"type": "string", "format": "uri"}
NULLABLE_URL: Schema = {"type": "string", "format": "uri", "nullable": True}


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def page_links(*, page_in_links: bool) -> Schema:
    """Return the schema of ``meta.links``; the dots have no ``page`` member."""
    entry = _object(
        {"url": NULLABLE_URL, "label": {"type": "string"}, "active": {"type": "boolean"}}
    )
    if page_in_links:
        entry["properties"]["page"] = NULLABLE_INTEGER
    return {"type": "array", "items": entry}


def resource_page(
    items: Schema, *, counted: bool, page_in_links: bool = False, current_page_url: bool = False
) -> Schema:
    """Return the schema of ``pages.resource_page``; ``counted``: of a page with a total."""
    links = {
        "first": URL,
        "last": URL if counted else NULLABLE_URL,
        "prev": NULLABLE_URL,
        "next": NULLABLE_URL,
    }
    meta = {"current_page": INTEGER, "from": NULLABLE_INTEGER, "path": URL}
    meta |= {"per_page": INTEGER, "to": NULLABLE_INTEGER}
    meta |= _totals(page_in_links) if counted else _current_page_url(current_page_url)
    return _object({"data": items, "links": _object(links), "meta": _object(meta)})


def flat_page(
    items: Schema, *, counted: bool, page_in_links: bool = False, current_page_url: bool = False
) -> Schema:
    """Return the schema of ``pages.flat_page``; ``counted``: of a page with a total."""
    members = {
        "current_page": INTEGER,
        "data": items,
        "first_page_url": URL,
        "from": NULLABLE_INTEGER,
        "next_page_url": NULLABLE_URL,
        "path": URL,
        "per_page": INTEGER,
        "prev_page_url": NULLABLE_URL,
        "to": NULLABLE_INTEGER,
    }
    if counted:
        members |= {"last_page_url": URL, **_totals(page_in_links)}
    else:
        members |= _current_page_url(current_page_url)
    return _object(members)


def _totals(page_in_links: bool) -> dict[str, Schema]:
    links = page_links(page_in_links=page_in_links)
    return {"last_page": INTEGER, "links": links, "total": INTEGER}


def _current_page_url(present: bool) -> dict[str, Schema]:
    return {"current_page_url": URL} if present else {}
