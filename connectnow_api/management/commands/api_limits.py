"""``manage.py api_limits``: list limits, show what they have counted, and let them begin anew."""

from __future__ import annotations

from connectnow_api.management.base import VerbCommand
from connectnow_api.management.limit_verbs import VERBS


class Command(VerbCommand):
    """All that it does is in ``management/limit_verbs/``."""

    help = "List limits, show what they have counted, and reset it."
    verbs = VERBS
