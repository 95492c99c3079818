"""The envelope and the dates: what is wrapped, what never is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.utils.serializer_helpers import ReturnDict, ReturnList
from rest_framework.views import APIView

from connectnow_api.profiles import HELPSPACE
from connectnow_api.renderers import EnvelopeJSONRenderer
from connectnow_api.wire.bodies import ErrorBody, PageBody, error
from tests.conftest import Mount


class Empty(serializers.Serializer[Any]):
    pass


PAGE = PageBody(data=[1], links={}, meta={})


@pytest.fixture
def answer(mount: Mount, client: APIClient) -> Callable[..., Any]:
    """Let a view answer ``data`` and return what the client gets."""

    def answer(data: Any, status: int = 200, path: str = "/resource/x", **attributes: Any) -> Any:
        def get(self: Any, request: Any) -> Response:
            return Response(data, status=status)

        defaults = {"authentication_classes": (), "permission_classes": (), "get": get}
        view = type("View", (APIView,), {**defaults, **attributes})
        mount({"resource/x": view.as_view(), "flat/x": view.as_view()})
        return client.get(path)

    return answer


Answer = Callable[..., Any]


@pytest.mark.parametrize(
    "data",
    [
        {"id": 1},
        ReturnDict({"id": 1}, serializer=Empty()),
        ReturnList([{"id": 1}], serializer=Empty()),
        [{"id": 1}],
        [],
        [1, 2],
        "text",
        0,
        False,
        {"dat": 1},
        {"meta": {}, "links": {}},
    ],
)
def test_what_is_wrapped(answer: Answer, data: Any) -> None:
    for status in (200, 201, 202):
        assert answer(data, status).json() == {"data": data}
    assert answer(data, path="/flat/x").json() == data


@pytest.mark.parametrize(
    "data",
    [
        PAGE,
        {**PAGE},
        {**PAGE, "extra": 1},
        {"data": {"id": 1}},
        {"data": {"id": 1}, "meta": {"version": 1}},
        {"data": None},
        {},
        error("No."),
        ErrorBody(message="No."),
    ],
)
def test_what_is_not_wrapped(answer: Answer, data: Any) -> None:
    assert answer(data).json() == data


def test_only_a_success_is_wrapped(answer: Answer) -> None:
    assert answer({"id": 1}, 301).json() == {"id": 1}


REQUIRED = {"name": ["This field is required."]}
INVALID = "The given data was invalid."


@pytest.mark.parametrize(
    ("data", "status", "expected", "expected_status"),
    [
        (
            ReturnDict(REQUIRED, serializer=Empty()),
            400,
            {"message": INVALID, "errors": REQUIRED},
            422,
        ),
        (REQUIRED, 400, {"message": INVALID, "errors": REQUIRED}, 422),
        ([{}, REQUIRED], 400, {"message": INVALID, "errors": {"1.name": REQUIRED["name"]}}, 422),
        (REQUIRED, 409, {"message": "Conflict", "name": REQUIRED["name"]}, 409),
        ({"detail": "No."}, 403, {"message": "No."}, 403),
        (
            {"detail": ["No.", "Never."]},
            400,
            {"message": "No. Never."},
            400,
        ),
        ({"errors": REQUIRED}, 400, {"message": INVALID, "errors": REQUIRED}, 422),
        (REQUIRED, 422, {"message": INVALID, "errors": REQUIRED}, 422),
        ({"message": "No.", "id": 1}, 404, {"message": "No.", "id": 1}, 404),
        ({"error": "No."}, 400, {"message": "Bad request.", "error": "No."}, 400),
        ({"detail": "No.", "code": 5}, 418, {"message": "No.", "detail": "No.", "code": 5}, 418),
        ("No.", 404, {"message": "No."}, 404),
        (["No.", "Never."], 400, {"message": "No. Never."}, 400),
        (None, 404, {"message": "Object not found"}, 404),
        ({}, 500, {"message": "Server Error"}, 500),
        ({"data": 1}, 400, {"message": "Bad request.", "data": 1}, 400),
        (error("No."), 404, {"message": "No."}, 404),
    ],
)
def test_an_error_written_by_hand_gets_our_form(
    answer: Answer, data: Any, status: int, expected: Any, expected_status: int
) -> None:
    response = answer(data, status)
    assert (response.status_code, response.json()) == (expected_status, expected)


def test_errors_written_by_hand_have_codes_and_challenges_too(
    answer: Answer, settings: Any
) -> None:
    settings.CONNECTNOW_API = {"ERROR_CODES": True}
    detail = {"name": [ErrorDetail("Taken.", code="unique"), "Plain."]}
    assert answer(detail, 400).json()["codes"] == {"name": ["unique", "invalid"]}
    assert answer({"detail": "Who?"}, 401)["WWW-Authenticate"] == 'Bearer realm="api"'


def test_errors_written_by_hand_may_stay_as_they_are(answer: Answer, settings: Any) -> None:
    assert answer({"id": 1}, 400, reshape_manual_errors=False).json() == {"id": 1}
    settings.CONNECTNOW_API = {"RESHAPE_MANUAL_ERRORS": False}
    response = answer(REQUIRED, 400)
    assert (response.status_code, response.json()) == (400, REQUIRED)


@pytest.mark.parametrize(("deleted", "status", "body"), [(200, 200, b"{}"), (204, 204, b"")])
def test_a_deletion_answers_as_the_profile_says(
    mount: Mount, client: APIClient, settings: Any, deleted: int, status: int, body: bytes
) -> None:
    class View(APIView):
        authentication_classes = ()
        permission_classes = ()

        def delete(self, request: Any) -> Response:
            if "own" in request.query_params:
                return Response({"id": 1})
            return Response(status=204)

    settings.CONNECTNOW_API = {"DELETE_STATUS": deleted}
    mount({"resource/x": View.as_view()})
    response = client.delete("/resource/x")
    assert (response.status_code, response.content) == (status, body)
    assert ("Content-Type" in response) == bool(body)
    assert client.delete("/resource/x?own").json() == {"data": {"id": 1}}


def test_an_answer_that_has_no_content_gets_no_envelope() -> None:
    context = {"response": Response(status=204)}
    assert EnvelopeJSONRenderer().render({"a": 1}, renderer_context=context) == b'{"a":1}'


@pytest.mark.parametrize("status", [200, 204])
def test_no_body_stays_none(answer: Answer, status: int) -> None:
    response = answer(None, status)
    assert response.content == b""


def test_a_view_may_have_no_envelope(answer: Answer) -> None:
    assert answer({"id": 1}, envelope=None).json() == {"id": 1}


def test_always_wraps_what_has_the_key_but_no_page(answer: Answer) -> None:
    assert answer({"data": 1}, envelope="always").json() == {"data": {"data": 1}}
    assert answer({}, envelope="always").json() == {"data": {}}
    assert answer(PAGE, envelope="always").json() == PAGE
    assert answer({"data": 1}, envelope="always", path="/flat/x").json() == {"data": 1}


def test_the_key_is_the_profiles(answer: Answer, settings: Any) -> None:
    settings.CONNECTNOW_API = {"PROFILE": HELPSPACE, "WRAP": "result"}
    assert answer({"data": 1}).json() == {"result": {"data": 1}}
    settings.CONNECTNOW_API = {"WRAP": None}
    assert answer({"id": 1}).json() == {"id": 1}


def test_the_response_keeps_bare_data(answer: Answer) -> None:
    response = answer({"id": 1})
    assert response.data == {"id": 1}
    assert response.json() == {"data": {"id": 1}}


def test_content_type_is_plain_json(answer: Answer) -> None:
    assert answer({"name": "é/"}).headers["Content-Type"] == "application/json"
    assert answer({"name": "é/"}).content == '{"data":{"name":"é/"}}'.encode()


def test_a_form_of_the_browsable_api_is_not_wrapped_and_its_content_is(
    mount: Mount, client: APIClient
) -> None:
    """What a person edits is sent back as it stands; what is shown is what a client gets."""

    class Item(serializers.Serializer[Any]):
        name = serializers.CharField()

    class View(APIView):
        authentication_classes = ()
        permission_classes = ()
        renderer_classes = (EnvelopeJSONRenderer, BrowsableAPIRenderer)

        def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
            return Item(*args, **kwargs)

        def get(self, request: Any) -> Response:
            return Response(Item({"name": "Ada"}).data)

        def put(self, request: Any) -> Response:
            return Response({})

    mount({"resource/x": View.as_view()})
    html = client.get("/resource/x", headers={"accept": "text/html"}).content.decode()
    assert "&quot;data&quot;: {" in html
    form = html.partition('name="_content"')[2].partition("</textarea>")[0]
    assert "&quot;name&quot;: &quot;Ada&quot;" in form
    assert "&quot;data&quot;" not in form


WHEN = datetime(2021, 4, 26, 22, 25, 35, 123456, tzinfo=timezone.get_fixed_timezone(60))


def test_two_profiles_write_one_date_in_two_ways_in_one_process(answer: Answer) -> None:
    data = {"at": WHEN, "list": [WHEN], "day": date(2021, 4, 26), "time": time(1, 2, 3)}
    assert answer(data).json()["data"] == {
        "at": "2021-04-26T21:25:35+00:00",
        "list": ["2021-04-26T21:25:35+00:00"],
        "day": "2021-04-26",
        "time": "01:02:03",
    }
    assert answer(data, path="/flat/x").json()["at"] == "2021-04-26T21:25:35.123456Z"


def test_offset_is_the_sites_time_zone(answer: Answer, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/London"
    assert answer([WHEN]).json() == {"data": ["2021-04-26T22:25:35+01:00"]}
    assert answer([WHEN], path="/flat/x").json() == ["2021-04-26T21:25:35.123456Z"]


@pytest.mark.parametrize(
    ("zone", "day"), [("Asia/Tokyo", date.max), ("America/New_York", date.min)]
)
def test_the_first_and_last_day_of_all_are_written_in_utc(
    answer: Answer, settings: Any, zone: str, day: date
) -> None:
    settings.TIME_ZONE = zone
    edge = time(23, 59, 59) if day == date.max else time(0, 0, 0)
    moment = datetime.combine(day, edge, UTC)
    assert answer([moment]).json() == {"data": [f"{day}T{edge}+00:00"]}
    assert answer([moment], path="/flat/x").json() == [f"{day}T{edge}.000000Z"]


def test_a_naive_date_is_in_the_sites_time_zone(answer: Answer, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/London"
    settings.USE_TZ = False
    naive = WHEN.replace(tzinfo=None, microsecond=0)
    assert answer([naive]).json() == {"data": ["2021-04-26T22:25:35+01:00"]}
    assert answer([naive], path="/flat/x").json() == ["2021-04-26T21:25:35.000000Z"]


def test_other_types_are_written_as_by_drf(answer: Answer) -> None:
    data = {"price": Decimal("1.50"), "key": UUID(int=1)}
    assert answer(data).json() == {"data": {"price": 1.5, "key": str(UUID(int=1))}}


def test_the_format_is_a_setting_and_a_views_attribute(answer: Answer, settings: Any) -> None:
    settings.CONNECTNOW_API = {"DATETIME_FORMAT": "%Y"}
    assert answer([WHEN]).json() == {"data": ["2021"]}
    assert answer([WHEN], datetime_format="%d").json() == {"data": ["26"]}


def test_rendering_without_any_context() -> None:
    assert EnvelopeJSONRenderer().render({"id": 1}) == b'{"id":1}'
    assert EnvelopeJSONRenderer().render(None) == b""
