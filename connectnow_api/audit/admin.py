"""The audit table in the admin: to read, and to delete from with the permission."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import pgettext_lazy

from connectnow_api.signals import TOKEN_SIGNALS

from .models import TokenAuditEntry


class ActionFilter(admin.SimpleListFilter):
    """By what happened; the table is not asked which actions it holds."""

    title = pgettext_lazy("API token", "action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return all actions there are."""
        return [(action, action) for action in TOKEN_SIGNALS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the entries of the action that was chosen, if one was."""
        action = self.value()
        return queryset if action is None else queryset.filter(action=action)


class TokenAuditEntryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Lists entries, the newest first. Nobody adds or changes one."""

    date_hierarchy = "created_at"
    list_display = (
        "created_at",
        "action",
        "reason",
        "kind",
        "token_id",
        "name",
        "fingerprint",
        "placement",
        "address",
        "actor",
        "request_id",
    )
    list_filter = (ActionFilter, "kind")
    ordering = ("-pk",)
    search_fields = (
        "=fingerprint",
        "=token_id",
        "=owner",
        "=actor",
        "=address",
        "=request_id",
        "name",
        "reason",
    )
    # Counting all rows of a large table takes longer than showing some.
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: entries are written by what happens."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: what happened does not change."""
        return False


admin.site.register(TokenAuditEntry, TokenAuditEntryAdmin)
