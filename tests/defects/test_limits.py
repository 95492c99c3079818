"""Limits. Caches that are gone (rows 6 and 7) behind servers: ``tests/outages``."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.test import Client

from connectnow_api.checks import check_limits, check_limits_of_production
from connectnow_api.limits import hit, parse_rate
from tests.services import BACKENDS, PATIENCE, CacheServer, cache_settings, free_port

from .conftest import Serve
from .servers import SERVERS, Answer, LiveClient, Server, behind

pytestmark = pytest.mark.django_db

COUNTS_IN = {"gunicorn": "memcached", "uvicorn": "redis"}
FORWARDED = ["x" * 300, "\x7f", "[]", "203.0.113.1"]
DAY = 24 * 60 * 60


def ask_limited(client: Any, **headers: str) -> Any:
    return client.get("/flat/limited", headers=headers)


def statuses(answers: list[Any]) -> tuple[int, int, int]:
    """Return how many of them are 200, 401 and 429."""
    found = [answer.status_code for answer in answers]
    return found.count(200), found.count(401), found.count(429)


# --- Behind servers ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def counting(serve: Serve) -> Iterator[Callable[[str], Server]]:
    """Return a server that counts in a private cache: ``counting("gunicorn")``.

    gunicorn's is memcached, which has the stricter keys, and gunicorn trusts a proxy.
    """
    running: dict[str, Server] = {}
    with contextlib.ExitStack() as stack:

        def find(program: str) -> Server:
            if program not in running:
                kind = COUNTS_IN[program]
                cache = CacheServer(kind)
                stack.callback(cache.stop)
                ours = {"TRUSTED_PROXIES": int(kind == "memcached")}
                settings = {"CACHES": {"default": cache.settings}, "CONNECTNOW_API": ours}
                running[program] = stack.enter_context(serve(program, **settings))
            return running[program]

        yield find


Find = Callable[[str], Server]


def in_one_window(ask: Callable[[], list[Answer]]) -> list[Answer]:
    """Return the answers of ``ask``, an address of its own each time, within one window of a day.

    When that begins is another second for each address. Windows of a minute are never taken for
    one of a day.
    """
    for _ in range(3):
        start = time.time()
        answers = ask()
        ends = [int(a["X-RateLimit-Reset"]) for a in answers if a.status_code == 429]
        if all(end - DAY + 2 < start and time.time() < end - 60 for end in ends):
            return answers
    raise AssertionError("no window is long enough")


def eight_at_once(client: LiveClient, number: int, **headers: str) -> list[Answer]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: ask_limited(client, **headers), range(number)))


@behind(*SERVERS)
def test_row_01_all_processes_count_as_one(transport: str, counting: Find) -> None:
    server = counting(transport)
    answers = in_one_window(lambda: eight_at_once(server.client(), 300))
    assert statuses(answers) == (20, 0, 280)


@behind("gunicorn")
def test_row_02_in_memory_each_process_counts_alone(transport: str, serve: Serve) -> None:
    """So there it is the limit times the number of processes."""
    memory = {"default": cache_settings("locmem", "")}

    def ask() -> list[Answer]:
        client, answers = server.client(), []
        deadline = time.monotonic() + PATIENCE
        while len({a["X-Process"] for a in answers if a.status_code == 429}) < 2:
            assert time.monotonic() < deadline, "one process answers all"
            answers += eight_at_once(client, 16)
        return answers

    with serve(transport, CACHES=memory) as server:
        by_process: dict[str, list[Answer]] = defaultdict(list)
        for answer in in_one_window(ask):
            by_process[answer["X-Process"]].append(answer)
    full = [found for found in map(statuses, by_process.values()) if found[2]]
    assert [passed for passed, _, _ in full] == [20] * len(full)


@behind("uvicorn")
def test_row_03_all_processes_go_by_the_peer(transport: str, counting: Find) -> None:
    server = counting(transport)

    def ask() -> list[Answer]:
        client = server.client()
        forwarded = [{"x-forwarded-for": f"203.0.113.{n}"} for n in range(100)]
        return [ask_limited(client, **headers) for headers in forwarded]

    assert statuses(in_one_window(ask)) == (20, 0, 80)


@behind("gunicorn")
@pytest.mark.parametrize("forwarded", FORWARDED)
def test_row_04_no_header_is_a_key_behind_a_server(
    transport: str, counting: Find, forwarded: str
) -> None:
    server = counting(transport)
    watch = server.watch()
    response = ask_limited(server.client(), **{"x-forwarded-for": forwarded})
    assert response.status_code in ((200, 400) if forwarded == "\x7f" else (200,))
    assert not watch


@behind("uvicorn")
def test_row_05_all_processes_count_bad_tokens(transport: str, counting: Find) -> None:
    server = counting(transport)

    def ask() -> list[Answer]:
        client = server.client()
        return [ask_limited(client, authorization=f"Bearer x{n}") for n in range(100)]

    assert statuses(in_one_window(ask)) == (0, 30, 70)


# --- In this process --------------------------------------------------------------------------


def ids(messages: list[Any]) -> set[str]:
    return {str(message.id) for message in messages}


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("kind", BACKENDS)
def test_row_02_the_check_of_a_deployment_names_memory(settings: Any, kind: str) -> None:
    settings.CACHES = {"default": cache_settings(kind, "127.0.0.1:1")}
    expected = {"connectnow_api.W004"} if kind == "locmem" else set()
    assert ids(check_limits_of_production()) == expected


@pytest.mark.usefixtures("limits", "clock")
def test_row_03_a_new_forwarded_address_in_each_request(client: Client) -> None:
    forwarded = [{"x-forwarded-for": f"203.0.113.{n}"} for n in range(100)]
    assert statuses([ask_limited(client, **headers) for headers in forwarded]) == (20, 0, 80)


@pytest.mark.parametrize("forwarded", FORWARDED)
@pytest.mark.parametrize("proxies", [0, 1])
def test_row_04_headers_that_are_no_key(
    client: Client, limits: None, settings: Any, forwarded: str, proxies: int, crashes: Any
) -> None:
    """Django warns of keys that memcached refuses, which is an error in these tests."""
    settings.CACHES = {"default": cache_settings("locmem", "")}
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "TRUSTED_PROXIES": proxies}
    response = ask_limited(client, **{"x-forwarded-for": forwarded})
    assert (response.status_code, response["X-RateLimit-Remaining"]) == (200, "19")
    assert not crashes


@pytest.mark.usefixtures("limits", "clock")
def test_row_05_bad_tokens(client: Client) -> None:
    answers = [ask_limited(client, authorization=f"Bearer x{n}") for n in range(100)]
    assert statuses(answers) == (0, 30, 70)


def outage(kind: str, client: Client, settings: Any, crashes: Any, caplog: Any) -> None:
    """Each request passes, not only the second one, and it does not do so in silence."""
    address = f"127.0.0.1:{free_port()}"
    location = f"redis://{address}" if kind == "redis" else address
    settings.CACHES = {"default": cache_settings(kind, location)}
    assert statuses([ask_limited(client) for _ in range(5)]) == (5, 0, 0)
    assert not crashes
    assert [r.name for r in caplog.records] == ["connectnow_api.limits"]


@pytest.mark.usefixtures("limits")
def test_row_06_no_redis(client: Client, settings: Any, crashes: Any, caplog: Any) -> None:
    outage("redis", client, settings, crashes, caplog)


@pytest.mark.usefixtures("limits")
def test_row_07_no_memcached(client: Client, settings: Any, crashes: Any, caplog: Any) -> None:
    outage("memcached", client, settings, crashes, caplog)


@pytest.mark.usefixtures("limits", "clock")
def test_row_50_counters_and_rates_of_their_own() -> None:
    """Joined without a separator, ``api`` at 15/m and ``api1`` at 5/m are one text."""
    for scope, rate in (("api", "15/m"), ("api1", "5/m")):
        usage = hit(scope, rate, "x")
        assert usage is not None
        assert usage.hits == 1
    for text in ("5/x", "5/ m"):
        with pytest.raises(ValueError, match="no rate"):
            parse_rate(text)


@pytest.mark.usefixtures("limits", "clock")
@pytest.mark.parametrize(
    "address", ["192.0.2.7:80", "192.0.2.7, 192.0.2.8", "unknown", "[::1]", ""]
)
def test_row_50_addresses_that_are_none(client: Client, address: str, crashes: Any) -> None:
    response = client.get("/flat/limited", REMOTE_ADDR=address)
    assert (response.status_code, response["X-RateLimit-Remaining"]) == (200, "19")
    assert not crashes


@behind("gunicorn")
def test_row_50_a_peer_without_an_address(transport: str, serve: Serve) -> None:
    """Who asks through a Unix socket has none."""
    with serve(transport, unix=True) as server:
        watch = server.watch()
        answers = [ask_limited(server.client()) for _ in range(100)]
    assert 20 <= statuses(answers)[0] <= 80
    assert {answer.status_code for answer in answers} == {200, 429}
    assert not watch


ODD = pytest.mark.parametrize("rate", ["5", "5-x", "5-month"])


@ODD
def test_row_51_rates_that_are_none(client: Any, rate: str, crashes: Any) -> None:
    assert client.get(f"/flat/odd/{rate}").json() == {"ok": True}
    assert not crashes


@pytest.mark.usefixtures("limits")
def test_row_51_the_check_at_the_start_names_them() -> None:
    found = " ".join(str(m.msg) for m in check_limits() if m.id == "connectnow_api.E008")
    for rate in ("'5'", "'5/x'", "'5/month'"):
        assert rate in found


@pytest.mark.usefixtures("limits")
def test_row_51_five_in_ten_seconds() -> None:
    assert parse_rate("5/10s") == (5, 10)
