"""Pages with forms that are not Django's own, and who is named by what is done on a page."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from django import forms
from django.contrib import admin
from django.contrib.admin import helpers
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from connectnow_api import events

AdminT = TypeVar("AdminT", bound=admin.ModelAdmin)  # type: ignore[type-arg]
P = ParamSpec("P")
View = Callable[Concatenate[AdminT, HttpRequest, P], HttpResponse]


def attributed(view: View[AdminT, P]) -> View[AdminT, P]:
    """Let the events of a view name the user and his address."""

    @functools.wraps(view)
    def inner(
        self: AdminT, request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponse:
        with events.caused_by(request):
            return view(self, request, *args, **kwargs)

    return inner


class FormPages(admin.ModelAdmin):  # type: ignore[type-arg]
    """Renders forms that are not Django's own, as Django renders its own."""

    form_page_template = "connectnow_api/admin/form.html"

    def render_page(
        self,
        request: HttpRequest,
        form: forms.BaseForm,
        *,
        title: str,
        status: int = 200,
        add: bool = False,
        **context: Any,
    ) -> TemplateResponse:
        """Return a page with a form. ``context``: more for the template, as it says.

        ``original`` in it is the token that the page is about, or a text.
        """
        fields = [field.name for field in form.visible_fields()]
        fieldsets = context.pop("fieldsets", [(None, {"fields": fields})] if fields else [])
        any_form: Any = form
        adminform: Any = helpers.AdminForm(any_form, fieldsets, {}, model_admin=self)
        response: Any = self.render_change_form(
            request,
            {
                **self.admin_site.each_context(request),
                "title": title,
                "subtitle": None,
                "original": title,
                "cancel_url": self.get_url("changelist"),
                "adminform": adminform,
                "errors": helpers.AdminErrorList(adminform.form, []),
                "media": self.media + adminform.media,
                "inline_admin_formsets": [],
                "is_popup": IS_POPUP_VAR in request.POST or IS_POPUP_VAR in request.GET,
                "preserved_filters": self.get_preserved_filters(request),
                **context,
            },
            add=add,
        )
        response.template_name = self.form_page_template
        response.status_code = status
        # The form goes to the address that it is shown at, filters included.
        response.context_data["form_url"] = ""
        page: TemplateResponse = response
        return page

    def get_url(self, name: str, *args: Any) -> str:
        """Return the address of a page, such as ``"rotate"``, of a token with this key."""
        view = f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}"
        return reverse(view, args=[quote(key) for key in args], current_app=self.admin_site.name)
