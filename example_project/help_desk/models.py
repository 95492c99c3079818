"""Tickets and what belongs to them. Every record belongs to one client."""

from typing import Any

from django.conf import settings
from django.db import models

from project.models import Timestamped, now


class Client(models.Model):
    """A customer of the help desk itself: it sees its own records and no others."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=255)

    def __str__(self) -> str:
        return self.slug


class OfClient(models.Model):
    """What one client has."""

    client = models.ForeignKey(Client, models.CASCADE)

    class Meta:
        abstract = True


class Channel(OfClient):
    """A way in which messages arrive."""

    name = models.CharField(max_length=255)
    value = models.CharField(max_length=255)
    type = models.CharField(max_length=16, default="email")

    def __str__(self) -> str:
        return self.name


class Team(OfClient):
    """Agents who share their work."""

    name = models.CharField(max_length=255)
    email = models.EmailField()

    def __str__(self) -> str:
        return self.name


class Agent(OfClient):
    """A person who answers; one with an account can be who sends a request."""

    name = models.CharField(max_length=255)
    email = models.EmailField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Customer(OfClient, Timestamped):
    """A person who asks."""

    name = models.CharField(max_length=255)
    email = models.EmailField()
    job_title = models.CharField(max_length=255, blank=True, default="")
    address = models.CharField(max_length=255, blank=True, default="")
    city = models.CharField(max_length=255, blank=True, default="")
    state = models.CharField(max_length=255, blank=True, default="")
    postal_code = models.CharField(max_length=14, blank=True, default="")
    timezone = models.CharField(max_length=64, blank=True, default="")
    country = models.CharField(max_length=255, blank=True, default="")
    note = models.TextField(max_length=1500, blank=True, default="")
    locale = models.CharField(max_length=16, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "email"], name="one_customer_per_email"),
        ]

    def __str__(self) -> str:
        return self.name


class Contact(OfClient):
    """An address that messages come from: a customer's, an agent's, or a stranger's."""

    customer = models.ForeignKey(Customer, models.SET_NULL, null=True, blank=True)
    name = models.CharField(max_length=255, blank=True, default="")
    value = models.EmailField()
    type = models.CharField(max_length=16, default="email")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "value"], name="one_contact_per_value"),
        ]

    def __str__(self) -> str:
        return self.value

    @classmethod
    def of_address(cls, client: Client, email: str, name: str = "") -> "Contact":
        """Return the client's contact with an address, new or known; the latest name counts.

        Within a transaction, and for each client one after the other: those who make the same
        contact at once would wait for one another.
        """
        Client.objects.select_for_update().get(pk=client.pk)
        customer = Customer.objects.filter(client=client, email=email).first()
        known = {"customer": customer} if customer else {}
        named = {"name": name} if name else {}
        contact, _ = cls.objects.update_or_create(
            client=client,
            value=email,
            defaults={**known, **named},
            create_defaults={**known, "name": name or getattr(customer, "name", "")},
        )
        return contact


class Tag(OfClient, Timestamped):
    """A word that tickets and documents can be found by."""

    class Type(models.TextChoices):
        """What a tag is for."""

        TICKETS = "tickets"
        DOCS = "docs"
        ALL = "all"

    name = models.CharField(max_length=255)
    slug = models.SlugField(max_length=255)
    color = models.CharField(max_length=7)
    type = models.CharField(max_length=16, choices=Type, default=Type.ALL)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["client", "slug"], name="one_tag_per_slug"),
        ]

    def __str__(self) -> str:
        return self.name


class Ticket(OfClient, Timestamped):
    """A question and what became of it. ``deleted_at``: it is gone for clients, and kept here."""

    class Status(models.TextChoices):
        """Where the ticket stands."""

        UNASSIGNED = "unassigned"
        OPEN = "open"
        ESCALATED = "escalated"
        WAITING = "waiting"
        CLOSED = "closed"
        SPAM = "spam"

    subject = models.CharField(max_length=255)
    channel = models.ForeignKey(Channel, models.PROTECT)
    from_contact = models.ForeignKey(Contact, models.PROTECT)
    status = models.CharField(max_length=16, choices=Status, default=Status.UNASSIGNED)
    assignee = models.ForeignKey(
        Agent, models.SET_NULL, null=True, blank=True, related_name="assigned_tickets"
    )
    team = models.ForeignKey(Team, models.SET_NULL, null=True, blank=True)
    creator = models.ForeignKey(
        Agent, models.SET_NULL, null=True, blank=True, related_name="created_tickets"
    )
    tags = models.ManyToManyField(Tag, blank=True)
    last_contact = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.subject

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, and note when the ticket was closed."""
        closed = self.status == self.Status.CLOSED
        self.closed_at = (self.closed_at or now()) if closed else None
        super().save(*args, **kwargs)

    def add_message(self, client: Client, from_contact: dict[str, str], **values: Any) -> "Message":
        """Return a new message; what outsiders may read counts as the last contact."""
        contact = Contact.of_address(client, **from_contact)
        message = self.messages.create(from_contact=contact, **values)
        if message.type in Message.USUAL_TYPES:
            self.last_contact = message.created_at
            self.save(update_fields=["last_contact"])
        return message


class Message(models.Model):
    """One message of a ticket."""

    class Type(models.TextChoices):
        """Who may read it, or what became of it."""

        EXTERNAL = "external"
        WIDGET = "widget"
        FORWARD = "forward"
        INTERNAL = "internal"
        ERROR = "error"
        BOUNCE = "bounce"
        EVENT = "event"

    USUAL_TYPES = (Type.EXTERNAL, Type.WIDGET, Type.FORWARD)
    """What a list shows unless it is asked for others."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="messages")
    from_contact = models.ForeignKey(Contact, models.PROTECT)
    type = models.CharField(max_length=16, choices=Type, default=Type.EXTERNAL)
    to = models.JSONField(default=list, blank=True)
    cc = models.JSONField(default=list, blank=True)
    bcc = models.JSONField(default=list, blank=True)
    body = models.TextField()
    attachments = models.JSONField(default=list, blank=True)
    inline_images = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return f"{self.type} message {self.pk}"


EVENTS = {
    "ticket": (
        *("created", "assigned", "deleted", "status_updated", "tags_updated"),
        *("customer_message_created", "agent_message_created", "note_created"),
    ),
    "customer": ("created", "updated", "deleted"),
    "tag": ("created", "updated", "deleted"),
}
"""Kind of object to what can happen to it."""


def no_events() -> dict[str, dict[str, bool]]:
    """Return all events, switched off."""
    return {kind: dict.fromkeys(events, False) for kind, events in EVENTS.items()}


class Webhook(Timestamped):
    """The one address of a client that wants to be told of events. Nothing is sent here."""

    client = models.OneToOneField(Client, models.CASCADE)
    enabled = models.BooleanField(default=False)
    url = models.URLField(max_length=255, blank=True, default="")
    secret = models.CharField(max_length=255, blank=True, default="")
    headers = models.JSONField(default=list, blank=True)
    trigger = models.JSONField(default=no_events, blank=True)
    failed_count = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.url


class WebhookLog(OfClient):
    """What an address answered that did not want to be told."""

    status = models.PositiveSmallIntegerField()
    response = models.TextField()
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return f"{self.status} at {self.created_at}"
