"""Every recorded failed validation of Laravel 8 and 12, fed through our shaping.

Laravel's rules and their texts are out of scope: the recorded ``errors`` are raised as DRF would
raise them, and ``message`` and ``errors`` are compared whole, keys in their order. They are raised
in three forms: flat, with the dotted names as keys; nested, with lists keyed by index (DRF since
3.18); nested, with lists padded by empty objects (DRF before). Where ours differs on purpose, the
difference is stated here once as a rule:

* ``errors`` is always an object: where PHP prints a list, because the keys are 0, 1, ..., ours has
  the keys ``"0"``, ``"1"``, ..., and no errors at all are ``{}``, as an empty ``validated`` is;
* from the nested forms, errors come in the order in which DRF nests them: fields as they came,
  items of one list by index. Laravel groups the items' errors by rule. The first text of a
  summary is then the first text of that order;
* a status of its own is kept, but 400, which every ``ValidationError`` of DRF's has, is 422;
* DRF reports a parent or its children, never both; where Laravel reports both, the children keep
  their dotted names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api.profiles import LARAVEL_8, LARAVEL_12
from connectnow_api.wire.errors import flatten
from tests.conftest import Mount, load_golden

VERSIONS = {"expected": LARAVEL_8, "expected_12": LARAVEL_12}

Errors = dict[str, list[str]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", load_golden(metafunc.config, "validation"))


@pytest.fixture
def answer(mount: Mount, client: APIClient) -> Callable[..., Any]:
    """Answer a request with an exception, or with a body: ``answer(profile, body_or_exc)``."""

    def answer(profile: Any, outcome: Any) -> Any:
        class View(APIView):
            authentication_classes = ()
            permission_classes = ()
            envelope = None

            def post(self, request: Any) -> Response:
                if isinstance(outcome, Exception):
                    raise outcome
                return Response(outcome)

        View.profile = profile
        mount({"api/val": View.as_view()})
        return client.post("/api/val", {}, "json")

    return answer


Answer = Callable[..., Any]


def as_object(errors: Any) -> Errors:
    """Return recorded errors as a mapping where PHP printed a list."""
    if isinstance(errors, list):
        return {str(index): texts for index, texts in enumerate(errors)}
    return dict(errors)


def nested(errors: Errors, *, padded: bool) -> Any:
    """Return errors of dotted names as DRF nests them."""
    root: dict[Any, Any] = {}
    for name, texts in errors.items():
        parts = [int(part) if part.isdecimal() else part for part in path_of(name, errors)]
        node = root
        for part in parts[:-1]:
            node = node.setdefault(part, {})
        node[parts[-1]] = texts
    return pad(root) if padded else root


def path_of(name: str, errors: Errors) -> list[str]:
    """Return the steps to a field; one whose parent has texts of its own is one step."""
    parts = name.split(".")
    parents = {".".join(parts[:end]) for end in range(1, len(parts))}
    return [name] if parents & errors.keys() else parts


def pad(node: Any) -> Any:
    """Turn mappings from index to mapping into lists with an empty mapping for each sound item."""
    if not isinstance(node, dict):
        return node
    inner = {key: pad(value) for key, value in node.items()}
    items = bool(inner) and all(type(key) is int for key in inner)
    if not items or not all(isinstance(value, dict) for value in inner.values()):
        return inner
    return [inner.get(index, {}) for index in range(max(inner) + 1)]


def in_nested_order(errors: Errors, *, padded: bool) -> Errors:
    """Return errors in the order of the nested form: parents as they came, or by index."""
    names = list(errors)

    def place(prefix: str) -> int:
        return next(i for i, name in enumerate(names) if f"{name}.".startswith(f"{prefix}."))

    def key(name: str) -> list[int]:
        parts = path_of(name, errors)
        prefixes = [".".join(parts[: end + 1]) for end in range(len(parts))]
        return [
            int(part) if padded and part.isdecimal() and prefix != name else place(prefix)
            for part, prefix in zip(parts, prefixes, strict=True)
        ]

    return {name: errors[name] for name in sorted(names, key=key)}


def message_for(recorded: str, errors: Errors, profile: Any) -> str:
    """Return the recorded message; a summary starts with the first text of our order."""
    if not profile.summarise_errors or not errors:
        return recorded
    tail = recorded.rpartition(" (and ")
    first = next(iter(errors.values()))[0]
    return f"{first} (and {tail[2]}" if tail[1] and sum(map(len, errors.values())) > 1 else first


def ordered(errors: Errors) -> list[tuple[str, list[str]]]:
    return list(errors.items())


@pytest.mark.parametrize("form", ["flat", "keyed", "padded"])
@pytest.mark.parametrize("version", VERSIONS)
def test_errors_have_the_recorded_form(
    case: dict[str, Any], version: str, form: str, answer: Answer
) -> None:
    """The whole body equals the recorded one; what passed is answered as it was."""
    profile = VERSIONS[version]
    recorded = case["expected"] if case["laravel_12_same"] else case[version]
    if case["status"] == 200:
        validated = {"validated": as_object(recorded["validated"])}
        response = answer(profile, validated)
        assert (response.status_code, response.json()) == (200, validated)
        return

    errors = as_object(recorded["errors"])
    detail: Any = errors if form == "flat" else nested(errors, padded=form == "padded")
    response = answer(profile, raised(detail, case["status"]))

    wanted = errors if form == "flat" else in_nested_order(errors, padded=form == "padded")
    body = response.json()
    assert response.status_code == (422 if case["status"] == 400 else case["status"])
    assert list(body) == ["message", "errors"]
    assert ordered(body["errors"]) == ordered(wanted)
    assert body["message"] == message_for(recorded["message"], wanted, profile)
    if form == "flat":
        assert body["message"] == recorded["message"]


def raised(detail: Any, status: int) -> ValidationError:
    """Return DRF's exception; a status of its own, as Laravel's can have, is its class's."""
    if status == 422:
        return ValidationError(detail)
    return type("Refused", (ValidationError,), {"status_code": status})(detail)


def test_a_status_of_its_own_stays(answer: Answer) -> None:
    """Laravel's ``ValidationException::status()``; in DRF, a subclass says it."""
    response = answer(LARAVEL_8, raised({"a": ["Taken."]}, 409))
    assert (response.status_code, response.json()["errors"]) == (409, {"a": ["Taken."]})


def test_a_list_of_errors_is_an_object(answer: Answer) -> None:
    """From all three forms: the one shape of Laravel's that is not reproduced."""
    for detail in ({"0": ["a"], "1": ["b"]}, {0: ["a"], 1: ["b"]}, [{"x": ["a"]}, {"x": ["b"]}]):
        errors = answer(LARAVEL_8, ValidationError(detail)).json()["errors"]
        assert [name.partition(".")[0] for name in errors] == ["0", "1"]


# Errors of DRF's own making, from serializers of any nesting.


def field_of(shape: Any) -> serializers.Field[Any, Any, Any, Any]:
    """Return a field: a number, a list of something, an object, or a list of objects."""
    if shape == "number":
        return serializers.IntegerField()
    kind, inner = shape
    if kind == "list":
        return serializers.ListField(child=field_of(inner))
    return serializer_of(inner)(many=kind == "objects")


def serializer_of(shapes: dict[str, Any]) -> Any:
    fields = {name: field_of(shape) for name, shape in shapes.items()}
    return type("Made", (serializers.Serializer,), fields)


names = st.sampled_from(["a", "b", "first_name", "0"])


def with_inner(inner: Any) -> Any:
    objects = st.dictionaries(names, inner, min_size=1, max_size=3)
    return (
        st.tuples(st.just("list"), inner)
        | st.tuples(st.just("object"), objects)
        | st.tuples(st.just("objects"), objects)
    )


shapes = st.dictionaries(
    names, st.recursive(st.just("number"), with_inner, max_leaves=5), min_size=1, max_size=3
)
inputs = st.recursive(
    st.none() | st.integers(0, 9) | st.just("x"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


def fitting(shape: Any) -> Any:
    """Return a strategy for input that mostly has the form of ``shape``."""
    if shape == "number":
        return st.integers(0, 9) | st.just("x") | st.none()
    kind, inner = shape
    if kind == "list":
        return st.lists(fitting(inner), max_size=3) | inputs
    objects = objects_of(inner)
    return (objects if kind == "object" else st.lists(objects, max_size=3)) | inputs


def objects_of(shapes: dict[str, Any]) -> Any:
    return st.fixed_dictionaries({}, optional={name: fitting(s) for name, s in shapes.items()})


cases = shapes.flatmap(lambda shapes: st.tuples(st.just(shapes), objects_of(shapes), st.booleans()))


def at(detail: Any, name: str) -> Any:
    """Return what DRF's errors hold under a dotted name."""
    for part in name.split("."):
        if isinstance(detail, list):
            detail = detail[int(part)]
        else:
            detail = detail[int(part)] if part not in detail else detail[part]
    return detail


def count(detail: Any) -> int:
    """Return how many texts DRF's errors hold."""
    if isinstance(detail, str):
        return 1
    return sum(map(count, detail.values() if isinstance(detail, dict) else detail))


def json_paths(data: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the dotted place of everything in an input."""
    yield ".".join(path)
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from json_paths(value, (*path, str(key)))
        else:
            yield ".".join((*path, str(key)))


@pytest.mark.filterwarnings("ignore:The list-based error format")
@given(case=cases, many=st.booleans())
def test_flattening_what_serializers_find(case: Any, many: bool) -> None:
    """No text is lost or moved, in both of DRF's forms of list errors, and names are real places.

    The parent of every name stands in the input, so that a client can find what is meant.
    """
    shapes, value, as_dict = case
    data = [value, {}, value] if many else value
    form = {**settings.REST_FRAMEWORK, "LIST_SERIALIZER_ERRORS_AS_DICT": as_dict}
    with override_settings(REST_FRAMEWORK=form):
        serializer = serializer_of(shapes)(data=data, many=many)
        valid = serializer.is_valid()
        detail: Any = ValidationError(serializer.errors).detail

    errors = flatten(detail)

    assert {name: at(detail, name) for name in errors} == errors
    assert sum(map(len, errors.values())) == count(detail)
    assert (errors == {}) is valid
    json.dumps(errors)
    places = set(json_paths(data))
    for name in errors:
        parent = name.rpartition(".")[0]
        assert parent in places or parent.endswith("non_field_errors")
