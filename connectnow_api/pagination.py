"""Pages in Laravel's shapes, as DRF paginators.

``LengthAwarePagination`` counts the rows, ``SimplePagination`` does not, ``Pagination`` is either,
as the profile says. Each writes the ``"resource"`` or the ``"flat"`` shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.core.paginator import Page, Paginator
from django.template import loader
from django.utils.encoding import escape_uri_path
from rest_framework.pagination import BasePagination
from rest_framework.response import Response

from .ordering import with_tie_breaker
from .profiles import Profile
from .settings import get_profile, get_value, parameters_with_tokens
from .wire import pages, schemas
from .wire.bodies import PageBody
from .wire.links import PageLinks, from_mapping, from_query, page_number

if TYPE_CHECKING:
    DjangoPage = Page[Any]
else:
    DjangoPage = Page

MAX_OFFSET = 2**63 - 1
"""The last offset that databases take: one more is an error, and surely past the end."""


class LaxPage(DjangoPage):
    """Django's page, where any number is a page: also one past the end, which is empty."""

    def next_page_number(self) -> int:
        return self.number + 1

    def previous_page_number(self) -> int:
        return self.number - 1

    def start_index(self) -> int:
        return self._before + 1 if self.object_list else 0

    def end_index(self) -> int:
        return self._before + len(self.object_list) if self.object_list else 0

    @property
    def _before(self) -> int:
        return (self.number - 1) * self.paginator.per_page


class CountedPage(LaxPage):
    """A page of a list that was counted; ``count`` is the number of rows on all pages."""

    @property
    def count(self) -> int:  # type: ignore[override]
        return self.paginator.count


class SimplePage(LaxPage):
    """A page that knows whether another follows, but not how many; ``count`` is ``None``."""

    count = None  # type: ignore[assignment]

    def __init__(self, object_list: Any, number: int, per_page: int) -> None:
        """Take ``per_page`` rows and, if there is one, the row after them."""
        self._has_next = len(object_list) > per_page
        rows = object_list[:per_page]
        super().__init__(rows, number, Paginator(rows, per_page))

    def has_next(self) -> bool:
        return self._has_next


class BasePageNumberPagination(BasePagination):
    """What the three paginators share.

    ``page_size``, ``max_page_size``, ``page_query_param``, ``page_size_query_param``, ``shape``,
    ``on_each_side`` and ``keep_query`` are profile fields; as attributes of the view, or of a
    subclass of the paginator, they override setting and profile. After ``paginate_queryset``,
    ``page`` is a Django ``Page``.
    """

    page: DjangoPage
    tie_breaker: str | bool | None = None
    """What ``ordering.with_tie_breaker`` appends; a view's attribute of this name goes first."""

    display_page_controls = False
    """Whether the browsable API shows links to other pages."""

    request: Any = None
    view: Any = None

    def get_value(self, name: str) -> Any:
        """Return a profile field: the view's attribute, this class's, the setting, the profile."""
        return get_value(name, self.request, self.view, self)

    @property
    def profile(self) -> Profile:
        """The dialect that the pages speak."""
        return get_profile(self.request, self.view)

    def is_counted(self) -> bool:
        """Return whether pages have a total."""
        raise NotImplementedError

    def paginate_queryset(
        self, queryset: Any, request: Any, view: Any = None, *, total: int | None = None
    ) -> list[Any] | None:
        """Return the rows of the page that ``request`` asks for.

        ``queryset``: a queryset, a list, or anything that can be sliced and counted. ``total``
        spares the COUNT where the caller knows the number of rows. A page past the end is empty.
        ``None``, as in DRF, where a view's ``page_size = None`` switches pages off.
        """
        self.request, self.view = request, view
        number = self.get_page_number()
        per_page = self.get_page_size(request)
        if per_page is None:
            return None
        queryset = with_tie_breaker(queryset, self._tie_breaker())
        if self.is_counted():
            self.page = self._counted_page(queryset, number, per_page, total)
        else:
            self.page = self._simple_page(queryset, number, per_page)
        self.display_page_controls = self.page.has_other_pages()
        return list(self.page.object_list)

    def _tie_breaker(self) -> str | bool | None:
        chosen: str | bool | None = getattr(self.view, "tie_breaker", self.tie_breaker)
        return chosen

    def _counted_page(
        self, queryset: Any, number: int, per_page: int, total: int | None
    ) -> CountedPage:
        paginator = Paginator(queryset, per_page)
        count = self.get_total(queryset) if total is None else total
        if count is not None:
            paginator.count = count
        start = (number - 1) * per_page
        rows = queryset[start : start + per_page] if start < paginator.count else []
        return CountedPage(list(rows), number, paginator)

    def _simple_page(self, queryset: Any, number: int, per_page: int) -> SimplePage:
        start = (number - 1) * per_page
        past_all = start + per_page >= MAX_OFFSET
        rows = [] if past_all else list(queryset[start : start + per_page + 1])
        return SimplePage(rows, number, per_page)

    def get_total(self, queryset: Any) -> int | None:
        """Return the number of rows, or ``None`` to count them; a hook for estimates and caches."""
        return None

    def get_page_number(self) -> int:
        """Return the page asked for; whatever is no page number means the first."""
        return page_number(self._parameter(self.get_value("page_query_param"))) or 1

    def get_page_size(self, request: Any) -> int | None:
        """Return the number of rows of a page: the client's, up to the maximum, or the view's."""
        self.request = request
        parameter = self.get_value("page_size_query_param")
        asked = page_number(self._parameter(parameter)) if parameter else None
        if asked is None:
            size: int | None = self.get_value("page_size")
            return size
        maximum = self.get_value("max_page_size")
        return asked if maximum is None else min(asked, maximum)

    def _parameter(self, name: str) -> str | None:
        values: list[str] = self.request.GET.getlist(name)
        return values[-1] if values else None

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page as a response."""
        return Response(self.get_body(data))

    def get_body(self, data: Any) -> PageBody:
        """Return the page around the serialized rows; override it to add members."""
        write = pages.resource_page if self.get_value("shape") == "resource" else pages.flat_page
        return write(self.get_facts(data))

    def get_facts(self, data: Any) -> pages.PageFacts:
        """Return what the page says of itself."""
        counted = self.is_counted()
        return pages.PageFacts(
            data=data,
            links=self.get_links(),
            current_page=self.page.number,
            per_page=self.page.paginator.per_page,
            has_next=self.page.has_next(),
            total=self.page.paginator.count if counted else None,
            last_page=self.page.paginator.num_pages if counted else None,
            on_each_side=self.get_value("on_each_side"),
            **{name: self.get_value(name) for name in PAGE_FIELDS},
        )

    def get_links(self) -> PageLinks:
        """Return the URLs of this list's pages: no token is ever repeated in one."""
        parameter = self.get_value("page_query_param")
        links = PageLinks(self.get_path(), parameter, self._kept_pairs())
        return links.without(parameters_with_tokens(self.request))

    def get_path(self) -> str:
        """Return scheme, host and path of the request, percent-encoded, host in lower case."""
        path = escape_uri_path(self.request.path)
        if self.get_value("trim_path"):
            path = path.rstrip("/")
        return f"{self.request.scheme}://{self.request.get_host().lower()}{path}"

    def _kept_pairs(self) -> list[tuple[str, str]]:
        keep = self.get_value("keep_query")
        if isinstance(keep, Mapping):
            return from_mapping(keep)
        if not keep:
            return []
        repeated = self.get_value("keep_repeated")
        return from_query(self.request.GET.lists(), keep_repeated=repeated)

    def get_results(self, data: Mapping[str, Any]) -> Any:
        """Return the rows of a page body: DRF's browsable forms ask for them."""
        return data["data"]

    def to_html(self) -> str:
        """Return the controls of the browsable API."""
        facts = self.get_facts([])
        context = {
            "previous_url": facts.url(facts.previous_page),
            "next_url": facts.url(facts.next_page),
        }
        return loader.render_to_string("rest_framework/pagination/previous_and_next.html", context)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the JSON Schema of a page whose ``data`` is described by ``schema``."""
        write = (
            schemas.resource_page if self.get_value("shape") == "resource" else schemas.flat_page
        )
        return write(
            schema,
            counted=self.is_counted(),
            page_in_links=self.get_value("page_in_links"),
            current_page_url=self.get_value("current_page_url"),
        )

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the OpenAPI parameters of a list."""
        self.view = view
        integer = {"type": "integer", "minimum": 1}
        size = {**integer, "maximum": self.get_value("max_page_size")}
        found = [(self.get_value("page_query_param"), integer, "The page, from 1.")]
        if self.get_value("page_size_query_param"):
            found.append((self.get_value("page_size_query_param"), size, "Rows of a page."))
        return [
            {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
            for name, schema, text in found
        ]


PAGE_FIELDS = ("previous_label", "next_label", "page_in_links", "current_page_url")


class LengthAwarePagination(BasePageNumberPagination):
    """Pages with a total and numbered links; costs one COUNT a request."""

    def is_counted(self) -> bool:
        return True


class SimplePagination(BasePageNumberPagination):
    """Pages that only know whether another follows: no COUNT, one row more is read."""

    def is_counted(self) -> bool:
        return False


class Pagination(BasePageNumberPagination):
    """Pages as the profile wants them."""

    def is_counted(self) -> bool:
        return self.profile.paginator == "length_aware"
