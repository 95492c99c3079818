"""A filter for ``logging`` that lets no token into a log."""

from __future__ import annotations

import copy
import logging
import traceback
from collections.abc import Mapping
from typing import Any

from .redaction import REDACTED, redact

LOST = "A log record was left out: it could not be searched for tokens."

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) - {"msg", "args", "exc_text", "stack_info"}
"""What a record has of its own, which quotes no request."""


class RedactTokens(logging.Filter):
    """Takes tokens out of a record: its message, arguments, traceback and further texts.

    It belongs on handlers: a filter of a logger is not asked for what comes from the loggers below
    it. No record is dropped, and none fails; one that cannot be searched says so instead. Arguments
    keep their number and names, which formatters of access logs go by::

        LOGGING = {
            "version": 1,
            "filters": {"tokens": {"()": "connectnow_api.logs.RedactTokens"}},
            "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["tokens"]}},
            "root": {"handlers": ["console"]},
        }

    What a record names and does not say, such as the ``request`` that Django attaches, stays.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record and let it pass."""
        try:
            self.redact(record)
        except Exception:  # noqa: BLE001 - a text that cannot be made may raise whatever it likes
            record.msg, record.args, record.exc_info = LOST, (), None
            record.exc_text = record.stack_info = None
        return True

    def redact(self, record: logging.LogRecord) -> None:
        """Change the record."""
        record.args = _redacted(record.args)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # What was to be said is worth more than how.
            record.msg, record.args = f"{record.msg} {record.args!r}", ()
            message = record.getMessage()
        if (redacted := redact(message)) != message:
            # In the format itself, across arguments, or in one that is no text yet.
            record.msg, record.args = redacted, ()
        if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
            # Formatters write what is there already.
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        for name, value in vars(record).items():
            if name not in _KNOWN and name not in ("msg", "args"):
                setattr(record, name, _redacted(value))


def _redacted(value: Any) -> Any:
    """Return a value with its texts redacted, in what they came in; other objects as they are."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        found = {key: _redact_named(key, each) for key, each in value.items()}
        return _in_place(value, found)
    if type(value) in (list, tuple):
        return type(value)(map(_redacted, value))
    return value


def _in_place(mapping: Mapping[Any, Any], found: dict[Any, Any]) -> Mapping[Any, Any]:
    """Return a mapping of the same class, which may have a way of its own to be asked."""
    if not isinstance(mapping, dict):
        return found
    copied = copy.copy(mapping)
    copied.update(found)
    return copied


def _redact_named(name: Any, value: Any) -> Any:
    """Return a value by what it is called: gunicorn's access log has headers by name."""
    if isinstance(value, str) and "authorization" in str(name).lower() and value != "-":
        return REDACTED
    if isinstance(value, str | int | float | bool | Mapping | list | tuple | None):
        return _redacted(value)
    said = str(value)
    return value if redact(said) == said else redact(said)
