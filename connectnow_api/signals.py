"""What other code may want to hear of.

Signals of tokens are sent by ``events``, with the kind of token as ``sender``, ``event`` (a
``TokenEvent``) and ``token`` (the row, ``None`` where there is none); a receiver that raises is
logged, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.dispatch import Signal

cache_unavailable = Signal()
"""A limit could not be counted. ``sender`` is the scope that was to be counted, ``exception`` what
went wrong; sent for every such request, where the log has one line a minute."""

limit_exceeded = Signal()
"""A request was one too many. ``sender`` is the limit's scope, ``request`` the request (``None``
where code counts by hand), ``usage`` how the counter stands, ``is_shadow`` whether it passed all
the same."""

token_created = Signal()
"""A token was issued."""
token_renamed = Signal()
"""A token has another name; ``event.reason`` is ``from`` and the one before."""
token_extended = Signal()
"""A token has another expiry."""
token_rotated = Signal()
"""A token has a successor, whose own ``token_created`` was sent before; ``event.reason`` is ``by``
and the successor's key."""
token_revoked = Signal()
"""A token was revoked."""
token_pruned = Signal()
"""The row of a token was deleted; ``token`` is ``None``."""
token_expiring = Signal()
"""A token is about to expire; sent once for each expiry, by ``api_tokens notify``."""
token_refused = Signal()
"""A request was refused for its token; ``event.reason`` says why."""
token_used_after_expiry = Signal()
"""A request was refused because its token has expired or was not used for too long."""
token_denied = Signal()
"""A request was refused because its token lacks the abilities that ``event.reason`` names."""
token_throttled = Signal()
"""A request was refused because its token, or its address with wrong ones, sent too many."""
token_used = Signal()
"""A request was authenticated by a token; ``event.action`` is ``used``.

Sent for every such request, and not among ``TOKEN_SIGNALS``: it is neither logged nor kept in the
audit table."""

TOKEN_SIGNALS: Mapping[str, Signal] = {
    "created": token_created,
    "renamed": token_renamed,
    "extended": token_extended,
    "rotated": token_rotated,
    "revoked": token_revoked,
    "pruned": token_pruned,
    "expiring": token_expiring,
    "refused": token_refused,
    "used_after_expiry": token_used_after_expiry,
    "denied": token_denied,
    "throttled": token_throttled,
}
"""The action of a ``TokenEvent`` to the signal that is sent of it."""
