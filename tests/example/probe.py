"""Runs inside the example project and prints as JSON what HTTP cannot show.

Each line of its input is a JSON list of calls, each a list of a function below and its arguments.
It prints a line with the list of their results.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import django

sys.path.insert(0, str(Path(__file__).parents[2] / "example_project"))
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import OperationalError, connection, connections, models, transaction  # noqa: E402
from django.db.models import Count, Max, Min  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext, override_settings  # noqa: E402
from django.urls import get_resolver, resolve  # noqa: E402
from django.utils import timezone  # noqa: E402

from chats import models as chats  # noqa: E402
from connectnow_api.audit.models import TokenAuditEntry  # noqa: E402
from connectnow_api.models import APIToken  # noqa: E402
from help_desk import models as desk  # noqa: E402
from help_desk import views  # noqa: E402
from issue_tracker import models as tracker  # noqa: E402
from project.demo import own_tables  # noqa: E402


def rows() -> dict[str, list[Any]]:
    """Return for each table the number of rows, the highest id and a digest of all values."""
    return {model._meta.label: _summary(model) for model in own_tables()}


def _summary(model: type[models.Model]) -> list[Any]:
    found = model._default_manager.order_by("pk")
    # Secrets are new each time.
    values = [] if model in (chats.AuthCode, chats.ChatUserToken) else found.values()
    texts = "\n".join(str(sorted(row.items())) for row in values)
    digest = hashlib.sha256(texts.encode()).hexdigest()
    return [found.count(), found.aggregate(highest=Max("pk"))["highest"], digest]


def parts_of_tickets(prefix: str) -> list[list[Any]]:
    """Return the subject of each ticket that begins so, and what was written with it.

    That is its contact's address, the texts of its messages, its tags, and whether its last contact
    is that of the message.
    """
    return [
        [
            ticket.subject,
            ticket.from_contact.value,
            [message.body for message in ticket.messages.all()],
            sorted(tag.pk for tag in ticket.tags.all()),
            [message.created_at for message in ticket.messages.all()] == [ticket.last_contact],
        ]
        for ticket in desk.Ticket.objects.filter(subject__startswith=prefix)
    ]


def new_ids() -> dict[str, int]:
    """Create a row of each model and return its id."""
    client = desk.Client(name="New", slug="new")
    chat_user = chats.ChatUser(name="New", chat_id=1, email="new@example.com")
    created = [
        tracker.Company(name="New", slug="new"),
        tracker.CompanyUser(company_id=1, email="new@example.com"),
        tracker.Category(name="New", company_id=1),
        tracker.CategorySubscription(category_id=1, email="new@example.com"),
        tracker.Issue(name="New", description="New", severity="info"),
        tracker.IssueSubscription(issue_id=1, email="new@example.com"),
        tracker.Webhook(owner_id=1, url="https://new.example/"),
        chats.Chat(name="New"),
        chat_user,
        chats.AuthCode(owner=chat_user, digest="new"),
        chats.ChatUserToken(owner=chat_user, name="New", digest="new"),
        client,
        desk.Webhook(client=client),
        desk.Channel(name="New", client_id=1),
        desk.Team(name="New", client_id=1),
        desk.Agent(name="New", client_id=1),
        desk.Customer(name="New", client_id=1, email="new@example.com"),
        desk.Contact(name="New", client_id=1, value="new@example.com"),
        desk.Tag(name="New", client_id=1, slug="new"),
        desk.Ticket(subject="New", client_id=1, channel_id=1, from_contact_id=1),
        desk.Message(body="New", ticket_id=1, from_contact_id=1),
        desk.WebhookLog(client_id=1, status=500, response="New"),
    ]
    for row in created:
        row.save()
    return {row._meta.label: row.pk for row in created}


def disturb() -> None:
    """Change some rows and remove others, those of both users too."""
    for model in own_tables():
        last = model._default_manager.order_by("pk").last()
        if hasattr(last, "name"):
            last.name = "changed"
            last.save()
    tracker.Issue.objects.all().delete()
    tracker.Category.objects.filter(pk=1).delete()
    tracker.Company.objects.filter(pk=4).delete()
    chats.ChatUser.objects.filter(pk__in=[1, 5]).delete()
    desk.Message.objects.filter(pk__gt=5).delete()
    desk.Ticket.objects.filter(pk__in=[1, 60]).delete()
    desk.Webhook.objects.update(enabled=False, trigger={})
    desk.WebhookLog.objects.all().delete()
    desk.Ticket.objects.filter(pk=2).update(deleted_at=timezone.now())
    User.objects.filter(username="maria").update(is_active=False, email="changed@example.com")
    User.objects.filter(username="tomas").delete()


def issue(abilities: list[str]) -> str:
    """Return a new token of acme's."""
    owner = User.objects.get(username="maria")
    return APIToken.objects.issue(owner, "for a test", abilities, client="acme").plain_text


def issue_to_chat_user() -> str:
    """Return a new token of the first chat user's."""
    owner = chats.ChatUser.objects.get(pk=1)
    return chats.ChatUserToken.objects.issue(owner, "for a test").plain_text


def chat_users(*names: str) -> list[dict[str, Any]]:
    """Create people in the first chat; return their addresses, codes and tokens."""
    return [_chat_user(name) for name in names]


def _chat_user(name: str) -> dict[str, Any]:
    user = chats.ChatUser.objects.create(chat_id=1, name=name, email=f"{name}@chats.example")
    token = chats.ChatUserToken.objects.issue(user, "for a test").plain_text
    code = chats.AuthCode.issue(user)
    return {"id": user.pk, "email": user.email, "auth_code": code, "token": token}


def close_chat_user(email: str) -> None:
    """Keep a chat user out."""
    chats.ChatUser.objects.filter(email=email).update(is_active=False)


def age_auth_code(email: str, hours: int) -> None:
    """Let a code have been sent so many hours ago."""
    sent = timezone.now() - timedelta(hours=hours)
    chats.AuthCode.objects.filter(owner__email=email).update(created_at=sent)


def new_auth_code(email: str) -> str:
    """Return a further code."""
    return chats.AuthCode.issue(chats.ChatUser.objects.get(email=email))


def admin_page(path: str) -> list[Any]:
    """Return the status and text of a page of the admin, as the first user sees it."""
    browser = Client()
    browser.force_login(User.objects.get(username="maria"))
    answer = browser.get(path, headers={"Host": "localhost"})
    return [answer.status_code, answer.content.decode()]


def chat_digests() -> list[str]:
    """Return what is stored of the chats' codes and tokens."""
    models_ = (chats.AuthCode, chats.ChatUserToken)
    return [
        digest for model in models_ for digest in model.objects.values_list("digest", flat=True)
    ]


def is_used(token: str) -> bool:
    """Return whether the last use of a token is known."""
    return APIToken.objects.find(token).last_used_at is not None


def said_of(token: str) -> dict[str, str]:
    """Return what each entry of the audit table says of a token."""
    row = APIToken.objects.find(token)
    said = {"kind": "connectnow_api.APIToken", "name": row.name, "fingerprint": row.digest[:8]}
    return {**said, "token_id": str(row.pk), "owner": str(row.owner_id)}


def audited(address: str, number: int) -> list[dict[str, str]]:
    """Return the audit table's entries of an address, without what is empty.

    A client may have its answer a moment before the entry is written: wait for so many of them.
    """
    entries = TokenAuditEntry.objects.filter(address=address).order_by("pk")
    deadline = time.monotonic() + 60
    while len(entries.all()) < number and time.monotonic() < deadline:
        time.sleep(0.05)
    return [
        {name: value for name, value in entry.items() if value and name not in ("id", "created_at")}
        for entry in entries.values()
    ]


def audited_actions() -> dict[str, int]:
    """Return how many entries of each action the audit table has."""
    actions = TokenAuditEntry.objects.order_by("action").values_list("action")
    return dict(actions.annotate(Count("pk")))


def stranger() -> str:
    """Return a token of somebody the example knows nothing of."""
    owner, _ = User.objects.get_or_create(username="stranger")
    return APIToken.objects.issue(owner, "demo: of a stranger").plain_text


def locked_besides(names: list[str]) -> dict[str, list[str]]:
    """Return for views of the help desk which of their client's rows they lock besides their own.

    Each finds its object as a request does that changes it; somebody else asks for all others.
    """
    return {name: _locked_besides(getattr(views, name)) for name in names}


def _locked_besides(view_class: type[Any]) -> list[str]:
    view = view_class(kwargs={"pk": 1, "ticket_pk": 1})
    view.request = SimpleNamespace(
        auth=SimpleNamespace(client="acme"), method="PATCH", query_params={}
    )
    with transaction.atomic():
        found = view.get_ticket() if hasattr(view, "get_ticket") else view.get_queryset().get(pk=1)
        others = [desk.Client, desk.Channel, desk.Contact, desk.Customer, desk.Tag, desk.Ticket]
        with ThreadPoolExecutor(1) as pool:
            locked = {model: pool.submit(_is_locked, model).result() for model in others}
    # Somebody else must have found that one locked, or nothing is said of the others.
    assert locked.pop(type(found))
    return [model._meta.label for model, is_locked in locked.items() if is_locked]


def ticket_with_a_tag_that_goes(token: str) -> list[Any]:
    """Return the answer to a ticket whose tag is deleted after it was found."""
    tag = desk.Tag.objects.create(name="Going", slug="going", client_id=1)
    save, gone = desk.Ticket.save, []

    def delete_tag() -> None:
        desk.Tag.objects.filter(pk=tag.pk).delete()
        connection.close()

    def save_later(ticket: desk.Ticket, *args: Any, **kwargs: Any) -> None:
        if not gone:
            gone.append(tag.pk)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(delete_tag).result()
        save(ticket, *args, **kwargs)

    body = {
        "subject": "With a tag that goes",
        "from_contact": {"email": "going@example.com"},
        "channel": {"id": 1},
        "message": {"body": "x"},
        "tags": ["Going"],
    }
    with patch.object(desk.Ticket, "save", save_later):
        answer = Client().post("/api/v1/tickets", body, "application/json", headers=_headers(token))
    left = desk.Ticket.objects.filter(subject="With a tag that goes").count()
    return [answer.status_code, answer.json().get("errors"), left]


def _is_locked(model: type[models.Model]) -> bool:
    try:
        with transaction.atomic():
            model._default_manager.select_for_update(nowait=True).get(pk=1)
    except OperationalError:
        return True
    finally:
        connection.close()
    return False


def categories(issue: int) -> list[int]:
    """Return the ids of an issue's categories."""
    return list(
        tracker.Category.objects.filter(issues=issue).order_by("pk").values_list("pk", flat=True)
    )


def holds(*texts: str) -> list[str]:
    """Return which of these texts stand anywhere in the example's tables."""
    rows = [str(row) for model in own_tables() for row in model._default_manager.values()]
    return [text for text in texts if any(text in row for row in rows)]


@contextmanager
def captured_queries() -> Iterator[CaptureQueriesContext]:
    """Capture queries without those for the last use, which are made once a minute."""
    own = {**settings.CONNECTNOW_API, "LAST_USED": "off"}
    with override_settings(CONNECTNOW_API=own), CaptureQueriesContext(connection) as captured:
        yield captured


def write_queries(token: str, number: str) -> int:
    """Return how many queries it takes to create an issue with so many categories."""
    company = tracker.Company.objects.get(pk=1)
    made = [company.categories.create(name="New").pk for _ in range(int(number))]
    body = {"name": "N", "description": "D", "severity": "info", "category_ids": made}
    with captured_queries() as captured:
        sent = Client().post("/api/issues", body, "application/json", headers=_headers(token))
    assert sent.status_code == 201
    return len(captured)


def dates_of_new_tickets(token: str, number: int) -> list[list[str]]:
    """Create closed tickets, by a clock that goes on whenever it is read; return their dates."""
    start = timezone.now()
    seconds = (start + timedelta(seconds=passed) for passed in count())
    with patch("django.utils.timezone.now", side_effect=seconds):
        return [_dates_of_a_new_ticket(token) for _ in range(number)]


def _dates_of_a_new_ticket(token: str) -> list[str]:
    body = {
        "subject": "New",
        "channel": {"id": 1},
        "from_contact": {"email": "new@example.com"},
        "status": "closed",
        "message": {"body": "New"},
    }
    sent = Client().post("/api/v1/tickets", body, "application/json", headers=_headers(token))
    assert sent.status_code == 201
    ticket = desk.Ticket.objects.get(pk=sent.json()["data"]["id"])
    dates = [ticket.created_at, ticket.updated_at, ticket.last_contact, ticket.closed_at]
    return [str(date) for date in (*dates, ticket.messages.get().created_at)]


def remember(key: str, value: int) -> None:
    """Cache a value."""
    cache.set(key, value)


def recall(key: str) -> int | None:
    """Return what is cached."""
    return cache.get(key)


def answers(tokens: list[str]) -> list[int]:
    """Return the status that each token gets."""
    return [_get("/api/user", token).status_code for token in tokens]


def chat_answers(tokens: list[str]) -> list[int]:
    """Return the status that each chat user's token gets."""
    return [_get("/api/chat-user", token).status_code for token in tokens]


def tickets() -> dict[str, Any]:
    """Return how many of acme's tickets have each status, and the extremes of their messages."""
    found = desk.Ticket.objects.filter(client__slug="acme")
    numbers = desk.Ticket.objects.annotate(number=Count("messages"))
    return {
        "statuses": dict(found.values_list("status").annotate(Count("pk"))),
        "messages": list(numbers.aggregate(Min("number"), Max("number")).values()),
    }


def queries(token: str, paths: list[str]) -> dict[str, int]:
    """Return how many queries each path needs."""
    return {path: _count(path, token) for path in paths}


def report_queries(token: str, start: str, end: str) -> dict[str, int]:
    """Return how many queries each report of these days needs."""
    return {name: _count_report(name, token, start, end) for name in ("channels", "performance")}


def _count_report(name: str, token: str, start: str, end: str) -> int:
    path, body = f"/api/v1/reports/{name}", {"start": start, "end": end}
    with captured_queries() as captured:
        sent = Client().post(path, body, "application/json", headers=_headers(token))
    assert sent.status_code == 200
    return len(captured)


def routes() -> dict[str, list[str]]:
    """Return the routes below /api/, with the methods of each."""
    found = _routes(get_resolver().url_patterns, "")
    return {route: methods for route, methods in found if route.startswith("api/")}


def _routes(patterns: list[Any], prefix: str) -> Iterator[tuple[str, list[str]]]:
    for pattern in patterns:
        route = f"{prefix}{pattern.pattern}"
        if hasattr(pattern, "url_patterns"):
            yield from _routes(pattern.url_patterns, route)
        else:
            yield route, _methods(pattern.callback)


def _methods(view: Any) -> list[str]:
    """Return the methods of one of DRF's views; other views have none here."""
    known = set(getattr(getattr(view, "cls", None), "http_method_names", ())) - {"head", "options"}
    actions = getattr(view, "actions", None)
    return sorted(name.upper() for name in known if name in (actions or dir(view.cls)))


def routes_of(paths: list[str]) -> dict[str, str]:
    """Return the route of each path."""
    return {path: resolve(path).route for path in paths}


def _count(path: str, token: str) -> int:
    with captured_queries() as captured:
        assert _get(path, token).status_code == 200
    return len(captured)


def _get(path: str, token: str) -> Any:
    return Client().get(path, headers=_headers(token))


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Hs-Client-Id": "acme", "Host": "localhost"}


if __name__ == "__main__":
    for line in sys.stdin:
        found = [globals()[name](*arguments) for name, *arguments in json.loads(line)]
        # No connection stays: the database may be dropped, or stopped, before the next line.
        connections.close_all()
        print(json.dumps(found), flush=True)  # noqa: T201
