"""The id of the current request, from whatever package gives requests one."""

from __future__ import annotations

import re

from django.utils.module_loading import import_string

from .settings import api_settings

_USUAL = re.compile(r"[!-~]{1,128}")


def get_request_id() -> str:
    """Return the id of the current request; ``""`` outside of requests and where nobody gives any.

    ``REQUEST_ID`` names what is asked. Some packages take an id from a header that the client
    sends, so it is passed on only if it is 1 to 128 printable characters of ASCII without a space.
    """
    try:
        path = api_settings.request_id
        found = "" if path is None else str(import_string(path)())
    except Exception:  # noqa: BLE001 - what is to help with a failure must not become one
        return ""
    return found if found != "None" and _USUAL.fullmatch(found) else ""


def described() -> str:
    """Return what a log line says of the current request, with a space before it, or nothing."""
    found = get_request_id()
    return f" request_id={found}" if found else ""
