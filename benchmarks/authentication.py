"""What a request with a token costs, against Django REST framework's TokenAuthentication.

Prints ratios of one run, in which the variants take turns: absolute times say more of the machine.
The database is SQLite, or what BENCHMARK_DATABASE_URL names, as postgres://user@host/name; a
database of the run's own is made there, and dropped. See README.md.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.conf import settings

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "example_project")]

BASE = "DRF TokenAuthentication"
MODES = {
    "ours, LAST_USED off": {"LAST_USED": "off"},
    "ours, LAST_USED database": {"LAST_USED": "database"},
    "ours, LAST_USED cache": {"LAST_USED": "cache"},
    "ours, a write at each request": {"LAST_USED_INTERVAL": timedelta(microseconds=1)},
}
SIZES = [(1_000, 1), (1_000, 500), (100_000, 1), (100_000, 500)]
"""Rows in the table of tokens, and how many of them one owner has."""
REQUESTS, ROUNDS = 50, 20

Ask = Callable[[], Any]


def configure(folder: str) -> None:
    """Set up Django with tokens of both packages."""
    from project.databases import database

    url = os.environ.get("BENCHMARK_DATABASE_URL") or f"sqlite:///{folder}/benchmark.sqlite3"
    apps = ["contenttypes", "auth"]
    settings.configure(
        DATABASES={"default": {**database(url), "TEST": {"NAME": None}}},
        INSTALLED_APPS=[
            *(f"django.contrib.{app}" for app in apps),
            "rest_framework",
            "rest_framework.authtoken",
            "connectnow_api",
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        CONNECTNOW_API={},
    )
    django.setup()


def fill(rows: int, per_owner: int) -> tuple[str, str]:
    """Store owners and tokens; return one of DRF's and one of ours, both in the middle."""
    from django.contrib.auth.models import User
    from rest_framework.authtoken.models import Token

    from connectnow_api.models import APIToken

    for model in (Token, APIToken, User):
        model.objects.all().delete()
    owners = User.objects.bulk_create([User(username=f"u{n}") for n in range(rows)], 500)
    Token.objects.bulk_create([Token(key=f"{n:040}", user=u) for n, u in enumerate(owners)], 500)
    others = [
        APIToken(owner=owners[n // per_owner], name="x", digest=f"{n:064}") for n in range(rows - 1)
    ]
    APIToken.objects.bulk_create(others, 500)
    return f"{rows // 2:040}", APIToken.objects.issue(owners[0], "laptop").plain_text


def views() -> tuple[Any, Any]:
    """Return a view that takes DRF's tokens, and one that takes ours."""
    from rest_framework.authentication import TokenAuthentication
    from rest_framework.permissions import IsAuthenticated
    from rest_framework.response import Response
    from rest_framework.views import APIView

    from connectnow_api.authentication import BearerTokenAuthentication

    class View(APIView):
        permission_classes = [IsAuthenticated]

        def get(self, request: Any) -> Response:
            return Response({"user": request.user.pk})

    return (
        View.as_view(authentication_classes=[TokenAuthentication]),
        View.as_view(authentication_classes=[BearerTokenAuthentication]),
    )


def time_in_turns(variants: dict[str, tuple[dict[str, Any], Ask]]) -> dict[str, float]:
    """Return the median seconds of a request of each variant."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, (values, ask) in variants.items():
            settings.CONNECTNOW_API = values
            ask()
            start = time.perf_counter()
            for _ in range(REQUESTS):
                ask()
            times[name].append((time.perf_counter() - start) / REQUESTS)
    return {name: statistics.median(found) for name, found in times.items()}


def measure(rows: int, per_owner: int) -> dict[str, float]:
    """Return the ratio of each variant to DRF's authentication."""
    from rest_framework.test import APIRequestFactory

    theirs, ours = fill(rows, per_owner)
    their_view, our_view = views()

    def asking(view: Any, authorization: str) -> Ask:
        def ask() -> None:
            request = APIRequestFactory().get("/", headers={"authorization": authorization})
            response = view(request)
            if response.status_code != 200:
                raise SystemExit(f"{response.status_code} for {authorization.split(maxsplit=1)[0]}")

        return ask

    variants = {BASE: ({}, asking(their_view, f"Token {theirs}"))}
    for name, values in MODES.items():
        variants[name] = (values, asking(our_view, f"Bearer {ours}"))
    seconds = time_in_turns(variants)
    return {name: found / seconds[BASE] for name, found in seconds.items()}


def main() -> None:
    """Measure every size and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        configure(folder)
        from django.db import connection

        connection.creation.create_test_db(verbosity=0)
        try:
            found = {size: measure(*size) for size in SIZES}
        finally:
            connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)
        heads = [f"{rows:,} rows, {per_owner} an owner" for rows, per_owner in SIZES]
        print(f"| {connection.vendor} | {' | '.join(heads)} |")
        print(f"| --- |{' ---: |' * len(SIZES)}")
        for name in (BASE, *MODES):
            ratios = [f"{found[size][name]:.2f}" for size in SIZES]
            print(f"| {name} | {' | '.join(ratios)} |")


if __name__ == "__main__":
    main()
