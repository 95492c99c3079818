"""Every difference between the dialects, one field each.

Nothing here imports Django, so a project's ``settings.py`` may import from this module. Code asks
a field, never ``Profile.name``: a profile of your own, such as
``dataclasses.replace(HELPSPACE, page_size=20)``, works wherever a built-in one does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

PaginatorKind = Literal["length_aware", "simple"]
Shape = Literal["resource", "flat"]

MESSAGES: Mapping[int, str] = MappingProxyType(
    {
        400: "Bad request.",
        401: "Unauthenticated.",
        403: "This action is unauthorized.",
        404: "Not found.",
        405: "Method not allowed.",
        406: "Not acceptable.",
        413: "The request is too large.",
        415: "Unsupported media type.",
        422: "The given data was invalid.",
        429: "Too Many Attempts.",
        500: "Server Error",
        503: "Service unavailable.",
    }
)
"""The neutral text of each error status: Laravel's where it has one, else HTTP's."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile:
    """One dialect.

    Each field but ``name`` can be overridden for a whole site by the upper-case key of the same
    name in ``CONNECTNOW_API``, and most of them on a view by an attribute of the same name.
    """

    name: str

    paginator: PaginatorKind
    """``"length_aware"`` counts the rows; ``"simple"`` reads one row more than a page holds."""
    shape: Shape
    """``"resource"``: ``data``, ``links``, ``meta``; ``"flat"``: everything at the top level."""
    page_size: int = 15
    max_page_size: int = 100
    """The most rows that a client may ask for; it does not bound ``page_size`` itself."""
    page_query_param: str = "page"
    page_size_query_param: str | None = "per_page"
    """``None``: clients cannot choose the page size."""
    on_each_side: int = 3
    """How many page numbers ``meta.links`` shows on each side of the current page."""
    keep_query: bool | Mapping[str, Any] = False
    """``True``: page links keep the request's other parameters; a mapping: they append this one."""
    keep_repeated: bool = False
    """``True``: links keep ``?tag=a&tag=b`` whole; ``False``: the last one, as PHP reads it."""
    previous_label: str = "&laquo; Previous"
    next_label: str = "Next &raquo;"
    page_in_links: bool = False
    """``True``: entries of ``meta.links`` have a ``page`` member (Laravel 12.23 and later)."""
    current_page_url: bool = False
    """``True``: simple pages have a ``current_page_url`` member (Laravel 12.15 and later)."""
    trim_path: bool = False
    """``True``: links drop the path's trailing slash, as Laravel's do."""

    wrap: str | None = "data"
    """The key around single objects; ``None``: they stay bare."""
    datetime_format: str = "zulu"
    """``"zulu"``: UTC, six digits, ``Z``; ``"offset"``: whole seconds, ``+00:00``; or strftime."""

    placements: tuple[str, ...] = ("header",)
    """Where a token may be sent: ``"header"``, ``"query"``, ``"payload"``."""
    required_headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Header name to the attribute of the token that it must equal, as in
    ``{"Hs-Client-Id": "client"}``."""
    strict_accept: bool = False
    """``True``: 406 unless ``Accept`` admits ``application/json``."""

    empty_body: Literal["accept", "refuse"] = "accept"
    """``"refuse"``: POST, PUT and PATCH need a body with something in it; ``"accept"``: an empty
    one is an empty object, as in Laravel."""
    malformed_status: int = 422
    malformed_message: str = "The request body is malformed."
    """The answer to a body that cannot be read, is no object, or is refused as empty."""
    delete_status: Literal[200, 204] = 200
    """``200``: a deletion without a body of its own answers ``{}``; ``204``: it stays empty."""

    reshape_manual_errors: bool = True
    """``True``: errors that a view writes by hand, ``Response(..., status=400)``, are put into our
    form as well."""
    error_codes: bool = False
    """``True``: a 422 has a third member, ``codes``, with DRF's code of each text."""
    summarise_errors: bool = False
    """``True``: a 422's ``message`` is its first text and how many more there are (Laravel 9)."""
    messages: Mapping[int, str] = dataclasses.field(default_factory=lambda: MESSAGES)
    """Status to the ``message`` of errors that bring no text of their own."""


CONNECTNOW = Profile(
    name="connectnow",
    paginator="simple",
    shape="flat",
    max_page_size=249,
    keep_query=True,
    keep_repeated=True,
    previous_label="« Previous",
    next_label="Next »",
    wrap=None,
    placements=("header", "query", "payload"),
)
"""ConnectNow's documents: flat pages without a total, bare objects."""

HELPSPACE = Profile(
    name="helpspace",
    paginator="length_aware",
    shape="resource",
    page_size=50,
    max_page_size=50,
    page_size_query_param="per-page",
    keep_query=True,
    keep_repeated=True,
    previous_label="« Previous",
    next_label="Next »",
    datetime_format="offset",
    placements=("header", "query", "payload"),
    empty_body="refuse",
    malformed_status=400,
    malformed_message="Empty request, check your JSON syntax.",
    messages=MappingProxyType({**MESSAGES, 404: "Object not found"}),
)
"""HelpSpace's documents: pages with ``data``, ``links``, ``meta``; objects under ``data``."""

LARAVEL_8 = Profile(
    name="laravel-8",
    paginator="length_aware",
    shape="resource",
    trim_path=True,
)
"""What a stock Laravel 8 application puts on the wire."""

LARAVEL_12 = dataclasses.replace(
    LARAVEL_8,
    name="laravel-12",
    page_in_links=True,
    current_page_url=True,
    summarise_errors=True,
)
"""What a stock Laravel 12 application puts on the wire."""

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {profile.name: profile for profile in (CONNECTNOW, HELPSPACE, LARAVEL_8, LARAVEL_12)}
)
DEFAULT = HELPSPACE


def rest_framework() -> dict[str, Any]:
    """Return the ``REST_FRAMEWORK`` entries that make every view of a project speak its profile.

    Spread it and override what you want to keep: ``REST_FRAMEWORK = {**rest_framework(), ...}``.
    What each class does is asked of the profile at request time, so the entries are the same for
    all of them. ``DATETIME_FORMAT`` is ``None`` because the renderer writes the dates.
    """
    return {
        "DEFAULT_AUTHENTICATION_CLASSES": ["connectnow_api.authentication.APITokenAuthentication"],
        "DEFAULT_CONTENT_NEGOTIATION_CLASS": "connectnow_api.negotiation.JSONContentNegotiation",
        "DEFAULT_PAGINATION_CLASS": "connectnow_api.pagination.Pagination",
        "DEFAULT_PARSER_CLASSES": [
            "connectnow_api.parsers.StrictJSONParser",
            "connectnow_api.parsers.StrictFormParser",
        ],
        "DEFAULT_RENDERER_CLASSES": ["connectnow_api.renderers.EnvelopeJSONRenderer"],
        "EXCEPTION_HANDLER": "connectnow_api.handlers.exception_handler",
        "DATETIME_FORMAT": None,
        "URL_FORMAT_OVERRIDE": None,
    }
