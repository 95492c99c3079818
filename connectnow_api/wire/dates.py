"""The two spellings of one point in time."""

from __future__ import annotations

import datetime


def write_datetime(value: datetime.datetime, form: str) -> str:
    """Return the aware ``value`` as text.

    ``"zulu"``: ``2021-04-26T22:25:35.000000Z``, always UTC with six digits (how Laravel's models
    are serialised). ``"offset"``: ``2021-09-03T12:40:43+00:00``, whole seconds in the value's own
    offset (ISO 8601 as PHP's ``c``). Anything else is a ``strftime`` format.
    """
    if form == "zulu":
        utc = value.astimezone(datetime.UTC).replace(tzinfo=None)
        return f"{utc.isoformat(timespec='microseconds')}Z"
    if form == "offset":
        return value.isoformat(timespec="seconds")
    return value.strftime(form)
