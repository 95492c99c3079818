"""The verbs of ``api_limits``; a new one is a module and an entry here."""

from __future__ import annotations

from collections.abc import Mapping

from connectnow_api.management.base import Verb

from . import listing, reset, show

VERBS: Mapping[str, Verb] = {"list": listing, "show": show, "reset": reset}
