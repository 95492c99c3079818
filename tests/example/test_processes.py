"""The demo behind four processes, by the commands of docs/example.md."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.services import REDIS_URL, lack

from . import help_desk as desk
from . import test_issue_tracker_writes as tracker
from .conftest import NewDatabase, NewSeeded
from .support import PATIENCE, Answer, Site, end_probes, one_of_eight, probe, serve_as_documented
from .test_server import LISTS, PUBLIC, WITH_TOKEN, assert_message

pytestmark = [pytest.mark.servers, pytest.mark.frameworks]

NEW_CUSTOMER = {"name": "Nils", "email": "nils@processes.example"}


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def processes(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    new_seeded: NewSeeded,
) -> Iterator[Site]:
    """The same rows as those of ``site``, served by several processes."""
    folder, seeded = tmp_path_factory.mktemp(request.param), new_seeded()
    with serve_as_documented(request.param, folder, seeded.url, credentials=seeded.file) as site:
        yield site


@pytest.mark.parametrize("path", [*PUBLIC, *WITH_TOKEN])
def test_they_answer_as_the_demo_does(processes: Site, site: Site, path: str) -> None:
    answer, expected = processes.as_acme(path), site.as_acme(path)
    assert answer.status == expected.status == 200
    if path in LISTS:
        # The rows are those of other tests, too.
        assert answer.json().keys() == expected.json().keys()
        assert f'"{processes.base_url}{path}?' in answer.text
    else:
        assert answer.text.replace(processes.base_url, site.base_url) == expected.text


def test_an_issue_is_created_changed_and_deleted(processes: Site) -> None:
    created = tracker.create(processes)
    path = f"/api/issues/{created['id']}"
    body = {**tracker.ISSUE, "name": "Stairs are dry"}
    changed = processes.request(path, method="PUT", json=body, token="valid")
    assert (changed.status, changed.json()["name"]) == (200, "Stairs are dry")
    assert processes.request(path).json() == changed.json()
    deleted = processes.request(path, method="DELETE", token="valid")
    assert (deleted.status, deleted.text) == (200, "{}")
    assert processes.request(path).status == 404


def test_a_customer_is_created_changed_and_deleted(processes: Site) -> None:
    created = desk.create(processes, "customers", **NEW_CUSTOMER)
    path = desk.path_of("customers", created)
    changed = processes.as_acme(path, method="PATCH", json={"name": "Nora"})
    assert (changed.status, changed.json()["data"]["name"]) == (200, "Nora")
    assert desk.shown(processes, path) == changed.json()["data"]
    assert processes.as_acme(path, method="DELETE").status == 200
    assert processes.as_acme(path).status == 404


def test_a_form_with_a_token_in_the_body(processes: Site) -> None:
    form = [("name", "Elm"), ("slug", "elm"), ("api_token", processes.tokens["valid"])]
    assert processes.request("/api/companies", method="POST", form=form).status == 201


@pytest.mark.parametrize(
    ("path", "options", "status", "message"),
    [
        ("/api/nowhere", {}, 404, "Not found."),
        ("/api/v1/nowhere", {}, 404, "Object not found"),
        ("/api/issues/0", {}, 404, "Not found."),
        ("/api/v1/tags/0", {}, 404, "Object not found"),
        ("/api/user", {"token": "revoked"}, 401, "Unauthenticated."),
        ("/api/v1/tags", {"client": "other"}, 401, "Unauthenticated."),
        ("/api/issues/1", {"method": "POST"}, 405, "Method not allowed."),
        ("/api/issues", {"headers": {"Host": "evil.example"}}, 400, "Bad request."),
        ("/api/issues", {"method": "POST", "body": b"{"}, 422, "The request body is malformed."),
        ("/api/v1/tags", {"method": "POST", "body": b"{"}, 400, desk.EMPTY["message"]),
    ],
)
def test_errors_are_json(
    processes: Site, path: str, options: dict[str, Any], status: int, message: str
) -> None:
    assert_message(processes.as_acme(path, **options), status, message)


def test_422_names_the_fields(processes: Site) -> None:
    answer = processes.as_acme("/api/companies", method="POST", json={})
    assert answer.errors() == {"name": desk.REQUIRED}
    answer = desk.post(processes, "customers", email="nobody@processes.example")
    assert answer.errors() == {"name": desk.REQUIRED}


@pytest.mark.parametrize("name", ["Hs_Client_Id", "Hs_Client-Id"])
def test_header_names_with_underscores_do_not_count(processes: Site, name: str) -> None:
    answer = processes.request("/api/v1/tags", token="valid", headers={name: "acme"})
    assert_message(answer, 401, "Unauthenticated.")


def test_mixed_requests_at_once(processes: Site) -> None:
    def work(thread: int) -> None:
        for path in [*PUBLIC, *WITH_TOKEN]:
            assert processes.as_acme(path).status == 200
            assert processes.as_acme(f"{path}/nowhere").status == 404
        issue, ticket = tracker.create(processes), desk.create(processes, "tickets")
        path = desk.path_of("tickets", ticket)
        assert processes.as_acme(path, method="PATCH", json={"status": "closed"}).status == 200
        deleted = processes.as_acme(f"/api/issues/{issue['id']}", method="DELETE")
        assert deleted.status == 200

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_one_of_eight_simultaneous_creates_gets_a_unique_value(processes: Site) -> None:
    def company(number: int) -> Answer:
        body = {"name": f"Number {number}", "slug": "wanted-by-all"}
        return processes.request("/api/companies", method="POST", json=body, token="valid")

    def customer(number: int) -> Answer:
        return desk.post(processes, "customers", name=f"{number}", email="wanted@example.com")

    for refused in one_of_eight(company):
        assert refused.errors() == {"slug": desk.TAKEN}
    for refused in one_of_eight(customer):
        assert list(refused.errors().values()) == [desk.TAKEN]


def test_one_of_eight_simultaneous_exchanges_gets_a_token(processes: Site) -> None:
    chat = processes.credentials["chat"]
    body = {"email": chat["email"], "auth-code": chat["auth_code"]}

    def exchange(_: int) -> Answer:
        return processes.request("/api/chats/1/users/get-token", method="POST", json=body)

    for refused in one_of_eight(exchange):
        assert list(refused.errors()) == ["auth-code"]


def send(site: Site, line: str) -> bytes:
    """Send a request that may be none, and return the beginning of the answer."""
    parts = urlsplit(site.base_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as connection:
        connection.sendall(f"{line}\r\nHost: localhost\r\n\r\n".encode())
        return connection.recv(65536)


def test_no_log_line_shows_a_token(processes: Site) -> None:
    target = f"/api/user?api_token={processes.tokens['valid']}"
    chat = f"/api/chat-user?chat_user_token={processes.credentials['chat']['token']}"
    for path in (target, target.replace("user", "nowhere"), f"{target}&chat_user_token=x", chat):
        for headers in ({}, {"Host": "evil.example"}):
            assert processes.request(path, headers=headers).status < 500
    for line in ("GET {}", "GET {} and more HTTP/1.1", "G@T {} HTTP/1.1", "GET {} HTTP/1.1\r\n: x"):
        assert b" 400 " in send(processes, line.format(target)).partition(b"\r\n")[0]
    log = processes.log.read_text()
    for secret in [*processes.tokens.values(), "api_token", "chat_user_token", "chat_"]:
        assert secret not in log


def test_they_count_together(processes: Site) -> None:
    if not REDIS_URL:
        lack("TEST_REDIS_URL is not set")
    guest, start = processes.from_new_address(), time.time()

    def ask(number: int) -> int:
        sent = {"X-Forwarded-For": f"203.0.113.{number}"}
        return guest.request("/api/throttled", headers=sent).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(40)))
    # The first window may have begun before, and others may have begun meanwhile.
    windows = 2 + int((time.time() - start) / 60)
    passed = statuses.count(200)
    assert 5 <= passed <= 5 * windows
    assert statuses.count(429) == 40 - passed


def test_what_one_process_caches_another_finds(new_database: NewDatabase) -> None:
    if not REDIS_URL:
        lack("TEST_REDIS_URL is not set")
    url = new_database()
    probe(["remember", "a", 1], database_url=url)
    end_probes()
    assert probe(["recall", "a"], database_url=url) == [1]
    assert probe(["recall", "a"], database_url=new_database()) == [None]
