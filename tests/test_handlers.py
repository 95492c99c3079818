"""Errors of reading: status, body, headers."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.db import DataError, IntegrityError
from django.http import Http404, UnreadablePostError
from django.shortcuts import get_object_or_404
from rest_framework import exceptions, serializers
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api.exceptions import ConflictingTokens, MalformedRequest, TokenConflict
from connectnow_api.handlers import ExceptionHandler, exception_handler
from connectnow_api.profiles import PROFILES
from tests.conftest import Mount
from tests.library.models import Book


@pytest.fixture
def fail(mount: Mount, client: APIClient) -> Callable[..., Any]:
    """Let a view raise ``exc`` and return the answer."""

    def fail(exc: Any, path: str = "/resource/x", **headers: str) -> Any:
        def get(self: Any, request: Any) -> None:
            raise exc  # a class is made in the request's language, as in a view

        attributes = {"authentication_classes": (), "permission_classes": (), "get": get}
        view = type("View", (APIView,), attributes).as_view()
        mount({"resource/x": view, "flat/x": view, "laravel/x": view})
        return client.get(path, headers=headers)

    return fail


Fail = Callable[..., Any]


class Teapot(exceptions.APIException):
    status_code = 418
    default_detail = "I brew tea."


class Odd(exceptions.APIException):
    status_code = 499


NEUTRAL = [
    (exceptions.NotAuthenticated(), 401, "Unauthenticated."),
    (exceptions.AuthenticationFailed(), 401, "Unauthenticated."),
    (exceptions.PermissionDenied(), 403, "This action is unauthorized."),
    (DjangoPermissionDenied("row 5 of the accounts table"), 403, "This action is unauthorized."),
    (exceptions.NotFound(), 404, "Object not found"),
    (Http404("No Book matches the given query."), 404, "Object not found"),
    (exceptions.MethodNotAllowed("GET"), 405, "Method not allowed."),
    (exceptions.NotAcceptable(), 406, "Not acceptable."),
    (exceptions.UnsupportedMediaType("text/x"), 415, "Unsupported media type."),
    (
        exceptions.ParseError("JSON parse error - line 1 column 2"),
        400,
        "Empty request, check your JSON syntax.",
    ),
    (MalformedRequest(), 400, "Empty request, check your JSON syntax."),
    (RequestDataTooBig("2621440 bytes"), 413, "The request is too large."),
    (TooManyFieldsSent("1000 fields"), 400, "The request has too many fields."),
    (UnreadablePostError("gone"), 400, "The body is not as long as the request says."),
    (exceptions.Throttled(wait=1.2), 429, "Too Many Attempts."),
    (exceptions.APIException(), 500, "Server Error"),
    (Odd(), 499, "Error"),
]


@pytest.mark.parametrize(("exc", "status", "message"), NEUTRAL)
def test_a_refusal_without_a_text_of_its_own_has_a_neutral_one(
    fail: Fail, exc: Exception, status: int, message: str
) -> None:
    response = fail(exc)
    assert response.status_code == status
    assert response.json() == {"message": message}
    assert response["Content-Type"] == "application/json"


def test_not_found_has_the_profiles_text(fail: Fail) -> None:
    assert fail(exceptions.NotFound(), "/flat/x").json() == {"message": "Not found."}
    assert fail(exceptions.NotFound(), "/resource/x").json() == {"message": "Object not found"}


@pytest.mark.parametrize(
    ("exc", "status", "message"),
    [
        (exceptions.NotFound("There is no such issue."), 404, "There is no such issue."),
        (exceptions.PermissionDenied("The issue is closed."), 403, "The issue is closed."),
        (exceptions.PermissionDenied(["One.", "Two."]), 403, "One. Two."),
        (exceptions.APIException("Ask again."), 500, "Ask again."),
        (Teapot(), 418, "I brew tea."),
        (ConflictingTokens(), 400, "Send one API token, in one place."),
        (TokenConflict(None, "revoked"), 409, "The API token cannot be changed any more."),
    ],
)
def test_a_text_that_somebody_chose_is_sent(
    fail: Fail, exc: Exception, status: int, message: str
) -> None:
    response = fail(exc)
    assert (response.status_code, response.json()) == (status, {"message": message})


def test_messages_are_a_setting(fail: Fail, settings: Any) -> None:
    settings.CONNECTNOW_API = {"PROFILE": "helpspace", "MESSAGES": {403: "Not yours."}}
    assert fail(exceptions.PermissionDenied()).json() == {"message": "Not yours."}
    assert fail(exceptions.NotFound()).json() == {"message": "Object not found"}


def test_language_changes_nothing_unless_translated(fail: Fail, settings: Any) -> None:
    german = {"accept_language": "de"}
    for exc in (exceptions.NotAuthenticated, exceptions.AuthenticationFailed):
        assert fail(exc, **german).json() == {"message": "Unauthenticated."}
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "TRANSLATE_MESSAGES": True}
    assert fail(exceptions.NotAuthenticated, **german).json() == {"message": "Nicht angemeldet."}
    assert fail(exceptions.NotAuthenticated).json() == {"message": "Unauthenticated."}


def test_our_own_texts_follow_the_settings_too(fail: Fail, settings: Any) -> None:
    settings.CONNECTNOW_API = {"MESSAGES": {413: "Too much."}, "TRANSLATE_MESSAGES": True}
    assert fail(RequestDataTooBig("x")).json() == {"message": "Too much."}
    response = fail(ConflictingTokens, accept_language="de")
    assert response.json() == {"message": "Bitte nur ein API-Token senden, an einer Stelle."}
    response = fail(TokenConflict(None, "revoked"), accept_language="de")
    assert response.json() == {"message": "Das API-Token kann nicht mehr geändert werden."}


def test_a_validation_error_may_have_a_status_of_its_own(fail: Fail) -> None:
    class Conflict(exceptions.ValidationError):
        status_code = 409

    response = fail(Conflict({"a": ["Taken."]}))
    assert (response.status_code, response.json()["errors"]) == (409, {"a": ["Taken."]})


def test_a_chosen_text_that_is_empty_is_none(fail: Fail) -> None:
    assert fail(exceptions.NotFound("")).json() == {"message": "Object not found"}


def test_retry_after_is_whole_seconds_rounded_up(fail: Fail) -> None:
    assert fail(exceptions.Throttled(wait=1.2))["Retry-After"] == "2"
    assert fail(exceptions.Throttled(wait=0))["Retry-After"] == "1"
    assert "Retry-After" not in fail(exceptions.Throttled())


@pytest.mark.parametrize("kind", [exceptions.NotAuthenticated, exceptions.AuthenticationFailed])
def test_a_401_has_the_challenge_that_the_view_chose(
    mount: Mount, client: APIClient, kind: Any
) -> None:
    """DRF asks ``get_authenticate_header``, which a view may override."""

    class View(APIView):
        permission_classes = ()

        def get_authenticate_header(self, request: Any) -> str:
            return 'Signature realm="partners"'

        def get(self, request: Any) -> None:
            raise kind

    mount({"resource/x": View.as_view()})
    response = client.get("/resource/x")
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Signature realm="partners"'


def test_the_wait_of_a_sites_own_exception_is_rounded_up(fail: Fail) -> None:
    """DRF itself rounds the wait of its own ``Throttled``."""

    class Busy(exceptions.APIException):
        status_code = 503
        wait = 1.2

    assert fail(Busy)["Retry-After"] == "2"


def test_nobodys_429_is_kept_by_a_cache(fail: Fail) -> None:
    assert fail(exceptions.Throttled())["Cache-Control"] == "no-store"
    assert "Cache-Control" not in fail(exceptions.NotFound())


DETAIL = {"email": ["Taken.", "Too long."], "items": [{}, {"name": ["Required."]}]}
ERRORS = {"email": ["Taken.", "Too long."], "items.1.name": ["Required."]}


def test_a_failed_validation_is_422_with_errors(fail: Fail) -> None:
    response = fail(exceptions.ValidationError(DETAIL))
    assert response.status_code == 422
    assert response.json() == {"message": "The given data was invalid.", "errors": ERRORS}


def test_the_summary_is_the_first_text_and_how_many_follow(fail: Fail, settings: Any) -> None:
    settings.CONNECTNOW_API = {"PROFILE": "laravel-12"}

    def summary(detail: Any) -> Any:
        return fail(exceptions.ValidationError(detail)).json()["message"]

    assert summary(DETAIL) == "Taken. (and 2 more errors)"
    assert summary({"a": ["One."]}) == "One."
    assert summary({"a": ["One.", "Two."]}) == "One. (and 1 more error)"
    assert summary({}) == "The given data was invalid."


def test_a_crash_is_raised_again_and_signalled_once(fail: Fail) -> None:
    """An answer made here would hide it from Django's log, signal and transaction."""
    seen = []

    def listen(sender: Any, **kwargs: Any) -> None:
        seen.append(sender)

    got_request_exception.connect(listen)
    try:
        with pytest.raises(ZeroDivisionError):
            fail(ZeroDivisionError("secret"))
    finally:
        got_request_exception.disconnect(listen)
    assert len(seen) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("profile", PROFILES)
def test_no_class_name_of_a_missing_row_is_told(
    mount: Mount, client: APIClient, settings: Any, profile: str
) -> None:
    class View(APIView):
        authentication_classes = ()
        permission_classes = ()

        def get(self, request: Any) -> Any:
            return get_object_or_404(Book, pk=1)

    settings.CONNECTNOW_API = {"PROFILE": profile}
    mount({"x": View.as_view()})
    for debug in (True, False):
        settings.DEBUG = debug
        assert b"Book" not in client.get("/x").content


@pytest.mark.django_db(transaction=True)
def test_a_known_error_rolls_the_request_back(
    mount: Mount, client: APIClient, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connection

    from tests.library.models import Author

    class View(APIView):
        authentication_classes = ()
        permission_classes = ()

        def get(self, request: Any) -> Any:
            Author.objects.create(name="half")
            raise exceptions.PermissionDenied

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    mount({"resource/x": View.as_view()})
    assert client.get("/resource/x").status_code == 403
    assert not Author.objects.exists()


def test_each_step_of_the_handler_can_be_replaced(fail: Fail, settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "EXCEPTION_HANDLER": "tests.test_handlers.short_handler",
    }
    response = fail(exceptions.NotFound())
    assert (response.status_code, response.json()) == (410, {"message": "Gone."})
    assert response["X-Step"] == "headers"


class ShortHandler(ExceptionHandler):
    def get_status(self, exc: exceptions.APIException) -> int:
        return 410

    def get_message(self, exc: exceptions.APIException, status_code: int) -> str:
        return "Gone."

    def get_headers(self, exc: exceptions.APIException, status_code: int) -> dict[str, str]:
        return {"X-Step": "headers"}


def short_handler(exc: Exception, context: Any) -> Any:
    return ShortHandler(exc, context).handle()


def test_the_handler_works_without_view_and_request() -> None:
    response = exception_handler(exceptions.NotAuthenticated(), {})
    assert response is not None
    assert response.data == {"message": "Unauthenticated."}
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert exception_handler(ValueError(), {}) is None


@pytest.mark.parametrize(
    ("exc", "errors"),
    [
        (DjangoValidationError("No."), {"non_field_errors": ["No."]}),
        (DjangoValidationError(["No.", "Never."]), {"non_field_errors": ["No.", "Never."]}),
        (DjangoValidationError({"name": ["No."]}), {"name": ["No."]}),
        (DjangoValidationError("Not %(x)s.", params={"x": 5}), {"non_field_errors": ["Not 5."]}),
        (DataError("integer out of range"), {"non_field_errors": ["A value is out of range."]}),
        (
            ValueError("Field 'year' expected a number but got 'abc'."),
            {"year": ["This value is not valid."]},
        ),
        (
            OverflowError("Python int too large to convert to SQLite INTEGER"),
            {"non_field_errors": ["A value is out of range."]},
        ),
    ],
)
def test_what_django_and_the_database_find_invalid(fail: Fail, exc: Exception, errors: Any) -> None:
    response = fail(exc)
    assert response.status_code == 422
    assert response.json() == {"message": "The given data was invalid.", "errors": errors}


class DriverError(Exception):
    sqlstate = "23505"


def chained(text: str) -> IntegrityError:
    exc = IntegrityError(text)
    exc.__cause__ = DriverError()
    return exc


@pytest.mark.parametrize(
    ("exc", "field"),
    [
        (IntegrityError("UNIQUE constraint failed: library_book.isbn"), "isbn"),
        (
            chained('duplicate key value violates "x"\nDETAIL:  Key (isbn)=(1) already exists.'),
            "isbn",
        ),
        (IntegrityError(1062, "Duplicate entry '1' for key 'isbn'"), "isbn"),
        (IntegrityError(1062, "Duplicate entry '1' for key 'library_book.isbn'"), "isbn"),
        (IntegrityError("UNIQUE constraint failed: library_book.author_id"), "author"),
        (IntegrityError("UNIQUE constraint failed: b.isbn, b.title"), "non_field_errors"),
        (
            IntegrityError("UNIQUE constraint failed: library_book.isbn, library_book.title"),
            "non_field_errors",
        ),
        (
            IntegrityError(1062, "Duplicate entry '1' for key 'b.one_isbn_a_shelf'"),
            "non_field_errors",
        ),
        (chained("duplicate key value, in another language"), "non_field_errors"),
        (IntegrityError("UNIQUE constraint failed: library_book.name"), "non_field_errors"),
    ],
)
def test_a_value_taken_meanwhile_is_invalid(fail: Fail, exc: Exception, field: str) -> None:
    response = fail(exc)
    assert response.status_code == 422
    assert response.json()["errors"] == {field: ["This field must be unique."]}


@pytest.mark.parametrize(
    ("table", "field"), [("tests_own", "mark"), ("tests_other", "sign"), (None, "non_field_errors")]
)
def test_a_column_is_told_by_its_table_where_that_is_named(
    fail: Fail, monkeypatch: pytest.MonkeyPatch, table: str | None, field: str
) -> None:
    """Two models have a column of one name, and other fields for it."""

    def model(name: str) -> Any:
        column = types.SimpleNamespace(name=name, column="c")
        db_table = {"mark": "tests_own", "sign": "tests_other"}[name]
        meta = types.SimpleNamespace(db_table=db_table, concrete_fields=[column])
        return types.SimpleNamespace(_meta=meta)

    models = [model("mark"), model("sign")]
    monkeypatch.setattr("django.apps.apps.get_models", lambda: models)
    exc = chained("DETAIL:  Key (c)=(1) already exists.")
    exc.__cause__.diag = types.SimpleNamespace(table_name=table)  # type: ignore[union-attr]
    assert list(fail(exc).json()["errors"]) == [field]
    if table:
        sqlite = IntegrityError(f"UNIQUE constraint failed: {table}.c")
        assert list(fail(sqlite).json()["errors"]) == [field]


@pytest.mark.parametrize(
    "exc",
    [IntegrityError("FOREIGN KEY constraint failed"), IntegrityError(1048, "cannot be null")],
)
def test_other_refusals_of_the_database_are_crashes(fail: Fail, exc: Exception) -> None:
    with pytest.raises(IntegrityError):
        fail(exc)


@pytest.mark.django_db
def test_a_real_violation_is_understood(mount: Mount, client: APIClient) -> None:
    """On whatever database the tests run."""

    class View(APIView):
        authentication_classes = ()
        permission_classes = ()

        def post(self, request: Any) -> Any:
            for _ in range(2):
                Book.objects.create(title="b", isbn="1", published_at="2021-01-01T00:00Z")

    mount({"flat/x": View.as_view()})
    response = client.post("/flat/x", {"a": 1}, "json")
    assert response.status_code == 422
    assert response.json()["errors"] == {"isbn": ["This field must be unique."]}


def test_codes_are_a_third_member_if_wanted(fail: Fail, settings: Any) -> None:
    settings.CONNECTNOW_API = {"ERROR_CODES": True}
    detail = {
        "email": [exceptions.ErrorDetail("Taken.", code="unique")],
        "items": [{}, {"name": [exceptions.ErrorDetail("Required.", code="required")]}],
    }
    assert fail(exceptions.ValidationError(detail)).json() == {
        "message": "The given data was invalid.",
        "errors": {"email": ["Taken."], "items.1.name": ["Required."]},
        "codes": {"email": ["unique"], "items.1.name": ["required"]},
    }
    assert fail(exceptions.NotFound()).json() == {"message": "Object not found"}


def test_the_key_of_no_field_is_drfs_setting(fail: Fail, settings: Any) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NON_FIELD_ERRORS_KEY": "form"}
    assert fail(exceptions.ValidationError("No.")).json()["errors"] == {"form": ["No."]}


class ItemSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField(max_length=3), required=False)


class OrderSerializer(serializers.Serializer[Any]):
    address = ItemSerializer()
    items = ItemSerializer(many=True)


@pytest.mark.filterwarnings("ignore:The list-based error format")
@pytest.mark.parametrize("as_dict", [True, False])
def test_nested_and_list_errors_are_flattened_from_both_of_drfs_forms(
    mount: Mount, client: APIClient, settings: Any, as_dict: bool
) -> None:
    """Since 3.18 a list's errors are keyed by index; before, they are padded with empty ones."""

    class View(APIView):
        authentication_classes = ()
        permission_classes = ()
        accepts_lists = True

        def post(self, request: Any) -> Any:
            many = isinstance(request.data, list)
            kind = ItemSerializer if many else OrderSerializer
            kind(data=request.data, many=many).is_valid(raise_exception=True)

    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "LIST_SERIALIZER_ERRORS_AS_DICT": as_dict,
    }
    mount({"flat/x": View.as_view()})
    required = ["This field is required."]
    long = ["Ensure this field has no more than 3 characters."]
    order = {"address": {}, "items": [{}, {"name": "x"}, {"name": "y", "tags": ["ok", "long"]}]}
    assert client.post("/flat/x", order, "json").json()["errors"] == {
        "address.name": required,
        "items.0.name": required,
        "items.2.tags.1": long,
    }
    assert client.post("/flat/x", [{}, {"name": "x"}, {}], "json").json()["errors"] == {
        "0.name": required,
        "2.name": required,
    }
