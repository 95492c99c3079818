"""What becomes of tokens: one log record and one signal for each event, at once.

So within the transaction, if there is one: what is rolled back was told all the same, and a
receiver that asks the database does so in ``transaction.atomic()``.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.dispatch import Signal

from . import tokens
from .addresses import find_address
from .redaction import redact
from .request_ids import get_request_id
from .signals import TOKEN_SIGNALS, token_used

logger = logging.getLogger("connectnow_api.tokens")

REFUSALS = frozenset({"refused", "used_after_expiry", "denied", "throttled"})
"""Actions of an event by which a request was turned away; logged as warnings."""
MALFORMED = "malformed"
"""The reason of a refusal for which no row was looked for."""


@dataclasses.dataclass(frozen=True)
class TokenEvent:
    """One thing that happened to a token, in values: the row may be gone when they are read.

    No field holds a token or a digest.
    """

    action: str
    """A key of ``signals.TOKEN_SIGNALS``, or ``used``."""
    kind: str
    """The label of the model, such as ``connectnow_api.APIToken``."""
    token_id: str = ""
    """The row's primary key as text; empty where no row was found."""
    name: str = ""
    owner: str = ""
    """The owner's primary key as text."""
    fingerprint: str = ""
    """The first 8 hex digits of the token's SHA-256."""
    placement: str = ""
    """Where the request had the token: ``header``, ``query`` or ``payload``."""
    address: str = ""
    """Where the request came from."""
    actor: str = ""
    """Who did it, as ``auth.User:1``; empty for a command, and for code that does not say."""
    reason: str = ""
    request_id: str = dataclasses.field(default_factory=get_request_id)
    """The request's, from whatever gives it one; empty outside of requests."""

    def __post_init__(self) -> None:
        """Leave no token in what people have written: one may have been called like that."""
        for field in ("name", "reason"):
            if value := getattr(self, field):
                object.__setattr__(self, field, redact(value))

    def __str__(self) -> str:
        """Return the event as ``key="value"`` in one line of printable ASCII (CWE-117)."""
        values = {key: value for key, value in dataclasses.asdict(self).items() if value}
        return " ".join(f"{key}={_escaped(value)}" for key, value in values.items())


def _escaped(value: str) -> str:
    return json.dumps(value).replace("\x7f", "\\u007f")


_origin: ContextVar[dict[str, str] | None] = ContextVar("connectnow_api_origin", default=None)


@contextmanager
def caused_by(request: Any) -> Iterator[None]:
    """Let events inside name the request's address, its user as the actor, and the placement."""
    actor = _name_of(getattr(request, "user", None))
    token = _origin.set({**_said_by(request), "actor": actor})
    try:
        yield
    finally:
        _origin.reset(token)


batch_told = Signal()
"""All events of a ``batch`` were sent: for receivers that write many rows at once."""

_is_batch: ContextVar[bool] = ContextVar("connectnow_api_batch", default=False)


@contextmanager
def batch() -> Iterator[None]:
    """Send ``batch_told`` after the events inside, whatever comes of them."""
    token = _is_batch.set(True)
    try:
        yield
    finally:
        _is_batch.reset(token)
        batch_told.send_robust(sender=None)


def is_batch() -> bool:
    """Tell whether ``batch_told`` will be sent after the current event."""
    return _is_batch.get()


def emit(action: str, token: Any, *, reason: str = "") -> None:
    """Log and signal what happened to ``token``, a row of any kind."""
    _send(type(token), token, TokenEvent(**_said_of(action, token), **_own(), reason=reason))


def emit_deleted(token: Any) -> None:
    """Log and signal that a row was deleted."""
    _send(type(token), None, TokenEvent(**_said_of("pruned", token), **_own()))


def emit_for_request(action: str, request: Any, token: Any, *, reason: str = "") -> None:
    """Log and signal what became of a request with ``token``, a row of any kind."""
    said = {**_said_of(action, token), **_said_by(request), "reason": reason}
    _send(type(token), token, TokenEvent(**said))


def emit_for_auth(action: str, request: Any, *, reason: str) -> None:
    """Log and signal what became of a request, if what authenticated it is a token of ours."""
    token = request.auth
    # Told by its columns: other packages' tokens have a digest, and pages and limits serve them.
    if all(hasattr(token, name) for name in ("_meta", "name", "owner_id", "digest", "masked")):
        emit_for_request(action, request, token, reason=reason)


def emit_for_value(action: str, request: Any, kind: Any, value: str, *, reason: str = "") -> None:
    """Log and signal what became of a request with a value that is no token of this kind."""
    fingerprint = tokens.fingerprint(tokens.digest(value))
    said = {"action": action, "kind": kind._meta.label, "fingerprint": fingerprint}
    _send(kind, None, TokenEvent(**said, **_said_by(request), reason=reason))


def describe_use(request: Any, token: Any) -> TokenEvent:
    """Return a request's use of ``token`` as an event, which is neither logged nor sent."""
    return TokenEvent(**{**_said_of("used", token), **_said_by(request)})


def emit_used(request: Any, token: Any) -> None:
    """Signal that a request was authenticated by ``token``; without receivers it costs nothing."""
    kind = type(token)
    if token_used.has_listeners(kind):
        token_used.send_robust(sender=kind, event=describe_use(request, token), token=token)


def _send(kind: type[Any], token: Any, event: TokenEvent) -> None:
    level = logging.WARNING if event.action in REFUSALS else logging.INFO
    logger.log(level, "%s", event, extra={"token_event": event})
    TOKEN_SIGNALS[event.action].send_robust(sender=kind, event=event, token=token)


def _said_of(action: str, token: Any) -> dict[str, str]:
    return {
        "action": action,
        "kind": token._meta.label,
        "token_id": str(token.pk),
        "name": token.name,
        "owner": str(token.owner_id),
        "fingerprint": tokens.fingerprint(token.digest),
    }


def _said_by(request: Any) -> dict[str, str]:
    """Return where a request comes from, and where it has its token, as noted on Django's."""
    placement = getattr(request, "_api_token_placement", "")
    return {"placement": placement, "address": _address_of(request)}


def _own() -> dict[str, str]:
    return _origin.get() or {}


def _address_of(request: Any) -> str:
    address = find_address(request)
    return "" if address is None else str(address)


def _name_of(user: Any) -> str:
    known = getattr(user, "pk", None) is not None and hasattr(user, "_meta")
    return f"{user._meta.label}:{user.pk}" if known else ""
