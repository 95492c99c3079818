"""Tokens in Django's admin: search, issue, rename, extend, rotate, revoke, delete.

A token's plain text is in one place only, the answer to the POST that made it; no page, address,
history entry, message or session has it, and none has a digest.
"""

from __future__ import annotations

from django.contrib import admin

from connectnow_api.models import APIToken

from .model_admin import APITokenAdmin

__all__ = ["APITokenAdmin"]

admin.site.register(APIToken, APITokenAdmin)
