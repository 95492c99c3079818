"""Tokens in URLs and the logs of nginx, set up as docs/security.md says."""

from __future__ import annotations

import re
import tempfile
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.services import PATIENCE, Nginx, free_port

pytestmark = pytest.mark.servers

GUIDE = Path(__file__).parents[2] / "docs" / "security.md"


class Documented(Nginx):
    """nginx with the logs of the guide, in its own folder."""

    HEAD = Nginx.HEAD.replace("error_log stderr;", "").replace(
        "access_log off;",
        "\n".join(re.findall(r"```nginx\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)).replace(
            "/var/log/nginx", "{folder}"
        ),
    )


@pytest.mark.parametrize("kind", ["port", "socket"])
def test_no_token_is_logged_while_the_server_is_away(kind: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        away = f"unix:{folder}/away" if kind == "socket" else f"127.0.0.1:{free_port()}"
        nginx = Documented(folder, {"api": f"http://{away}"})
        connection = HTTPConnection("127.0.0.1", nginx.port, timeout=PATIENCE)
        connection.request("GET", "/api/issues?api_token=secret&page=2")
        assert connection.getresponse().status == 502
        connection.close()
        nginx.stop()
        logs = {log.name: log.read_text() for log in folder.glob("*.log")}
    assert sorted(logs) == ["access.log", "error.log"]
    assert '"GET /api/issues" 502' in logs["access.log"]
    assert "secret" not in "".join(logs.values())
