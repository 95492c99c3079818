"""Every recorded token look-up of Sanctum, against our authentication and abilities.

Its only placement is the header. Where ours differs on purpose, the difference is stated here once
as a rule:

* a token has no id before it: ``id|plain`` as it was issued corresponds to ours, any other spelling
  of the id is part of a value that is nobody's;
* the header is read as the token guard's is;
* one time decides: the token's own ``expires_at``, else the site's lifetime when it was issued; at
  that very second it has expired, in both versions;
* abilities that are no list are none, where Laravel crashes;
* the text of a 403 is the neutral one; a refused token's ``last_used_at`` stays empty.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus, urlencode

import pytest
from django.utils import timezone
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api import tokens
from connectnow_api.models import APIToken
from connectnow_api.permissions import HasAbilities
from tests.conftest import Mount
from tests.recorded_tokens import Case, Outcome, bearer, load, user

pytestmark = pytest.mark.django_db

SANCTUMS = ("sanctum_2x_on_laravel_8", "sanctum_4x_on_laravel_12")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "sanctum_case" in metafunc.fixturenames:
        golden = load(metafunc.config)
        metafunc.parametrize(
            ("sanctum_case", "sanctum"),
            [
                pytest.param(case, golden[name], id=f"{name}-{index}")
                for name in SANCTUMS
                for index, case in enumerate(golden[name]["cases"])
            ],
        )
    if "vector" in metafunc.fixturenames:
        made = [load(metafunc.config)[name]["created"] for name in SANCTUMS]
        vectors = [item for c in made for item in c.get("crc32b_vectors", {}).items()]
        metafunc.parametrize("vector", vectors)


class Able(APIView):
    """Tells whose token it was, and which of the abilities asked for it has."""

    permission_classes: Any = [IsAuthenticated]
    envelope = None

    def get(self, request: Any) -> Response:
        asked = request.query_params.getlist("ability")
        can = {ability: request.auth.can(ability) for ability in asked}
        return Response(
            {"user": int(request.user.username), "token": request.auth.name, "can": can}
        )


class CanRead(HasAbilities):
    def get_required_abilities(self, request: Any, view: Any) -> list[str]:
        return ["issues:read"]


class CanWrite(HasAbilities):
    def get_required_abilities(self, request: Any, view: Any) -> list[str]:
        return ["issues:write"]


SANCTUM_VIEWS = {
    "/api/all": [CanRead, CanWrite],
    "/api/noauth": [CanRead, CanWrite],
    "/api/any": [CanRead | CanWrite],
}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Row:
    """A recorded token and ours in its place."""

    recorded: Case
    plain_text: str

    @property
    def abilities(self) -> list[str]:
        return json.loads(self.recorded["abilities_column"] or "[]")

    def can(self, ability: str) -> bool:
        return bool({ability, "*"} & set(self.abilities))


def in_our_words(value: str, rows: dict[str, Row]) -> str:
    """Return a presented value with our token for the recorded one; the right id goes with it."""
    number, bar, plain = value.partition("|") if "|" in value else ("", "", value)
    row = rows.get(sha256(plain))
    if row is not None and number in ("", str(row.recorded["id"])) and value != f"|{plain}":
        return row.plain_text
    if row is not None:
        return f"{number}{bar}{row.plain_text}"
    if plain in rows:
        return f"{number}{bar}{sha256(rows[plain].plain_text)}"
    return value


def header_in_our_words(case: Case, rows: dict[str, Row]) -> str | None:
    if not case["authorization"]:
        return None
    found = re.fullmatch(r"(\S+\s*)([^,]*)(.*)", case["authorization"])
    assert found
    return found[1] + in_our_words(found[2], rows) + found[3]


def expiry(case: Case, row: Case) -> int | None:
    """Return the second after the start at which a token of ours expires."""
    if row["expires_at_minus_t0"] is not None:
        return int(row["expires_at_minus_t0"])
    return case["expiration"] * 60 if case.get("expiration") else None


def granted(case: Case, header: str | None, rows: dict[str, Row]) -> Outcome:
    """Return what the rules make of a request."""
    by_text = {row.plain_text: row for row in rows.values()}
    row = next((by_text[value] for value in bearer(header) if value in by_text), None)
    end = expiry(case, row.recorded) if row else None
    gone = row is not None and row.recorded["user"] == GONE
    if row is None or gone or (end is not None and case.get("t", 0) >= end):
        return Outcome(401)
    has = [row.can("issues:read"), row.can("issues:write")]
    path = case.get("path")
    allowed = {"/api/all": all(has), "/api/any": any(has), "/api/noauth": all(has)}.get(path, True)
    return Outcome(200, row.recorded["user"]) if allowed else Outcome(403)


GONE = 99
"""The recorded user who was deleted."""


def is_another_id(case: Case, header: str | None, sanctum: Case) -> bool:
    return header is not None and "|" in header


def is_another_sanctum_header(case: Case, header: str | None, sanctum: Case) -> bool:
    return header is not None and re.fullmatch(r"Bearer [^\s,]+", header) is None


def is_another_expiry(case: Case, header: str | None, sanctum: Case) -> bool:
    """Only where both ends are set, at the very second, or where 2.x does not look."""
    ends = [row["expires_at_minus_t0"] for row in sanctum["tokens"]]
    own = case.get("t") is not None and any(end is not None for end in ends)
    return own and (
        "expiration" in case or any(end is not None and case["t"] >= end for end in ends)
    )


def is_a_sanctum_crash(case: Case, header: str | None, sanctum: Case) -> bool:
    return bool(case["status"] == 500)


SANCTUM_RULES = (
    is_another_id,
    is_another_sanctum_header,
    is_another_expiry,
    is_a_sanctum_crash,
)


@pytest.mark.parametrize("profile", ["laravel-8", "laravel-12"])
def test_sanctum_lets_pass_what_the_recording_lets_pass(
    sanctum_case: Case,
    sanctum: Case,
    profile: str,
    mount: Mount,
    client: APIClient,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Status, user and abilities as recorded, or what a rule above puts in their place."""
    case, start = sanctum_case, datetime.fromtimestamp(sanctum["t0_unix"], UTC)
    minutes = case.get("expiration")
    lifetime = timedelta(minutes=minutes) if minutes else None
    settings.CONNECTNOW_API = {"PROFILE": profile, "MAX_TOKEN_LIFETIME": lifetime}
    monkeypatch.setattr(timezone, "now", lambda: start)
    rows = {row["token_column"]: Row(row, issue_like(row, start)) for row in sanctum["tokens"]}
    user(GONE).delete()
    header = header_in_our_words(case, rows)
    query = [("ability", name) for name in (case["body"].get("can") or {})]
    if "q" in case:
        name, _, value = case["q"].partition("=")
        query.append((name, in_our_words(unquote_plus(value), rows)))
    permissions = SANCTUM_VIEWS.get(case.get("path", ""), [IsAuthenticated])
    mount({"api/able": Able.as_view(permission_classes=permissions)})
    monkeypatch.setattr(timezone, "now", lambda: start + timedelta(seconds=case.get("t", 0)))

    headers = {} if header is None else {"authorization": header}
    response = client.get(f"/api/able?{urlencode(query)}", headers=headers)

    body = response.json()
    expected = granted(case, header, rows)
    assert Outcome(response.status_code, body.get("user")) == expected
    if response.status_code == 200:
        row = next(row for row in rows.values() if row.plain_text in str(header))
        assert body["token"] == str(row.recorded["id"])
        assert body["can"] == {name: row.can(name) for name in body["can"]}
        if case["status"] == 200 and "can" in case["body"]:
            assert body == {**case["body"], "token": str(case["body"]["token"])}
    else:
        text = {401: "Unauthenticated.", 403: "This action is unauthorized."}
        assert body == {"message": text[response.status_code]}
    written = APIToken.objects.exclude(last_used_at=None).exists()
    assert written == (response.status_code in (200, 403))
    agrees = response.status_code == case["status"]
    if agrees and "last_used_at_written" in case:
        assert written == case["last_used_at_written"]
    assert agrees or any(rule(case, header, sanctum) for rule in SANCTUM_RULES)


def issue_like(row: Case, start: datetime) -> str:
    """Issue a token like a recorded one, and return its plain text."""
    end = row["expires_at_minus_t0"]
    column = row["abilities_column"]
    abilities = [] if column is None else json.loads(column)
    new = APIToken.objects.issue(user(row["user"]), str(row["id"]), abilities)
    if end is not None:
        # Some of them have expired.
        expiry = start + timedelta(seconds=end)
        APIToken.objects.filter(pk=new.token.pk).update(expires_at=expiry)
    if column is None:
        APIToken.objects.filter(pk=new.token.pk).update(abilities={})
    return new.plain_text


def test_checksum_is_the_recorded_crc(vector: tuple[str, str]) -> None:
    """Both are the CRC-32 of the secret without its prefix: theirs in hex, ours in base62."""
    secret, crc = vector
    number = 0
    for digit in tokens.checksum(secret):
        number = number * 62 + tokens.ALPHABET.index(digit)
    assert number == int(crc, 16) == zlib.crc32(secret.encode())
