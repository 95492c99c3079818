"""Limiters whose functions or fields fail, and what is said of it."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.http import FileResponse, Http404
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.test import APIClient
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import ViewSet

from connectnow_api import engines
from connectnow_api.engines import MemoryEngine, get_engine
from connectnow_api.limiters import Limiter
from connectnow_api.limits import hit, peek
from connectnow_api.signals import limit_exceeded
from connectnow_api.throttling import LimiterThrottle, limited_by
from tests.conftest import Mount

from .views import CLOSED, Ask, View, remaining, shown

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]


def crash(*args: Any) -> Any:
    raise ZeroDivisionError("no secret")


MISTAKES = [
    *({"rate": crash}, {"by": crash}, {"cost": crash}, {"plan": crash, "plans": {"a": "1/d"}}),
    *(
        {"rate": "no.such.function"},
        {"by": "ip"},
        {"by": None},
        {"per": "method"},
        {"per": ["user"]},
    ),
    *({"methods": [1]}, {"plans": {"a": "1/d"}}, {"rate_attribute": 5}, {"counter": "c"}),
    {"plan": lambda request: [], "plans": {"a": "1/d"}},
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_limiter_that_fails_cannot_be_counted(ask: Ask, mistake: Any, caplog: Any) -> None:
    own = Limiter(**{"rate": ["9/d", "8/d"], "name": "own", **mistake})
    assert ask([LimiterThrottle], limiters=own).status_code == 200
    assert "Limit 'own' cannot be counted" in caplog.text
    closed = Limiter(**{"rate": ["9/d", "8/d"], "on_cache_failure": "closed", **mistake})
    response = ask([LimiterThrottle], limiters=closed)
    assert (response.status_code, response.json()) == (503, CLOSED)


@pytest.mark.parametrize("answers", [crash, 401, "no.such.function"])
def test_answers_that_fail_to_be_told_are_not_counted(ask: Ask, answers: Any, caplog: Any) -> None:
    for policy in ("open", "closed"):
        own = Limiter("9/d", answers=answers, name="own", on_cache_failure=policy)
        response = ask([LimiterThrottle], "?fail=404", limiters=own)
        assert (response.status_code, remaining(response)) == (404, 9)
    assert "Limit 'own' cannot be counted" in caplog.text


@pytest.mark.parametrize(("refusal", "status"), [(PermissionDenied, 403), (Http404, 404)])
def test_a_function_may_refuse(ask: Ask, refusal: type[Exception], status: int) -> None:
    def refuse(request: Any) -> Any:
        raise refusal

    assert ask([LimiterThrottle], limiters=Limiter(refuse)).status_code == status


def test_what_a_429_of_another_throttle_says_is_not_counted(ask: Ask) -> None:
    class Never(BaseThrottle):
        def allow_request(self, request: Any, view: Any) -> bool:
            return False

    own = Limiter("9/d", answers=["4xx"], name="own")
    assert ask([LimiterThrottle, Never], limiters=own).status_code == 429
    named = Limiter("9/d", answers=[429], name="named")
    assert ask([LimiterThrottle, Never], limiters=named).status_code == 429
    assert hits(peek("own", "9/d", "address:127.0.0.1")) == 0
    assert hits(peek("named", "9/d", "address:127.0.0.1")) == 1


def hits(usage: Any) -> int:
    return int(usage.hits)


def test_a_file_that_is_under_way_is_not_replaced(mount: Mount, client: APIClient) -> None:
    class Missing(View):
        authentication_classes = ()
        throttle_classes = [limited_by(Limiter("9/d", answers=[404], name="own"))]

        def get(self, request: Any) -> Any:
            # What others have counted meanwhile.
            for _ in range(9):
                hit("own", "9/d", "address:127.0.0.1")
            return FileResponse(iter([b"not here"]), status=404)

    mount({"flat/x": Missing.as_view()})
    response = client.get("/flat/x")
    assert (response.status_code, response.getvalue()) == (404, b"not here")
    assert shown(response) == {"Limit": 9, "Remaining": 0}
    assert "Cache-Control" not in response


def test_an_answer_that_is_left_as_it_is_looks_like_one_that_passes(ask: Ask) -> None:
    def count_more(response: Any) -> bool:
        for _ in range(9):
            hit("own", "9/d", "address:127.0.0.1")
        return True

    response = ask([LimiterThrottle], limiters=Limiter("9/d", answers=count_more, name="own"))
    assert (response.status_code, shown(response)) == (200, {"Limit": 9, "Remaining": 0})
    assert "Cache-Control" not in response


def test_a_shadow_of_answers_is_told_once(ask: Ask, caplog: Any) -> None:
    told: list[str] = []

    def receive(sender: str, **kwargs: Any) -> None:
        told.append(sender)

    own = Limiter("1/d", answers=[404], shadow=True, name="own")
    limit_exceeded.connect(receive)
    for _ in range(2):
        ask([LimiterThrottle], "?fail=404", limiters=own)
    limit_exceeded.disconnect(receive)
    assert told == ["own"]
    assert caplog.text.count("would have refused") == 1


def test_a_format_suffix_is_no_endpoint_of_its_own(mount: Mount, client: APIClient) -> None:
    class Views(ViewSet):
        authentication_classes = ()
        permission_classes = ()
        throttle_classes = [limited_by(Limiter("2/d", per=["endpoint"], name="own"))]

        def list(self, request: Any, format: str | None = None) -> Response:  # noqa: A002
            return Response([])

    router = DefaultRouter()
    router.register("x", Views, basename="x")
    from django.conf import settings

    settings.ROOT_URLCONF = tuple(router.urls)
    statuses = [client.get(path).status_code for path in ("/x/", "/x.json", "/x/", "/x.json")]
    assert statuses == [200, 200, 429, 429]


def by_hand(request: Any) -> str:
    return "3/d"


def test_without_a_name_it_is_called_after_its_rate(ask: Ask, settings: Any) -> None:
    """The same in each process: no address of a function in memory."""
    settings.CONNECTNOW_API = {"LIMIT_HEADERS": "ietf"}
    names = {
        "5/m": ("5/m", '"5/m";q=5;w=60'),
        "pair": ((5, 60), '"5/60s";q=5;w=60'),
        "function": (Limiter(by_hand), f'"{__name__}.by_hand";q=3;w=86400'),
    }
    for named, policy in names.values():
        response = ask([LimiterThrottle], limiters=named)
        assert response["RateLimit-Policy"] == policy


def test_a_cost_of_0_only_looks() -> None:
    hit("a", "9/d", "x")
    assert hits(hit("a", "9/d", "x", cost=0)) == 1
    assert hits(hit("a", "9/d", "x")) == 2


def test_a_key_that_looks_like_ours_is_not_logged(ask: Ask, caplog: Any) -> None:
    for who in ("token:s3cret", "user:s3cret:1", "address:s3cret", "token:a.b:s3cret"):
        hit("a", "0/d", who, shadow=True)
    assert caplog.text.count("would have refused") == 4
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    "uri", ["nosuch://:s3cret@host/1", "redis://:s3#cret@host:1/0", "nosuch://user:s3cret@host"]
)
def test_no_password_of_a_storage_is_logged(settings: Any, caplog: Any, uri: str) -> None:
    settings.CONNECTNOW_API = {"LIMIT_STORAGE": uri}
    assert hit("a", "9/d", "x") is None
    assert "Limit 'a' cannot be counted" in caplog.text
    assert "s3" not in caplog.text
    assert "cret" not in caplog.text


def test_threads_that_come_first_together_make_one_engine(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CONNECTNOW_API = {"LIMIT_STORAGE": "memory://slow"}
    made: list[MemoryEngine] = []

    class Storages:
        @staticmethod
        def connect(uri: str, options: Any) -> MemoryEngine:
            time.sleep(0.05)
            made.append(MemoryEngine())
            return made[-1]

    monkeypatch.setattr(engines, "import_module", lambda name: Storages)
    monkeypatch.setattr(engines, "_connected", {})
    threads = [threading.Thread(target=get_engine) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_sentinels_are_not_waited_for_longer_than_other_servers() -> None:
    pytest.importorskip("limits")
    from connectnow_api.engines.storages import connect

    engine: Any = connect("redis+sentinel://127.0.0.1:1/main", {})
    pool = engine._connection.connection_pool
    for client in pool.sentinel_manager.sentinels:
        given = client.connection_pool.connection_kwargs
        assert (given["socket_timeout"], given["socket_connect_timeout"]) == (1, 1)
        assert given["retry"] is None or given["retry"].get_retries() == 0
