"""``manage.py api_tokens``: issue, find, revoke and clean up tokens of every kind."""

from __future__ import annotations

from connectnow_api.management.base import VerbCommand
from connectnow_api.management.verbs import VERBS


class Command(VerbCommand):
    """All that it does is in ``management/verbs/``."""

    help = "Issue, list, revoke, rotate and clean up API tokens."
    verbs = VERBS
