"""How long does ``api_tokens prune`` keep others waiting, on a table of a million rows?

    BENCHMARK_DATABASE_URL=postgres://user@host/name python benchmarks/prune.py [rows]

Makes a database of its own on that PostgreSQL server, fills it so that nine of ten rows are to be
pruned, and prunes twice: in batches by the command's own code, and by one DELETE. Meanwhile another
process authenticates with tokens that stay and writes their last use, and a third one asks for the
lock of rows that go. The database is dropped in the end.
"""

import multiprocessing
import os
import random
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

sys.path[:0] = [
    str(Path(__file__).parent.parent),
    str(Path(__file__).parent.parent / "example_project"),
]

import django
from django.conf import settings
from django.db import ConnectionHandler, connection, transaction

from project.databases import database

URL = os.environ.get("BENCHMARK_DATABASE_URL") or "postgres://postgres@127.0.0.1/postgres"
# Processes that are spawned import this file anew.
NAME = os.environ.setdefault("BENCHMARK_DATABASE_NAME", f"connectnow_api_benchmark_{os.getpid()}")
AUTHENTICATING = 100
"""Tokens that somebody uses all the time."""

FILL = """
INSERT INTO connectnow_api_apitoken (owner_id, name, prefix, tail, digest, algorithm, abilities,
    allowed_networks, rate, client, created_at, expires_at, revoked_at)
SELECT %s, 'token ' || n, 'cn', 'xxxx', encode(sha256(n::text::bytea), 'hex'), 'sha256', '[]',
    '[]', '', '', now() - interval '400 days',
    CASE n %% 10 WHEN 0 THEN now() + interval '100 days' ELSE now() - interval '60 days' END,
    CASE n %% 10 WHEN 1 THEN now() - interval '50 days' END
FROM generate_series(1, %s) AS n
"""


def main(rows: int) -> None:
    """Measure both ways and print what came of it."""
    set_up(NAME)
    with own_database():
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        plain_texts = issue()
        fill(rows)
        batches = measure(plain_texts, prune_in_batches)
        fill(rows)
        at_once = measure(plain_texts, delete_at_once)
        connection.close()
    report(rows, batches, at_once)


def set_up(name: str) -> None:
    """Configure Django for a database on the server of ``BENCHMARK_DATABASE_URL``."""
    settings.configure(
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "connectnow_api"],
        DATABASES={"default": {**database(URL), "NAME": name}},
        CONNECTNOW_API={"LAST_USED_INTERVAL": timedelta(0)},
        USE_TZ=True,
    )
    django.setup()


@contextmanager
def own_database():
    """Make the database, and drop it in the end."""
    server = ConnectionHandler({"default": database(URL)})["default"]
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {NAME}")
        try:
            yield
        finally:
            cursor.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


def issue() -> list[str]:
    """Issue the tokens that are used meanwhile."""
    from django.contrib.auth.models import User

    from connectnow_api.models import APIToken

    owner = User.objects.create_user("ada")
    return [APIToken.objects.issue(owner, "used").plain_text for _ in range(AUTHENTICATING)]


def fill(rows: int) -> None:
    """Make the table as it is to be measured."""
    from django.contrib.auth.models import User

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM connectnow_api_apitoken WHERE name <> 'used'")
        cursor.execute("VACUUM FULL connectnow_api_apitoken")
        cursor.execute(FILL, [User.objects.get().pk, rows])
        cursor.execute("VACUUM ANALYZE connectnow_api_apitoken")
        cursor.execute("CHECKPOINT")


# --- The two ways -----------------------------------------------------------------------------


def prune_in_batches() -> list[float]:
    """Run the command; return how long each transaction held its locks."""
    from django.core.management import call_command

    from connectnow_api.management.verbs import prune

    times: list[float] = []
    delete = prune._delete_batch

    def measured(rows, keys):
        start = time.perf_counter()
        found = delete(rows, keys)
        times.append(time.perf_counter() - start)
        return found

    prune._delete_batch = measured
    call_command("api_tokens", "prune", verbosity=0)
    prune._delete_batch = delete
    return times


def delete_at_once() -> list[float]:
    """Delete the same rows by one statement."""
    start = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM connectnow_api_apitoken WHERE expires_at < now() - interval '30 days'"
        )
    return [time.perf_counter() - start]


# --- The other processes ----------------------------------------------------------------------


def authenticate(stop, waits, plain_texts: list[str]) -> None:
    """Find tokens and write their last use, as requests do; note the longest one of each."""
    set_up(NAME)
    from connectnow_api import last_used
    from connectnow_api.models import APIToken

    request = SimpleNamespace(META={})
    longest, number = 0.0, 0
    while not stop.is_set():
        start = time.perf_counter()
        last_used.record(APIToken.objects.find(random.choice(plain_texts)), request)
        longest, number = max(longest, time.perf_counter() - start), number + 1
    waits.put(("authenticate", longest, number))


def ask_for_locks(stop, waits) -> None:
    """Ask for the lock of any row, as an admin does who extends a token."""
    set_up(NAME)
    from connectnow_api.models import APIToken

    last = APIToken.objects.order_by("-pk").values_list("pk", flat=True)[0]
    first = APIToken.objects.exclude(name="used").order_by("pk").values_list("pk", flat=True)[0]
    longest, number = 0.0, 0
    while not stop.is_set():
        start = time.perf_counter()
        with transaction.atomic():
            list(APIToken.objects.filter(pk=random.randint(first, last)).select_for_update())
        longest, number = max(longest, time.perf_counter() - start), number + 1
        time.sleep(0.001)
    waits.put(("lock", longest, number))


def measure(plain_texts: list[str], work) -> SimpleNamespace:
    """Do the work beside the other processes."""
    context = multiprocessing.get_context("spawn")
    stop, waits = context.Event(), context.Queue()
    others = [
        context.Process(target=authenticate, args=(stop, waits, plain_texts)),
        context.Process(target=ask_for_locks, args=(stop, waits)),
    ]
    for other in others:
        other.start()
    time.sleep(5)
    before = count()
    start = time.perf_counter()
    times = work()
    seconds = time.perf_counter() - start
    stop.set()
    found = {
        name: (longest, number) for name, longest, number in (waits.get(timeout=60) for _ in others)
    }
    for other in others:
        other.join()
    return SimpleNamespace(seconds=seconds, times=times, deleted=before - count(), others=found)


def count() -> int:
    """Return how many rows there are."""
    from connectnow_api.models import APIToken

    return APIToken.objects.count()


def report(rows: int, batches: SimpleNamespace, at_once: SimpleNamespace) -> None:
    """Print figures, and ratios that say more than those of one machine."""
    for name, found in (("in batches", batches), ("one DELETE", at_once)):
        ordered = sorted(found.times)
        print(f"{name}: {found.deleted:,} of {rows:,} rows in {len(found.times)} transactions")
        print(f"  {found.deleted / found.seconds:,.0f} rows/s, {found.seconds:.1f} s")
        print(
            f"  transaction: median {ordered[len(ordered) // 2]:.3f} s, longest {ordered[-1]:.3f}"
        )
        for what, (longest, number) in found.others.items():
            print(f"  other process, {what}: {number:,} times, longest {longest:.3f} s")
    print("ratios, one DELETE to batches:")
    print(f"  locks are held {max(at_once.times) / max(batches.times):,.0f} times as long")
    waits = at_once.others["lock"][0] / batches.others["lock"][0]
    print(f"  the longest wait for a row that goes is {waits:,.0f} times as long")
    print(f"  the whole takes {at_once.seconds / batches.seconds:.2f} times as long")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
