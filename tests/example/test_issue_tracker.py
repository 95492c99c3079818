"""The first dialect, over HTTP: whole bodies, filters and pages."""

from __future__ import annotations

from typing import Any

import pytest

from .support import INVALID, Site, probe

pytestmark = pytest.mark.servers

ISSUE = {
    "id": 1,
    "name": "Long waiting times in Ashford",
    "severity": "critical",
    "closed_at": None,
    "created_at": "2021-04-26T22:25:35.000000Z",
    "updated_at": "2021-04-26T22:25:35.000000Z",
}


def ids(site: Site, query: str) -> list[int]:
    answer = site.request(f"/api/issues?per_page=249&{query}")
    assert answer.status == 200
    return [row["id"] for row in answer.json()["data"]]


def test_one_issue(site: Site) -> None:
    assert site.request("/api/issues/1").json() == {
        **ISSUE,
        "description": "Visitors wait far longer than usual before they are helped.",
        "subscribers_count": 2,
    }


def test_a_page_of_issues(site: Site) -> None:
    path = f"{site.base_url}/api/issues"
    assert site.request("/api/issues?per_page=1&page=2").json() == {
        "current_page": 2,
        "data": [
            {
                "id": 2,
                "name": "Wrong prices shown in Ashford",
                "severity": "important",
                "closed_at": None,
                "created_at": "2021-04-27T05:38:35.000000Z",
                "updated_at": "2021-04-27T05:38:35.000000Z",
            }
        ],
        "first_page_url": f"{path}?per_page=1&page=1",
        "from": 2,
        "next_page_url": f"{path}?per_page=1&page=3",
        "path": path,
        "per_page": 1,
        "prev_page_url": f"{path}?per_page=1&page=1",
        "to": 2,
    }


def test_a_closed_issue_says_when(site: Site) -> None:
    issue = site.request("/api/issues/5").json()
    assert issue["closed_at"] == issue["updated_at"] == "2021-04-30T08:17:35.000000Z"


def test_lists_have_15_rows_by_ascending_id(site: Site) -> None:
    page = site.request("/api/issues").json()
    assert [row["id"] for row in page["data"]] == list(range(1, 16))
    assert page["data"][0] == ISSUE


@pytest.mark.parametrize(("path", "total"), [("issues", 120), ("categories", 12), ("companies", 4)])
def test_a_walk_sees_every_row_once(site: Site, path: str, total: int) -> None:
    found: list[int] = []
    url = f"/api/{path}?per_page=7"
    while url:
        page = site.request(url).json()
        found += [row["id"] for row in page["data"]]
        url = (page["next_page_url"] or "").removeprefix(site.base_url)
    assert found == list(range(1, total + 1))


def test_more_than_249_rows_are_clamped(site: Site) -> None:
    page = site.request("/api/issues?per_page=250").json()
    assert (page["per_page"], page["to"], page["next_page_url"]) == (249, 120, None)


def test_past_the_end_is_empty(site: Site) -> None:
    page = site.request("/api/categories?page=9").json()
    assert (page["data"], page["from"], page["to"]) == ([], None, None)


def test_one_category(site: Site) -> None:
    assert site.request("/api/categories/1").json() == {
        "id": 1,
        "name": "Online shop",
        "company_id": 1,
        "created_at": "2021-04-26T22:25:35.000000Z",
        "updated_at": "2021-04-26T22:25:35.000000Z",
    }


def test_one_company(site: Site) -> None:
    assert site.request("/api/companies/4").json() == {
        "id": 4,
        "name": "Copper Bridge Bank",
        "logo_url": "https://copper-bridge-bank.example/logo",
        "slug": "copper-bridge-bank",
        "created_at": "2021-04-26T22:25:35.000000Z",
        "updated_at": "2021-04-26T22:25:35.000000Z",
    }


@pytest.mark.parametrize(
    ("token", "body"),
    [
        ("valid", {"id": 1, "name": "Maria Lindqvist", "email": "maria@example.com"}),
        ("read_only", {"id": 1, "name": "Maria Lindqvist", "email": "maria@example.com"}),
        ("other_user", {"id": 2, "name": "Tomas Novak", "email": "tomas@example.com"}),
    ],
)
def test_the_user_is_the_token_s_owner(site: Site, token: str, body: dict[str, Any]) -> None:
    assert site.request("/api/user", token=token).json() == body


def test_the_user_needs_no_ability(site: Site, site_database_url: str) -> None:
    (token,) = probe(["issue", []], database_url=site_database_url)
    assert site.request("/api/user", token=token).status == 200


# --- Filters ----------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [0, 1, 2])
def test_severity(site: Site, position: int) -> None:
    severity = ["critical", "important", "info"][position]
    assert ids(site, f"severity={severity}") == list(range(position + 1, 121, 3))


def test_status(site: Site) -> None:
    closed = list(range(5, 121, 5))
    assert ids(site, "status=closed") == closed
    assert ids(site, "status=open") == [id_ for id_ in range(1, 121) if id_ not in closed]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("before=2021-04-26", [1]),
        ("before=2021-04-27", [1, 2, 3, 4]),
        ("before=2021-04-25", []),
        ("after=2021-04-26&before=2021-04-27", [1, 2, 3, 4]),
        ("after=2021-04-27&before=2021-04-27", [2, 3, 4]),
        ("after=2021-06-01", [118, 119, 120]),
        ("after=2021-06-02", []),
        ("after=2021-04-28&before=2021-04-27", []),
        ("after=0001-01-01&before=0001-01-01", []),
        ("after=9999-12-31&before=9999-12-31", []),
        ("before=9999-12-31&after=2021-06-01", [118, 119, 120]),
        ("before=2021-04-27&severity=important&status=open", [2]),
        ("before=2021-04-27&severity=&status=&after=", [1, 2, 3, 4]),
        ("before=2021-04-27&unknown=1&severity[]=info", [1, 2, 3, 4]),
        ("before=garbage&before=2021-04-26", [1]),
    ],
)
def test_dates_and_combinations(site: Site, query: str, expected: list[int]) -> None:
    assert ids(site, query) == expected


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("severity=Critical", {"severity": ["The chosen value is not one of those allowed."]}),
        ("severity=critical%20", {"severity": ["The chosen value is not one of those allowed."]}),
        ("severity=%00", {"severity": ["The chosen value is not one of those allowed."]}),
        ("status=OPEN", {"status": ["The chosen value is not one of those allowed."]}),
        ("before=garbage", {"before": ["This is not a valid date."]}),
        ("after=2021-02-30", {"after": ["This is not a valid date."]}),
        ("after=2021-04-26T00:00:00", {"after": ["This is not a valid date."]}),
        ("after=0000-01-01", {"after": ["This is not a valid date."]}),
        ("after=%ED%A0%80", {"after": ["This is not a valid date."]}),
        ("before=" + "9" * 5000, {"before": ["This is not a valid date."]}),
        (
            "status=x&after=y",
            {
                "status": ["The chosen value is not one of those allowed."],
                "after": ["This is not a valid date."],
            },
        ),
    ],
)
def test_422(site: Site, query: str, errors: dict[str, list[str]]) -> None:
    answer = site.request(f"/api/issues?{query}")
    assert answer.status == 422
    assert answer.json() == {"message": INVALID, "errors": errors}


def test_a_single_issue_has_no_filters(site: Site) -> None:
    assert site.request("/api/issues/1?severity=info&before=garbage").status == 200


def test_links_keep_filters_and_drop_tokens(site: Site) -> None:
    query = f"severity=info&status=open&api_token={site.tokens['valid']}"
    page = site.request(f"/api/issues?{query}&chat_user_token=secret&per_page=2").json()
    assert page["next_page_url"].removeprefix(site.base_url) == (
        "/api/issues?severity=info&status=open&per_page=2&page=2"
    )


def test_no_list_costs_more_queries_for_more_rows(site: Site, site_database_url: str) -> None:
    paths = [
        *("/api/issues?per_page=1", "/api/issues?per_page=100", "/api/issues/1"),
        *("/api/categories", "/api/categories/1", "/api/companies", "/api/companies/1"),
    ]
    (found,) = probe(["queries", site.tokens["valid"], paths], database_url=site_database_url)
    # One for the rows, one for the token that the probe sends; of one issue, its subscribers.
    assert found == {**dict.fromkeys(paths, 2), "/api/issues/1": 3}
