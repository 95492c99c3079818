"""Middleware of a server that does what it should not: the soak has to notice each of them."""

import json
from collections.abc import Callable
from itertools import count

from django.db import transaction
from django.http import HttpRequest, HttpResponse

Answer = Callable[[HttpRequest], HttpResponse]
KEPT: list[bytes] = []
LEAK = 100_000
"""Bytes that are lost with each request."""
LOSS, HALF, CRASH = 5, 3, 7
"""Of so many requests that could go wrong one does, in each process."""


def leak(get_response: Answer) -> Answer:
    """Keep something of every request."""

    def middleware(request: HttpRequest) -> HttpResponse:
        KEPT.append(b"x" * LEAK)
        return get_response(request)

    return middleware


def lose(get_response: Answer) -> Answer:
    """Acknowledge a write now and then that is not kept."""
    numbers = count(1)

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method != "POST" or next(numbers) % LOSS:
            return get_response(request)
        with transaction.atomic():
            response = get_response(request)
            transaction.set_rollback(True)
            return response

    return middleware


def halve(get_response: Answer) -> Answer:
    """Take the message away from a new ticket now and then."""
    numbers = count(1)

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        is_new = request.path == "/api/v1/tickets" and response.status_code == 201
        if is_new and not next(numbers) % HALF:
            from help_desk.models import Message

            ticket = json.loads(response.content)["data"]["id"]
            Message.objects.filter(ticket=ticket).delete()
        return response

    return middleware


def crash(get_response: Answer) -> Answer:
    """Crash now and then."""
    numbers = count(1)

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method == "POST" and not next(numbers) % CRASH:
            raise RuntimeError
        return get_response(request)

    return middleware
