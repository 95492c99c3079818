"""From an exception to ``{"message", "errors"}``."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.db import IntegrityError
from django.http import Http404, UnreadablePostError
from django.utils.translation import gettext
from rest_framework import exceptions, status
from rest_framework.fields import get_error_detail
from rest_framework.response import Response
from rest_framework.views import set_rollback

from .errors import challenge, error_body, neutral_message, translated, validation_body
from .events import emit_for_auth
from .exceptions import (
    ConflictingTokens,
    IncompleteRequest,
    MalformedRequest,
    RequestTooLarge,
    ServiceUnavailable,
    TokenConflict,
    TooManyFields,
)
from .integrity import is_out_of_range, misread_field, violated_fields
from .outages import Outages
from .placements import django_request_of
from .settings import get_profile, get_value
from .stores import seconds_to_retry
from .wire.bodies import ErrorBody
from .wire.errors import flatten, texts

_outages = Outages(logging.getLogger(__name__))

TRANSLATIONS: tuple[tuple[Any, Callable[[], exceptions.APIException]], ...] = (
    (Http404, exceptions.NotFound),
    (DjangoPermissionDenied, exceptions.PermissionDenied),
    (RequestDataTooBig, RequestTooLarge),
    ((TooManyFieldsSent, TooManyFilesSent), TooManyFields),
    (UnreadablePostError, IncompleteRequest),
)
"""Django's exceptions and what they mean to a client."""

WORDED_BY_STATUS = (
    exceptions.MethodNotAllowed,
    exceptions.Throttled,
    exceptions.UnsupportedMediaType,
    RequestTooLarge,
    ServiceUnavailable,
)
"""What has the neutral text of its status, whatever DRF or the class says."""

WORDED_BY_US = (ConflictingTokens, IncompleteRequest, TokenConflict, TooManyFields)
"""What brings a text of its own that follows the request's language, if the site wants that."""


class ExceptionHandler:
    """Answers one exception, in steps that a subclass can replace one by one.

    Name the subclass's own function in ``REST_FRAMEWORK["EXCEPTION_HANDLER"]``::

        def my_handler(exc, context):
            return MyHandler(exc, context).handle()
    """

    def __init__(self, exc: Exception, context: Mapping[str, Any]) -> None:
        """Take the exception and DRF's context (``view``, ``request``, ...)."""
        self.view = context.get("view")
        self.request = context.get("request")
        self.profile = get_profile(self.request, self.view)
        self.exc = self.translate(exc)

    def handle(self) -> Response | None:
        """Return the answer, or ``None`` for an exception that is not ours to answer.

        An unknown exception passes through DRF as if there were no handler: Django logs it, sends
        its signal and rolls back. An answer made here would leave half of a request's rows behind.
        """
        if not isinstance(self.exc, exceptions.APIException):
            return None
        set_rollback()
        status_code = self.get_status(self.exc)
        body = self.get_body(self.exc, status_code)
        return Response(body, status=status_code, headers=self.get_headers(self.exc, status_code))

    def translate(self, exc: Exception) -> Exception:
        """Return DRF's exception for one of Django's or the database's.

        Their own texts name models, columns and values, and are not for clients; those of
        Django's ``ValidationError`` are.
        """
        if isinstance(exc, DjangoValidationError):
            return exceptions.ValidationError(get_error_detail(exc))
        if isinstance(exc, IntegrityError):
            return self.translate_integrity_error(exc)
        if field := misread_field(exc):
            return exceptions.ValidationError({field: [gettext("This value is not valid.")]})
        if is_out_of_range(exc):
            return exceptions.ValidationError(gettext("A value is out of range."))
        for kinds, known in TRANSLATIONS:
            if isinstance(exc, kinds):
                return known()
        wait = seconds_to_retry(exc)
        return exc if wait is None else self.translate_outage(exc, wait)

    def translate_outage(self, exc: Exception, wait: int) -> Exception:
        """Return a ``ServiceUnavailable`` (503) after saying what it was, as Django does.

        One line a minute in the log, and ``got_request_exception`` for whoever monitors crashes.
        """
        _outages.report("A request cannot be served", exc)
        request = django_request_of(self.request)
        got_request_exception.send_robust(sender=type(self.view), request=request)
        return ServiceUnavailable(wait)

    def translate_integrity_error(self, exc: IntegrityError) -> Exception:
        """Return a ``ValidationError`` for a value that another request has just taken."""
        fields = violated_fields(exc)
        if fields is None:
            return exc
        text = gettext("This field must be unique.")
        detail: Any = {fields[0]: [text]} if len(fields) == 1 else [text]
        return exceptions.ValidationError(detail, code="unique")

    def get_status(self, exc: exceptions.APIException) -> int:
        """Return the status: 422 for a failed validation, 401 whenever nobody is authenticated.

        DRF turns 401 into 403 where the view's first authenticator has no challenge.
        """
        if isinstance(exc, exceptions.ValidationError):
            own = exc.status_code != status.HTTP_400_BAD_REQUEST
            return exc.status_code if own else status.HTTP_422_UNPROCESSABLE_ENTITY
        if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
            return status.HTTP_401_UNAUTHORIZED
        if isinstance(exc, exceptions.ParseError | MalformedRequest):
            return int(get_value("malformed_status", self.request, self.view))
        return int(exc.status_code)

    def get_body(self, exc: exceptions.APIException, status_code: int) -> ErrorBody:
        """Return ``{"message"}``, with ``errors`` for a failed validation."""
        if not isinstance(exc, exceptions.ValidationError):
            return error_body(self.get_message(exc, status_code), status_code)
        return validation_body(self.profile, exc.detail)

    def get_message(self, exc: exceptions.APIException, status_code: int) -> str:
        """Return the exception's own text, or the profile's neutral one if it brought none."""
        if isinstance(exc, exceptions.ParseError | MalformedRequest):
            return translated(get_value("malformed_message", self.request, self.view))
        if brings_own_text(exc):
            text = " ".join(texts(flatten(exc.detail)))
            return translated(text) if isinstance(exc, WORDED_BY_US) else text
        return neutral_message(self.profile, status_code)

    def get_headers(self, exc: exceptions.APIException, status_code: int) -> dict[str, str]:
        """Return ``WWW-Authenticate``, ``Cache-Control`` and ``Retry-After`` where they belong."""
        headers = {}
        if status_code == status.HTTP_401_UNAUTHORIZED:
            headers["WWW-Authenticate"] = self.get_challenge(exc)
        if isinstance(exc, ConflictingTokens):
            headers["WWW-Authenticate"] = challenge(self.keyword, "invalid_request")
        missing = getattr(self.request, "missing_abilities", None)
        if self.request and status_code == status.HTTP_403_FORBIDDEN and missing:
            headers["WWW-Authenticate"] = challenge(self.keyword, "insufficient_scope", missing)
            emit_for_auth("denied", self.request, reason=" ".join(missing))
        if status_code == status.HTTP_429_TOO_MANY_REQUESTS:
            # RFC 6585 section 4: no cache may keep it.
            headers["Cache-Control"] = "no-store"
        wait: float | None = getattr(exc, "wait", None)
        if wait is not None:
            headers["Retry-After"] = str(max(1, math.ceil(wait)))
        return headers

    def get_challenge(self, exc: exceptions.APIException) -> str:
        """Return the challenge of the first authenticator that has one; a 401 is never without."""
        own: str | None = getattr(exc, "auth_header", None)
        if own:
            return own
        challenges = (a.authenticate_header(self.request) for a in self.authenticators)
        return next(filter(None, challenges), challenge())

    @property
    def authenticators(self) -> list[Any]:
        """The authenticators of the view, new ones."""
        return [] if self.view is None else self.view.get_authenticators()

    @property
    def keyword(self) -> str:
        """The scheme in which the view's first token authenticator reads tokens."""
        found = (getattr(authenticator, "keyword", None) for authenticator in self.authenticators)
        return next(filter(None, found), "Bearer")


def brings_own_text(exc: exceptions.APIException) -> bool:
    """Tell whether whoever raised ``exc``, or wrote its class, chose its text.

    The texts of DRF's own refusals name methods, media types and parser positions, which are no
    business of the client's.
    """
    if isinstance(exc, WORDED_BY_STATUS):
        return False
    if not any(texts(flatten(exc.detail))):
        return False
    author = next(cls for cls in type(exc).__mro__ if "default_detail" in vars(cls))
    return author.__module__ != exceptions.__name__ or exc.detail != str(exc.default_detail)


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """Answer ``exc`` with ``ExceptionHandler``; DRF's ``EXCEPTION_HANDLER`` takes this name."""
    return ExceptionHandler(exc, context).handle()
