"""What is answered to what goes wrong outside of DRF's views, or was not theirs to answer."""

from __future__ import annotations

import sys
import traceback
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from rest_framework import status

from .errors import neutral_body
from .exceptions import ServiceUnavailable
from .request_bodies import actual_status
from .settings import api_settings, get_profile
from .stores import seconds_to_retry
from .wire.bodies import ErrorBody


class Refusal(NamedTuple):
    """An error to be answered."""

    status: int
    body: ErrorBody
    headers: dict[str, str]


def note_crash(request: Any = None, **kwargs: Any) -> None:
    """Note on a request what the answer to its crash has to say; called while it is handled.

    A receiver of ``got_request_exception``, which Django sends wherever a request ends in an
    exception, such as a ``LimitUnavailable`` in a view that is none of DRF's. The exception itself
    is not kept: its frames hold the request.
    """
    crash = sys.exc_info()[1]
    if request is None or crash is None:
        return
    request._api_retry_after = (
        crash.wait if isinstance(crash, ServiceUnavailable) else seconds_to_retry(crash)
    )
    if api_settings.debug_errors and django_settings.DEBUG:
        request._api_crash = describe(crash)


def refuse(request: Any, status_code: int) -> Refusal:
    """Return the neutral answer to a request that came to ``status_code`` by Django's rules.

    A crash that ``seconds_to_retry`` knows is a 503 with ``Retry-After`` (RFC 9110 section 10.2.3).
    """
    code, headers = actual_status(request, status_code), {}
    wait: int | None = getattr(request, "_api_retry_after", None)
    if code == status.HTTP_500_INTERNAL_SERVER_ERROR and wait is not None:
        code, headers = status.HTTP_503_SERVICE_UNAVAILABLE, {"Retry-After": str(wait)}
    body = neutral_body(get_profile(request), code)
    if status.is_server_error(code):
        body.update(getattr(request, "_api_crash", {}))
    return Refusal(code, body, headers)


def describe(crash: BaseException) -> dict[str, Any]:
    """Return the members that ``DEBUG_ERRORS`` adds."""
    trace = traceback.format_exception(crash)
    return {"exception": type(crash).__name__, "detail": str(crash), "trace": trace}
