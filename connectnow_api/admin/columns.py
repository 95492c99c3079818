"""What the list and the page of a token show beside its columns."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from connectnow_api.base_models import AbstractAPIToken

from .words import describe_state


class TokenColumns(admin.ModelAdmin):  # type: ignore[type-arg]
    """Columns that any kind of token has; none shows a digest."""

    @admin.display(description=_("API token"))
    def masked(self, token: AbstractAPIToken) -> str:
        """Return the token's prefix and its last characters."""
        return token.masked

    @admin.display(description=pgettext_lazy("API token", "state"))
    def state_word(self, token: AbstractAPIToken) -> str:
        """Return what has become of the token."""
        return describe_state(token)

    @admin.display(description=_("Expires at"), ordering="expires_at")
    def expiry(self, token: AbstractAPIToken) -> datetime | None:
        """Return when the token expires, by the site's maximum if that is earlier."""
        return token.last_moment

    @admin.display(description=pgettext_lazy("API token", "owner"), ordering="owner")
    def owner_link(self, token: AbstractAPIToken) -> str:
        """Return the owner, as a link to all tokens that he has."""
        query = urlencode({"owner": token.owner_id})
        return format_html('<a href="?{}">{}</a>', query, token.owner)

    @admin.display(description=pgettext_lazy("API token", "abilities"))
    def abilities_list(self, token: AbstractAPIToken) -> str:
        """Return the abilities, one below the other."""
        return _lines(token.abilities)

    @admin.display(description=_("allowed networks"))
    def networks_list(self, token: AbstractAPIToken) -> str:
        """Return the networks, one below the other."""
        return _lines(token.allowed_networks)

    @admin.display(description=_("rotated to"))
    def successor(self, token: Any) -> str | None:
        """Return the token that replaced this one, as a link to it."""
        found = getattr(token, "rotated_to", None)
        if found is None:
            return None
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        url = reverse(name, args=[quote(found.pk)], current_app=self.admin_site.name)
        return format_html('<a href="{}">{}</a>', url, found)


def _lines(values: Any) -> str:
    """Return a column of JSON for people; whatever code has put there is shown."""
    texts = values if isinstance(values, list) else [values]
    return format_html_join("", "<code>{}</code><br>", ([text] for text in texts))
