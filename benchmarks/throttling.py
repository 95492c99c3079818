"""What limiting a request costs, against Django REST framework's UserRateThrottle.

Prints ratios of one run, in which the variants take turns: absolute times say more of the machine.
Needs the programs redis-server and the packages django-ninja and limits; starts a Redis of its own.
``--short`` takes few rounds; ``--only cost`` prints one of the parts. See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import django
from django.conf import settings

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

BASE = "DRF UserRateThrottle, history of 100"
HIGH = ("1000000/h", "2000000/day")
"""What nothing exceeds."""
LOW = "100/day"
AIM = "ours, LIMIT_STORAGE fixed"
AIMED_AT = 0.35
WINDOWS = ("fixed", "moving", "sliding")
CHECKS = 20
"""In a row, of one variant."""
PROCESSES, THREADS, REQUESTS = 8, 8, 1_000
PACKAGES = ("Django", "djangorestframework", "django-ninja", "django-ratelimit", "limits", "redis")

Check = Callable[[], bool]


class Variant(NamedTuple):
    """One way to limit requests."""

    prepare: Callable[[], Check]
    """Makes what there is for each request, and returns what is timed: whether it passes."""
    values: dict[str, Any] = {}
    """``CONNECTNOW_API``."""
    history: int | None = None
    """How many requests a throttle remembers that remembers each; ``None``: its own."""

    def begin(self, checks: int) -> None:
        """Let it remember so many that it is ``history`` in the middle of some checks."""
        from django.core.cache import cache

        if self.history is not None:
            times = [time.time() - number / 100 for number in range(self.history - checks // 2)]
            cache.set("throttle_user_7", times, 86400)


def configure(url: str) -> None:
    """Set up Django with a cache on Redis; ``choose_cache`` takes another.

    The settings are a module, as those of projects: others take longer to say what they lack.
    """
    logging.getLogger("connectnow_api").addHandler(logging.NullHandler())
    module = types.ModuleType("benchmark_settings")
    vars(module).update(
        CACHES={"default": on_redis(url)},
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "rest_framework",
            "connectnow_api",
        ],
        SECRET_KEY="benchmark",
        CONNECTNOW_API={},
    )
    sys.modules[module.__name__] = module
    os.environ["DJANGO_SETTINGS_MODULE"] = module.__name__
    django.setup()


def on_redis(url: str) -> dict[str, Any]:
    """Return the settings of Django's cache on a Redis."""
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """Start a Redis that stores nothing on a disk and counts nobody else's commands."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is not installed")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


# --- Ways to limit ----------------------------------------------------------------------------


def user_request() -> tuple[Any, Any]:
    """Return Django's and DRF's request of one user."""
    from django.contrib.auth.models import User
    from rest_framework.request import Request
    from rest_framework.test import APIRequestFactory

    request = APIRequestFactory().get("/")
    request.user = User(pk=7)
    wrapped = Request(request)
    wrapped.user, wrapped.auth = request.user, None
    return request, wrapped


def drf(rate: str, history: int | None = None) -> Variant:
    """DRF's throttle, which makes an object for each request; ``history`` is what it finds."""
    from rest_framework.throttling import UserRateThrottle

    class Throttle(UserRateThrottle):
        pass

    Throttle.rate = rate
    _, request = user_request()

    def prepare() -> Check:
        throttle = Throttle()
        return lambda: throttle.allow_request(request, None)

    return Variant(prepare, history=history)


def ninja(rate: str, history: int | None = None) -> Variant:
    """ninja's throttle, of which all requests of a process share one object."""
    from ninja.throttling import UserRateThrottle

    throttle = UserRateThrottle(rate.replace("/day", "/d"))
    request, _ = user_request()

    def check() -> bool:
        return throttle.allow_request(request)

    return Variant(lambda: check, history=history)


def ratelimit(rate: str) -> Variant:
    """django-ratelimit's decorator around a view that does nothing."""
    from django_ratelimit.decorators import ratelimit as decorate
    from django_ratelimit.exceptions import Ratelimited

    request, _ = user_request()
    view = decorate(key="user", rate=rate.replace("/day", "/d"))(lambda _request: None)

    def check() -> bool:
        try:
            view(request)
        except Ratelimited:
            return False
        return True

    return Variant(lambda: check)


def ours(rates: Any, **values: Any) -> Variant:
    """Our UserRateThrottle, with the headers that it puts on the view."""
    from connectnow_api.throttling import UserRateThrottle

    return throttled(
        UserRateThrottle, {"rate": rates, "window": values.pop("window", "fixed")}, values
    )


def limiter(rates: Any, **values: Any) -> Variant:
    """Our LimiterThrottle with a limiter of the settings, likewise."""
    from connectnow_api.throttling import LimiterThrottle

    fields = {"rate": rates, "window": values.pop("window", "fixed"), "by": "user"}
    return throttled(LimiterThrottle, {}, {"LIMITERS": {"default": fields}, **values})


def throttled(base: Any, attributes: dict[str, Any], values: dict[str, Any]) -> Variant:
    """One of our throttles; DRF has an object of it and a view for each request."""
    from rest_framework.views import APIView

    throttle_class = type("Throttle", (base,), attributes)
    _, request = user_request()

    def prepare() -> Check:
        throttle, view = throttle_class(), APIView()
        view.headers = {}
        return lambda: throttle.allow_request(request, view)

    return Variant(prepare, values)


def passing(storage: str) -> dict[str, Variant]:
    """Return all that is compared while nothing is refused."""
    one, two = HIGH[0], [*HIGH]
    found = {
        BASE: drf(one, 100),
        "DRF UserRateThrottle, history of 10": drf(one, 10),
        "ninja UserRateThrottle, history of 100": ninja(one, 100),
        "django-ratelimit's decorator": ratelimit(one),
        "ours, default": ours(one),
        "our limiter, default": limiter(one),
        "our limiter, default, two rates": limiter(two),
    }
    for window in WINDOWS:
        kept: dict[str, Any] = {"window": window, "LIMIT_STORAGE": storage}
        found[f"ours, LIMIT_STORAGE {window}"] = ours(one, **kept)
        found[f"ours, LIMIT_STORAGE {window}, two rates"] = ours(two, **kept)
        found[f"our limiter, LIMIT_STORAGE {window}"] = limiter(one, **kept)
        found[f"our limiter, LIMIT_STORAGE {window}, two rates"] = limiter(two, **kept)
    return found


def refusing(storage: str) -> dict[str, Variant]:
    """Return all that is compared for requests that are refused."""
    found = {
        BASE: drf(LOW, 100),
        "ninja UserRateThrottle, history of 100": ninja(LOW, 100),
        "django-ratelimit's decorator": ratelimit(LOW),
        "ours, default": ours(LOW),
    }
    for window in WINDOWS:
        values: dict[str, Any] = {"window": window, "LIMIT_STORAGE": storage}
        found[f"ours, LIMIT_STORAGE {window}"] = ours(LOW, **values)
    return found


# --- What a check costs -----------------------------------------------------------------------


def ratios(variants: dict[str, Variant], rounds: int, *, passes: bool) -> Any:
    """Return for each variant its ratios to ``BASE``, one for each round, of medians of checks."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, variant in variants.items():
            settings.CONNECTNOW_API = variant.values
            variant.begin(CHECKS if passes else 0)
            # What is to be refused counts until it is; the rest connects.
            while variant.prepare()() is not passes:
                pass
            times[name].append(
                statistics.median(time_one(name, variant, passes=passes) for _ in range(CHECKS))
            )
    return {
        name: [own / base for own, base in zip(found, times[BASE], strict=True)]
        for name, found in times.items()
    }


def time_one(name: str, variant: Variant, *, passes: bool) -> float:
    """Return the seconds of one check, which has to answer ``passes``."""
    check = variant.prepare()
    start = time.perf_counter()
    answer = check()
    seconds = time.perf_counter() - start
    if answer is not passes:
        raise SystemExit(f"{name} answers {answer}")
    return seconds


def choose_cache(values: dict[str, Any]) -> None:
    """Let Django's cache be another from now on; ``override_settings`` would slow down settings."""
    # Its receivers forget what was read of other caches.
    import django.test.signals  # noqa: F401
    from django.core.signals import setting_changed

    settings.CACHES = {"default": values}
    setting_changed.send(None, setting="CACHES", value=settings.CACHES, enter=True)


def show_cost(url: str, rounds: int) -> None:
    """Print what checks cost, and whether the aim is met."""
    on_disk = {
        passes: ratios(variants(url), rounds, passes=passes)
        for passes, variants in ((True, passing), (False, refusing))
    }
    choose_cache({"BACKEND": "django.core.cache.backends.locmem.LocMemCache"})
    local = {
        passes: ratios(variants("memory://"), rounds, passes=passes)
        for passes, variants in ((True, passing), (False, refusing))
    }
    choose_cache(on_redis(url))
    for passes, what in ((True, "a check that passes"), (False, "a check that is refused")):
        rows = [
            [name, spread(on_disk[passes][name]), spread(local[passes][name])]
            for name in on_disk[passes]
        ]
        print_table([what, "Redis", "in this process"], rows)
    found = statistics.median(on_disk[True][AIM])
    verdict = "met" if found <= AIMED_AT else "MISSED"
    print(f"{AIM} on Redis: {found:.2f}, aim {AIMED_AT:.2f}: {verdict}\n")


def spread(found: list[float]) -> str:
    """Return median, least and most."""
    return f"{statistics.median(found):.2f} ({min(found):.2f}-{max(found):.2f})"


# --- What a check asks of Redis ---------------------------------------------------------------


def show_operations(url: str, rounds: int) -> None:
    """Print what Redis has to do for a check."""
    import redis

    client = redis.Redis.from_url(url)
    client.flushdb()
    variants = passing(url)
    wanted = [BASE, "django-ratelimit's decorator", *(n for n in variants if "our limiter" in n)]
    times: dict[str, list[float]] = {name: [] for name in wanted}
    sent: dict[str, tuple[str, str]] = {}
    for _ in range(rounds):
        for name in wanted:
            settings.CONNECTNOW_API = variants[name].values
            variants[name].prepare()()
            sent[name] = count_commands(client, variants[name])
            times[name].append(cpu_of(client, variants[name], 200))
    rows = []
    for name in wanted:
        found = [own / base for own, base in zip(times[name], times[BASE], strict=True)]
        rows.append([name, *sent[name], f"{statistics.median(times[name]):.0f}", spread(found)])
    heads = ["round trips", "commands", "µs of Redis", "ratio"]
    print_table(["a check that passes", *heads], rows)


def count_commands(client: Any, variant: Variant) -> tuple[str, str]:
    """Return how often a check waits for Redis, and which commands that runs."""
    check = variant.prepare()
    client.config_resetstat()
    check()
    calls = {
        name.removeprefix("cmdstat_"): found["calls"]
        for name, found in client.info("commandstats").items()
        if not name.startswith(("cmdstat_config", "cmdstat_info", "cmdstat_client"))
    }
    scripts = calls.pop("evalsha", 0)
    commands = ", ".join(f"{n} {name.upper()}" for name, n in sorted(calls.items()))
    if not scripts:
        return str(sum(calls.values())), commands
    return str(scripts), f"{scripts} EVALSHA of {commands}"


def cpu_of(client: Any, variant: Variant, checks: int) -> float:
    """Return the microseconds of Redis's processor that a check takes, its network included."""

    def used() -> float:
        found = client.info("cpu")
        return float(found["used_cpu_user"] + found["used_cpu_sys"])

    variant.begin(checks)
    prepared = [variant.prepare() for _ in range(checks)]
    start = used()
    for check in prepared:
        check()
    return (used() - start) / checks * 1e6


def show_memory(url: str) -> None:
    """Print how many bytes a counter takes."""
    import redis

    client = redis.Redis.from_url(url)
    kept = {"LIMIT_STORAGE": url}
    wanted = [
        ("DRF UserRateThrottle", drf("100/h"), 100),
        ("DRF UserRateThrottle", drf("1000/h"), 1000),
        ("ours, default", ours("1000/h"), 1000),
        ("ours, LIMIT_STORAGE fixed", ours("1000/h", **kept), 1000),
        ("ours, LIMIT_STORAGE moving", ours("100/h", window="moving", **kept), 100),
        ("ours, LIMIT_STORAGE moving", ours("1000/h", window="moving", **kept), 1000),
        ("ours, LIMIT_STORAGE sliding", ours("1000/h", window="sliding", **kept), 1000),
    ]
    rows = []
    for name, variant, limit in wanted:
        client.flushdb()
        settings.CONNECTNOW_API = variant.values
        for _ in range(limit):
            variant.prepare()()
        (key,) = client.keys()
        rows.append([name, f"{limit:,}", f"{client.memory_usage(key, samples=0):,}"])
    print_table(["a counter that is full", "limit", "bytes"], rows)


# --- What many at once are let through --------------------------------------------------------


def racing(url: str) -> dict[str, Variant]:
    """Return what 1,000 requests ask at once."""
    found = {
        "DRF UserRateThrottle": drf(LOW),
        "ninja UserRateThrottle": ninja(LOW),
        "django-ratelimit's decorator": ratelimit(LOW),
        "ours, default": ours(LOW),
        "our limiter, default, two rates": limiter([LOW, "100/h"]),
    }
    for window in WINDOWS:
        values: dict[str, Any] = {"window": window, "LIMIT_STORAGE": url}
        found[f"ours, LIMIT_STORAGE {window}"] = ours(LOW, **values)
    return found


def show_admitted(url: str, times: int) -> None:
    """Print how many requests pass where 100 may."""
    import redis

    client = redis.Redis.from_url(url)
    command = [sys.executable, __file__, "--race", url]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    rows = []
    for name in racing(url):
        admitted = []
        for _ in range(times):
            client.flushdb()
            admitted.append(sum(ask_all(started, name)))
        rows.append([name, ", ".join(map(str, admitted))])
    for process in started:
        process.communicate("")
    heading = f"{REQUESTS:,} requests, {PROCESSES} processes of {THREADS} threads, {LOW}"
    print_table([heading, "admitted"], rows)


def ask_all(started: list[Any], name: str) -> list[int]:
    """Let all processes ask, and return how many requests of each passed."""
    for word in (f"{name}\n", "go\n"):
        for process in started:
            process.stdin.write(word)
            process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for process in started]
    return answers


def race(url: str) -> None:
    """Be one of the processes: get ready, say so, wait for the word, ask, say how many passed."""
    configure(url)
    variants = racing(url)
    with ThreadPoolExecutor(THREADS) as pool:
        for line in sys.stdin:
            variant = variants[line.strip()]
            settings.CONNECTNOW_API = variant.values
            print("0", flush=True)
            sys.stdin.readline()
            share = range(REQUESTS // PROCESSES)
            passed = pool.map(lambda _, ask=variant.prepare: ask()(), share)
            print(sum(passed), flush=True)


# --- Printing ---------------------------------------------------------------------------------


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """Print a table as README.md has it."""
    print(f"| {' | '.join(head)} |")
    print(f"| --- |{' ---: |' * (len(head) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print()


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="few rounds")
    parser.add_argument("--only", choices=["cost", "sizing", "admitted"])
    parser.add_argument("--race", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.race:
        race(arguments.race)
        return
    rounds = 5 if arguments.short else 200
    with redis_server() as url:
        configure(url)
        import redis

        server = redis.Redis.from_url(url).info("server")["redis_version"]
        known = [f"{package} {version(package)}" for package in PACKAGES]
        known += [f"{'with' if redis.utils.HIREDIS_AVAILABLE else 'without'} hiredis"]
        python = ".".join(map(str, sys.version_info[:3]))
        print(f"Python {python}, Redis {server}, {', '.join(known)}\n")
        if arguments.only in (None, "cost"):
            show_cost(url, rounds)
        if arguments.only in (None, "sizing"):
            show_operations(url, 1 if arguments.short else 15)
            show_memory(url)
        if arguments.only in (None, "admitted"):
            show_admitted(url, 1 if arguments.short else 3)


if __name__ == "__main__":
    main()
