"""What leaves by the access logs of servers. Mails and Django's page (27, 28): ``test_reports``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.example.conftest import NewDatabase, new_database
from tests.example.support import Site, prepare, serve_as_documented, wait_for

__all__ = ["new_database"]

pytestmark = pytest.mark.servers

OPTIONS = {
    "gunicorn": "--access-logfile - --log-level debug",
    "uvicorn": "--access-log --log-level debug",
}
"""What makes the servers say more than the documented commands do."""


@pytest.fixture(scope="module")
def prepared(new_database: NewDatabase, tmp_path_factory: Any) -> tuple[str, Path]:
    """The URL of a database with the example's rows, and its credentials."""
    url = new_database()
    return url, prepare(tmp_path_factory.mktemp("prepared"), url)


@pytest.fixture(params=OPTIONS)
def talkative(request: Any, prepared: tuple[str, Path], tmp_path: Path) -> Any:
    """The example behind a server that logs every request."""
    url, credentials = prepared
    options = OPTIONS[request.param]
    with serve_as_documented(
        request.param, tmp_path, url, credentials=credentials, options=options
    ) as site:
        yield site


def ask_with_tokens(site: Site) -> list[str]:
    """Send a token everywhere that a log may quote, and return it in all spellings."""
    token = site.tokens["valid"]
    referer = {"Referer": f"https://example.com/?api_token={token}"}
    assert site.request(f"/api/user?api_token={token}", headers=referer).status == 200
    assert site.request("/api/user", token="valid").status == 200
    assert site.request(f"/api/nowhere?a=b&api_token={token}").status == 404
    assert site.request("/api/user?api_token=legacy-secret").status == 401
    # Requests that the server refuses itself, and quotes in a warning.
    site.send(f"GET /api/user?api_token={token} HTTP/9.9\r\n\r\n".encode())
    site.send(f"GET /api/user?api_token={token} HTTP/1.1\r\nA B: {token}\r\n\r\n".encode())
    site.send(f"G(T /api/user?api_token={token} HTTP/1.1\r\n\r\n".encode())
    assert site.request("/api/nowhere/last").status == 404
    return [token, token[3:43], "legacy-secret"]


def test_row_26_access_logs(talkative: Site) -> None:
    secrets = ask_with_tokens(talkative)
    text = wait_for("/api/nowhere/last", talkative.log)
    assert "api_token=[redacted]" in text
    for secret in secrets:
        assert secret not in text
