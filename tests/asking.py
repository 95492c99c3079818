"""Several processes that ask one limited view at once; each is a run of this file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import django
from django.test import override_settings
from rest_framework.test import APIRequestFactory

from connectnow_api import limits

from .services import PATIENCE


class Plan(NamedTuple):
    """What each process does."""

    cache: dict[str, Any]
    rate: str
    address: str
    requests: int
    threads: int = 1


def ask_at_once(plan: Plan, processes: int) -> list[tuple[int, str | None]]:
    """Return status and ``X-RateLimit-Remaining`` of all answers."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.asking", json.dumps(plan)],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    found = [json.loads(process.communicate(timeout=PATIENCE)[0]) for process in started]
    return [(status, remaining) for answers in found for status, remaining in answers]


def address_with_time_left(rate: str) -> str:
    """Return an address that has asked once, and whose window does not end within the test."""
    for number in range(256):
        address = f"192.0.2.{number}"
        usage = limits.hit("anon", rate, f"address:{address}")
        if usage is not None and usage.reset - time.time() > 3600:
            return address
    raise AssertionError(rate)


def main(plan: Plan) -> None:
    """Get ready, wait for the word, ask, and say what was answered."""
    django.setup()
    with override_settings(CACHES={"default": plan.cache}, RATELIMIT_ENABLE=True):
        view = limited_view(plan.rate)

        def ask(number: int) -> tuple[int, str | None]:
            response = view(APIRequestFactory().get("/flat/x", REMOTE_ADDR=plan.address))
            return response.status_code, response.headers.get("X-RateLimit-Remaining")

        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        with ThreadPoolExecutor(plan.threads) as pool:
            answers = list(pool.map(ask, range(plan.requests)))
    sys.stdout.write(json.dumps(answers))


def limited_view(own_rate: str) -> Any:
    """Return a view that limits addresses."""
    from rest_framework.response import Response
    from rest_framework.views import APIView

    from connectnow_api.throttling import AnonRateThrottle

    class Throttle(AnonRateThrottle):
        rate = own_rate

    class View(APIView):
        authentication_classes = ()
        permission_classes = ()
        throttle_classes = [Throttle]

        def get(self, request: Any) -> Response:
            return Response({"ok": True})

    return View.as_view()


if __name__ == "__main__":
    main(Plan(*json.loads(sys.argv[1])))
