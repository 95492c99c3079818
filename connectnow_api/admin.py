"""Tokens in the admin: to look at and to revoke. Nothing here shows a secret or a digest."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from .base_models import AbstractAPIToken
from .models import APIToken


class APITokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Lists tokens and revokes them; usable for every kind.

    A form that saves a whole row could undo a revocation made meanwhile, so there is none.
    """

    actions = ("revoke",)
    list_display = ("name", "owner", "masked", "client", "usable", "created_at", "expires_at")
    list_filter = ("revoked_at", "expires_at")
    list_select_related = ("owner",)
    search_fields = ("name", "client")
    fields = (
        "name",
        "owner",
        "masked",
        "client",
        "abilities",
        "usable",
        "created_at",
        "expires_at",
        "last_used_at",
        "last_used_address",
        "revoked_at",
    )

    @admin.display(description=_("API token"))
    def masked(self, token: AbstractAPIToken) -> str:
        """Return the token's first and last characters."""
        return token.masked

    @admin.display(boolean=True)
    def usable(self, token: AbstractAPIToken) -> bool:
        """Return whether the token opens anything now."""
        return token.is_usable

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: a token's plain text has no place in a form that is shown again."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow no editing of a token; the action below asks for the change permission itself."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may revoke: Django's change permission."""
        return super().has_change_permission(request)

    @admin.action(description=_("Revoke the selected API tokens"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Revoke what is selected and say how many tokens that were."""
        count = queryset.revoke()  # type: ignore[attr-defined]
        text = ngettext(
            "%(count)d API token was revoked.", "%(count)d API tokens were revoked.", count
        )
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


admin.site.register(APIToken, APITokenAdmin)
