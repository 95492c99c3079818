"""The first dialect's writing endpoints, over HTTP."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .support import Answer, Site, probe

pytestmark = [pytest.mark.servers, pytest.mark.frameworks]

WRITE = {"token": "valid"}
NEW = {"name": "Stairs are slippery", "description": "Mind your step.", "severity": "info"}
ISSUE = {**NEW, "category_ids": [1, 2]}
NAMES = {"issues": ISSUE, "categories": {"name": "Lifts", "company_id": 1}, "companies": NEW}
DATE = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z")
REQUIRED = ["This field is required."]
FORBIDDEN = {"message": "This action is unauthorized."}


def create(site: Site, kind: str = "issues", **values: Any) -> dict[str, Any]:
    """Create an object and return it."""
    answer = site.request(f"/api/{kind}", method="POST", json={**NAMES[kind], **values}, **WRITE)
    assert answer.status == 201, answer.text
    return answer.json()


def assert_dates(body: dict[str, Any]) -> None:
    assert DATE.fullmatch(body.pop("created_at"))
    assert DATE.fullmatch(body.pop("updated_at"))


def assert_403(answer: Answer, message: str = FORBIDDEN["message"]) -> None:
    assert (answer.status, answer.json()) == (403, {"message": message})


# --- Success ----------------------------------------------------------------------------------


def test_a_new_issue(scratch: Site) -> None:
    body = create(scratch)
    assert scratch.request(f"/api/issues/{body['id']}").json() == body
    assert_dates(body)
    assert body == {**NEW, "id": body["id"], "closed_at": None, "subscribers_count": 0}


def test_a_new_category(scratch: Site) -> None:
    body = create(scratch, "categories")
    assert scratch.request(f"/api/categories/{body['id']}").json() == body
    assert_dates(body)
    assert body == {"id": body["id"], "name": "Lifts", "company_id": 1}


def test_a_new_company(scratch: Site) -> None:
    values = {"name": "Ostrich Café", "logo_url": "https://ostrich.example/", "slug": "ostrich"}
    body = create(scratch, "companies", **values)
    assert scratch.request(f"/api/companies/{body['id']}").json() == body
    assert_dates(body)
    assert body == {"id": body["id"], **values}


def test_whoever_creates_a_company_is_a_member(scratch: Site) -> None:
    path = f"/api/companies/{create(scratch, 'companies')['id']}"
    assert_403(scratch.request(path, method="DELETE", token="other_user"))
    changed = scratch.request(path, method="PUT", json={"name": "Other"}, **WRITE)
    assert (changed.status, changed.json()["name"]) == (200, "Other")


def test_a_slug_is_made_from_the_name(scratch: Site) -> None:
    first = create(scratch, "companies", name="Ünder the Bridge")
    second = create(scratch, "companies", name="Ünder the Bridge", slug="", logo_url=None)
    third = create(scratch, "companies", name="橋の下")
    assert (first["slug"], second["slug"]) == ("under-the-bridge", "under-the-bridge-2")
    assert second["logo_url"] == ""
    assert third["slug"].startswith("company")


def test_put_changes_an_issue_and_replaces_its_categories(
    scratch: Site, scratch_database_url: str
) -> None:
    issue = create(scratch)
    path = f"/api/issues/{issue['id']}"
    values = {"name": "New", "description": "Newer.", "severity": "critical"}
    answer = scratch.request(path, method="PUT", json={**values, "category_ids": [5, 4]}, **WRITE)
    assert answer.status == 200
    body = answer.json()
    assert body == scratch.request(path).json()
    assert body == {**issue, **values, "updated_at": body["updated_at"]}
    (categories,) = probe(["categories", issue["id"]], database_url=scratch_database_url)
    assert categories == [4, 5]


def test_put_needs_every_required_field(scratch: Site) -> None:
    issue = f"/api/issues/{create(scratch)['id']}"
    errors = scratch.request(issue, method="PUT", json={"name": "New"}, **WRITE).errors()
    assert errors == dict.fromkeys(["severity", "description", "category_ids"], REQUIRED)
    category = f"/api/categories/{create(scratch, 'categories')['id']}"
    errors = scratch.request(category, method="PUT", json={"x": 1}, **WRITE).errors()
    assert errors == {"name": REQUIRED, "company_id": REQUIRED}


def test_put_keeps_what_a_company_may_leave_out(scratch: Site) -> None:
    company = create(scratch, "companies", logo_url="https://elm.example/logo")
    path = f"/api/companies/{company['id']}"
    body = scratch.request(path, method="PUT", json={"name": "Elm", "slug": ""}, **WRITE).json()
    assert body == {**company, "name": "Elm", "updated_at": body["updated_at"]}
    same = scratch.request(path, method="PUT", json={"name": "Elm", "slug": body["slug"]}, **WRITE)
    assert same.status == 200


def test_a_category_goes_to_another_company(scratch: Site) -> None:
    path = f"/api/categories/{create(scratch, 'categories')['id']}"
    answer = scratch.request(path, method="PUT", json={"name": "Lifts", "company_id": 2}, **WRITE)
    assert (answer.status, answer.json()["company_id"]) == (200, 2)


def test_a_category_stays_while_it_shares_issues(scratch: Site) -> None:
    category = create(scratch, "categories")["id"]
    create(scratch, category_ids=[1, category])
    moved = {"name": "Lifts", "company_id": 2}
    errors = scratch.request(
        f"/api/categories/{category}", method="PUT", json=moved, **WRITE
    ).errors()
    assert list(errors) == ["company_id"]


@pytest.mark.parametrize("kind", list(NAMES))
def test_delete(scratch: Site, kind: str) -> None:
    path = f"/api/{kind}/{create(scratch, kind)['id']}"
    answer = scratch.request(path, method="DELETE", **WRITE)
    assert (answer.status, answer.text) == (200, "{}")
    assert scratch.request(path).status == 404
    again = scratch.request(path, method="DELETE", **WRITE)
    assert (again.status, again.json()) == (404, {"message": "Not found."})


def test_issues_go_with_their_last_category(scratch: Site) -> None:
    company = create(scratch, "companies")["id"]
    first, second = (create(scratch, "categories", company_id=company)["id"] for _ in range(2))
    both = create(scratch, category_ids=[first, second])["id"]
    one = create(scratch, category_ids=[first])["id"]
    scratch.request(f"/api/categories/{first}", method="DELETE", **WRITE)
    assert [scratch.request(f"/api/issues/{id_}").status for id_ in (both, one)] == [200, 404]
    scratch.request(f"/api/companies/{company}", method="DELETE", **WRITE)
    assert scratch.request(f"/api/issues/{both}").status == 404
    assert scratch.request(f"/api/categories/{second}").status == 404


@pytest.mark.parametrize(
    "categories",
    [
        [("category_ids[]", "1"), ("category_ids[]", "2")],
        [("category_ids[0]", "1"), ("category_ids[1]", "2")],
        [("category_ids[3]", "2"), ("category_ids[7]", "1")],
    ],
)
def test_urlencoded_lists(
    scratch: Site, scratch_database_url: str, categories: list[tuple[str, str]]
) -> None:
    form = [*NEW.items(), *categories]
    answer = scratch.request("/api/issues", method="POST", form=form, **WRITE)
    assert answer.status == 201
    id_ = answer.json()["id"]
    assert probe(["categories", id_], database_url=scratch_database_url) == [[1, 2]]
    answer = scratch.request(f"/api/issues/{id_}", method="PUT", form=form, **WRITE)
    assert answer.status == 200


# --- Refusals, in their order -----------------------------------------------------------------

ROWS = [f"/api/{kind}/1" for kind in NAMES]
WRITES = [*[("POST", f"/api/{kind}") for kind in NAMES]]
WRITES += [(method, path) for method in ("PUT", "DELETE") for path in ROWS]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/issues"), ("PUT", "/api/issues/999"), ("DELETE", "/api/companies/999")],
)
def test_403_without_the_ability(scratch: Site, method: str, path: str) -> None:
    answer = scratch.request(path, method=method, body=b"garbage", token="read_only")
    assert_403(answer)
    scope = f"{path.split('/')[2]}:write"
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge == f'Bearer realm="api", error="insufficient_scope", scope="{scope}"'


@pytest.mark.parametrize("kind", list(NAMES))
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("id_", ["999999", str(10**40)])
def test_404_before_422(scratch: Site, kind: str, method: str, id_: str) -> None:
    answer = scratch.request(f"/api/{kind}/{id_}", method=method, json={"x": 1}, **WRITE)
    assert (answer.status, answer.json()) == (404, {"message": "Not found."})


@pytest.mark.parametrize(("method", "path"), [write for write in WRITES if write[0] != "POST"])
@pytest.mark.parametrize("body", [b"{", b'{"name": ""}'])
def test_403_for_strangers_before_422(scratch: Site, method: str, path: str, body: bytes) -> None:
    answer = scratch.request(path, method=method, body=body, token="other_user")
    assert_403(answer)
    assert "WWW-Authenticate" not in answer.headers


def test_403_for_what_would_go_to_another_company(scratch: Site) -> None:
    # The fourth company, with the categories from 10 on, is the other user's.
    issue = f"/api/issues/{create(scratch)['id']}"
    category = f"/api/categories/{create(scratch, 'categories')['id']}"
    given = {**ISSUE, "category_ids": [10]}
    for body in (given, {**given, "category_ids": [1, 10]}, {"category_ids": [10]}):
        assert_403(scratch.request("/api/issues", method="POST", json=body, **WRITE))
        assert_403(scratch.request(issue, method="PUT", json=body, **WRITE))
    for body in ({"name": "Lifts", "company_id": 4}, {"company_id": "4"}):
        assert_403(scratch.request("/api/categories", method="POST", json=body, **WRITE))
        assert_403(scratch.request(category, method="PUT", json=body, **WRITE))


def test_422_for_unknown_ids_before_403(scratch: Site) -> None:
    body = {**ISSUE, "category_ids": [10, 999999]}
    errors = scratch.request("/api/issues", method="POST", json=body, **WRITE).errors()
    assert list(errors) == ["category_ids.1"]


def test_403_for_a_closed_issue_before_422(scratch: Site) -> None:
    # Every fifth issue is closed; the fifteenth belongs to the third company.
    for body in (ISSUE, {"x": 1}):
        answer = scratch.request("/api/issues/15", method="PUT", json=body, **WRITE)
        assert_403(answer, "The issue is closed.")


# --- 422 --------------------------------------------------------------------------------------

WRONG_ID = ["A valid integer is required."]


def unknown(id_: int) -> list[str]:
    return [f'Invalid pk "{id_}" - object does not exist.']


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({"name": ""}, {"name": ["This field may not be blank."]}),
        ({"name": None}, {"name": ["This field may not be null."]}),
        ({"name": []}, {"name": ["Not a valid string."]}),
        (
            {"name": "n" * 256},
            {"name": ["Ensure this field has no more than 255 characters."]},
        ),
        ({"name": "a\0b"}, {"name": ["This value cannot be stored."]}),
        ({"description": "  "}, {"description": ["This field may not be blank."]}),
        *[
            ({"severity": value}, {"severity": ["The chosen value is not one of those allowed."]})
            for value in ("Critical", " info", 1, {"info": 1})
        ],
        ({"category_ids": []}, {"category_ids": ["This list may not be empty."]}),
        ({"category_ids": 1}, {"category_ids": ["Expected a list of items."]}),
        ({"category_ids": [1, 999]}, {"category_ids.1": unknown(999)}),
        ({"category_ids": [999, 1]}, {"category_ids.0": unknown(999)}),
        ({"category_ids": [0]}, {"category_ids.0": WRONG_ID}),
        ({"category_ids": [1, -1]}, {"category_ids.1": WRONG_ID}),
        ({"category_ids": [10**17]}, {"category_ids.0": unknown(10**17)}),
        ({"category_ids": [1, 2**63, 10**400]}, {f"category_ids.{i}": WRONG_ID for i in (1, 2)}),
        (
            {"category_ids": ["x", 1.0, True, None, [1], {"id": 1}, "١", "1 "]},
            {f"category_ids.{index}": WRONG_ID for index in range(8)},
        ),
        (
            {"category_ids": list(range(1, 2001))},
            {"category_ids": ["Ensure this field has no more than 100 elements."]},
        ),
        (
            {"category_ids": [1, 4]},
            {"category_ids": ["All categories must belong to one company."]},
        ),
        (
            {"name": "", "severity": "x", "category_ids": [999]},
            {
                "name": ["This field may not be blank."],
                "severity": ["The chosen value is not one of those allowed."],
                "category_ids.0": unknown(999),
            },
        ),
    ],
)
def test_422_for_an_issue(
    scratch: Site, values: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    body = {**ISSUE, **values}
    assert scratch.request("/api/issues", method="POST", json=body, **WRITE).errors() == errors


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({}, ["company_id"]),
        *[({"company_id": id_}, ["company_id"]) for id_ in (0, 999, 10**30, "x", None)],
        ({"company_id": 1, "name": "n" * 256}, ["name"]),
    ],
)
def test_422_for_a_category(scratch: Site, values: dict[str, Any], fields: list[str]) -> None:
    body = {"name": "Lifts", **values}
    errors = scratch.request("/api/categories", method="POST", json=body, **WRITE).errors()
    assert list(errors) == fields


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"name": None}, ["name"]),
        ({"name": "n" * 256}, ["name"]),
        *[({"logo_url": url}, ["logo_url"]) for url in ("logo", "javascript:x", [])],
        ({"logo_url": f"https://x.example/{'x' * 255}"}, ["logo_url"]),
        *[({"slug": slug}, ["slug"]) for slug in ("a b", "s" * 256, {}, "harbour-foods")],
    ],
)
def test_422_for_a_company(scratch: Site, values: dict[str, Any], fields: list[str]) -> None:
    body = {"name": "Elm", **values}
    errors = scratch.request("/api/companies", method="POST", json=body, **WRITE).errors()
    assert list(errors) == fields


# --- Bodies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(NAMES))
@pytest.mark.parametrize("body", [None, b"", b"{}"])
def test_an_empty_body_lacks_every_field(scratch: Site, kind: str, body: bytes | None) -> None:
    answer = scratch.request(
        f"/api/{kind}", method="POST", body=body, headers={"Accept": "*/*"}, **WRITE
    )
    assert answer.errors()["name"] == REQUIRED


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b" "])
def test_422_for_what_is_no_object(scratch: Site, body: bytes) -> None:
    path = f"/api/issues/{create(scratch)['id']}"
    for method, url in (("POST", "/api/issues"), ("PUT", path)):
        answer = scratch.request(url, method=method, body=body, **WRITE)
        assert answer.status == 422
        assert answer.json() == {"message": "The request body is malformed."}


def test_an_address_among_the_fields_is_not_that_of_the_row(scratch: Site) -> None:
    """DRF would lead clients there, by a ``Location``."""
    body = {"url": "https://elsewhere.example/hook"}
    answer = scratch.request("/api/webhooks", method="POST", json=body, token="valid")
    assert (answer.status, answer.headers["Location"]) == (201, None)
