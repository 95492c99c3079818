"""The pages on which tokens are issued, rotated and revoked, and the one that shows a secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.db import router, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.cache import patch_cache_control
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from connectnow_api.exceptions import TokenConflict
from connectnow_api.managers import NewAPIToken

from . import submissions
from .form_pages import FormPages, attributed
from .forms import RotateForm
from .words import describe_conflict

REPEATED = "repeated"
"""The code of the error in a form that was sent before."""


class TokenPages(FormPages):
    """Issues, rotates and revokes single tokens.

    The plain text of a new token is shown by the answer to the POST, and kept nowhere: no
    redirect, message or session has it.
    """

    revealed_template = "connectnow_api/admin/revealed.html"

    def get_urls(self) -> list[URLPattern]:
        """Return Django's pages and two more for each token."""
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        view = self.admin_site.admin_view
        own = [
            path("<path:object_id>/rotate/", view(self.rotate_view), name=f"{name}_rotate"),
            path("<path:object_id>/revoke/", view(self.revoke_view), name=f"{name}_revoke"),
        ]
        return [*own, *super().get_urls()]

    def has_rotate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may rotate: Django's permissions to add and to change."""
        return self.has_add_permission(request) and self.has_change_permission(request, obj)

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may revoke: Django's permission to change."""
        return self.has_change_permission(request, obj)

    def get_token(
        self, request: HttpRequest, object_id: str, is_allowed: Callable[[HttpRequest, Any], bool]
    ) -> Any:
        """Return the token of an address; raise ``PermissionDenied``, or ``Http404`` if none is."""
        token = self.get_object(request, unquote(object_id))
        if not is_allowed(request, token):
            raise PermissionDenied
        if token is None:
            raise Http404
        return token

    # --- Issue ----------------------------------------------------------------------------------

    @attributed
    @sensitive_variables("new")
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the form of a new token; issue it once for each form that was shown."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form_class: Any = self.get_form(request)
        scope = f"{self.opts.label}:{request.user.pk}"
        if request.method == "POST":
            form = form_class(request.POST)
            if new := self.issue_once(request, form, scope):
                return self.reveal(request, new, _("The API token was issued"))
            form.renew(submissions.make_key(scope))
        else:
            initial = self.get_changeform_initial_data(request)
            form = form_class(initial={**initial, "submission": submissions.make_key(scope)})
        return self.render_page(
            request,
            form,
            title=gettext("Issue an API token"),
            status=409 if form.has_error(NON_FIELD_ERRORS, REPEATED) else 200,
            fieldsets=self.get_fieldsets(request),
            original=None,
            add=True,
            submit=pgettext_lazy("API token", "Issue"),
            **(extra_context or {}),
        )

    def issue_once(self, request: HttpRequest, form: Any, scope: str) -> NewAPIToken[Any] | None:
        """Return a new token if none was issued by this form; ``None`` with errors in the form."""
        if not form.is_valid():
            return None
        key = form.cleaned_data["submission"]
        if not submissions.is_good(key, scope):
            form.add_error(None, _("This form is too old. Look it over and send it again."))
            return None
        made = submissions.claim(key)
        if made is None:
            return self.issue(request, form, key)
        form.add_error(None, ValidationError(self.describe_repetition(request, made), REPEATED))
        return None

    @sensitive_variables("new")
    def issue(self, request: HttpRequest, form: Any, key: str) -> NewAPIToken[Any] | None:
        """Return a new token as a valid form says; ``None`` with the errors in the form."""
        columns = {field.name for field in self.opts.concrete_fields}
        values = {name: form.cleaned_data[name] for name in columns & form.cleaned_data.keys()}
        try:
            with transaction.atomic(using=router.db_for_write(self.model)):
                new: NewAPIToken[Any] = self.model.objects.issue(**values)
                self.log_addition(request, new.token, [{"added": {}}])
        except ValidationError as exc:
            submissions.release(key)
            add_errors(form, exc)
            return None
        except BaseException:
            submissions.release(key)
            raise
        submissions.note(key, new.token.pk)
        return new

    def describe_repetition(self, request: HttpRequest, made: str) -> str:
        """Return what is said to a form that was sent before; ``made``: the key of its token."""
        token = self.get_object(request, made) if made else None
        if token is None:
            return gettext("This form was sent before; look for its API token in the list.")
        text = gettext(
            "This form was sent before: {token} was issued then, and is not shown again. If it was "
            "lost, rotate it. To issue another one, send this form."
        )
        link = format_html('<a href="{}">{}</a>', self.get_url("change", token.pk), token)
        return format_html(text, token=link)

    # --- Rotate ---------------------------------------------------------------------------------

    @attributed
    def rotate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how long the old token goes on; give it a successor."""
        token = self.get_token(request, object_id, self.has_rotate_permission)
        form = RotateForm(request.POST if request.method == "POST" else None)
        status = 200
        if form.is_valid():
            try:
                new = self.rotate(request, token, form)
                return self.reveal(request, new, _("The API token was rotated"))
            except TokenConflict as conflict:
                form.add_error(None, describe_conflict(conflict))
                status = conflict.status_code
            except ValidationError as exc:
                add_errors(form, exc)
        return self.render_page(
            request,
            form,
            title=gettext("Rotate the API token"),
            status=status,
            original=token,
            cancel_url=self.get_url("change", token.pk),
            intro=_("%(token)s gets a successor that may do the same, and is shown once.")
            % {"token": token},
            submit=pgettext_lazy("API token", "Rotate"),
        )

    @sensitive_variables("new")
    def rotate(self, request: HttpRequest, token: Any, form: RotateForm) -> NewAPIToken[Any]:
        """Return the successor of a token; raise what ``AbstractAPIToken.rotate`` raises."""
        with transaction.atomic(using=router.db_for_write(self.model, instance=token)):
            new: NewAPIToken[Any] = token.rotate(form.cleaned_data["grace"])
            self.log_change(request, token, pgettext("API token", "Rotated."))
            self.log_addition(request, new.token, [{"added": {}}])
        return new

    # --- Revoke ---------------------------------------------------------------------------------

    @attributed
    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to revoke a token; revoke it."""
        token = self.get_token(request, object_id, self.has_revoke_permission)
        if request.method == "POST":
            count = int(token.revoke())
            if count:
                self.log_change(request, token, pgettext("API token", "Revoked."))
            self.say_revoked(request, count)
            return HttpResponseRedirect(self.get_url("change", token.pk))
        return self.render_page(
            request,
            forms.Form(),
            title=gettext("Revoke the API token"),
            original=token,
            cancel_url=self.get_url("change", token.pk),
            intro=_("It opens nothing from now on. That is final."),
            tokens=[token],
            submit=pgettext_lazy("API token", "Revoke"),
        )

    def say_revoked(self, request: HttpRequest, count: int) -> None:
        """Tell the user how many tokens were revoked."""
        text = ngettext(
            "%(count)d API token was revoked.", "%(count)d API tokens were revoked.", count
        )
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, text % {"count": count}, level)

    # --- Reveal ---------------------------------------------------------------------------------

    @sensitive_variables("new")
    def reveal(self, request: HttpRequest, new: NewAPIToken[Any], title: Any) -> HttpResponse:
        """Return the one page that shows a plain text, which nobody may keep."""
        response = self.render_page(request, forms.Form(), title=title, original=new.token, new=new)
        response.template_name = self.revealed_template
        patch_cache_control(response, no_store=True, private=True)
        # Not "no-referrer": browsers then send "Origin: null", and Django refuses to log out.
        response["Referrer-Policy"] = "same-origin"
        return response


def add_errors(form: forms.BaseForm, exc: ValidationError) -> None:
    """Put errors to their fields, and those of columns that the form lacks above all fields."""
    errors = exc.error_dict if hasattr(exc, "error_dict") else {NON_FIELD_ERRORS: [exc]}
    for name, found in errors.items():
        form.add_error(name if name in form.fields else None, found)
