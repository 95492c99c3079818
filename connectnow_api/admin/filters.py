"""The filters beside the list of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib.admin import ListFilter, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from connectnow_api import last_used
from connectnow_api.base_models import AbstractAPIToken


class ChoiceFilter(SimpleListFilter):
    """A filter that refuses what it does not offer.

    To ignore it would show more than was asked for, to whoever is about to revoke what is shown.
    """

    def value(self) -> Any:
        """Return what was chosen; raise ``IncorrectLookupParameters`` for what is not offered."""
        value = super().value()
        if value is not None and value not in {str(key) for key, _text in self.lookup_choices}:
            raise IncorrectLookupParameters(value)
        return value


class StateFilter(ChoiceFilter):
    """What has become of the tokens."""

    title = pgettext_lazy("API token", "state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the states."""
        return [
            ("active", pgettext_lazy("API token", "Active")),
            ("grace", _("Rotated, in their grace")),
            ("expired", _("Expired, or unused for too long")),
            ("revoked", pgettext_lazy("API token", "Revoked")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the tokens in the chosen state."""
        match self.value():
            case None:
                return queryset
            case "grace":
                return queryset.active().filter(revoked_at__gt=timezone.now())
            case state:
                return getattr(queryset, state)()


class StaleFilter(ChoiceFilter):
    """Which tokens nobody has used for long."""

    title = _("last use")
    parameter_name = "stale"
    days: ClassVar[tuple[int, ...]] = (30, 90, 365)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the numbers of days."""
        return [(str(days), self.describe(days)) for days in self.days]

    def describe(self, days: int) -> str:
        """Return the text of a choice."""
        text = ngettext("Not used for %(days)d day", "Not used for %(days)d days", days)
        return text % {"days": days}

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the tokens that were not used in the chosen number of days."""
        days = self.value()
        if days is None:
            return queryset
        last_used.catch_up()
        return queryset.stale(int(days))


class OwnerFilter(ChoiceFilter):
    """Whose tokens are shown: one owner's, who is chosen by a link in the list.

    There may be a million owners, so none but that one is listed; by name if there is a token to
    see, since whoever sees tokens need not see who else is here.
    """

    title = pgettext_lazy("API token", "owner")
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the chosen owner, if there is one."""
        key = self.used_parameters.get(self.parameter_name)
        if key is None:
            return []
        rows = model_admin.get_queryset(request).select_related("owner")
        try:
            model_admin.model._meta.get_field("owner").related_model._meta.pk.clean(key, None)
            token = rows.filter(owner__pk=key).first()
        except (ValidationError, ValueError):
            raise IncorrectLookupParameters(key) from None
        return [(key, str(token.owner) if token else key)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the tokens of the chosen owner."""
        key = self.value()
        return queryset if key is None else queryset.filter(owner__pk=key)


class KindFilter(ListFilter):
    """Links to the other kinds of token, which keep what was asked of state and last use."""

    title = pgettext_lazy("API token", "kind")
    kept: ClassVar[tuple[str, ...]] = (StateFilter.parameter_name, StaleFilter.parameter_name)

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        site = model_admin.admin_site
        self.kinds = [
            kind
            for kind, kind_admin in site._registry.items()
            if issubclass(kind, AbstractAPIToken) and kind_admin.has_view_permission(request)
        ]
        self.site_name = site.name

    def has_output(self) -> bool:
        """Tell whether there is another kind."""
        return len(self.kinds) > 1

    def expected_parameters(self) -> list[str | None]:
        """Return none: the address of the list says the kind."""
        return []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return all: the list has one kind."""
        return queryset

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """Return a link for each kind."""
        query = QueryDict(mutable=True)
        query.update({key: self.request.GET[key] for key in self.kept if key in self.request.GET})
        for kind in self.kinds:
            opts = kind._meta
            name = f"admin:{opts.app_label}_{opts.model_name}_changelist"
            yield {
                "selected": kind is changelist.model,
                "query_string": f"{reverse(name, current_app=self.site_name)}?{query.urlencode()}",
                "display": capfirst(opts.verbose_name_plural),
            }
