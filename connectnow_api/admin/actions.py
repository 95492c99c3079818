"""What is done to many tokens at once, each time after a page that asks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, ngettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from connectnow_api.exceptions import TokenConflict
from connectnow_api.managers import revoke_rows

from .forms import ExpiryForm
from .pages import TokenPages
from .words import describe_conflict

SHOWN = 20
"""How many tokens are named by a page or a message that is about many."""


class Extended(NamedTuple):
    """What came of a batch."""

    done: list[Any]
    refused: list[str]
    """Why the others were not extended, each with its name."""


class TokenActions(TokenPages):
    """Revokes and extends what is selected in the list."""

    def response_action(  # type: ignore[override]
        self, request: HttpRequest, queryset: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Do as Django does, but call keys that cannot be an error of the user's."""
        key: Any = self.opts.pk
        try:
            for value in request.POST.getlist(ACTION_CHECKBOX_NAME):
                key.clean(value, None)
        except ValidationError:
            text = gettext("What was selected is not in the list any more.")
            self.message_user(request, text, messages.ERROR)
            return None
        return super().response_action(request, queryset, **kwargs)

    @admin.action(description=_("Revoke the selected API tokens"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Ask; then revoke what is selected and say how many tokens that were."""
        if "confirmed" not in request.POST:
            intro = _("They open nothing from now on. That is final.")
            return self.ask(
                request,
                queryset,
                forms.Form(),
                title=gettext("Revoke API tokens"),
                intro=intro,
                submit=pgettext_lazy("API token", "Revoke"),
            )
        count = 0
        for rows in queryset.in_batches():
            revoked = revoke_rows(rows)
            count += len(revoked)
            self.log_each(request, revoked, pgettext("API token", "Revoked."))
        self.say_revoked(request, count)
        return None

    @admin.action(description=_("Extend the selected API tokens"), permissions=["change"])
    def extend(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Ask for another expiry; give it to what is selected, and name what cannot have it."""
        form = ExpiryForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            intro = _("They expire at another time, also those that have expired.")
            return self.ask(
                request,
                queryset,
                form,
                title=gettext("Extend API tokens"),
                intro=intro,
                submit=pgettext_lazy("API token", "Extend"),
            )
        count, refused = 0, []
        for batch in self.extend_rows(queryset, form.cleaned_data["expires_at"]):
            self.log_each(request, batch.done, pgettext("API token", "Extended."))
            count += len(batch.done)
            refused += batch.refused
        self.say_extended(request, count, refused)
        return None

    def extend_rows(self, queryset: Any, expires_at: datetime | None) -> Iterator[Extended]:
        """Extend tokens one by one; yield what came of each batch."""
        for rows in queryset.in_batches():
            batch = Extended([], [])
            for row in rows:
                try:
                    row.extend(expires_at)
                except TokenConflict as conflict:
                    batch.refused.append(describe_conflict(conflict))
                except ValidationError as exc:
                    batch.refused.append(f"{row}: {' '.join(exc.messages)}")
                else:
                    batch.done.append(row)
            yield batch

    def say_extended(self, request: HttpRequest, count: int, refused: list[str]) -> None:
        """Tell the user how many tokens were extended, and which were not, and why."""
        if count or not refused:
            text = ngettext(
                "%(count)d API token was extended.", "%(count)d API tokens were extended.", count
            )
            self.message_user(request, text % {"count": count}, messages.SUCCESS)
        for text in refused[:SHOWN]:
            self.message_user(request, text, messages.ERROR)
        more = len(refused) - SHOWN
        if more > 0:
            text = gettext("Not extended beside these: %(count)d")
            self.message_user(request, text % {"count": more}, messages.ERROR)

    def ask(
        self, request: HttpRequest, queryset: Any, form: forms.BaseForm, **context: Any
    ) -> HttpResponse:
        """Return a page that sends the action once more, confirmed."""
        count = queryset.count()
        across = request.POST.get("select_across") == "1"
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        hidden = [
            ("action", request.POST.getlist("action")[0]),
            ("select_across", "1" if across else "0"),
            ("confirmed", "1"),
            # A million of them would be more fields than a form may have.
            *((ACTION_CHECKBOX_NAME, key) for key in (selected[:1] if across else selected)),
        ]
        return self.render_page(
            request,
            form,
            hidden=hidden,
            tokens=queryset[:SHOWN],
            more=max(0, count - SHOWN),
            **context,
        )

    def log_each(self, request: HttpRequest, tokens: list[Any], text: str) -> None:
        """Write an entry into the history of each token."""
        if tokens:
            LogEntry.objects.log_actions(str(request.user.pk), tokens, CHANGE, text)
