"""The example project's rows for the load of `load`: who asks, and what the database holds.

Needs Django set up with the example's settings.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone

from benchmarks.load import HelpDesk, Person, Row, Target
from connectnow_api.models import APIToken
from help_desk import models as desk
from issue_tracker import models as tracker
from project.demo import CLIENT, OTHER_CLIENT, READ, WRITE

NAME = re.compile(r"\bsoak \d+\.\d+")
SHARED = 12
"""Seeded rows of a kind that all clients change: few, so that they meet."""


# --- Who asks ---------------------------------------------------------------------------------


def make_target(host: str, port: int, clients: int, chat_token: str) -> Target:
    """Make two people for each client, with tokens; they may change the issues of company 1."""
    people = [
        (_make_person(f"soak-{number}-a", CLIENT), _make_person(f"soak-{number}-b", OTHER_CLIENT))
        for number in range(clients)
    ]
    categories = tracker.Category.objects.filter(company=1).order_by("pk")
    issues = tracker.Issue.objects.filter(categories__in=categories, closed_at=None)
    return Target(
        host=host,
        port=port,
        people=people,
        desks={slug: _desk(slug) for slug in (CLIENT, OTHER_CLIENT)},
        issues=sorted(set(issues.values_list("pk", flat=True)))[:SHARED],
        categories=list(categories.values_list("pk", flat=True)),
        chat_token=chat_token,
    )


def _make_person(name: str, client: str) -> Person:
    user = User.objects.create(username=name, email=f"{name}@example.com")
    tracker.CompanyUser.objects.create(company_id=1, user=user, email=user.email)
    abilities = {"valid": READ + WRITE, "read_only": READ, "expired": READ, "revoked": READ}
    issued = {
        kind: APIToken.objects.issue(user, kind, abilities[kind], client=client)
        for kind in abilities
    }
    issued["revoked"].token.revoke()
    yesterday = timezone.now() - timedelta(days=1)
    APIToken.objects.filter(pk=issued["expired"].token.pk).update(expires_at=yesterday)
    tokens = {kind: new.plain_text for kind, new in issued.items()}
    return Person(user.pk, user.email, client, tokens)


def _desk(slug: str) -> HelpDesk:
    def ids(model: type[models.Model]) -> list[int]:
        own = model._default_manager.filter(client__slug=slug).order_by("pk")
        return list(own.values_list("pk", flat=True))

    contacts = desk.Contact.objects.filter(client__slug=slug).exclude(customer=None)
    tickets = desk.Ticket.objects.filter(client__slug=slug).order_by("pk")[:SHARED]
    return HelpDesk(
        tickets={ticket.pk: ticket.creator_id for ticket in tickets},
        tags=ids(desk.Tag),
        teams=ids(desk.Team),
        channels={
            channel.pk: [channel.value] if channel.type == "email" else []
            for channel in desk.Channel.objects.filter(client__slug=slug)
        },
        contacts={
            contact.value: _contact(contact)
            for contact in contacts.select_related("client").order_by("pk")[:SHARED]
        },
    )


# --- What the database holds ------------------------------------------------------------------


def read() -> list[Row]:
    """Return all rows that clients can change, each under the name that it keeps."""
    return [*_read_tracker(), *_read_desk()]


def _read_tracker() -> Iterator[Row]:
    companies = {row.pk: _name(row.pk, row.name) for row in tracker.Company.objects.all()}
    for company in tracker.Company.objects.values("id", "name", "logo_url", "slug"):
        yield Row(("company", companies[company["id"]]), company)
    for member in tracker.CompanyUser.objects.values("id", "company_id", "email", "user_id"):
        state = _renamed(member, company_id="company", user_id="user")
        yield Row(("company_user", f"{companies[state['company']]}:{state['email']}"), state)
    for category in tracker.Category.objects.values("id", "name", "company_id"):
        state = _renamed(category, company_id="company")
        yield Row(("category", _name(state["id"], state["name"])), state)
    categories = _pairs(tracker.Issue.categories.through, "issue_id", "category_id")
    for issue in tracker.Issue.objects.values("id", "name", "description", "severity", "closed_at"):
        closed = issue.pop("closed_at") is not None
        state = {**issue, "closed": closed, "categories": categories[issue["id"]]}
        yield Row(("issue", _name(state["id"], state["name"])), state)
    for kind, model in (
        ("issue", tracker.IssueSubscription),
        ("category", tracker.CategorySubscription),
    ):
        for found in model._default_manager.values(f"{kind}_id", "email"):
            state = _renamed(found, **{f"{kind}_id": kind})
            yield Row((f"{kind}_subscription", f"{state[kind]}:{state['email']}"), state)
    for webhook in tracker.Webhook.objects.values("id", "url", "description", "owner_id"):
        state = _renamed(webhook, owner_id="owner")
        yield Row(("webhook", _name(state["id"], state["description"])), state)


def _read_desk() -> Iterator[Row]:
    fields = ["id", "client__slug", "name", "email", "job_title", "city"]
    for customer in desk.Customer.objects.values(*fields, "postal_code", "note", "locale"):
        state = _renamed(customer, client__slug="client")
        yield Row(("customer", _name(state["id"], state["name"])), state)
    for contact in desk.Contact.objects.select_related("client"):
        yield Row(("contact", f"{contact.client.slug}:{contact.value}"), _contact(contact))
    for tag in desk.Tag.objects.values("id", "client__slug", "name", "slug", "color", "type"):
        state = _renamed(tag, client__slug="client")
        yield Row(("tag", _name(state["id"], state["name"])), state)
    for webhook in desk.Webhook.objects.values("client__slug", "url", "secret", "enabled"):
        state = _renamed(webhook, client__slug="client")
        yield Row(("desk_webhook", state["client"]), state)
    tags = _pairs(desk.Ticket.tags.through, "ticket_id", "tag_id")
    for ticket in desk.Ticket.objects.select_related("client", "from_contact"):
        yield _ticket(ticket, tags[ticket.pk])
    for message in desk.Message.objects.select_related("ticket__client", "from_contact"):
        yield _message(message)


def _contact(contact: desk.Contact) -> dict[str, Any]:
    return {
        "id": contact.pk,
        "client": contact.client.slug,
        "value": contact.value,
        "name": contact.name,
        "customer": contact.customer_id,
    }


def _ticket(ticket: desk.Ticket, tags: list[int]) -> Row:
    state = {
        "id": ticket.pk,
        "client": ticket.client.slug,
        "subject": ticket.subject,
        "channel": ticket.channel_id,
        "contact": ticket.from_contact.value,
        "status": ticket.status,
        "assignee": ticket.assignee_id,
        "team": ticket.team_id,
        "creator": ticket.creator_id,
        "tags": tags,
        "deleted": ticket.deleted_at is not None,
    }
    times = {"last_contact": ticket.last_contact, "closed_at": ticket.closed_at}
    return Row(("ticket", _name(ticket.pk, ticket.subject)), state, times)


def _message(message: desk.Message) -> Row:
    state = {
        "id": message.pk,
        "client": message.ticket.client.slug,
        "ticket": message.ticket_id,
        "contact": message.from_contact.value,
        "type": message.type,
        "to": message.to,
        "body": message.body,
    }
    times = {"created_at": message.created_at}
    return Row(("message", _name(message.pk, message.body)), state, times)


def _name(id_: int, text: str) -> str:
    found = NAME.search(text)
    return found[0] if found else f"#{id_}"


def _renamed(row: dict[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in row.items()}


def _pairs(through: type[models.Model], one: str, other: str) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for key, value in through._default_manager.order_by(other).values_list(one, other):
        found[key].append(value)
    return found
