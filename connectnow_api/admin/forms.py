"""The forms of the admin; what a value may be is said by the model."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib.admin.widgets import (
    AdminSplitDateTime,
    AdminTextareaWidget,
    AutocompleteSelect,
)
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from connectnow_api.abilities import ANY_ABILITY
from connectnow_api.settings import api_settings
from connectnow_api.states import expiry_after
from connectnow_api.validators import check_expiry

GRACES = [
    (timedelta(0), _("not at all")),
    (timedelta(hours=1), _("for an hour")),
    (timedelta(days=1), _("for a day")),
    (timedelta(days=7), _("for a week")),
]
"""How long a rotated token may go on, and what that is called."""


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = AdminTextareaWidget(attrs={"rows": 4})

    def prepare_value(self, value: Any) -> Any:
        """Return the text that is shown for a list."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Return the lines of a text, without those that are empty."""
        lines = map(str.strip, (super().to_python(value) or "").splitlines())
        return [line for line in lines if line]


def abilities_field() -> forms.Field:
    """Return a box to tick for each ability that the site offers, lines if it keeps no list."""
    label = pgettext_lazy("API token", "Abilities")
    if not api_settings.abilities:
        text = _("One a line. * is every ability, also those that come later: avoid it.")
        return LinesField(required=False, label=label, help_text=text)
    every = _("every ability, also those that come later: avoid it")
    offered = [*api_settings.abilities.items(), (ANY_ABILITY, every)]
    choices = [(name, format_html("<code>{}</code> {}", name, text)) for name, text in offered]
    widget = forms.CheckboxSelectMultiple
    return forms.MultipleChoiceField(required=False, label=label, choices=choices, widget=widget)


def networks_field() -> forms.Field:
    """Return a field for networks."""
    text = _("One a line, such as 192.0.2.0/24 or 2001:db8::/32. Empty: from everywhere.")
    return LinesField(required=False, label=_("Allowed networks"), help_text=text)


class OwnerSelect(AutocompleteSelect):
    """Django's, which looks up whatever was sent as a key, and crashes if it cannot be one."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        """Return the chosen owner; nobody for what is no key, which the field refuses."""
        try:
            for key in value:
                self.field.target_field.clean(key, None)
            return super().optgroups(name, value, attrs)
        except (ValidationError, ValueError):
            return super().optgroups(name, [], attrs)


def parse_moment(text: str) -> datetime | None:
    """Return the moment that an address says, such as ``2030-01-01``; ``None`` for others."""
    try:
        return timezone.localtime(forms.DateTimeField().clean(text))
    except (OverflowError, ValidationError, ValueError):
        return None


class ExpiryWidget(AdminSplitDateTime):
    """Date and time, each with a name: Django 5.2 binds its labels to neither."""

    def __init__(self, attrs: Any = None) -> None:
        super().__init__(attrs)
        names = (_("Expires at, date"), _("Expires at, time"))
        for widget, name in zip(self.widgets, names, strict=True):
            widget.attrs["aria-label"] = name


class ExpiryForm(forms.Form):
    """When a token expires; that it never does has to be said."""

    expires_at = forms.SplitDateTimeField(
        label=_("Expires at"), required=False, widget=ExpiryWidget
    )
    never_expires = forms.BooleanField(
        label=_("Never expires, whatever date stands above"), required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if api_settings.max_token_lifetime is not None:
            self.fields.pop("never_expires", None)

    def get_created_at(self) -> datetime:
        """Return when the token was made that is to expire."""
        return timezone.now()

    def is_expiry_asked(self) -> bool:
        """Tell whether the expiry is to be set."""
        return "expires_at" in self.cleaned_data

    def clean(self) -> dict[str, Any]:
        """Refuse an expiry that cannot be, at its field."""
        super().clean()
        if self.is_expiry_asked():
            self._clean_expiry()
        return self.cleaned_data

    def _clean_expiry(self) -> None:
        never = self.cleaned_data.get("never_expires", False)
        expires_at = None if never else self.cleaned_data["expires_at"]
        if expires_at is None and "never_expires" in self.fields and not never:
            self.add_error("expires_at", _("Say when the token expires, or that it never does."))
            return
        try:
            check_expiry(expires_at, self.get_created_at())
        except ValidationError as exc:
            self.add_error(None, exc)
        else:
            self.cleaned_data["expires_at"] = expires_at


class IssueForm(ExpiryForm, forms.ModelForm):  # type: ignore[type-arg]
    """All that a new token may be given."""

    submission = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        help_texts: ClassVar = {
            "client": _("What the header has to hold that some APIs ask for beside the token."),
            "rate": _("Such as 60/m. Empty: the rates that the site has."),
            "idle_timeout": _(
                "Days and hours:minutes:seconds without a use, such as 30 00:00:00, after which "
                "the token expires. Empty: any time."
            ),
        }

    class Media:
        js = ("connectnow_api/admin/send_once.js",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        default = expiry_after(api_settings.token_lifetime)
        initial = {
            "expires_at": default,
            "never_expires": default is None,
            "idle_timeout": api_settings.token_idle_timeout,
        }
        super().__init__(*args, **{**kwargs, "initial": {**initial, **kwargs.get("initial", {})}})
        for field in self.fields.values():
            # A browser would cut what is pasted, and say nothing.
            field.widget.attrs.pop("maxlength", None)

    def renew(self, key: str) -> None:
        """Show another submission key than the one that was sent."""
        data: Any = self.data
        self.data = data = data.copy()
        data["submission"] = key


class ChangeForm(ExpiryForm, forms.ModelForm):  # type: ignore[type-arg]
    """The two things that can be changed of a token: its name and its expiry."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("never_expires", self.instance.expires_at is None)

    def get_created_at(self) -> datetime:
        """Return when the token was made."""
        created_at: datetime = self.instance.created_at
        return created_at

    def is_expiry_asked(self) -> bool:
        """Tell whether another expiry was typed than there was."""
        return super().is_expiry_asked() and self.is_expiry_changed()

    def is_expiry_changed(self) -> bool:
        """Tell whether the expiry differs from the one that was shown."""
        return not {"expires_at", "never_expires"}.isdisjoint(self.changed_data)


class RotateForm(forms.Form):
    """How long the old token goes on beside its successor."""

    grace = forms.TypedChoiceField(
        label=_("The old token goes on"),
        choices=[(str(int(grace.total_seconds())), text) for grace, text in GRACES],
        coerce=lambda seconds: timedelta(seconds=int(seconds)),
        help_text=_("Until then both tokens are good for the same."),
    )

    class Media:
        js = ("connectnow_api/admin/send_once.js",)
