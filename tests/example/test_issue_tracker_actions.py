"""What the first dialect has beside plain objects: closing, subscriptions, members, webhooks."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from .support import FORM, Answer, Site, at_once
from .test_issue_tracker_writes import DATE, REQUIRED, WRITE, assert_403, assert_dates, create

pytestmark = pytest.mark.servers

MALFORMED = {"message": "The request body is malformed."}
BAD_EMAIL = ["Enter a valid email address."]
TAKEN = ["This field must be unique."]
SUBSCRIPTIONS = ["/api/issues/2/subscriptions", "/api/categories/2/subscriptions"]
MEMBER = {"id": 1, "company_id": 1, "user_id": 1, "email": "maria@example.com"}
numbers = count(1)


def post(site: Site, path: str, token: str | None = "valid", **values: Any) -> Answer:
    return site.request(path, method="POST", json=values, token=token)


def new_email() -> str:
    return f"number{next(numbers)}@example.com"


def new_url() -> str:
    return f"https://hooks.example/{next(numbers)}"


# --- Closing ----------------------------------------------------------------------------------


def test_closing_an_issue(scratch: Site) -> None:
    issue = create(scratch)
    answer = post(scratch, f"/api/issues/{issue['id']}/close", description="All is well.")
    assert answer.status == 200
    body = answer.json()
    assert scratch.request(f"/api/issues/{issue['id']}").json() == body
    assert DATE.fullmatch(body["closed_at"])
    assert body["closed_at"] == body["updated_at"]
    dates = {name: body[name] for name in ("closed_at", "updated_at")}
    assert body == {**issue, **dates, "description": "All is well."}


def test_closing_by_a_form(scratch: Site) -> None:
    path = f"/api/issues/{create(scratch)['id']}/close"
    answer = scratch.request(path, method="POST", form=[("description", "Mended.")], **WRITE)
    assert (answer.status, answer.json()["description"]) == (200, "Mended.")


def test_a_closed_issue_stays_closed(scratch: Site) -> None:
    path = f"/api/issues/{create(scratch)['id']}"
    assert post(scratch, f"{path}/close", description="Over.").status == 200
    for values in ({"description": "Over again."}, {}):
        assert_403(post(scratch, f"{path}/close", **values), "The issue is closed.")
    assert_403(scratch.request(path, method="PUT", json={}, **WRITE), "The issue is closed.")
    assert scratch.request(path).json()["description"] == "Over."


def test_refusals_of_closing_in_their_order(scratch: Site) -> None:
    # The second issue belongs to the second company, the fourth to the other user's.
    assert post(scratch, "/api/issues/2/close", None).status == 401
    answer = post(scratch, "/api/issues/999/close", "read_only")
    assert_403(answer)
    assert 'scope="issues:write"' in answer.headers["WWW-Authenticate"]
    assert post(scratch, "/api/issues/999/close").status == 404
    assert_403(post(scratch, "/api/issues/4/close"))
    assert post(scratch, "/api/issues/2/close").errors() == {"description": REQUIRED}
    for value in ("", " ", None, [], {}):
        assert list(post(scratch, "/api/issues/2/close", description=value).errors()) == [
            "description"
        ]


def test_one_of_eight_closes_an_issue(scratch: Site) -> None:
    path = f"/api/issues/{create(scratch)['id']}/close"
    answers = at_once(lambda: post(scratch, path, description="Over."))
    assert sorted(answer.status for answer in answers) == [200] + [403] * 7


# --- Subscriptions ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", SUBSCRIPTIONS)
def test_a_subscription_is_new_once(scratch: Site, path: str) -> None:
    email = new_email()
    first, second = (post(scratch, path, None, email=email) for _ in range(2))
    assert (first.status, second.status) == (201, 200)
    assert first.json() == second.json() == {"id": first.json()["id"], "email": email}


@pytest.mark.parametrize("path", SUBSCRIPTIONS)
def test_a_subscription_by_a_form(scratch: Site, path: str) -> None:
    form = [("email", new_email())]
    statuses = [scratch.request(path, method="POST", form=form).status for _ in range(2)]
    assert statuses == [201, 200]


def test_subscribers_are_counted(scratch: Site) -> None:
    path = f"/api/issues/{create(scratch)['id']}"
    post(scratch, f"{path}/close", description="Over.")
    for email in ("a@example.com", "b@example.com", "a@example.com"):
        assert post(scratch, f"{path}/subscriptions", None, email=email).status in {200, 201}
    assert scratch.request(path).json()["subscribers_count"] == 2


@pytest.mark.parametrize("path", SUBSCRIPTIONS)
def test_eight_simultaneous_subscriptions_of_one_address(scratch: Site, path: str) -> None:
    email = new_email()
    answers = at_once(lambda: post(scratch, path, None, email=email))
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.parametrize("path", SUBSCRIPTIONS)
def test_refusals_of_subscriptions(scratch: Site, path: str) -> None:
    assert post(scratch, path.replace("/2/", "/999/"), None).status == 404
    assert post(scratch, path, None).errors() == {"email": REQUIRED}
    for email in ("nobody", "a@b", "a@example.com, b@example.com", f"{'x' * 250}@example.com", []):
        assert list(post(scratch, path, None, email=email).errors()) == ["email"]
    assert post(scratch, path, "expired", email=new_email()).status == 401


# --- Members ----------------------------------------------------------------------------------


def test_the_members_of_a_company(site: Site) -> None:
    url = f"{site.base_url}/api/companies/1/users"
    assert site.request("/api/companies/1/users", token="read_only").json() == {
        "current_page": 1,
        "data": [MEMBER],
        "first_page_url": f"{url}?page=1",
        "from": 1,
        "next_page_url": None,
        "path": url,
        "per_page": 15,
        "prev_page_url": None,
        "to": 1,
    }


def test_a_member_comes_and_goes(scratch: Site) -> None:
    company = create(scratch, "companies")["id"]
    path = f"/api/companies/{company}/users"
    answer = post(scratch, path, email="new.member@example.com")
    assert answer.status == 201
    member = answer.json()
    assert member == {
        "id": member["id"],
        "company_id": company,
        "user_id": None,
        "email": "new.member@example.com",
    }
    assert scratch.request(path, **WRITE).json()["data"][1:] == [member]
    gone = scratch.request(f"{path}/{member['id']}", method="DELETE", **WRITE)
    assert (gone.status, gone.text) == (200, "{}")
    again = scratch.request(f"{path}/{member['id']}", method="DELETE", **WRITE)
    assert (again.status, again.json()) == (404, {"message": "Not found."})


def test_an_account_of_that_address_becomes_a_member(scratch: Site) -> None:
    company = f"/api/companies/{create(scratch, 'companies')['id']}"
    assert_403(scratch.request(f"{company}/users", token="other_user"))
    form = [("email", "tomas@example.com")]
    member = scratch.request(f"{company}/users", method="POST", form=form, **WRITE).json()
    assert member["user_id"] == 2
    assert scratch.request(f"{company}/users", token="other_user").status == 200
    path = f"{company}/users/{member['id']}"
    assert scratch.request(path, method="DELETE", token="other_user").text == "{}"
    assert_403(scratch.request(f"{company}/users", token="other_user"))


def test_refusals_of_members_in_their_order(scratch: Site) -> None:
    for method, path in (
        *(("GET", "/api/companies/{}/users"), ("POST", "/api/companies/{}/users")),
        ("DELETE", "/api/companies/{}/users/4"),
    ):
        options = {"method": method, "json": {"email": ""}}
        assert scratch.request(path.format(999), **options).status == 401
        assert scratch.request(path.format(999), token="valid", **options).status == 404
        # The fourth company, and its only member, are the other user's.
        assert_403(scratch.request(path.format(4), token="valid", **options))
        if method != "GET":
            answer = scratch.request(path.format(999), token="read_only", **options)
            assert_403(answer)
            assert 'scope="companies:write"' in answer.headers["WWW-Authenticate"]
    for company, member in ((1, 4), (4, 1), (4, 999)):
        path = f"/api/companies/{company}/users/{member}"
        assert scratch.request(path, method="DELETE", **WRITE).status == 404


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ({}, REQUIRED),
        ({"email": "nobody"}, BAD_EMAIL),
        ({"email": ["a@example.com"]}, BAD_EMAIL),
        ({"email": "maria@example.com"}, TAKEN),
    ],
)
def test_422_for_a_member(scratch: Site, values: dict[str, Any], texts: list[str]) -> None:
    assert post(scratch, "/api/companies/1/users", **values).errors() == {"email": texts}


def test_one_of_eight_simultaneous_members_is_new(scratch: Site) -> None:
    path = f"/api/companies/{create(scratch, 'companies')['id']}/users"
    answers = at_once(lambda: post(scratch, path, email="wanted@example.com"))
    assert sorted(answer.status for answer in answers) == [201] + [422] * 7
    for answer in answers:
        assert answer.status == 201 or answer.errors() == {"email": TAKEN}


# --- Webhooks ---------------------------------------------------------------------------------


def test_a_webhook_comes_changes_and_goes(scratch: Site) -> None:
    url = new_url()
    answer = post(scratch, "/api/webhooks", url=url)
    assert answer.status == 201
    webhook = answer.json()
    path = f"/api/webhooks/{webhook['id']}"
    assert scratch.request(path, token="read_only").json() == webhook
    changed = {"url": new_url(), "description": "For the night."}
    body = scratch.request(path, method="PUT", json=changed, **WRITE).json()
    assert body == {**webhook, **changed, "updated_at": body["updated_at"]}
    assert_dates(webhook)
    assert webhook == {"id": webhook["id"], "url": url, "description": ""}
    gone = scratch.request(path, method="DELETE", **WRITE)
    assert (gone.status, gone.text) == (200, "{}")
    assert scratch.request(path, **WRITE).status == 404


def test_a_webhook_by_a_form(scratch: Site) -> None:
    form = [("url", url := new_url()), ("description", "A form")]
    webhook = scratch.request("/api/webhooks", method="POST", form=form, **WRITE).json()
    assert (webhook["url"], webhook["description"]) == (url, "A form")
    path = f"/api/webhooks/{webhook['id']}"
    same = scratch.request(path, method="PUT", form=form[:1], **WRITE)
    assert (same.status, same.json()["description"]) == (200, "A form")


def test_everybody_sees_their_own_webhooks(scratch: Site) -> None:
    mine = post(scratch, "/api/webhooks", url=new_url()).json()
    theirs = post(scratch, "/api/webhooks", "other_user", url=new_url()).json()
    for token, own, other in (("valid", mine, theirs), ("other_user", theirs, mine)):
        rows = scratch.request("/api/webhooks?per_page=249", token=token).json()["data"]
        assert own in rows
        assert other not in rows
        path = f"/api/webhooks/{other['id']}"
        for method in ("GET", "PUT", "DELETE"):
            answer = scratch.request(path, method=method, json={}, token=token)
            assert (answer.status, answer.json()) == (404, {"message": "Not found."})


def test_refusals_of_webhooks(scratch: Site) -> None:
    for method, path in (
        *(("GET", "/api/webhooks"), ("POST", "/api/webhooks")),
        *((method, "/api/webhooks/999") for method in ("GET", "PUT", "DELETE")),
    ):
        assert scratch.request(path, method=method).status == 401
        answer = scratch.request(path, method=method, json={}, token="read_only")
        if method == "GET":
            assert answer.status == (404 if "999" in path else 200)
        else:
            assert_403(answer)
            assert 'scope="webhooks:write"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "url"),
        *[({"url": url}, "url") for url in ("", None, "x", "javascript:x", "//x", 5, ["x"], "ftp")],
        ({"url": f"https://x.example/{'x' * 255}"}, "url"),
        ({"url": "https://x.example/", "description": []}, "description"),
    ],
)
def test_422_for_a_webhook(scratch: Site, values: dict[str, Any], field: str) -> None:
    assert list(post(scratch, "/api/webhooks", **values).errors()) == [field]


def test_a_url_is_unique_for_all(scratch: Site) -> None:
    url = new_url()
    assert post(scratch, "/api/webhooks", "other_user", url=url).status == 201
    assert post(scratch, "/api/webhooks", url=url).errors() == {"url": TAKEN}
    path = f"/api/webhooks/{post(scratch, '/api/webhooks', url=new_url()).json()['id']}"
    answer = scratch.request(path, method="PUT", json={"url": url}, **WRITE)
    assert answer.errors() == {"url": TAKEN}


def test_one_of_eight_simultaneous_webhooks_gets_the_url(scratch: Site) -> None:
    url = new_url()
    answers = at_once(lambda: post(scratch, "/api/webhooks", url=url))
    assert sorted(answer.status for answer in answers) == [201] + [422] * 7
    for answer in answers:
        assert answer.status == 201 or answer.errors() == {"url": TAKEN}


# --- Exports ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(None, ""), (b"", "text/plain"), (b"{}", "application/json"), (b"format=csv", FORM)],
)
def test_an_export_is_queued(scratch: Site, body: bytes | None, content_type: str) -> None:
    answer = scratch.request(
        "/api/exports", method="POST", body=body, content_type=content_type, **WRITE
    )
    queued = {"message": "Your request was accepted and queued."}
    assert (answer.status, answer.json()) == (202, queued)


def test_refusals_of_exports(scratch: Site) -> None:
    assert post(scratch, "/api/exports", None).status == 401
    answer = post(scratch, "/api/exports", "read_only")
    assert_403(answer)
    assert 'scope="exports:write"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "path",
    [
        *("/api/issues/2/close", "/api/issues/2/subscriptions", "/api/categories/2/subscriptions"),
        *("/api/companies/1/users", "/api/webhooks", "/api/exports"),
    ],
)
def test_bodies_that_are_no_objects(scratch: Site, path: str) -> None:
    for body in (b"{", b"[]", b"[1]", b"null", b'"x"', b"\xff", b"NaN", b'\xef\xbb\xbf{"a": 1}'):
        answer = scratch.request(path, method="POST", body=body, **WRITE)
        assert (answer.status, answer.json()) == (422, MALFORMED)
    for content_type in ("text/plain", "multipart/form-data; boundary=x", "application/xml"):
        answer = scratch.request(
            path, method="POST", body=b"{}", content_type=content_type, **WRITE
        )
        assert (answer.status, answer.json()) == (415, {"message": "Unsupported media type."})
