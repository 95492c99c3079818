"""The running demo: statuses, headers and bodies of everything that can be read."""

from __future__ import annotations

import re
import signal
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from .conftest import NewSeeded
from .support import Answer, Site, end, manage, serve, wait_for

pytestmark = [pytest.mark.servers, pytest.mark.frameworks]

PUBLIC = [
    *("/api/issues", "/api/issues/1", "/api/categories", "/api/categories/1"),
    *("/api/companies", "/api/companies/1"),
]
OF_CLIENT = [
    *("/api/v1/tickets", "/api/v1/tickets/1"),
    *("/api/v1/tickets/1/messages", "/api/v1/tickets/1/messages/1"),
    *("/api/v1/customers", "/api/v1/customers/1", "/api/v1/tags", "/api/v1/tags/1"),
    *("/api/v1/webhook", "/api/v1/webhook/logs"),
]
WITH_TOKEN = ["/api/user", "/api/companies/1/users", "/api/webhooks", *OF_CLIENT]
ALONE = ["/api/user", "/api/v1/webhook"]
NUMBERED = [path for path in [*PUBLIC, *WITH_TOKEN] if path[-1].isdigit()]
LISTS = [path for path in [*PUBLIC, *WITH_TOKEN] if path not in [*ALONE, *NUMBERED]]
WITHOUT_DATABASE = "/api/user"
"""Without a token; a server that ends might not have closed the database after its answer."""
MISSING = [
    *("/api/issues/121", "/api/issues/0", "/api/categories/13", "/api/companies/5"),
    f"/api/issues/{10**19}",
    f"/api/categories/{10**400}",
    f"/api/companies/{2**63}",
]
MISSING_OF_CLIENT = [
    *("/api/v1/tickets/61", "/api/v1/tickets/66", "/api/v1/tickets/66/messages"),
    *("/api/v1/tickets/1/messages/4", "/api/v1/customers/121", "/api/v1/tags/11"),
    f"/api/v1/tickets/{10**19}",
    f"/api/v1/tickets/{2**63}/messages",
    f"/api/v1/tickets/1/messages/{10**19}",
    f"/api/v1/customers/{10**400}",
    f"/api/v1/tags/{2**63}",
]


def assert_message(answer: Answer, status: int, message: str) -> None:
    assert (answer.status, answer.json()) == (status, {"message": message})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", PUBLIC)
def test_200_without_a_token(site: Site, path: str) -> None:
    assert site.request(path).text == site.request(path, token="valid").text


@pytest.mark.parametrize("path", WITH_TOKEN)
def test_200_with_a_token_in_the_query(site: Site, path: str) -> None:
    answer = site.request(f"{path}?api_token={site.tokens['read_only']}", client="acme")
    assert answer.text == site.as_acme(path).text
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert site.tokens["read_only"] not in answer.text


@pytest.mark.parametrize("accept", ["text/html", "garbage"])
def test_json_whatever_is_accepted(site: Site, accept: str) -> None:
    for path in ("/api/issues/1", "/api/v1/tags"):
        assert site.as_acme(path, headers={"Accept": accept}).json()


@pytest.mark.parametrize("path", [*PUBLIC, *WITH_TOKEN])
def test_head_says_what_get_says(site: Site, path: str) -> None:
    head, get = site.as_acme(path, method="HEAD"), site.as_acme(path)
    assert (head.status, head.text) == (200, "")
    assert head.headers["Content-Length"] == str(len(get.text.encode()))


@pytest.mark.parametrize("path", MISSING)
def test_404_in_the_first_dialect(site: Site, path: str) -> None:
    assert_message(site.request(path), 404, "Not found.")


@pytest.mark.parametrize("path", MISSING_OF_CLIENT)
def test_404_in_the_second_dialect(site: Site, path: str) -> None:
    assert_message(site.as_acme(path), 404, "Object not found")


@pytest.mark.parametrize(
    "path",
    [
        *("/api/issues/", "/api/issues/1/", "/api/issues.json", "/api/issues/1.json"),
        *("/api/issues/1%0a", "/api/issues/+1", "/api/issues/0x1", "/api/issues/%D9%A1"),
        *("/api/v1/tickets/", "/api/v1/tickets/1/messages/", "/api/v1/tags/1%0a"),
        *("/api/", "/api/v1", "/api/v1/", "/api/nowhere", "/api/v1/nowhere", "/api/%00"),
        *("/api//issues", "/api/issues/1/2", "/api/issues/-1", "/api/issues/1.0", "/api/v2/x"),
        "/api/issues/" + "9" * 5000,
    ],
)
def test_404_for_paths_that_are_no_routes(site: Site, path: str) -> None:
    text = "Object not found" if path.startswith("/api/v1/") else "Not found."
    for options in ({}, {"token": "valid", "client": "acme"}, {"method": "POST", "body": b"{}"}):
        assert_message(site.request(path, **options), 404, text)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/apis", "/apiary/issues", "/tokens", "/x?api_token="]
)
def test_404_outside_the_apis_is_a_page(site: Site, path: str) -> None:
    answer = site.request(path)
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/api/issues/1", "/api/user"])
@pytest.mark.parametrize("method", ["POST", "TRACE", "BREW"])
def test_405_comes_before_401(site: Site, path: str, method: str) -> None:
    answer = site.request(path, method=method, headers={"Content-Length": "0"})
    assert_message(answer, 405, "Method not allowed.")


# --- The site's own pages ---------------------------------------------------------------------


def test_the_home_page_lists_addresses_that_exist(site: Site) -> None:
    page = site.request("/")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    addresses = re.findall('href="([^"]+)"', page.text)
    assert {"/api/issues", "/api/user", "/api/v1/tickets", "/admin/"} <= set(addresses)
    for address in addresses:
        assert site.as_acme(address).status in {200, 302}


def test_the_admin_has_its_styles(site: Site) -> None:
    page = site.request("/admin/login/")
    assert page.status == 200
    styles = re.findall('href="([^"]+[.]css)"', page.text)
    assert styles
    for path in styles:
        answer = site.request(path)
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/css")


@pytest.mark.parametrize(("position", "title"), [(0, "Site administration"), (1, "Log in")])
def test_the_first_user_may_enter_the_admin(site: Site, position: int, title: str) -> None:
    browser = build_opener(HTTPCookieProcessor(cookies := CookieJar()))
    url = f"{site.base_url}/admin/login/?next=/admin/"
    browser.open(url).close()
    form = {**site.credentials["users"][position]}
    form["csrfmiddlewaretoken"] = next(c.value for c in cookies if c.name == "csrftoken") or ""
    with browser.open(url, urlencode(form).encode()) as page:
        assert f"{title} |" in page.read().decode()


# --- The server -------------------------------------------------------------------------------


def test_no_log_line_shows_a_query(site: Site) -> None:
    token = site.tokens["valid"]
    site.request(f"/api/user?api_token={token}&page=7")
    site.request(f"/api/v1/tags?api_token={token}", client="other")
    site.request(f"/api/nowhere?api_token={token}")
    site.request(f"/api/chat-user?chat_user_token={site.credentials['chat']['token']}")
    site.request(f"/api/issues?before=x&api_token={token}")
    site.send(f"GET /api/user?api_token={token} HTTP/9.9\r\n\r\n".encode())
    site.send(f"GET /api/user?api_token={token} and more HTTP/1.1\r\n\r\n".encode())
    site.send(f"GET /logged?api_token={token} HTTP/1.1\r\nContent-Length: x\r\n\r\n".encode())
    # A line comes after its answer, from a thread of its own.
    for path, status in (("/api/user", 200), ("/api/nowhere", 404), ("/logged", 400)):
        log = wait_for(f'"GET {path} HTTP/1.1" {status}', site.log)
    for secret in [*site.tokens.values(), "api_token", "chat_user_token", "chat_"]:
        assert secret not in log


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        (b"garbage\r\n\r\n", 400, "Bad request."),
        (b"GET / HTTP/9.9\r\n\r\n", 505, "HTTP Version Not Supported."),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "Bad request."),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "Bad request."),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411, "Length Required."),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414, None),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431, None),
    ],
)
def test_what_never_gets_to_django_is_refused_as_json(
    site: Site, request_: bytes, status: int, message: str | None
) -> None:
    head, _, body = site.send(request_).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Content-Type: application/json" in head
    assert re.fullmatch(rb'\{"message": "[^"<>]+"\}', body)
    assert message is None or message.encode() in body


@pytest.mark.parametrize("name", ["Hs_Client_Id", "Hs_Client-Id"])
def test_header_names_with_underscores_do_not_count(site: Site, name: str) -> None:
    answer = site.request("/api/v1/tags", token="valid", headers={name: "acme"})
    assert_message(answer, 401, "Unauthenticated.")


def test_a_connection_serves_several_requests(site: Site) -> None:
    connection = site.connect()
    for _ in range(3):
        connection.request("GET", "/api/issues/1")
        assert connection.getresponse().read()
    connection.close()


def test_many_at_once(site: Site) -> None:
    paths = [*PUBLIC, *WITH_TOKEN] * 4
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(site.as_acme, paths))
    assert {answer.status for answer in answers} == {200}


def test_links_name_the_host_that_was_asked(site: Site) -> None:
    port = site.base_url.rpartition(":")[2]
    host = {"Host": f"localhost:{port}"}
    text = site.request("/api/companies?per_page=1", headers=host).text
    assert f'"http://localhost:{port}/api/companies?per_page=1&page=2"' in text


def test_ctrl_c_ends_it_quietly_with_a_connection_open(
    tmp_path: Path, new_seeded: NewSeeded
) -> None:
    """A second server at the same port has not disturbed the first."""
    url = new_seeded().url
    with serve(tmp_path, url) as (site, process):
        port = site.base_url.rpartition(":")[2]
        second = manage("demo", "--port", port, database_url=url, check=False)
        assert second.returncode == 1
        connection = site.connect()
        connection.request("GET", WITHOUT_DATABASE)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (401, b'{"message":"Unauthenticated."}')
        assert end(process, signal.SIGINT) == 0
        connection.close()
        assert "Traceback" not in site.log.read_text()
