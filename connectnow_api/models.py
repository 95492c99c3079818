"""The kind of token that we ship."""

from __future__ import annotations

from .base_models import AbstractAPIToken


class APIToken(AbstractAPIToken):
    """A personal access token of a user of the site."""
