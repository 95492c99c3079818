"""Does the example server keep all that it acknowledges, and its memory, under a mixed load?

    python benchmarks/soak.py [--requests 100000] [--hostile 0.05] [--clients 8] [--workers 4] ...

Prepares the example project in a database of its own, with a prefix of its own in Redis, serves it
by gunicorn with the command of docs/example.md, two threads in each process so that connections are
kept, and lets several processes read, write, be refused and misbehave. In the end it compares what
the server acknowledged with what the database holds, and each process's memory after its warm-up
with that at the end. Prints figures; the exit status is 1 if an answer was 5xx or not one that the
request may get, if a row is lost, half-written or asked for by nobody, if a limit let too many
pass, if a process grew by 5 % or more or was replaced, or if the log holds a token or a crash. See
README.md.

Linux only: other systems tell a process's memory otherwise, and have one address for all clients.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "example_project")]

from benchmarks import memory
from benchmarks.load import Report, Target, compare, run
from benchmarks.load.clients import find_exceeded
from benchmarks.load.running import Plan

POSTGRESQL = "postgres://postgres@127.0.0.1/postgres"
REDIS = "redis://127.0.0.1:6379/0"
CREATE = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
"""How docs/example.md wants a database on MariaDB."""
SERVED = Path(__file__).resolve().parent / "served"
NOTICED = {"leak": "memory", "lose": "lost", "halve": "half-written", "crash": "5xx"}
"""What of served/sabotage.py spoils the server, and by which part of the verdict that shows."""
SHOWN = 10
"""Lines of each kind of problem that are printed."""


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    if sys.platform != "linux":
        print("This needs Linux.", file=sys.stderr)
        return 1
    options = parse(arguments)
    # Whoever ends it wants the database dropped and the server ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    name = f"connectnow_api_soak_{os.getpid()}_{int(time.time())}"
    url = urlsplit(options.database_url)._replace(path=f"/{name}").geturl()
    set_up_django(url, options.redis_url)
    if problems := find_missing(options):
        print("The soak needs services that are missing:", *problems, sep="\n", file=sys.stderr)
        return 1
    with contextlib.ExitStack() as stack:
        stack.enter_context(own_database(options.database_url, name))
        stack.enter_context(own_keys(options.redis_url, name))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return soak(options, folder, url)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    environment = os.environ.get
    add("--requests", type=int, default=100_000, help="how many in all (%(default)s)")
    add("--hostile", type=float, default=0.05, help="which part of them is hostile (%(default)s)")
    add("--workers", type=int, default=4, help="gunicorn's processes (%(default)s)")
    add("--threads", type=int, default=2, help="of each; one keeps no connection (%(default)s)")
    add("--clients", type=int, default=8, help="processes that ask at once (%(default)s)")
    add("--seed", type=int, help="what the clients throw their dice with (a new one)")
    add("--database-url", default=environment("TEST_POSTGRESQL_URL") or POSTGRESQL)
    add("--redis-url", default=environment("TEST_REDIS_URL") or REDIS)
    add("--log", type=Path, help="keep the server's log there")
    add(
        "--sabotage",
        nargs="*",
        default=[],
        choices=NOTICED,
        help="spoil the server, and return 0 if all of it was noticed",
    )
    options = parser.parse_args(arguments)
    options.seed = random.randrange(10**6) if options.seed is None else options.seed
    return options


# --- A database, a cache and a server of its own ----------------------------------------------


def set_up_django(database_url: str, redis_url: str) -> None:
    """Set up the example project in this process, to fill its tables and to read them."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "only for a soak",
        # For the environment of tests/example/support.py.
        "TEST_REDIS_URL": redis_url,
    }
    import django

    django.setup()


def find_missing(options: argparse.Namespace) -> list[str]:
    """Return a line for each server that cannot be used."""
    import redis
    from django.db import Error

    problems = []
    try:
        connect(options.database_url).close()
    except Error as error:
        problems.append(f"- the database (--database-url or TEST_POSTGRESQL_URL): {error}")
    try:
        redis.from_url(options.redis_url).ping()
    except redis.RedisError as error:
        problems.append(f"- Redis (--redis-url or TEST_REDIS_URL): {error}")
    return problems


def connect(url: str) -> Any:
    """Return a connection to a database server, to no database of anybody's."""
    from django.db import ConnectionHandler

    from project.databases import database

    values = {**database(url), "NAME": "" if is_mariadb(url) else "postgres"}
    connection = ConnectionHandler({"default": values})["default"]
    connection.ensure_connection()
    return connection


def is_mariadb(url: str) -> bool:
    """Tell whether a URL is that of a MariaDB server."""
    return urlsplit(url).scheme == "mysql"


@contextlib.contextmanager
def own_database(url: str, name: str) -> Iterator[None]:
    """Make a database on the server, and drop it in the end."""

    def execute(statement: str) -> None:
        connection = connect(url)
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    execute(f"CREATE DATABASE {name} {CREATE if is_mariadb(url) else ''}")
    try:
        yield
    finally:
        execute(f"DROP DATABASE {name} {'' if is_mariadb(url) else 'WITH (FORCE)'}")


@contextlib.contextmanager
def own_keys(url: str, prefix: str) -> Iterator[None]:
    """Remove the keys of this run in the end: the example's prefix is the database's name."""
    import redis

    client = redis.from_url(url)
    try:
        yield
    finally:
        for key in client.scan_iter(f"{prefix}:*", count=1000):
            client.delete(key)
        client.close()


@contextlib.contextmanager
def serve(options: argparse.Namespace, folder: Path, url: str) -> Iterator[tuple[int, int, Path]]:
    """Run gunicorn as docs/example.md says; return the port, its process and its log."""
    from tests.example.support import documented_command, end, environment
    from tests.services import free_port, wait_for_port

    port, log = free_port(), options.log or folder / "log"
    command = documented_command("gunicorn").replace("8000", str(port))
    command = command.replace("--workers 4", f"--workers {options.workers}")
    variables = {
        "DJANGO_SETTINGS_MODULE": "soak_settings",
        "PYTHONPATH": str(SERVED),
        "SOAK_SABOTAGE": " ".join(options.sabotage),
    }
    if options.threads > 1:
        variables["GUNICORN_CMD_ARGS"] = f"--threads {options.threads}"
    print(f"$ {command[command.index('gunicorn') :]}", flush=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            shlex.split(command),
            cwd=ROOT,
            env={**environment(url), **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        wait_for_port(port, process)
        yield port, process.pid, log
    finally:
        end(process)


# --- The run ----------------------------------------------------------------------------------


class Watch:
    """Looks at the server's processes while the clients ask."""

    def __init__(self, master: int, requests: int) -> None:
        self.master, self.requests = master, requests
        self.workers = memory.children(master)
        self.replaced: set[int] = set()
        self.samples: dict[int, list[memory.Sample]] = {pid: [] for pid in [master, *self.workers]}
        self._told = 0

    def tick(self, done: int) -> None:
        """Note each process's memory, and whether they are the same ones as before."""
        self.replaced |= self.workers ^ memory.children(self.master)
        part = min(done / self.requests, 1)
        for process, samples in self.samples.items():
            if kilobytes := memory.read(process):
                samples.append(memory.Sample(part, kilobytes))
        if int(part * 10) > self._told:
            self._told = int(part * 10)
            print(f"  {done:,} requests", flush=True)

    def judge(self) -> tuple[list[str], list[str]]:
        """Return lines for people, and what is wrong."""
        lines, problems = [], []
        for process, samples in self.samples.items():
            name = "master" if process == self.master else "worker"
            try:
                found = memory.judge(samples, memory.warm_up(self.requests))
            except memory.TooFewSamplesError as error:
                problems.append(f"the memory of a {name} cannot be judged: {error}")
                continue
            first, last = found.first / 1024, found.last / 1024
            lines.append(f"{name}: {first:.1f} MB, then {last:.1f} MB: {found.ratio:+.2%}")
            if not found.is_flat:
                problems.append(f"a {name} grew by {found.ratio:.1%}")
        return lines, problems


def soak(options: argparse.Namespace, folder: Path, url: str) -> int:
    """Prepare, serve, ask, compare, print; return the exit status."""
    from django.core.management import call_command
    from django.db import connection

    from benchmarks import tables

    credentials = folder / "credentials.json"
    with (folder / "demo").open("w") as output:
        call_command("demo", no_serve=True, credentials=credentials, stdout=output)
    chat_token = json.loads(credentials.read_text())["chat"]["token"]
    with serve(options, folder, url) as (port, master, log):
        target = tables.make_target("127.0.0.1", port, options.clients, chat_token)
        before = tables.read()
        connection.close()
        watch = wait_for_workers(master, options)
        start = time.monotonic()
        plan = Plan(options.requests // options.clients, options.hostile, options.seed)
        report = run(target, plan, watch.tick)
        seconds = time.monotonic() - start
        settle(connection)
        after = tables.read()
    rows = compare(before, report.writes, after)
    print_figures(options, report, seconds, len(after))
    lines, growth = watch.judge()
    print("memory after the warm-up and at the end:", *lines, sep="\n  ")
    problems = {
        "5xx": [
            f"{number} times {code}" for code, number in report.statuses.items() if code >= 500
        ],
        "unexpected answers": report.problems,
        "unanswered": report.unanswered,
        **rows,
        "limits": find_exceeded(report.limited),
        "memory": growth,
        "processes": [f"{len(watch.replaced)} came or went"] if watch.replaced else [],
        "log": find_in_log(log, target),
    }
    print("verdict:", *(f"{name}: {len(found)}" for name, found in problems.items()), sep="\n  ")
    for name, found in problems.items():
        for line in found[:SHOWN]:
            print(f"{name}: {line}", file=sys.stderr)
    if options.sabotage:
        unnoticed = [name for name in options.sabotage if not problems[NOTICED[name]]]
        print(f"not noticed: {', '.join(unnoticed)}" if unnoticed else "all of it was noticed")
        return int(bool(unnoticed))
    return int(any(problems.values()))


def wait_for_workers(master: int, options: argparse.Namespace) -> Watch:
    """Return a watch once all of gunicorn's processes are there."""
    deadline = time.monotonic() + 120
    while len(memory.children(master)) < options.workers:
        if time.monotonic() > deadline:
            raise SystemExit("gunicorn does not start its processes")
        time.sleep(0.1)
    return Watch(master, options.requests // options.clients * options.clients)


def settle(connection: Any) -> None:
    """Wait until the server is done with requests that nobody waited for."""
    quiet, count = 0, -1
    while quiet < 3:
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*), MAX(id) FROM help_desk_message")
            found = cursor.fetchone()
        quiet, count = (quiet + 1 if found == count else 0), found
        time.sleep(0.5)


def find_in_log(log: Path, target: Target) -> list[str]:
    """Return what the server's log must not hold: tokens, and crashes."""
    text = log.read_text()
    secrets = [t for pair in target.people for person in pair for t in person.tokens.values()]
    found = ["a token"] if any(secret in text for secret in secrets) else []
    # The line after a traceback says what it was; of wrong hosts Django logs one, too.
    crashes = re.findall(r"^Traceback .*\n(?:[ \t].*\n)*(.*)", text, re.MULTILINE)
    return found + [line for line in crashes if "DisallowedHost" not in line]


def print_figures(options: argparse.Namespace, report: Report, seconds: float, rows: int) -> None:
    """Print what was asked, and how it was answered."""
    actions, classes = report.actions, dict.fromkeys(range(2, 6), 0)
    for status, number in report.statuses.items():
        classes[status // 100] += number
    hostile = actions["hostile requests"]
    sent = report.opened + report.reused
    print(f"{sent:,} requests by {options.clients} processes, seed {options.seed}")
    print(f"  {hostile:,} hostile ({hostile / sent:.1%}), broken off: {dict(report.broken)}")
    placed = {n: v for n, v in actions.items() if n.startswith("token in") or n == "form"}
    print(f"  {placed}, connections used again {report.reused:,} times")
    print(f"  by class: {', '.join(f'{n}xx {found:,}' for n, found in classes.items())}")
    print(f"  by status: {dict(sorted(report.statuses.items()))}")
    cuts = statistics.quantiles(report.seconds, n=100)
    times = {"median": cuts[49], "95 %": cuts[94], "99 %": cuts[98], "most": max(report.seconds)}
    print(f"{sent / seconds:,.0f} requests a second, {seconds:.0f} s")
    print("  " + ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in times.items()))
    acknowledged = sum(write.acknowledged for write in report.writes)
    open_ = len(report.writes) - acknowledged
    print(
        f"{acknowledged:,} acknowledged writes of rows, {open_:,} without an answer; {rows:,} rows"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
