"""What limiting a request costs, against Django REST framework's UserRateThrottle.

Prints ratios of one run, in which the variants take turns: absolute times say more of the machine.
Needs the programs redis-server and memcached and the packages django-ninja, limits and pymemcache;
starts servers of its own.
``--short`` takes few rounds; ``--only cost`` prints one of the parts. See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import multiprocessing
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
from multiprocessing.connection import Connection
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
ALL_AT_ONCE = f"{PROCESSES} processes of {THREADS} threads"
PACKAGES = (
    *("Django", "djangorestframework", "django-ninja", "django-ratelimit", "limits", "redis"),
    "pymemcache",
)

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
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=module.__name__,
        urlpatterns=[],
        CONNECTNOW_API={},
    )
    sys.modules[module.__name__] = module
    os.environ["DJANGO_SETTINGS_MODULE"] = module.__name__
    django.setup()


def on_redis(url: str) -> dict[str, Any]:
    """Return the settings of Django's cache on a Redis."""
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}


def on_memcached(place: str) -> dict[str, Any]:
    """Return the same of a memcached."""
    return {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": place}


SERVERS = {
    "redis-server": ["--bind", "127.0.0.1", "--save", "", "--port"],
    "memcached": ["-l", "127.0.0.1", "-U", "0", "-u", "nobody", "-p"],
}


@contextlib.contextmanager
def server(name: str) -> Iterator[str]:
    """Start one that stores nothing on a disk and works for nobody else; yield host and port."""
    program = shutil.which(name)
    if program is None:
        raise SystemExit(f"{name} is not installed")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    process = subprocess.Popen([program, *SERVERS[name], str(port)], stdout=subprocess.DEVNULL)
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
        yield f"127.0.0.1:{port}"
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


def windows_of(storage: str) -> tuple[str, ...]:
    """Return the windows that a storage has."""
    return ("fixed", "sliding") if storage.startswith("memcached") else WINDOWS


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
    for window in windows_of(storage):
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
    for window in windows_of(storage):
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


def show_cost(url: str, memcached: str, rounds: int) -> None:
    """Print what checks cost, and whether the aim is met."""
    places = {
        "Redis": (url, on_redis(url)),
        "memcached": (f"memcached://{memcached}", on_memcached(memcached)),
        "in this process": (
            "memory://",
            {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        ),
    }
    found: dict[tuple[str, bool], dict[str, list[float]]] = {}
    for place, (storage, cache) in places.items():
        choose_cache(cache)
        for passes, variants in ((True, passing), (False, refusing)):
            found[place, passes] = ratios(variants(storage), rounds, passes=passes)
    choose_cache(on_redis(url))
    for passes, what in ((True, "a check that passes"), (False, "a check that is refused")):
        rows = [
            [name, *(spread(found[place, passes].get(name)) for place in places)]
            for name in found["Redis", passes]
        ]
        print_table([what, *places], rows)
    ratio = statistics.median(found["Redis", True][AIM])
    verdict = "met" if ratio <= AIMED_AT else "MISSED"
    print(f"{AIM} on Redis: {ratio:.2f}, aim {AIMED_AT:.2f}: {verdict}\n")


def spread(found: list[float] | None) -> str:
    """Return median, least and most."""
    if found is None:
        return "-"
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
    variant.begin(checks)
    prepared = [variant.prepare() for _ in range(checks)]
    start = used_cpu(client)
    for check in prepared:
        check()
    return (used_cpu(client) - start) / checks * 1e6


def used_cpu(client: Any) -> float:
    """Return how many seconds of a processor Redis has used."""
    found = client.info("cpu")
    return float(found["used_cpu_user"] + found["used_cpu_sys"])


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


# --- What many ask at once --------------------------------------------------------------------


def asked(view: Any, **values: Any) -> Variant:
    """Ask a view as a server does: by way of Django's handler, from one address."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import RequestFactory
    from django.urls import clear_url_caches, path

    place = f"{len(urls())}/"
    urls().append(path(place, view))
    clear_url_caches()
    handler, factory = WSGIHandler(), RequestFactory()

    def check() -> bool:
        statuses: list[str] = []
        environ = factory.get(f"/{place}").environ
        answer = handler(environ, lambda status, _headers: statuses.append(status))
        b"".join(answer)
        answer.close()
        return statuses[0].startswith("200")

    return Variant(lambda: check, values)


def urls() -> list[Any]:
    """Return the URLs of the settings, to be added to."""
    found: list[Any] = sys.modules["benchmark_settings"].urlpatterns
    return found


def rest_view(throttle: Any, **attributes: Any) -> Any:
    """Return a view of DRF that only throttles."""
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class View(APIView):
        authentication_classes = ()
        permission_classes = ()
        throttle_classes = (type("Throttle", (throttle,), attributes),)

        def get(self, request: Any) -> Response:
            return Response({})

    return View.as_view()


def ninja_urls() -> Any:
    """Return the URLs of a view of ninja that only throttles; all requests share its throttle."""
    from ninja import NinjaAPI
    from ninja.throttling import AnonRateThrottle

    api = NinjaAPI()
    throttle = AnonRateThrottle(LOW.replace("/day", "/d"))
    api.get("", throttle=throttle)(lambda request: {})  # noqa: ARG005 - ninja asks for it by name
    return api.urls


def decorated_view() -> Any:
    """Return a view that django-ratelimit's decorator limits, which answers 403 then."""
    from django.http import JsonResponse
    from django_ratelimit.decorators import ratelimit as decorate

    return decorate(key="ip", rate=LOW.replace("/day", "/d"))(lambda _request: JsonResponse({}))


def racing(url: str) -> dict[str, Variant]:
    """Return what 1,000 requests ask at once."""
    from rest_framework import throttling as theirs

    from connectnow_api import throttling

    two = {"LIMITERS": {"default": [LOW, "100/h"]}}
    found = {
        "DRF AnonRateThrottle": asked(rest_view(theirs.AnonRateThrottle, rate=LOW)),
        "ninja AnonRateThrottle": asked(ninja_urls()),
        "django-ratelimit's decorator": asked(decorated_view()),
        "ours, default": asked(rest_view(throttling.AnonRateThrottle, rate=LOW)),
        "our limiter, default, two rates": asked(rest_view(throttling.LimiterThrottle), **two),
        "our limiter, LIMIT_STORAGE fixed, two rates": asked(
            rest_view(throttling.LimiterThrottle), LIMIT_STORAGE=url, **two
        ),
    }
    for window in WINDOWS:
        view = rest_view(throttling.AnonRateThrottle, rate=LOW, window=window)
        found[f"ours, LIMIT_STORAGE {window}"] = asked(view, LIMIT_STORAGE=url)
    return found


@contextlib.contextmanager
def processes(url: str) -> Iterator[list[Connection]]:
    """Start processes that ask at once, and end them; yield a pipe to each."""
    # Clients of Redis connect anew in a process that was forked.
    context = multiprocessing.get_context("fork")
    started, pipes = [], []
    for _ in range(PROCESSES):
        pipe, other = context.Pipe()
        started.append(context.Process(target=be_asked, args=(url, other), daemon=True))
        started[-1].start()
        pipes.append(pipe)
    yield pipes
    for pipe, process in zip(pipes, started, strict=True):
        pipe.send(None)
        process.join()


def show_admitted(url: str, pipes: list[Connection], times: int) -> None:
    """Print how many requests pass where 100 may."""
    import redis

    client = redis.Redis.from_url(url)
    rows = []
    for name in racing(url):
        admitted = []
        for _ in range(times):
            client.flushdb()
            admitted.append(ask_all(pipes, "racing", name))
        rows.append([name, ", ".join(map(str, admitted))])
    print_table([f"{REQUESTS:,} requests of {ALL_AT_ONCE}, {LOW}", "admitted"], rows)


def show_load(url: str, pipes: list[Connection], rounds: int) -> None:
    """Print how much of Redis's processor a check takes while many ask, and what it can bear."""
    import redis

    client = redis.Redis.from_url(url)
    variants = {name: variant for name, variant in passing(url).items() if name in LOADED}
    times: dict[str, list[float]] = {name: [] for name in variants}
    for name in variants:
        # What happens only once belongs to no check: a connection, and learning a script.
        ask_all(pipes, "passing", name, 64)
    for _ in range(rounds):
        for name, variant in variants.items():
            # Most that is written at once is lost, so a history stays about as long as it was.
            variant.begin(0)
            before = used_cpu(client)
            ask_all(pipes, "passing", name)
            times[name].append((used_cpu(client) - before) / REQUESTS * 1e6)
    rows = []
    for name, own in times.items():
        median = statistics.median(own)
        ratio = [mine / base for mine, base in zip(own, times[BASE], strict=True)]
        rows.append([name, f"{median:.0f}", spread(ratio), f"{1e6 / median:,.0f}"])
    heads = ["µs of Redis", "ratio", "checks in a second of Redis"]
    print_table([f"a check that passes, of {ALL_AT_ONCE}", *heads], rows)


LOADED = (
    BASE,
    "django-ratelimit's decorator",
    "ours, default",
    "our limiter, default, two rates",
    *(f"ours, LIMIT_STORAGE {window}" for window in WINDOWS),
    *(f"ours, LIMIT_STORAGE {window}, two rates" for window in WINDOWS),
)


def ask_all(pipes: list[Connection], kind: str, name: str, requests: int = REQUESTS) -> int:
    """Let all processes ask, and return how many requests passed."""
    for message in ((kind, name, requests // PROCESSES), "go"):
        for pipe in pipes:
            pipe.send(message)
        answers = [pipe.recv() for pipe in pipes]
    return sum(answers)


def be_asked(url: str, pipe: Connection) -> None:
    """Be one of the processes: get ready, say so, wait for the word, ask, say how many passed."""
    # What is refused is logged.
    logging.getLogger("django").setLevel(logging.CRITICAL)
    known = {"racing": racing(url), "passing": passing(url)}
    with ThreadPoolExecutor(THREADS) as pool:
        while message := pipe.recv():
            kind, name, requests = message
            variant = known[kind][name]
            settings.CONNECTNOW_API = variant.values
            checks = [variant.prepare() for _ in range(requests)]
            pipe.send(0)
            pipe.recv()
            pipe.send(sum(pool.map(lambda check: check(), checks)))


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
    parser.add_argument("--only", choices=["cost", "sizing", "at-once"])
    arguments = parser.parse_args()
    rounds = 5 if arguments.short else 120
    with server("redis-server") as redis_place, server("memcached") as memcached:
        url = f"redis://{redis_place}/0"
        configure(url)
        print(f"{versions(url)}\n")
        if arguments.only in (None, "cost"):
            show_cost(url, memcached, rounds)
        if arguments.only in (None, "sizing"):
            show_operations(url, 1 if arguments.short else 15)
            show_memory(url)
        if arguments.only in (None, "at-once"):
            with processes(url) as pipes:
                show_load(url, pipes, 1 if arguments.short else 7)
                show_admitted(url, pipes, 1 if arguments.short else 3)


def versions(url: str) -> str:
    """Return what is measured."""
    import redis

    found = redis.Redis.from_url(url).info("server")["redis_version"]
    known = [f"{package} {version(package)}" for package in PACKAGES]
    known += [f"{'with' if redis.utils.HIREDIS_AVAILABLE else 'without'} hiredis"]
    python = ".".join(map(str, sys.version_info[:3]))
    return f"Python {python}, Redis {found}, {', '.join(known)}"


if __name__ == "__main__":
    main()
