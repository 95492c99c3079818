"""The table of what became of tokens."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning

from connectnow_api.settings import api_settings

from .messages import SETTING, check_id
from .settings import needs_sound_settings

APP = "connectnow_api.audit"


@needs_sound_settings
def check_audit(**kwargs: Any) -> list[CheckMessage]:
    """Report a choice of actions that nobody writes down."""
    if "AUDIT_ACTIONS" not in api_settings.user_settings or apps.is_installed(APP):
        return []
    message = f"{SETTING}['AUDIT_ACTIONS'] is set, and {APP} is not installed: nothing is kept."
    hint = f'Add "{APP}" to INSTALLED_APPS.'
    return [CheckWarning(message, hint=hint, id=check_id("W019"))]
