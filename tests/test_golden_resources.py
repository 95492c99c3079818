"""Every recorded success of Laravel 8 and 12 against what our renderer writes.

The recordings hold answers only, so a view of ours is given what the recorded handler had: the
object without its envelope, or the body in one piece where the handler wrote it itself, dates as
dates and decimals as a serializer's field writes them. Bodies are compared as parsed JSON, the keys
in their order. Where ours differs on purpose, the difference is stated here once as a rule:

* an empty map is ``{}`` and has no envelope, an empty list is ``[]``, where PHP prints ``[]`` for
  both;
* nothing is no body: with 204, and with 200 for ``None``; a deletion that answers nothing is
  200 ``{}``. Laravel sends an empty page of HTML;
* a text is a JSON text, where Laravel sends HTML;
* there is no JSONP: a callback changes nothing;
* floats keep a zero fraction (``1.0``), and characters are written as UTF-8 unless JavaScript reads
  them as line ends; both are the same JSON;
* a date has one of our two named forms or ``strftime``'s; PHP's objects of a date are plain data;
* labels, links and ``meta`` of pages are the paginators', and extra members stand beside them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone as django_timezone
from rest_framework import generics, serializers
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api.pagination import LengthAwarePagination, SimplePagination
from connectnow_api.profiles import LARAVEL_8, LARAVEL_12
from tests.conftest import Mount, load_golden

VERSIONS = {"8.83": LARAVEL_8, "12.67": LARAVEL_12}
JSON = "application/json"

ZULU = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
OFFSET = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")
STRFTIME = {
    "%Y-%m-%d %H:%M:%S": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
    "%Y-%m-%d %H:%M": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"),
}
DATE = re.compile(r"\d{4}-\d\d-\d\d")
DECIMAL = re.compile(r"-?\d+\.\d+")

Case = dict[str, Any]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "recorded" in metafunc.fixturenames:
        cases = load_golden(metafunc.config, "resources")
        metafunc.parametrize(
            ("recorded", "profile"),
            [
                pytest.param(recording(case.values[0], version), profile, id=f"{case.id}-{version}")
                for case in cases
                for version, profile in VERSIONS.items()
            ],
        )


def recording(case: Case, version: str) -> Case:
    """Return what a version answered."""
    return {**case, **case.get("laravel_12", {})} if version.startswith("12") else case


@pytest.fixture
def answer(mount: Mount, client: APIClient) -> Callable[..., Any]:
    """Answer a request: ``answer(profile, data, 201, method="POST", wrap="issue")``."""

    def answer(
        profile: Any,
        data: Any,
        status: int = 200,
        *,
        method: str = "GET",
        uri: str = "/api/r",
        headers: dict[str, str] | None = None,
        **attributes: Any,
    ) -> Any:
        class View(APIView):
            authentication_classes = ()
            permission_classes = ()

            def get(self, request: Any) -> Response:
                return Response(data, status=status, headers=headers)

            post = put = delete = get

        made = type("View", (View,), {"profile": profile, **attributes})
        mount({urlsplit(uri).path.lstrip("/"): made.as_view()})
        return client.generic(method, uri)

    return answer


Answer = Callable[..., Any]


def parsed(recorded: Case) -> Any:
    """Return the recorded body as plain values; ``None`` if it is no JSON."""
    if not recorded["headers"].get("Content-Type", "").startswith(JSON):
        return None
    return json.loads(recorded["raw_body"])


def keys(value: Any) -> Any:
    """Return the keys of all objects in a body, in their order."""
    if isinstance(value, dict):
        return [(key, keys(item)) for key, item in value.items()]
    return [keys(item) for item in value] if isinstance(value, list) else None


def check(response: Any, recorded: Case, body: Any) -> None:
    """The answer has the recorded status and headers, and this body."""
    assert response.status_code == recorded["status"]
    assert response.headers["Content-Type"] == JSON
    assert response.headers.get("Location") == recorded["headers"].get("Location")
    found = response.json()
    assert found == body
    assert keys(found) == keys(body)
    assert not re.search("[\u2028\u2029]", response.content.decode())


def test_answer_equals_the_recording(
    recorded: Case, profile: Any, answer: Answer, mount: Mount, client: APIClient
) -> None:
    """Status and body equal the recorded ones, or those that a rule above puts in their place."""
    body = parsed(recorded)
    if body is None:
        check_no_json(recorded, profile, answer)
    elif isinstance(body, dict) and "path" in (body.get("meta") or {}):
        check_page(recorded, profile, body, mount, client)
    else:
        check_body(recorded, profile, answer, body)


def check_no_json(recorded: Case, profile: Any, answer: Answer) -> None:
    """An empty body stays empty, a text is JSON, a callback is not called."""
    raw, status = recorded["raw_body"], recorded["status"]
    jsonp = re.fullmatch(r"/\*\*/\w+\((.*)\);", raw)
    if jsonp:
        body = json.loads(jsonp[1])
        check(
            answer(profile, body, status, uri="/api/r?callback=cb", envelope=None), recorded, body
        )
    elif raw:
        check(answer(profile, raw, status, envelope=None), recorded, raw)
    else:
        check_nothing(recorded, profile, answer)


def check_nothing(recorded: Case, profile: Any, answer: Answer) -> None:
    for method in ("GET", "POST"):
        response = answer(profile, None, recorded["status"], method=method)
        assert (response.status_code, response.content) == (recorded["status"], b"")
    deleted = answer(profile, None, 204, method="DELETE")
    assert (deleted.status_code, deleted.json()) == (200, {})
    deleted = answer(profile, None, 204, method="DELETE", delete_status=204)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert "Content-Type" not in deleted.headers


def check_body(recorded: Case, profile: Any, answer: Answer, body: Any) -> None:
    """However the handler came to its body, it is the recorded one."""
    status, location = recorded["status"], recorded["headers"].get("Location")
    headers = {"Location": location} if location else None
    method = "POST" if status == 201 else "GET"
    for data, attributes, written in ways(body):
        for form, value in in_every_form(data):
            with django_timezone.override(zone_of(body)):
                response = answer(
                    profile,
                    value,
                    status,
                    method=method,
                    headers=headers,
                    **attributes,
                    **({"datetime_format": form} if form else {}),
                )
            check(response, recorded, written)


def ways(body: Any) -> Iterator[tuple[Any, dict[str, Any], Any]]:
    """Yield what a handler may have returned, what its view says, and what is written."""
    yield body, {"envelope": None}, body
    yield body, {"wrap": None}, body
    yield as_floats(body), {"envelope": None}, body
    if body == []:
        yield {}, {}, {}
    if not isinstance(body, dict):
        return
    if "data" in body:
        yield body, {}, body
        if body["data"] == []:
            yield {}, {}, {}
    if len(body) == 1:
        ((name, inner),) = body.items()
        if isinstance(inner, list) or (isinstance(inner, dict) and inner and name not in inner):
            yield inner, {"wrap": name}, body


def as_floats(value: Any) -> Any:
    """Return a body with each integer that a float can hold as a float."""
    if isinstance(value, dict):
        return {key: as_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_floats(item) for item in value]
    whole = type(value) is int and abs(value) < 2**53
    return float(value) if whole else value


def in_every_form(data: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name of each form of a date in ``data``, and ``data`` with these as datetimes."""
    yield "", converted(data, lambda text: None)
    forms = {"zulu": ZULU, "offset": OFFSET, **STRFTIME}
    zone = zone_of(data)
    for form, pattern in forms.items():
        if any(pattern.fullmatch(text) for text in texts(data)):
            yield form, converted(data, reader(form, pattern, zone))


def reader(form: str, pattern: re.Pattern[str], zone: Any) -> Callable[[str], datetime | None]:
    def read(text: str) -> datetime | None:
        if not pattern.fullmatch(text):
            return None
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=zone)
        # One rendering has one zone: a text of another stays the text that it is.
        same = form != "offset" or moment.utcoffset() == zone.utcoffset(None)
        return moment.astimezone(UTC) if same else None

    return read


def converted(value: Any, read: Callable[[str], datetime | None]) -> Any:
    """Return ``value`` with dates, decimals and what ``read`` knows as Python's own types."""
    if isinstance(value, dict):
        return {key: converted(item, read) for key, item in value.items()}
    if isinstance(value, list):
        return [converted(item, read) for item in value]
    if not isinstance(value, str):
        return value
    if DATE.fullmatch(value):
        return date.fromisoformat(value)
    return as_decimal(value) if DECIMAL.fullmatch(value) else (read(value) or value)


def as_decimal(text: str) -> Any:
    """Return what a serializer makes of a decimal with as many places as ``text`` has."""
    places = len(text.partition(".")[2])
    field = serializers.DecimalField(max_digits=None, decimal_places=places)
    return field.to_representation(Decimal(text))


def texts(value: Any) -> Iterator[str]:
    """Yield every text in a body."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def zone_of(body: Any) -> timezone:
    """Return the application's zone, as far as the offsets in a body tell it."""
    offsets = [datetime.fromisoformat(t).utcoffset() for t in texts(body) if OFFSET.fullmatch(t)]
    return timezone(next(filter(None, offsets), None) or timedelta(0))


class RowSerializer(serializers.BaseSerializer[Any]):
    def to_representation(self, instance: Any) -> Any:
        return instance


def check_page(recorded: Case, profile: Any, body: Any, mount: Mount, client: APIClient) -> None:
    """A page of ours with the recorded rows, and the recorded extra members beside its own."""
    meta = body["meta"]
    start = (meta["current_page"] - 1) * meta["per_page"]
    before, count = [{}] * start, meta.get("total", start + len(body["data"]) + 1)
    rows = [*before, *body["data"]]
    rows += [{}] * (count - len(rows))

    class Rows(generics.ListAPIView[Any]):
        serializer_class = RowSerializer
        pagination_class = LengthAwarePagination if "total" in meta else SimplePagination
        page_size = meta["per_page"]
        authentication_classes = ()
        permission_classes = ()

        def get_queryset(self) -> Any:
            return rows

        def filter_queryset(self, queryset: Any) -> Any:
            return queryset

        def get(self, request: Any) -> Response:
            return Response(with_extras(dict(self.list(request).data), body))

    place = urlsplit(meta["path"])
    Rows.profile = profile
    mount({place.path.lstrip("/"): Rows.as_view()})
    check(client.get(f"{place.path}?page={meta['current_page']}"), recorded, body)


def with_extras(page: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    """Return our page with the recorded members that it lacks, at the top level and one below."""
    for name in ("meta", "links"):
        page[name] = {**page[name], **missing(page[name], recorded[name])}
    return {**page, **missing(page, recorded)}


def missing(mine: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in recorded.items() if name not in mine}
