"""When a token was last used: how often that is written, and what becomes of a write that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api import last_used
from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.models import APIToken
from connectnow_api.outages import Outages
from tests.conftest import CacheServers, Mount

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]
Use = Callable[..., list[str]]

HOUR = timedelta(hours=1)


class View(APIView):
    authentication_classes = [APITokenAuthentication]
    permission_classes = ()

    def get(self, request: Any) -> Response:
        return Response({"name": request.user.username})

    def post(self, request: Any) -> Response:
        raise ValidationError({"name": ["No."]})


@pytest.fixture(autouse=True)
def forget_outages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_used, "_outages", Outages(logging.getLogger(last_used.__name__)))


@pytest.fixture
def configure(settings: Any) -> Callable[..., None]:
    def configure(**keys: Any) -> None:
        settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, **keys}

    return configure


Configure = Callable[..., None]


@pytest.fixture
def use(mount: Mount, client: APIClient, configure: Configure) -> Use:
    """Ask with a token; return what was asked of the database, by its verb.

    A use is written once in an hour, which no test takes.
    """
    mount({"flat/x": View.as_view()})
    configure(LAST_USED_INTERVAL=HOUR)

    def use(new: Any, address: str = "192.0.2.7", **headers: str) -> list[str]:
        headers["authorization"] = f"Bearer {new.plain_text}"
        with CaptureQueriesContext(connection) as queries:
            response = client.get("/flat/x", headers=headers, REMOTE_ADDR=address)
        assert (response.status_code, response.json()) == (200, {"name": "ada"})
        verbs = [query["sql"].split()[0] for query in queries]
        return [verb for verb in verbs if verb in ("SELECT", "UPDATE", "INSERT", "DELETE")]

    return use


def used_at(new: Any) -> Any:
    return APIToken.objects.get(pk=new.token.pk).last_used_at


def set_back(new: Any, by: timedelta) -> Any:
    """Let the last use be so long ago."""
    at = timezone.now() - by
    APIToken.objects.filter(pk=new.token.pk).update(last_used_at=at)
    return at


def assert_told_once(caplog: Any) -> None:
    told = [record for record in caplog.records if record.name == last_used.__name__]
    assert [record.levelname for record in told] == ["ERROR"]
    assert told[0].getMessage().startswith("The last use of a token cannot be kept: ")


# --- In the database --------------------------------------------------------------------------


def test_the_first_use_is_written_and_those_of_the_next_hour_are_not(
    use: Use, issue: Issue
) -> None:
    new = issue()
    before = timezone.now()
    assert use(new).count("UPDATE") == 1
    first = used_at(new)
    assert before <= first <= timezone.now()
    for _ in range(5):
        assert use(new) == ["SELECT"]
    assert used_at(new) == first


@pytest.mark.parametrize(
    ("interval", "ago", "is_written"),
    [
        (HOUR, HOUR / 2, False),
        (HOUR, HOUR, True),
        (9 * HOUR, 8 * HOUR, False),
        (9 * HOUR, 9 * HOUR, True),
    ],
)
def test_a_use_is_written_once_in_an_interval(
    use: Use, issue: Issue, configure: Configure, interval: Any, ago: Any, is_written: bool
) -> None:
    configure(LAST_USED_INTERVAL=interval)
    new = issue()
    at = set_back(new, ago)
    assert use(new).count("UPDATE") == is_written
    assert (used_at(new) > at) == is_written


def test_only_the_columns_of_the_use_are_written(
    use: Use, issue: Issue, configure: Configure
) -> None:
    new = issue()
    before = APIToken.objects.values().get()
    use(new)
    assert APIToken.objects.values().get() == {**before, "last_used_at": used_at(new)}
    configure(LAST_USED_ADDRESS=True)
    set_back(new, HOUR)
    use(new)
    assert APIToken.objects.get().last_used_address == "192.0.2.7"


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("192.0.2.8", "192.0.2.8"),
        ("::ffff:192.0.2.8", "192.0.2.8"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", "192.0.2.7"),
        ("unknown", "192.0.2.7"),
    ],
)
def test_an_address_is_kept_if_there_is_one(
    use: Use, issue: Issue, configure: Configure, address: str, kept: str
) -> None:
    configure(LAST_USED_ADDRESS=True)
    new = issue()
    use(new)
    set_back(new, HOUR)
    use(new, address)
    assert APIToken.objects.get().last_used_address == kept


def test_switched_off_nothing_is_written(use: Use, issue: Issue, configure: Configure) -> None:
    configure(LAST_USED="off", LAST_USED_ADDRESS=True)
    new = issue()
    for _ in range(2):
        assert use(new) == ["SELECT"]
    assert used_at(new) is None


def test_a_refused_token_is_not_used(client: APIClient, use: Use, issue: Issue) -> None:
    new = issue()
    new.token.revoke()
    headers = {"authorization": f"Bearer {new.plain_text}"}
    assert client.get("/flat/x", headers=headers).status_code == 401
    assert used_at(new) is None


def test_a_token_that_is_used_does_not_become_idle(use: Use, issue: Issue) -> None:
    new = issue(idle_timeout=9 * HOUR)
    APIToken.objects.update(created_at=timezone.now() - 99 * HOUR)
    before = set_back(new, 8 * HOUR)
    use(new)
    assert used_at(new) > before
    # The interval in which a use may be unwritten is given on top.
    set_back(new, 9 * HOUR + HOUR / 2)
    use(new)
    set_back(new, 10 * HOUR)
    assert APIToken.objects.get().state == "idle"


def test_a_write_that_fails_fails_no_request_and_breaks_no_transaction(
    use: Use, issue: Issue, caplog: Any
) -> None:
    """PostgreSQL refuses everything else in a transaction in which one statement failed."""

    def refuse(execute: Any, sql: str, *args: Any) -> Any:
        return execute("UPDATE x SET x = 1" if sql.startswith("UPDATE") else sql, *args)

    new = issue()
    with connection.execute_wrapper(refuse):
        use(new)
        use(new)
    assert used_at(new) is None
    assert_told_once(caplog)
    use(new)
    assert used_at(new) is not None


# --- Transactions and locks -------------------------------------------------------------------


@pytest.fixture
def atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("atomic_requests")
def test_under_atomic_requests_it_is_written_after_the_transaction(
    mount: Mount, client: APIClient, issue: Issue
) -> None:
    """While the request runs, nobody who revokes the token has to wait for it."""
    new = issue()
    seen = []

    class Slow(View):
        def get(self, request: Any) -> Response:
            assert connection.in_atomic_block
            seen.append(used_at(new))
            return super().get(request)

    mount({"flat/x": Slow.as_view()})
    headers = {"authorization": f"Bearer {new.plain_text}"}
    assert client.get("/flat/x", headers=headers).status_code == 200
    assert seen == [None]
    assert used_at(new) is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("atomic_requests")
def test_under_atomic_requests_a_write_that_fails_fails_no_request(
    use: Use, issue: Issue, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_used, "_write", lambda *args: 1 / 0)
    use(issue())
    assert_told_once(caplog)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("atomic_requests")
def test_a_request_that_is_rolled_back_loses_nobodys_kept_uses(
    client: APIClient, use: Use, issue: Issue, configure: Configure
) -> None:
    configure(LAST_USED="cache")
    first, second = issue(), issue()
    use(first)
    use(second)
    cache.delete(last_used.FLUSHED)
    third = issue()
    headers = {"authorization": f"Bearer {third.plain_text}"}
    assert client.post("/flat/x", headers=headers).status_code == 422
    cache.delete(last_used.FLUSHED)
    use(issue())
    assert None not in {used_at(new) for new in (first, second, third)}


@pytest.fixture
def other_connection(db: None) -> Iterator[Any]:
    """A second connection to the same database, in a transaction that is rolled back."""
    other = connections.create_connection("default")
    other.settings_dict = {**connection.settings_dict}
    other.set_autocommit(False)
    yield other
    other.rollback()
    other.close()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks no rows, but all of it")
@pytest.mark.django_db(transaction=True)
def test_a_row_that_another_transaction_holds_is_not_waited_for(
    issue: Issue, use: Use, request: pytest.FixtureRequest
) -> None:
    new = issue()
    other = request.getfixturevalue("other_connection")
    with other.cursor() as cursor:
        cursor.execute(
            "UPDATE connectnow_api_apitoken SET name = 'held' WHERE id = %s", [new.token.pk]
        )
    use(new)
    assert used_at(new) is None
    other.rollback()
    use(new)
    assert used_at(new) is not None


# --- By way of the cache ----------------------------------------------------------------------


@pytest.fixture
def by_cache(configure: Configure) -> None:
    configure(LAST_USED="cache")


@pytest.mark.usefixtures("by_cache")
def test_many_uses_wait_and_are_written_at_once(
    each_cache: BaseCache, use: Use, issue: Issue, configure: Configure
) -> None:
    configure(LAST_USED_ADDRESS=True)
    first = issue()
    use(first)
    assert used_at(first) is not None
    others = [issue() for _ in range(5)]
    before = timezone.now()
    for number, new in enumerate(others):
        assert use(new, f"192.0.2.{number}") == ["SELECT"]
        assert use(new) == ["SELECT"]
    after = timezone.now()
    assert {used_at(new) for new in others} == {None}
    cache.delete(last_used.FLUSHED)
    last = issue()
    assert use(last).count("UPDATE") == 6
    for number, new in enumerate(others):
        row = APIToken.objects.get(pk=new.token.pk)
        assert before <= row.last_used_at <= after
        assert row.last_used_address == f"192.0.2.{number}"
    assert used_at(last) is not None


@pytest.mark.usefixtures("by_cache")
def test_what_is_written_is_taken_from_the_cache(
    each_cache: BaseCache, use: Use, issue: Issue
) -> None:
    for _ in range(3):
        use(issue())
    assert last_used.flush() == 2
    assert last_used.flush() == 0
    keys = [last_used._key(number) for number in range(1, 5)]
    assert cache.get_many(keys) == {}


@pytest.mark.usefixtures("by_cache")
def test_a_later_use_is_not_overwritten_by_an_earlier_one(use: Use, issue: Issue) -> None:
    new = issue()
    use(issue())
    use(new)
    later = timezone.now() + HOUR
    APIToken.objects.filter(pk=new.token.pk).update(last_used_at=later)
    last_used.flush()
    assert used_at(new) == later


@pytest.mark.usefixtures("by_cache")
def test_a_token_with_an_idle_timeout_waits_in_no_cache(use: Use, issue: Issue) -> None:
    use(issue())
    new = issue(idle_timeout=HOUR)
    assert use(new).count("UPDATE") == 1
    assert used_at(new) is not None


@pytest.mark.usefixtures("by_cache")
def test_a_backlog_is_worked_off(use: Use, issue: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_used, "AT_ONCE", 2)
    use(issue())
    waiting = [issue() for _ in range(5)]
    for new in waiting:
        use(new)
    cache.delete(last_used.FLUSHED)
    # Each request writes two, the one that begins and those that find that more is left.
    written = []
    for _ in range(4):
        use(issue())
        written.append(sum(used_at(new) is not None for new in waiting))
    assert written == [2, 4, 5, 5]


@pytest.mark.usefixtures("by_cache")
@pytest.mark.parametrize("lost", [last_used.HEAD, last_used.TAIL, last_used.FLUSHED, None])
def test_what_the_cache_forgets_is_lost_and_nothing_else(
    each_cache: BaseCache, use: Use, issue: Issue, lost: str | None
) -> None:
    for _ in range(3):
        use(issue())
    last_used.flush()
    if lost is None:
        cache.clear()
    else:
        cache.delete(lost)
    cache.delete(last_used.FLUSHED)
    new = issue()
    use(new)
    assert used_at(new) is not None


@pytest.mark.usefixtures("by_cache")
def test_one_use_that_cannot_be_written_does_not_keep_back_the_others(
    use: Use, issue: Issue, caplog: Any
) -> None:
    use(issue())
    first, gone, last = issue(), issue(), issue()
    for new in (first, gone, last):
        use(new)
    number = cache.get(last_used.HEAD) - 1
    cache.set(last_used._key(number), ("uninstalled.Token", 1, timezone.now(), None))
    last_used.flush()
    assert None not in {used_at(first), used_at(last)}
    assert_told_once(caplog)


@pytest.mark.usefixtures("by_cache")
def test_a_row_that_is_gone_is_no_error(use: Use, issue: Issue, caplog: Any) -> None:
    use(issue())
    new = issue()
    use(new)
    new.token.delete()
    assert last_used.flush() == 1
    assert not caplog.records


@pytest.mark.usefixtures("by_cache")
def test_a_cache_that_is_down_fails_no_request(
    use: Use, issue: Issue, settings: Any, caplog: Any
) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.conftest.BrokenCache"}}
    new = issue()
    use(new)
    use(new)
    assert used_at(new) is None
    assert_told_once(caplog)


@pytest.mark.servers
@pytest.mark.usefixtures("by_cache")
@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_a_server_that_ends_and_comes_back_fails_no_request(
    use: Use, issue: Issue, start_cache: CacheServers, kind: str
) -> None:
    server = start_cache(kind)
    new = issue()
    use(new)
    first = used_at(new)
    assert first is not None
    set_back(new, 2 * HOUR)
    server.stop()
    use(new)
    server.start()


def test_no_request_saves_a_row(use: Use, issue: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    new = issue()
    monkeypatch.setattr(APIToken, "save", lambda *args, **kwargs: 1 / 0)
    use(new)
    assert used_at(new) is not None
