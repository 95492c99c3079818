"""The recorded errors of Laravel 8 and 12, and views of ours that do what the recorded routes did.

What a route did is read from the recording (status, message, ``Allow``, ...) and done here in DRF's
words: a permission that denies, a missing row, a method that is not there, a parser that refuses.
A recording that says neither is an error of the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_protect
from rest_framework import exceptions
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.models import APIToken
from connectnow_api.profiles import LARAVEL_8, LARAVEL_12

VERSIONS = {"8.83": LARAVEL_8, "12.67": LARAVEL_12}
MISSING_ROW = "No query results for model"
WRONG_METHOD = re.compile(r"The [A-Z]+ method is not supported for (this route|route [^ ]+)\.")
MISSING_ROUTE = re.compile(r"The route [^ ]+ could not be found\.")
BAD_REQUEST = ("Bad hostname provided.", "Bad request.")
DEFAULT_TEXTS = {
    401: "Unauthenticated.",
    403: "This action is unauthorized.",
    429: "Too Many Attempts.",
}
VALIDATION = {"email": ["The email has already been taken.", "Second."]}

Case = dict[str, Any]


def recording(case: Case, version: str) -> Case:
    """Return what a version answered."""
    return {**case, **case.get("laravel_12", {})} if version.startswith("12") else case


def body_of(recorded: Case) -> Any:
    """Return the recorded body without what debug mode adds; ``None`` for what is no JSON."""
    if "message" not in recorded:
        return recorded.get("body")
    text = "Http" in recorded.get("exception", "Http") and recorded["message"]
    return {"message": text or "Server Error"}


def own_headers(recorded: Case) -> dict[str, str]:
    """Return the recorded headers that the application set itself."""
    headers = recorded.get("headers", {})
    common = {"Cache-Control", "Content-Type", "Allow", "WWW-Authenticate", "Date"}
    return {key: value for key, value in headers.items() if key not in common}


def allowed(recorded: Case) -> list[str]:
    text = recorded.get("headers", {}).get("Allow", "")
    return [method for method in re.split(", ?", text) if method]


# What the recorded routes did, in DRF's and Django's words.


class View(APIView):
    """A view that anybody may use, and that answers bare bodies."""

    authentication_classes: Any = ()
    permission_classes: Any = ()
    envelope = None

    def get(self, request: Any) -> Response:
        return self.answer(request)

    def answer(self, request: Any) -> Response:
        return Response({})


def raising(make: Callable[[], Exception]) -> Any:
    """Return a view that raises."""

    class Raising(View):
        def answer(self, request: Any) -> Response:
            raise make()

    return Raising.as_view()


def returning(body: Any, status: int, headers: dict[str, str] | None = None) -> Any:
    """Return a view that writes its error by hand."""

    class Returning(View):
        def answer(self, request: Any) -> Response:
            return Response(body, status=status, headers=headers)

    return Returning.as_view()


def denying(text: str | None) -> Any:
    """Return a view whose permission denies, with a text if there is one."""

    class Never(BasePermission):
        message = text

        def has_permission(self, request: Any, view: Any) -> bool:
            return False

    class Denied(View):
        permission_classes = [Never]

    return Denied.as_view()


class Private(View):
    authentication_classes = [APITokenAuthentication]
    permission_classes = [IsAuthenticated]


class Missing(View):
    def answer(self, request: Any, **kwargs: Any) -> Response:
        return Response(get_object_or_404(APIToken, pk=5).pk)


def with_methods(*methods: str) -> Any:
    """Return a view that has just these methods."""

    def answer(self: Any, request: Any) -> Response:
        return Response(1)

    members = {method.lower(): answer for method in methods if method != "HEAD"}
    members["http_method_names"] = [*(method.lower() for method in methods), "options"]
    return type("Routed", (APIView,), {"permission_classes": (), "envelope": None, **members})


@csrf_protect
def form(request: Any) -> HttpResponse:
    return HttpResponse("ok")


def refused(status: int, text: str) -> exceptions.APIException:
    """Return an exception with a status, and with a text unless that is empty."""
    kinds = {
        401: exceptions.AuthenticationFailed,
        403: exceptions.PermissionDenied,
        404: exceptions.NotFound,
    }
    kind = kinds.get(status) or type("Refused", (exceptions.APIException,), {"status_code": status})
    return kind(text) if text else kind()


def views(case: Case, recorded: Case) -> list[Any]:
    """Return the views that do what the recorded route did, from what was recorded of it."""
    body, status = body_of(recorded), recorded["status"]
    if body is None:
        return unseen(case, recorded)
    message = body["message"]
    if "errors" in body:
        return [raising(lambda: invalid(dict(body["errors"]), status))]
    neutral_text = message in ("", DEFAULT_TEXTS.get(status))
    for said, found in (
        (status == 401 and message == DEFAULT_TEXTS[401], [Private.as_view()]),
        (status == 403, [denying(None if neutral_text else message)]),
        (message.startswith(MISSING_ROW), [Missing.as_view()]),
        (message in BAD_REQUEST, [raising(SuspiciousOperation)]),
        (status == 405 and (neutral_text or WRONG_METHOD.match(message)), wrong_method(recorded)),
        (status == 413 and not message, [raising(RequestDataTooBig)]),
        (status == 419, [form]),
        (status == 429 and neutral_text, throttled(recorded)),
        (status == 500 and message == "Server Error", crashes(case)),
    ):
        if said:
            return found
    headers = own_headers(recorded)
    written = returning(body, status, headers)
    return [written] if headers else [written, raising(lambda: refused(status, message))]


def invalid(errors: Any, status: int) -> exceptions.ValidationError:
    """Return a failed validation; a status of its own is its class's."""
    kind = type("Invalid", (exceptions.ValidationError,), {"status_code": status})
    return exceptions.ValidationError(errors) if status == 422 else kind(errors)


def wrong_method(recorded: Case) -> list[Any]:
    """Return a view without the method, or one that refuses a method that it has."""
    methods, sent = allowed(recorded), recorded["request"][0]
    if sent in methods:
        return [raising(lambda: exceptions.MethodNotAllowed(sent))]
    return [with_methods(*methods).as_view()]


def throttled(recorded: Case) -> list[Any]:
    wait = float(recorded.get("headers", {}).get("Retry-After", 1))
    return [raising(lambda: exceptions.Throttled(wait=wait))]


def crashes(case: Case) -> list[Any]:
    """Return views that crash: in the view, and where a text cannot be written as JSON."""
    unwritable = returning({"message": "caf\udcff"}, 400)
    if "invalid UTF-8" in case["description"]:
        return [unwritable, raising(lambda: refused(400, "caf\udcff"))]
    return [raising(lambda: RuntimeError("secret")), raising(lambda: TypeError("secret"))]


def unseen(case: Case, recorded: Case) -> list[Any]:
    """Return the view of a route whose recorded answer was a page, a redirect or nothing."""
    kinds = {
        "authentication": Private.as_view(),
        "model_not_found": Missing.as_view(),
        "validation": raising(lambda: exceptions.ValidationError(VALIDATION)),
    }
    kind = case["request"][1].rpartition("/")[2]
    if kind in kinds:
        return [kinds[kind]]
    if case["request"][0] == "HEAD":
        return [returning({"message": ""}, recorded["status"])]
    assert "body_starts" in recorded, f"Nothing says what {case['request']} did."
    page = recorded["body_starts"]
    return [lambda request: HttpResponse(page, status=recorded["status"])]
