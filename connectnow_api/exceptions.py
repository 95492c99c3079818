"""The refusals that are ours, as DRF exceptions::

APIException
├── AuthenticationFailed
│   └── InvalidToken          401  a token was sent, and it opens nothing
├── ConflictingTokens         400  more than one token was sent
├── MalformedRequest          the profile's status: the body is not what it says it is
│   └── EmptyRequest          the same, where there is no body, or nothing in it
├── TokenConflict             409  a token cannot be changed any more
├── IncompleteRequest         400  the body is not as long as Content-Length says
├── TooManyFields             400  the request has more fields than the site allows
├── RequestTooLarge           413  the body is larger than the site allows
└── ServiceUnavailable        503  a database or a cache cannot be used now
    └── LimitUnavailable      503  a limit cannot be counted, and nothing passes uncounted
"""

from __future__ import annotations

from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, AuthenticationFailed

from .stores import LATER


class InvalidToken(AuthenticationFailed):
    """The token is unknown, malformed, expired or revoked, or is not for this client.

    One exception, one text, one challenge for all of them: the answer does not say which.
    """

    default_code = "invalid_token"


class ConflictingTokens(APIException):
    """The request holds different tokens, so it is not clear whose it is (RFC 6750 section 3.1)."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = "Send one API token, in one place."
    default_code = "invalid_request"


class TokenConflict(APIException):
    """A token cannot be changed as asked: it is revoked, rotated, expired or gone.

    ``token`` is the row as it is now, ``state`` what became of it: ``"revoked"``, ``"rotated"``,
    ``"expired"``, ``"idle"`` or ``"pruned"``; ``"active"`` if it can be changed again by now.
    """

    status_code = status.HTTP_409_CONFLICT
    default_detail = "The API token cannot be changed any more."
    default_code = "conflict"

    def __init__(self, token: Any, state: str) -> None:
        """Take the row and what became of it."""
        super().__init__()
        self.token, self.state = token, state


class MalformedRequest(APIException):
    """The body cannot be read as its media type, or is no object.

    Status and text are the profile's ``malformed_status`` and ``malformed_message``.
    """

    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = "Malformed request."
    default_code = "malformed"


class EmptyRequest(MalformedRequest):
    """There is no body, or an object or list with nothing in it, where a body is needed."""

    default_code = "empty"


class IncompleteRequest(APIException):
    """Fewer bytes arrived than ``Content-Length`` promised, or nobody promised a number of them."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = "The body is not as long as the request says."
    default_code = "incomplete"


class TooManyFields(APIException):
    """There are more fields than ``DATA_UPLOAD_MAX_NUMBER_FIELDS``, or more files than allowed."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = "The request has too many fields."
    default_code = "too_many_fields"


class RequestTooLarge(APIException):
    """The body is larger than ``DATA_UPLOAD_MAX_MEMORY_SIZE``."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request is too large."
    default_code = "too_large"


class ServiceUnavailable(APIException):
    """A database or a cache cannot be used now, or holds a lock that another request has.

    ``wait``: seconds for ``Retry-After``, 30 unless given.
    """

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Service unavailable."
    default_code = "unavailable"
    wait = LATER

    def __init__(self, wait: int | None = None) -> None:
        """Take the seconds after which to try again."""
        super().__init__()
        if wait is not None:
            self.wait = wait


class LimitUnavailable(ServiceUnavailable):
    """A limit that is ``"closed"`` on failure has no cache to count in, or no rate to go by."""

    default_code = "limit_unavailable"
