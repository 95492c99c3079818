"""The script on Redis: the windows of memory, in one round trip, on a cluster too.

And by valkey's client, whose server speaks the same, and through a sentinel.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import RedisClusterException

from connectnow_api.engines import WINDOWS, Counter, MemoryEngine, get_engine
from connectnow_api.engines.storages import RedisEngine, connect
from connectnow_api.limits import Limit, take
from connectnow_api.rates import Rate
from tests.conftest import Clock
from tests.services import PATIENCE, CacheServer, free_port, wait_for_port

from .conftest import a_counter, new_prefix

each_window = pytest.mark.parametrize("window", WINDOWS)

# The same as in memory


class Step(NamedTuple):
    """One call of both engines, so many ms after the one before."""

    later: int
    method: str
    counters: list[Counter]


def a_step(counters: list[Counter]) -> st.SearchStrategy[Step]:
    chosen = st.lists(
        st.builds(
            lambda counter, cost: counter._replace(cost=cost),
            st.sampled_from(counters),
            st.integers(1, 4),
        ),
        min_size=1,
        max_size=4,
    )
    later = st.sampled_from([0, 1, 59_999, 60_000, 60_001, 120_000]) | st.integers(0, 250_000)
    methods = st.sampled_from(["hit", "hit", "hit", "peek", "reset"])
    return st.builds(Step, later, methods, chosen)


COUNTERS = st.lists(
    st.builds(
        Counter,
        scope=st.sampled_from(["a" * 16, "b" * 16]),
        asker=st.sampled_from(["a" * 32, "b" * 32]),
        # No window may end by the server's own clock, by which it forgets, within the test.
        rate=st.builds(Rate, st.integers(0, 6), st.sampled_from([60, 90, 3600])),
        window=st.sampled_from(WINDOWS),
        is_shared=st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


@given(COUNTERS.flatmap(lambda counters: st.lists(a_step(counters), max_size=25)))
def test_it_answers_as_memory_does(redis_storage: Any, steps: list[Step]) -> None:
    clock = Clock()
    on_redis, in_memory = RedisEngine(redis_storage, new_prefix(), clock), MemoryEngine(clock)
    try:
        for later, method, counters in steps:
            # In the middle of a ms, so that no rounding makes it another one.
            clock.now = (int(clock.now * 1000) + later + 0.5) / 1000
            said = getattr(on_redis, method)(counters)
            assert said == getattr(in_memory, method)(counters)
    finally:
        on_redis.reset([counter for step in steps for counter in step.counters])


@each_window
def test_large_limits_are_counted_as_in_memory(
    window: str, on_redis: RedisEngine, stopped: Clock
) -> None:
    """What a request costs is more than Redis takes arguments."""
    counter = a_counter(30_000, window=window, cost=9_999)
    in_memory = MemoryEngine(stopped)
    for _ in range(4):
        assert on_redis.hit([counter]) == in_memory.hit([counter])
        stopped.now += 25
    on_redis.reset([counter])


@each_window
def test_the_servers_own_clock_is_asked(window: str, redis_storage: Any) -> None:
    """Nobody's clock in front of it has to be right."""
    engine, counter = RedisEngine(redis_storage, new_prefix()), a_counter(window=window)
    seconds, _microseconds = redis_storage.get_connection().time()
    [usage] = engine.hit([counter])
    assert seconds <= usage.now < seconds + PATIENCE
    assert usage.hits == 1
    assert usage.reset == pytest.approx(usage.now + 60, abs=1.001)
    engine.reset([counter])


@each_window
def test_nothing_is_kept_for_longer_than_it_counts(
    window: str, on_redis: RedisEngine, redis_storage: Any
) -> None:
    counter = a_counter(seconds=60, window=window)
    on_redis.hit([counter])
    connection = redis_storage.get_connection()
    # Redis may tell of a key twice.
    [key] = {*connection.scan_iter(match=f"*{counter.asker}*", count=1000)}
    longest = 120_000 if window == "sliding" else 60_000
    assert longest - PATIENCE * 1000 < connection.pttl(key) <= longest
    on_redis.reset([counter])


def test_keys_tell_who_is_counted(on_redis: RedisEngine) -> None:
    counter = a_counter()
    shared = counter._replace(is_shared=True)
    moving = shared._replace(window="moving")
    on_redis.hit([counter, shared, moving])
    assert sorted({*on_redis.keys(counter.scope)}) == [
        (counter.asker, "", "fixed"),
        (counter.asker, "3-60s", "fixed"),
        (counter.asker, "60s", "moving"),
    ]
    on_redis.reset([counter, shared, moving])
    assert not [*on_redis.keys(counter.scope)]


# One round trip


@pytest.fixture(scope="module")
def own_redis() -> Iterator[CacheServer]:
    """A Redis that nobody else asks."""
    server = CacheServer("redis")
    yield server
    server.stop()


def test_the_sites_time_outs_replace_the_defaults() -> None:
    engine: Any = connect("redis://127.0.0.1:1/0", {"socket_timeout": 5})
    options = engine._connection.connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (5, 1)
    engine._connection.close()


def calls(client: Any) -> dict[str, int]:
    """Return how often each command was called, by clients and scripts, but for INFO's own."""
    stats = client.info("commandstats")
    return {
        name.removeprefix("cmdstat_"): found["calls"]
        for name, found in stats.items()
        if name != "cmdstat_info"
    }


@pytest.mark.servers
@pytest.mark.parametrize("is_refused", [False, True])
@pytest.mark.parametrize("windows", [["fixed"], ["fixed", "moving", "sliding", "fixed"]])
def test_one_round_trip_for_all_counters(
    own_redis: CacheServer, settings: Any, windows: list[str], is_refused: bool
) -> None:
    settings.RATELIMIT_ENABLE = True
    settings.CONNECTNOW_API = {
        **settings.CONNECTNOW_API,
        "LIMIT_STORAGE": own_redis.location,
        "LIMIT_STORAGE_OPTIONS": {"key_prefix": new_prefix()},
    }
    limits = [
        Limit(f"limit-{number}", f"user:{number}", ["0/h" if is_refused else "9/h", "99/d"], window)
        for number, window in enumerate(windows)
    ]
    # The first time Redis is told the script.
    take(limits)
    with redis.from_url(own_redis.location) as client:
        before = calls(client)
        told = take(limits)
        after = calls(client)
    assert len(told) == 2 * len(windows)
    assert any(each.refuses for each in told) is is_refused
    asked = {name: after[name] - before.get(name, 0) for name in after}
    assert asked["evalsha"] == 1
    # All others are the script's own.
    by_the_script = {"time", "hmget", "hset", "hincrby", "pexpire"}
    by_the_script |= {"lindex", "lpop", "llen", "rpush"}
    assert {name for name, number in asked.items() if number} <= {"evalsha", *by_the_script}


# Other ways to the same


@pytest.mark.servers
@each_window
def test_valkeys_client(own_redis: CacheServer, window: str) -> None:
    uri = own_redis.location.replace("redis", "valkey")
    engine: Any = connect(uri, {"key_prefix": new_prefix()})
    wide, narrow = (a_counter(limit, window=window) for limit in (9, 2))
    found = [engine.hit([wide, narrow]) for _ in range(3)]
    assert [[usage.hits for usage in usages] for usages in found] == [[1, 1], [2, 2], [2, 3]]
    engine._connection.script_flush()
    assert engine.hit([wide])[0].hits == 3
    engine._connection.close()


@pytest.fixture(scope="module")
def sentinel(own_redis: CacheServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a sentinel that watches a server."""
    port, file = free_port(), tmp_path_factory.mktemp("sentinel") / "sentinel.conf"
    file.write_text(f"port {port}\nsentinel monitor ours 127.0.0.1 {own_redis.port} 1\n")
    command = ["redis-server", str(file), "--sentinel"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield f"redis+sentinel://127.0.0.1:{port}/ours"
    finally:
        process.kill()
        process.wait(PATIENCE)


@pytest.mark.servers
@each_window
def test_whom_a_sentinel_names(sentinel: str, own_redis: CacheServer, window: str) -> None:
    engine: Any = connect(sentinel, {"key_prefix": new_prefix()})
    counter = a_counter(2, window=window)
    assert [engine.hit([counter])[0].hits for _ in range(3)] == [1, 2, 3]
    assert engine._connection.info("server")["tcp_port"] == own_redis.port
    engine._connection.close()


# A cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a cluster of one node, which refuses what a larger one would."""
    # Some program has to be there, which this finds out.
    CacheServer("redis").stop()
    port = free_port()
    # The nodes of a cluster would talk to one another at a port that is usually 10,000 higher.
    options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    folder = tmp_path_factory.mktemp("cluster")
    process = subprocess.Popen(
        [*CacheServer.COMMANDS["redis"], str(port), *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, process)
        with redis.Redis(port=port) as node:
            node.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
            deadline = time.monotonic() + PATIENCE
            while node.cluster("info")["cluster_state"] != "ok":
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield f"redis+cluster://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(PATIENCE)


@pytest.fixture(scope="module")
def on_cluster(cluster: str) -> Iterator[Any]:
    """An engine on it."""
    engine = connect(cluster, {"key_prefix": new_prefix()})
    assert isinstance(engine, RedisEngine)
    yield engine
    engine._connection.close()


@pytest.mark.servers
@each_window
def test_a_cluster_counts_one_asker_in_one_script(on_cluster: Any, window: str) -> None:
    wide = a_counter(5, window=window)
    narrow = wide._replace(scope="f" * 16, rate=Rate(1, 3600))
    before = calls(on_cluster._connection)
    assert [usage.hits for usage in on_cluster.hit([wide, narrow])] == [1, 1]
    assert [usage.is_exceeded for usage in on_cluster.hit([wide, narrow])] == [False, True]
    assert [usage.hits for usage in on_cluster.peek([wide, narrow])] == [1, 1]
    asked = calls(on_cluster._connection)["evalsha"] - before.get("evalsha", 0)
    # Once more for the first time, when the script is not known yet.
    assert asked - 3 in {0, 1}
    on_cluster.reset([wide, narrow])
    assert [usage.hits for usage in on_cluster.peek([wide, narrow])] == [0, 0]


@pytest.mark.servers
@each_window
def test_a_cluster_counts_several_askers(on_cluster: Any, window: str) -> None:
    """Which no single script may: their counters may be in different places."""
    one, other, third = [a_counter(limit, window=window) for limit in (5, 1, 5)]
    assert [usage.hits for usage in on_cluster.hit([one, other, third])] == [1, 1, 1]
    refused = on_cluster.hit([one, other, third])
    assert [usage.is_exceeded for usage in refused] == [False, True, False]
    assert [usage.hits for usage in on_cluster.peek([one, other, third])] == [1, 1, 1]


def test_a_cluster_that_is_gone_is_an_outage(settings: Any) -> None:
    """Its nodes are asked for before anything is counted, and that may fail."""
    settings.RATELIMIT_ENABLE = True
    settings.CONNECTNOW_API = {
        **settings.CONNECTNOW_API,
        "LIMIT_STORAGE": f"redis+cluster://127.0.0.1:{free_port()}",
    }
    assert take([Limit("open", "x", "1/h", on_failure="open")]) == []
    [told] = take([Limit("local", new_prefix(), "1/h", on_failure="local")])
    assert told.usage.hits == 1
    raised = []
    for _ in range(2):
        with pytest.raises(RedisClusterException) as found:
            get_engine()
        raised.append(found.value)
    # Not every request waits for it again.
    assert raised[0] is raised[1]
