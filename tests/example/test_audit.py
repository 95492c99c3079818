"""The audit table behind real servers: refusals stay although their requests are rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from connectnow_api import tokens

from .conftest import NewSeeded
from .support import ROOT, Site, probe, serve_as_documented

pytestmark = pytest.mark.servers

ATOMIC: dict[str, Any] = {
    "DJANGO_SETTINGS_MODULE": "tests.example.atomic_settings",
    "PYTHONPATH": str(ROOT),
}


class Atomic(NamedTuple):
    """A site each of whose requests is a transaction, and where its data is."""

    site: Site
    database_url: str

    def entries(self, number: int) -> list[dict[str, str]]:
        """Return the entries of refusals that came from this site's address: so many."""
        return probe(["audited", self.site.address, number], database_url=self.database_url)[0]


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    new_seeded: NewSeeded,
) -> Iterator[Atomic]:
    """The example behind several processes."""
    folder, seeded = tmp_path_factory.mktemp(request.param), new_seeded()
    options = {"options": "--workers 2", "credentials": seeded.file, **ATOMIC}
    with serve_as_documented(request.param, folder, seeded.url, **options) as site:
        yield Atomic(site, seeded.url)


@pytest.fixture
def atomic(server: Atomic) -> Atomic:
    """The same, asked from an address that no other test has."""
    return server._replace(site=server.site.from_new_address())


def test_what_a_refused_request_did_is_rolled_back(atomic: Atomic) -> None:
    """Else the tests below would show nothing: the last use is not there after a 404."""
    token = probe(["issue", []], database_url=atomic.database_url)[0]
    assert atomic.site.request("/api/user/nowhere", token=token).status == 404
    assert atomic.site.request("/api/issues/0", token=token).status == 404
    assert probe(["is_used", token], database_url=atomic.database_url) == [False]
    assert atomic.site.request("/api/issues/1", token=token).status == 200
    assert probe(["is_used", token], database_url=atomic.database_url) == [True]


@pytest.mark.parametrize(
    ("kind", "action", "reason"),
    [("revoked", "refused", "revoked"), ("expired", "used_after_expiry", "expired")],
)
def test_a_refused_token_is_written_from_every_placement(
    atomic: Atomic, kind: str, action: str, reason: str
) -> None:
    token = atomic.site.tokens[kind]
    answers = [
        atomic.site.request("/api/user", token=token),
        atomic.site.request(f"/api/user?api_token={token}"),
        atomic.site.request("/api/companies", method="POST", json={"api_token": token}),
    ]
    assert [answer.status for answer in answers] == [401] * 3
    expected = {
        **probe(["said_of", token], database_url=atomic.database_url)[0],
        "action": action,
        "reason": reason,
        "address": atomic.site.address,
    }
    assert by_placement(atomic.entries(3)) == [
        {**expected, "placement": placement} for placement in ("header", "payload", "query")
    ]


def test_a_value_that_may_be_a_token_is_written_and_no_other(atomic: Atomic) -> None:
    value = tokens.generate("cn")
    for sent in ("x", value):
        assert atomic.site.request("/api/user", token=sent).status == 401
    assert atomic.entries(1) == [
        {
            "action": "refused",
            "reason": "unknown",
            "kind": "connectnow_api.APIToken",
            "fingerprint": tokens.digest(value)[:8],
            "placement": "header",
            "address": atomic.site.address,
        }
    ]


def by_placement(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return entries in an order that does not hang on which process wrote first."""
    return sorted(entries, key=lambda entry: entry["placement"])
