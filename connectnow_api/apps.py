"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register


class ConnectNowAPIConfig(AppConfig):
    """Registers the system checks; fixes the key type, whatever the project's default is."""

    name = "connectnow_api"
    verbose_name = "API"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: PLC0415 - it imports models, which cannot be before now

        register(checks.check_settings)
        register(checks.check_audit)
        register(checks.check_token_models, Tags.models)
        register(checks.check_idle_tokens, Tags.database)
        register(checks.check_views, Tags.urls)
        register(checks.check_limits, Tags.caches)
        register(checks.check_limits_of_production, Tags.security, deploy=True)
        register(checks.check_deployment, Tags.security, deploy=True)
