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
        record.args = _redact_arguments(record.args)
        message = record.getMessage()
        if (redacted := redact(message)) != message:
            # In the format itself, across arguments, or in one that is no text yet.
            record.msg, record.args = redacted, ()
        if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
            # Formatters write what is there already.
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        for name, value in vars(record).items():
            if name not in _KNOWN and name not in ("msg", "args") and isinstance(value, str):
                setattr(record, name, redact(value))


def _redact_arguments(arguments: Any) -> Any:
    """Return the arguments of a record with their texts redacted, in what they came in."""
    if isinstance(arguments, Mapping):
        found = copy.copy(arguments)
        changed = {key: _redact_named(key, value) for key, value in arguments.items()}
        return {**changed} if not hasattr(found, "update") else _updated(found, changed)
    if isinstance(arguments, tuple):
        return tuple(redact(value) if isinstance(value, str) else value for value in arguments)
    return arguments


def _updated(found: Any, changed: Mapping[Any, Any]) -> Any:
    found.update(changed)
    return found


def _redact_named(name: Any, value: Any) -> Any:
    """Return a text by what it is called: gunicorn's access log has headers by name."""
    if not isinstance(value, str):
        return value
    return REDACTED if "authorization" in str(name).lower() and value != "-" else redact(value)
