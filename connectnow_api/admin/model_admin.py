"""The admin of a kind of token, put together."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.contrib.admin.widgets import url_params_from_lookup_dict
from django.core import checks
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, ValidationError
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _

from connectnow_api import events
from connectnow_api.exceptions import TokenConflict
from connectnow_api.settings import api_settings

from .actions import TokenActions
from .columns import TokenColumns
from .filters import KindFilter, OwnerFilter, StaleFilter, StateFilter
from .form_pages import attributed
from .forms import (
    ChangeForm,
    IssueForm,
    OwnerSelect,
    abilities_field,
    networks_field,
    parse_moment,
)
from .words import describe_conflict

OWN_FIELDS = {"abilities": abilities_field, "allowed_networks": networks_field}
"""Columns of JSON to the form fields in which people write them."""


class APITokenAdmin(TokenActions, TokenColumns):
    """Looks after one kind of token, whatever its owner is.

    A form that saves a whole row could undo a revocation made meanwhile. So there is none: each
    change goes through the method of the token that changes just that.
    """

    form = ChangeForm
    add_form = IssueForm
    change_form_template = "connectnow_api/admin/change_form.html"
    actions = ("revoke", "extend")
    list_display = ("name", "owner_link", "masked", "state_word", "last_used_at", "expiry")
    list_filter = (StateFilter, StaleFilter, OwnerFilter, KindFilter)
    list_select_related = ("owner",)
    raw_id_fields = ("owner",)
    show_full_result_count = False
    add_fieldsets: ClassVar[Any] = (
        (None, {"fields": ("owner", "name")}),
        (_("What it may do"), {"fields": ("abilities", "allowed_networks", "client", "rate")}),
        (_("How long"), {"fields": ("expires_at", "never_expires", "idle_timeout")}),
    )
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("name", "owner", "masked", "state_word")}),
        (_("What it may do"), {"fields": ("abilities_list", "networks_list", "client", "rate")}),
        (
            _("How long"),
            {"fields": ("created_at", "expires_at", "never_expires", "idle_timeout", "revoked_at")},
        ),
        (
            _("What became of it"),
            {"fields": ("last_used_at", "last_used_address", "rotated_from", "successor")},
        ),
    )

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Return Django's messages, and one of ours if rows are to be edited in the list."""
        found = super().check(**kwargs)
        if self.list_editable:
            message = "list_editable saves whole rows, which is not how API tokens are changed."
            hint = "Take it off: name and expiry are changed on the page of a token."
            found += [checks.Error(message, hint, obj=type(self), id="connectnow_api.E015")]
        return found

    # --- Forms ------------------------------------------------------------------------------------

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return the form of a new token, or that of a token that is there."""
        if obj is None:
            kwargs.setdefault("form", self.add_form)
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what is shown, without a promise that cannot be made."""
        shown = copy.deepcopy(self.fieldsets if obj else self.add_fieldsets)
        if "never_expires" not in self.get_expiry_fields(request, obj):
            for _name, options in shown:
                options["fields"] = [name for name in options["fields"] if name != "never_expires"]
        return shown

    def get_expiry_fields(self, request: HttpRequest, obj: Any) -> list[str]:
        """Return the fields in which an expiry can be set."""
        if obj and (obj.revoked_at is not None or not self.has_change_permission(request, obj)):
            return []
        limited = api_settings.max_token_lifetime is not None
        return ["expires_at"] if limited else ["expires_at", "never_expires"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return all but name and expiry; those too once they are final."""
        if obj is None:
            return []
        open_fields = {*self.get_expiry_fields(request, obj)}
        if obj.state != "revoked":
            open_fields.add("name")
        return [name for name in flatten_fieldsets(self.fieldsets) if name not in open_fields]

    def formfield_for_dbfield(
        self, db_field: models.Field[Any, Any], request: Any, **kwargs: Any
    ) -> Any:
        """Return Django's form field, or our own for a list of texts."""
        make = OWN_FIELDS.get(db_field.name)
        return make() if make else super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return what an address fills in; an expiry in it counts if it can be understood."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        if moment := parse_moment(initial.pop("expires_at", "")):
            return {"never_expires": False, **initial, "expires_at": moment}
        return initial

    # --- The owner --------------------------------------------------------------------------------

    def get_search_fields(self, request: HttpRequest) -> Any:
        """Return ``search_fields``; without them name, client, end, and what names a user."""
        if self.search_fields:
            return self.search_fields
        owner = self.model._meta.get_field("owner").related_model
        names = (getattr(owner, "USERNAME_FIELD", None), getattr(owner, "EMAIL_FIELD", "email"))
        found = [f"owner__{name}" for name in dict.fromkeys(names) if name and _has(owner, name)]
        return ["name", "client", "=tail", *found]

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        """Return the owner, if the user may look for owners in the admin of their model."""
        owner = self.model._meta.get_field("owner").related_model
        found = self.admin_site._registry.get(owner)
        can_search = (
            found is not None
            and found.get_search_fields(request)
            and found.has_view_permission(request)
        )
        return ["owner"] if can_search else []

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey[Any, Any], request: Any, **kwargs: Any
    ) -> Any:
        """Return Django's form field; where owners are looked for, with a widget that is ours."""
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", OwnerSelect(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    # --- Views ------------------------------------------------------------------------------------

    @attributed
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list, or do an action."""
        return super().changelist_view(request, extra_context)

    @attributed
    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Ask whether to delete a token; delete it."""
        return super().delete_view(request, object_id, extra_context)

    @attributed
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """Show a token, or change it; say so if another process was first."""
        if object_id is None or "_saveasnew" in request.POST:
            raise PermissionDenied
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except TokenConflict as conflict:
            self.message_user(request, describe_conflict(conflict), messages.ERROR)
        except ValidationError as exc:
            self.message_user(request, " ".join(exc.messages), messages.ERROR)
        return HttpResponseRedirect(self.get_url("change", unquote(object_id)))

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        """Return the page of a token, with links to what can still be done to it."""
        if change:
            is_open = obj.state != "revoked"
            can_rotate = obj.revoked_at is None and obj.state == "active"
            context |= {
                "can_rotate": can_rotate and self.has_rotate_permission(request, obj),
                "can_revoke": is_open and self.has_revoke_permission(request, obj),
                "show_save": is_open,
                "show_save_and_continue": is_open,
                "show_save_and_add_another": False,
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Refuse to filter by columns as the list does not offer.

        By the digest that would tell it piece by piece, and not each database bears each lookup.
        """
        column = lookup.partition(LOOKUP_SEP)[0]
        offered = [self.date_hierarchy, *self.get_list_filter(request)]
        return super().lookup_allowed(lookup, value, request) and (
            not (column == "pk" or _has(self.model, column))
            or any(_filters_by(offer, lookup) for offer in offered)
            or _limits_choices(self.model, lookup, value)
        )

    # --- Writing ----------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Change what was changed in the form, and no other column.

        The expiry goes first: its UPDATE holds the row, so the name cannot meet a conflict then.
        """
        token = copy.copy(obj)
        if "expires_at" in form.fields and form.is_expiry_changed():
            token.extend(form.cleaned_data["expires_at"])
        if "name" in form.changed_data:
            token.name = form.initial["name"]
            token.rename(form.cleaned_data["name"])

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete a token, and tell of it."""
        token = copy.copy(obj)  # Deleting takes the key away.
        super().delete_model(request, obj)
        events.emit_deleted(token)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete tokens, and tell of each."""
        rows = list(queryset)
        super().delete_queryset(request, queryset)
        for row in rows:
            events.emit_deleted(row)


def _filters_by(offer: Any, lookup: str) -> bool:
    """Tell whether an item of ``list_filter`` makes use of a lookup."""
    if hasattr(offer, "parameter_name"):
        return bool(lookup == offer.parameter_name)
    column = offer[0] if isinstance(offer, list | tuple) else offer
    return isinstance(column, str) and f"{lookup}__".startswith(f"{column}__")


def _limits_choices(model: Any, lookup: str, value: Any) -> bool:
    """Tell whether a foreign key to tokens has a lookup in its ``limit_choices_to``."""
    limits = (limit() if callable(limit) else limit for limit in model._meta.related_fkey_lookups)
    return any((lookup, value) in url_params_from_lookup_dict(limit).items() for limit in limits)


def _has(model: Any, name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True
