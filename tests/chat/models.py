"""A further kind of token, whose owner is no user of the site; installed by tests that want it."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models

from connectnow_api.base_models import AbstractAPIToken


class ChatUser(models.Model):
    email = models.EmailField()
    is_active = models.BooleanField(default=True)
    is_authenticated = True

    def __str__(self) -> str:
        return self.email


class ChatToken(AbstractAPIToken):
    token_prefix = "chat"
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    room = models.CharField(max_length=50, blank=True)
    owner: Any = models.ForeignKey(
        ChatUser, on_delete=models.CASCADE, related_name="%(app_label)s_%(class)s_set"
    )

    class Meta(AbstractAPIToken.Meta):
        verbose_name = "chat token"
        verbose_name_plural = "chat tokens"
