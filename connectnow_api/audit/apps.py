"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TokenAuditConfig(AppConfig):
    """Listens to the signals of tokens; without this app nobody does, and there is no table."""

    name = "connectnow_api.audit"
    # "audit" alone is what a site may have called an app of its own.
    label = "connectnow_api_audit"
    verbose_name = _("API audit")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import receivers  # noqa: PLC0415 - it imports models, which cannot be before now

        receivers.connect()
