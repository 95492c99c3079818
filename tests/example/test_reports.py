"""The second dialect's two reports: every number counted again from the list of tickets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from .help_desk import EMPTY, OTHER, REQUIRED
from .support import Answer, Site, probe
from .test_help_desk import every

pytestmark = pytest.mark.servers

REPORTS = ["channels", "performance"]
START, END = "2021-09-02", "2021-09-30"
NO_DATE = ["This is not a valid date."]


Ask = Callable[..., Answer]


@pytest.fixture
def ask(site: Site, new_tokens: Iterator[str]) -> Ask:
    """Ask for a report with a token of its own: reports are counted by token."""

    def ask(name: str, **options: Any) -> Answer:
        options = {"token": next(new_tokens), **options}
        return site.as_acme(f"/api/v1/reports/{name}", method="POST", **options)

    return ask


def report(ask: Ask, name: str, start: str, end: str, **options: Any) -> dict[str, Any]:
    """Return a report, which has no envelope."""
    answer = ask(name, json={"start": start, "end": end}, **options)
    assert answer.status == 200, answer.text
    return answer.json()


def days(start: str, end: str) -> list[str]:
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    return [str(first + timedelta(number)) for number in range((last - first).days + 1)]


def within(row: dict[str, Any], name: str) -> bool:
    return START <= row[name][:10] <= END


@pytest.fixture
def opened(site: Site) -> list[dict[str, Any]]:
    """The tickets that came in."""
    return [row for row in every(site, "/api/v1/tickets") if within(row, "created_at")]


@pytest.fixture
def closed(site: Site) -> list[dict[str, Any]]:
    """The tickets that were closed, which seeded ones are with their last message."""
    rows = [row for row in every(site, "/api/v1/tickets") if row["status"] == "closed"]
    return [row for row in rows if within(row, "last_contact")]


def common(opened: list[dict[str, Any]], closed: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what both reports should say."""
    came = Counter(row["created_at"][:10] for row in opened)
    went = Counter(row["last_contact"][:10] for row in closed)
    return {
        "labels": days(START, END),
        "opened": [came[day] for day in days(START, END)],
        "closed": [went[day] for day in days(START, END)],
        "channel_usage": Counter(row["channel"]["name"] for row in opened),
        "tag_usage": Counter(tag for row in opened for tag in row["tags"]),
    }


def test_the_channels_report(ask: Ask, opened: list[Any], closed: list[Any]) -> None:
    statuses = Counter(row["status"] for row in opened)
    assert report(ask, "channels", START, END) == {
        **common(opened, closed),
        "metrics": {
            "new": len(opened),
            "closed": len(closed),
            **{status: statuses[status] for status in ("open", "waiting", "escalated")},
        },
        "top_customers": [
            {
                "id": row["from_contact"]["user_id"],
                "name": row["from_contact"]["name"],
                "email": row["from_contact"]["email"],
                "count": 1,
            }
            # Each seeded ticket is another customer's.
            for row in opened[:10]
        ],
    }


def test_the_performance_report(ask: Ask, opened: list[Any], closed: list[Any]) -> None:
    took = [
        datetime.fromisoformat(row["last_contact"]) - datetime.fromisoformat(row["created_at"])
        for row in closed
    ]
    minutes = int((sum(took, timedelta()) / len(took)).total_seconds()) // 60
    assert minutes > 60
    resolved = Counter((row["assignee"]["id"], row["assignee"]["name"]) for row in closed)
    [((agent, name), number)] = resolved.items()
    email = f"{name.split()[0].lower()}@acme.example"
    assert report(ask, "performance", START, END) == {
        **common(opened, closed),
        "metrics": {
            "new": len(opened),
            "closed": len(closed),
            "avg_resolution_time": {
                "days": minutes // 1440,
                "hours": minutes // 60 % 24,
                "minutes": minutes % 60,
            },
        },
        "top_agents": [{"id": agent, "name": name, "email": email, "resolved": number}],
    }


def test_the_most_frequent_come_first(ask: Ask) -> None:
    body = report(ask, "channels", START, END)
    for name in ("channel_usage", "tag_usage"):
        numbers = list(body[name].values())
        assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize(
    ("start", "end", "number"),
    [
        ("2030-01-01", "2030-01-01", 1),
        ("2020-02-28", "2020-03-01", 3),
        ("2024-01-01", "2024-12-31", 366),
        ("0001-01-01", "0001-01-01", 1),
        ("9999-12-30", "9999-12-31", 2),
    ],
)
def test_days_on_which_nothing_happened(
    ask: Ask, name: str, start: str, end: str, number: int
) -> None:
    body = report(ask, name, start, end)
    assert body["labels"] == days(start, end)
    assert body["opened"] == body["closed"] == [0] * number
    assert (body["channel_usage"], body["tag_usage"]) == ({}, {})
    assert body["metrics"]["new"] == body["metrics"]["closed"] == 0
    assert [] in (body.get("top_customers"), body.get("top_agents"))


@pytest.mark.parametrize("name", REPORTS)
def test_each_client_has_its_own(site: Site, ask: Ask, name: str) -> None:
    tickets = every(site, "/api/v1/tickets", **OTHER)
    body = report(ask, name, START, END, **OTHER)
    assert (sum(body["opened"]), body["channel_usage"]) == (len(tickets), {"Support": 5})


def test_a_new_ticket_counts_until_it_is_deleted(scratch: Site) -> None:
    today = {"subject": "Now", "from_contact": {"email": "now@example.com"}, "status": "closed"}
    ticket = {**today, "channel": {"id": 2}, "message": {"body": "Now."}}
    created = scratch.as_acme("/api/v1/tickets", method="POST", json=ticket).json()["data"]
    day = created["created_at"][:10]

    def numbers() -> list[Any]:
        body = scratch.as_acme(
            "/api/v1/reports/performance", method="POST", json={"start": day, "end": day}
        ).json()
        return [body["opened"][0], body["closed"][0], body["channel_usage"].get("Sales", 0)]

    before = numbers()
    scratch.as_acme(f"/api/v1/tickets/{created['id']}", method="DELETE")
    assert [number - 1 for number in before] == numbers()


def test_a_report_by_a_form(ask: Ask) -> None:
    form = [("start", START), ("end", END)]
    answer = ask("channels", form=form)
    assert (answer.status, answer.json()["labels"]) == (200, days(START, END))


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({"other": 1}, {"start": REQUIRED, "end": REQUIRED}),
        ({"start": START}, {"end": REQUIRED}),
        *[
            ({"start": value, "end": END}, {"start": NO_DATE})
            for value in ("x", "2021-9-2", "2021-02-30", "2021-09-02T00:00:00", "٢٠٢١-٠٩-٠٢")
        ],
        *[({"start": START, "end": value}, {"end": NO_DATE}) for value in (20210930, [], {}, True)],
        ({"start": START, "end": None}, {"end": ["This field may not be null."]}),
        ({"start": START, "end": "2021-09-01"}, {"end": ["The end is before the start."]}),
        (
            {"start": "2023-01-01", "end": "2024-01-02"},
            {"end": ["These are more than 366 days."]},
        ),
        (
            {"start": "0001-01-01", "end": "9999-12-31"},
            {"end": ["These are more than 366 days."]},
        ),
    ],
)
def test_422(ask: Ask, values: dict[str, Any], errors: dict[str, list[str]]) -> None:
    for name in REPORTS:
        assert ask(name, json=values).errors() == errors


@pytest.mark.parametrize("name", REPORTS)
def test_refusals_in_their_order(site: Site, ask: Ask, name: str, without_reports: str) -> None:
    path = f"/api/v1/reports/{name}"
    for token, client in ((None, "acme"), ("expired", "acme"), ("valid", None), ("valid", "other")):
        answer = site.request(path, method="POST", body=b"{", token=token, client=client)
        assert (answer.status, answer.json()) == (401, {"message": "Unauthenticated."})
    answer = site.as_acme(path, method="POST", body=b"{", token=without_reports)
    assert (answer.status, answer.json()) == (403, {"message": "This action is unauthorized."})
    assert 'scope="reports:read"' in answer.headers["WWW-Authenticate"]
    for body in (None, b"{}", b"[]", b"{", b"\xff"):
        answer = ask(name, body=body)
        assert (answer.status, answer.json()) == (400, EMPTY)
    answer = ask(name, body=b"x", content_type="text/plain")
    assert answer.status == 415


@pytest.fixture(scope="session")
def without_reports(site_server: Site, site_database_url: str) -> str:
    """A token that may do much, and see no report."""
    return probe(["issue", ["tickets:read", "tickets:write"]], database_url=site_database_url)[0]


def test_reports_cost_as_many_queries_for_many_tickets(site: Site, site_database_url: str) -> None:
    call = ["report_queries", site.tokens["valid"]]
    few, many = probe(
        [*call, START, START], [*call, START, "2022-08-31"], database_url=site_database_url
    )
    # The token, and what each report counts.
    assert few == many == {"channels": 7, "performance": 7}
