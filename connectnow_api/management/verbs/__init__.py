"""The verbs of ``api_tokens``; a new one is a module and an entry here."""

from __future__ import annotations

from collections.abc import Mapping

from connectnow_api.management.base import Verb

from . import create, listing, notify, placements, prune, revoke, rotate, show

VERBS: Mapping[str, Verb] = {
    "create": create,
    "list": listing,
    "show": show,
    "revoke": revoke,
    "rotate": rotate,
    "prune": prune,
    "notify": notify,
    "placements": placements,
}
