"""The second kind of token: who holds one, where it is read, and how to come by one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .conftest import Stopped
from .hostile import MALFORMED, UNAUTHENTICATED, assert_refused
from .support import FORM, Answer, Site, probe, wait_for
from .test_issue_tracker_writes import DATE, REQUIRED

pytestmark = pytest.mark.servers

GET_TOKEN = "/api/chats/1/users/get-token"
WRONG = {"auth-code": ["This code cannot be exchanged for this address."]}
NAMES = [f"guest{number}" for number in range(60)]

ChatUser = dict[str, Any]


@pytest.fixture(scope="session")
def chat_users(scratch_server: Site, scratch_database_url: str) -> Iterator[ChatUser]:
    """People of the first chat whose codes and tokens nobody has used yet."""
    return iter(probe(["chat_users", *NAMES], database_url=scratch_database_url)[0])


@pytest.fixture
def chat_user(chat_users: Iterator[ChatUser]) -> ChatUser:
    """One of them, for one test."""
    return next(chat_users)


def exchange(site: Site, email: Any, code: Any, path: str = GET_TOKEN, **options: Any) -> Answer:
    """Ask for a token."""
    body = {"email": email, "auth-code": code}
    return site.request(path, method="POST", json=body, **options)


def whose(site: Site, token: str) -> Any:
    """Return the chat user that a token belongs to."""
    answer = site.request("/api/chat-user", token=token)
    assert answer.status == 200
    return answer.json()


def assert_401(answer: Answer) -> None:
    assert assert_refused(answer, 401) == UNAUTHENTICATED


# --- Whose token it is -------------------------------------------------------------------------


def test_the_seeded_chat_user(site: Site) -> None:
    assert whose(site, site.credentials["chat"]["token"]) == {
        "id": 1,
        "chat_id": 1,
        "name": "Vera Holm",
        "email": "vera@example.com",
        "created_at": "2021-07-05T09:31:38.000000Z",
        "updated_at": "2021-07-05T09:31:38.000000Z",
    }


def test_the_token_in_the_query(site: Site) -> None:
    token = site.credentials["chat"]["token"]
    answer = site.request(f"/api/chat-user?chat_user_token={token}")
    assert answer.json() == whose(site, token)
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert token not in answer.text + str(answer.headers)


def test_the_token_in_the_body(site: Site) -> None:
    token = site.credentials["chat"]["token"]
    path, body = "/api/chat-user", {"chat_user_token": token}
    for sent in ({"json": body}, {"json": {**body, "name": "x"}}, {"form": [*body.items()]}):
        answer = site.request(path, method="POST", **sent)
        assert (answer.status, answer.json()) == (200, whose(site, token))
        assert token not in answer.text + str(answer.headers)


def test_post_takes_the_token_from_everywhere(site: Site) -> None:
    token = site.credentials["chat"]["token"]
    for path, options in (
        ("/api/chat-user", {"token": token}),
        ("/api/chat-user", {"token": token, "body": b""}),
        (f"/api/chat-user?chat_user_token={token}", {"json": {}}),
        (f"/api/chat-user?chat_user_token={token}", {"json": {"chat_user_token": token}}),
    ):
        answer = site.request(path, method="POST", **options)
        assert (answer.status, answer.json()) == (200, whose(site, token))


def test_the_body_of_a_get_is_not_read(site: Site) -> None:
    token = site.credentials["chat"]["token"]
    assert_401(site.request("/api/chat-user", json={"chat_user_token": token}))


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff", b"NaN", b'"x"'])
def test_a_malformed_body(site: Site, body: bytes) -> None:
    token = site.credentials["chat"]["token"]
    answer = site.request("/api/chat-user", method="POST", body=body, token=token)
    assert assert_refused(answer, 422) == MALFORMED


def test_it_costs_one_query(site: Site, site_database_url: str) -> None:
    call = ["queries", site.credentials["chat"]["token"], ["/api/chat-user"]]
    assert probe(call, database_url=site_database_url) == [{"/api/chat-user": 1}]


def test_a_closed_chat_user_is_nobody(
    scratch: Site, scratch_database_url: str, chat_user: ChatUser
) -> None:
    assert whose(scratch, chat_user["token"])["id"] == chat_user["id"]
    probe(["close_chat_user", chat_user["email"]], database_url=scratch_database_url)
    assert_401(scratch.request("/api/chat-user", token=chat_user["token"]))


# --- Two kinds on one site ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["api_token", "chat_user_token"])
@pytest.mark.parametrize(("path", "kind"), [("/api/user", "chat"), ("/api/chat-user", "api")])
def test_each_kind_opens_its_own(site: Site, path: str, kind: str, name: str) -> None:
    token = {"api": site.tokens["valid"], "chat": site.credentials["chat"]["token"]}[kind]
    assert_401(site.request(path, token=token))
    assert_401(site.request(f"{path}?{name}={token}"))


@pytest.mark.parametrize("name", ["api_token", "chat_user_token"])
def test_each_kind_opens_its_own_from_bodies(site: Site, name: str) -> None:
    for path, token in (
        ("/api/webhooks", site.credentials["chat"]["token"]),
        ("/api/chat-user", site.tokens["valid"]),
    ):
        assert_401(site.request(path, method="POST", json={name: token, "url": "x"}))


def test_a_view_minds_the_kinds_that_it_reads(site: Site) -> None:
    api, chat = site.tokens["valid"], site.credentials["chat"]["token"]
    assert site.request(f"/api/chat-user?api_token={api}", token=chat).status == 200
    assert site.request(f"/api/user?chat_user_token={chat}", token=api).status == 200
    assert_refused(site.request(f"{GET_TOKEN}?api_token={api}", method="POST", token=chat), 400)
    both = f"{GET_TOKEN}?api_token={api}&chat_user_token={chat}"
    assert_refused(exchange(site, "x", "1", both), 400)


def test_400_with_two_chat_user_tokens(scratch: Site, chat_user: ChatUser) -> None:
    path = f"/api/chat-user?chat_user_token={scratch.credentials['chat']['token']}"
    answer = scratch.request(path, token=chat_user["token"])
    assert set(assert_refused(answer, 400)) == {"message"}


def test_links_repeat_neither_kind(site: Site) -> None:
    query = f"api_token={site.tokens['valid']}&chat_user_token={site.credentials['chat']['token']}"
    answer = site.request(f"/api/issues?{query}&per_page=2")
    assert answer.status == 200
    assert "_token" not in answer.text
    assert site.credentials["chat"]["token"] not in answer.text


# --- A code for a token ------------------------------------------------------------------------


def test_a_code_is_exchanged_once(scratch: Site, chat_user: ChatUser) -> None:
    email, code = chat_user["email"], chat_user["auth_code"]
    answer = exchange(scratch, email, code)
    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    token = answer.json()["chat_user_token"]
    assert answer.json() == {"chat_user_token": token}
    assert re.fullmatch("chat_[0-9A-Za-z]{46}", token)
    owner = whose(scratch, token)
    assert owner == whose(scratch, chat_user["token"])
    dates = {name: owner[name] for name in ("created_at", "updated_at")}
    assert all(DATE.fullmatch(date) for date in dates.values())
    name = email.partition("@")[0]
    assert owner == {"id": chat_user["id"], "chat_id": 1, "name": name, "email": email, **dates}
    assert exchange(scratch, email, code).errors() == WRONG


def test_a_code_may_be_a_number(scratch: Site, chat_user: ChatUser) -> None:
    assert exchange(scratch, chat_user["email"], int(chat_user["auth_code"])).status == 201


def test_a_code_may_come_in_a_form(scratch: Site, chat_user: ChatUser) -> None:
    form = [("email", chat_user["email"]), ("auth-code", f" {chat_user['auth_code']} ")]
    assert scratch.request(GET_TOKEN, method="POST", form=form).status == 201


@pytest.mark.parametrize("kind", ["api", "chat"])
def test_a_token_of_either_kind_may_come_along(
    scratch: Site, chat_user: ChatUser, kind: str
) -> None:
    token = scratch.tokens["valid"] if kind == "api" else chat_user["token"]
    answer = exchange(scratch, chat_user["email"], chat_user["auth_code"], token=token)
    assert answer.status == 201


def test_a_token_in_the_url_keeps_the_answer_private(scratch: Site, chat_user: ChatUser) -> None:
    path = f"{GET_TOKEN}?chat_user_token={chat_user['token']}"
    answer = exchange(scratch, chat_user["email"], chat_user["auth_code"], path)
    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert chat_user["token"] not in answer.text


@pytest.mark.parametrize("token", ["garbage", "cn_unknown", "chat_unknown", "revoked"])
def test_a_wrong_token_is_refused_here_too(scratch: Site, chat_user: ChatUser, token: str) -> None:
    email, code = chat_user["email"], chat_user["auth_code"]
    text = scratch.tokens.get(token, token)
    assert_401(exchange(scratch, email, code, token=text))
    for name in ("api_token", "chat_user_token"):
        assert_401(exchange(scratch, email, code, f"{GET_TOKEN}?{name}={text}"))
    assert exchange(scratch, email, code).status == 201


def test_several_people_at_once(scratch: Site, chat_users: Iterator[ChatUser]) -> None:
    people = [next(chat_users) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda one: exchange(scratch, one["email"], one["auth_code"]), people)
    tokens = [answer.json()["chat_user_token"] for answer in answers]
    assert [whose(scratch, token)["id"] for token in tokens] == [one["id"] for one in people]


def test_whatever_is_wrong_gets_the_same_answer(
    scratch: Site, scratch_database_url: str, chat_users: Iterator[ChatUser]
) -> None:
    good, used, closed, late, renewed = (next(chat_users) for _ in range(5))
    assert exchange(scratch, used["email"], used["auth_code"]).status == 201
    *_, new_code = probe(
        ["close_chat_user", closed["email"]],
        ["age_auth_code", late["email"], 25],
        ["new_auth_code", renewed["email"]],
        database_url=scratch_database_url,
    )
    other_chat = GET_TOKEN.replace("/1/", "/2/")
    answers = [
        exchange(scratch, "nobody@chats.example", good["auth_code"]),
        exchange(scratch, good["email"], "123456789012345"),
        exchange(scratch, good["email"], late["auth_code"]),
        exchange(scratch, good["email"], good["auth_code"] + "0"),
        exchange(scratch, good["email"], "x" * 255),
        exchange(scratch, good["email"], good["auth_code"], other_chat),
        # In the second chat, too, but without a code there.
        exchange(scratch, "vera@example.com", "123456789012345", other_chat),
        *(exchange(scratch, one["email"], one["auth_code"]) for one in (used, closed, late)),
        exchange(scratch, renewed["email"], renewed["auth_code"]),
    ]
    for answer in answers:
        assert answer.errors() == WRONG
    assert len({answer.text for answer in answers}) == 1
    for one, code in ((good, good["auth_code"]), (renewed, new_code)):
        assert exchange(scratch, one["email"], code).status == 201


def test_a_code_is_good_for_a_day(
    scratch: Site, scratch_database_url: str, chat_user: ChatUser
) -> None:
    probe(["age_auth_code", chat_user["email"], 23], database_url=scratch_database_url)
    assert exchange(scratch, chat_user["email"], chat_user["auth_code"]).status == 201


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["auth-code", "email"]),
        ({"email": "a@chats.example"}, ["auth-code"]),
        ({"auth-code": "1"}, ["email"]),
        ({"auth_code": "1", "code": "1", "email": "a@chats.example"}, ["auth-code"]),
        ({"auth-code": "1", "email": "nobody"}, ["email"]),
        ({"auth-code": "", "email": ""}, ["auth-code", "email"]),
        ({"auth-code": None, "email": None}, ["auth-code", "email"]),
        ({"auth-code": ["1"], "email": ["a@chats.example"]}, ["auth-code", "email"]),
        ({"auth-code": True, "email": "a@chats.example"}, ["auth-code"]),
        ({"auth-code": 1.5, "email": "a@chats.example"}, ["auth-code"]),
        ({"auth-code": "1\0", "email": "a@chats.example"}, ["auth-code"]),
        ({"auth-code": "\ud800", "email": "a@chats.example"}, ["auth-code"]),
        ({"auth-code": "1" * 256, "email": f"{'a' * 250}@chats.example"}, ["auth-code", "email"]),
    ],
)
def test_422_names_the_fields(site: Site, body: dict[str, Any], fields: list[str]) -> None:
    answer = site.request(GET_TOKEN, method="POST", json=body)
    assert sorted(answer.errors()) == fields
    if not body:
        assert answer.errors() == {"email": REQUIRED, "auth-code": REQUIRED}


@pytest.mark.parametrize("chat", ["0", "4", "999", 10**19, 2**63, 10**400])
def test_404_for_other_chats(site: Site, chat: Any) -> None:
    for body in (b"{}", b"{", json.dumps({"email": "a@b.example", "auth-code": "1"}).encode()):
        answer = site.request(GET_TOKEN.replace("/1/", f"/{chat}/"), method="POST", body=body)
        assert assert_refused(answer, 404) == {"message": "Not found."}


@pytest.mark.parametrize(
    "path",
    [
        *("/api/chats/1%0a/users/get-token", "/api/chats/+1/users/get-token"),
        *("/api/chats/0x1/users/get-token", "/api/chats/%D9%A1/users/get-token"),
        *("/api/chats/-1/users/get-token", "/api/chats/x/users/get-token"),
        *(f"{GET_TOKEN}/", f"{GET_TOKEN}%0a", f"{GET_TOKEN}.json", "/api/chat-user/"),
        *("/api/chats", "/api/chats/1", "/api/chats/1/users", "/api/chat-user.json"),
    ],
)
def test_404_for_paths_that_are_no_routes(site: Site, path: str) -> None:
    for method in ("GET", "POST"):
        answer = site.request(path, method=method, json={})
        assert assert_refused(answer, 404) == {"message": "Not found."}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/api/chat-user", "GET, POST, HEAD, OPTIONS"), (GET_TOKEN, "POST, OPTIONS")],
)
def test_405(site: Site, path: str, allowed: str) -> None:
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"} - set(allowed.split(", "))
    for method in methods:
        answer = site.request(path, method=method, json={})
        assert assert_refused(answer, 405)
        assert answer.headers["Allow"] == allowed


# --- What is kept ------------------------------------------------------------------------------


def test_no_table_and_no_log_line_holds_a_secret(
    scratch: Site, scratch_database_url: str, chat_user: ChatUser
) -> None:
    email, code, token = (chat_user[key] for key in ("email", "auth_code", "token"))
    new = exchange(scratch, email, code, f"{GET_TOKEN}?auth-code={code}").json()["chat_user_token"]
    scratch.request(f"/api/chat-user?chat_user_token={token}")
    body = f"chat_user_token={token}".encode()
    scratch.request("/api/chat-user", method="POST", body=body, content_type=FORM)
    exchange(scratch, email, code, f"/api/chats/nowhere?chat_user_token={token}")
    assert probe(["holds", code, token, new], database_url=scratch_database_url) == [[]]
    log = wait_for('"POST /api/chats/nowhere HTTP/1.1" 404', scratch.log)
    for secret in (code, token, new, "chat_user_token"):
        assert secret not in log


def test_the_admin_shows_no_secret(scratch: Site, scratch_database_url: str) -> None:
    paths = ["chatusertoken/?q=vera", "chatusertoken/1/change/", "chatusertoken/", "chatuser/"]
    calls = [["admin_page", f"/admin/chats/{path}"] for path in paths]
    *pages, digests = probe(*calls, ["chat_digests"], database_url=scratch_database_url)
    assert [status for status, _ in pages] == [200] * 4
    chat = scratch.credentials["chat"]
    for _, text in pages[:2]:
        assert f"chat_…{chat['token'][-4:]}" in text
        assert chat["email"] in text
    assert len(digests) >= 2
    for secret in (chat["token"], chat["auth_code"], *digests):
        assert not any(secret in text for _, text in pages)


# --- Limits ------------------------------------------------------------------------------------


def test_attempts_are_counted_by_address(stopped: Stopped) -> None:
    """With another token, or none, it is the next attempt of the same address."""
    site = stopped.site
    tokens = [None, site.tokens["valid"], site.tokens["other_user"]]
    answers = [exchange(site, "a@chats.example", "1", token=token) for token in tokens]
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining")
    found = [tuple(answer.headers[name] for name in names) for answer in answers]
    assert found == [("3000", "2999"), ("3000", "2998"), ("3000", "2997")]
