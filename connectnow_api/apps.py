"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.core.signals import got_request_exception


class ConnectNowAPIConfig(AppConfig):
    """Registers the system checks, listens for crashes, and fixes the key type of our tables."""

    name = "connectnow_api"
    verbose_name = "API"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # They import models, which cannot be before now.
        from . import checks  # noqa: PLC0415
        from .outside import note_crash  # noqa: PLC0415

        got_request_exception.connect(note_crash, dispatch_uid=self.name)
        register(checks.check_settings)
        register(checks.check_audit)
        register(checks.check_token_models, Tags.models)
        register(checks.check_idle_tokens, Tags.database)
        register(checks.check_views, Tags.urls)
        register(checks.check_limits, Tags.caches)
        register(checks.check_limits_of_production, Tags.security, deploy=True)
        register(checks.check_deployment, Tags.security, deploy=True)
        register(checks.check_proxies, Tags.security, deploy=True)
        register(checks.check_time_outs, Tags.security, deploy=True)
