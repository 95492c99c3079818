"""What the help desk's objects look like, and what they are made from."""

import re
from typing import Any

from django.conf.locale import LANG_INFO
from rest_framework import serializers
from rest_framework.reverse import reverse

from project.fields import Choice, OptionalSlug, OptionalText, OptionalURL
from project.models import free_slug

from .fields import (
    AttachmentField,
    BodyField,
    NestedSerializer,
    ObjectSerializer,
    OwnIdField,
    OwnRowField,
    OwnRowsField,
    ShortListField,
)
from .models import (
    EVENTS,
    Agent,
    Channel,
    Contact,
    Customer,
    Message,
    Tag,
    Team,
    Ticket,
    Webhook,
    WebhookLog,
)


class ChannelSerializer(serializers.ModelSerializer):
    """A channel as part of a ticket."""

    class Meta:
        model = Channel
        fields = ["id", "name", "value", "type"]


class ContactSerializer(serializers.ModelSerializer):
    """Where a message came from; ``user_id`` is the customer's, if it is one."""

    user_id = serializers.IntegerField(source="customer_id", read_only=True)
    # Published clients read one name or the other.
    email = serializers.EmailField(source="value", read_only=True)

    class Meta:
        model = Contact
        fields = ["id", "user_id", "name", "value", "email", "type"]


class AgentSerializer(serializers.ModelSerializer):
    """An agent as part of a ticket."""

    class Meta:
        model = Agent
        fields = ["id", "name", "email"]


class TeamSerializer(serializers.ModelSerializer):
    """A team as part of a ticket."""

    class Meta:
        model = Team
        fields = ["id", "name", "email"]


class TicketSerializer(serializers.ModelSerializer):
    """A ticket with the little that is said of whatever it belongs to."""

    channel = ChannelSerializer(read_only=True)
    from_contact = ContactSerializer(read_only=True)
    assignee = AgentSerializer(read_only=True)
    team = TeamSerializer(read_only=True)
    creator = AgentSerializer(read_only=True)
    tags = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)

    class Meta:
        model = Ticket
        fields = [
            *("id", "subject", "channel", "from_contact", "status", "assignee", "team", "creator"),
            *("tags", "last_contact", "created_at", "updated_at", "deleted_at"),
        ]


class MessageSerializer(serializers.ModelSerializer):
    """A message of a ticket."""

    from_contact = ContactSerializer(read_only=True)

    class Meta:
        model = Message
        fields = [
            *("id", "from_contact", "type", "to", "cc", "bcc", "body"),
            *("attachments", "inline_images", "created_at"),
        ]


# --- What is sent -----------------------------------------------------------------------------


class FromSerializer(NestedSerializer):
    """Who writes."""

    email = serializers.EmailField(max_length=254)
    name = OptionalText(max_length=255)


class ChannelIdSerializer(NestedSerializer):
    """The channel of a new ticket."""

    id = OwnIdField(queryset=Channel.objects.all())


class FirstMessageSerializer(NestedSerializer):
    """The message that a new ticket begins with."""

    body = BodyField()
    attachments = ShortListField(child=AttachmentField())


class TicketUpdateSerializer(serializers.Serializer):
    """What of a ticket can be changed."""

    subject = serializers.CharField(max_length=255)
    channel = ChannelIdSerializer()
    from_contact = FromSerializer()
    status = Choice(choices=Ticket.Status.values, required=False)
    team = OwnRowField(Team.objects.all())
    assignee = OwnRowField(Agent.objects.all())
    tags = OwnRowsField(Tag.objects.all())

    def update(self, ticket: Ticket, validated_data: dict[str, Any]) -> Ticket:
        """Change what was given."""
        self.fill(ticket, validated_data)
        return ticket

    def fill(self, ticket: Ticket, values: dict[str, Any]) -> None:
        """Put the values into a ticket and save it."""
        tags = values.pop("tags", None)
        if "channel" in values:
            values["channel"] = values["channel"]["id"]
        if "from_contact" in values:
            values["from_contact"] = Contact.of_address(ticket.client, **values["from_contact"])
        for name, value in values.items():
            setattr(ticket, name, value)
        ticket.save()
        if tags is not None:
            ticket.tags.set(tags)

    def to_representation(self, ticket: Ticket) -> dict[str, Any]:
        """Show the whole ticket."""
        return TicketSerializer(ticket, context=self.context).data


class NewTicketSerializer(TicketUpdateSerializer):
    """What a ticket is made from."""

    message = FirstMessageSerializer()

    def create(self, validated_data: dict[str, Any]) -> Ticket:
        """Create a ticket with its first message."""
        message, from_contact = validated_data.pop("message"), validated_data["from_contact"]
        client = validated_data["client"]
        user = self.context["request"].user
        creator = Agent.objects.filter(client=client, user=user).first()
        ticket = Ticket(client=client, creator=creator)
        self.fill(ticket, validated_data)
        recipients = [ticket.channel.value] if ticket.channel.type == "email" else []
        ticket.add_message(client, from_contact, to=recipients, **message)
        return ticket


class NewMessageSerializer(FirstMessageSerializer):
    """What a message is made from."""

    from_contact = FromSerializer()
    type = Choice(choices=Message.Type.values, required=False)
    to = ShortListField(child=serializers.EmailField())
    cc = ShortListField(child=serializers.EmailField())
    bcc = ShortListField(child=serializers.EmailField())

    def create(self, validated_data: dict[str, Any]) -> Message:
        """Add a message to the ticket."""
        ticket: Ticket = validated_data.pop("ticket")
        return ticket.add_message(**validated_data)

    def to_representation(self, message: Message) -> dict[str, Any]:
        """Show the whole message."""
        return MessageSerializer(message, context=self.context).data


# --- What is sent as it is shown --------------------------------------------------------------


LOCALE = re.compile("(?P<language>[A-Za-z]{2,3})([-_][A-Za-z]{2,4}){0,2}")


class LocaleField(OptionalText):
    """A locale such as ``en-GB``; one that nobody knows is left out."""

    def to_internal_value(self, data: Any) -> str:
        """Return a known locale."""
        text = super().to_internal_value(data)
        match = LOCALE.fullmatch(text)
        if match is None or match["language"].lower() not in LANG_INFO:
            raise serializers.SkipField
        return text


class CustomerSerializer(serializers.ModelSerializer):
    """A customer; ``id_link`` is the address of this very object."""

    id_link = serializers.SerializerMethodField()
    job_title = OptionalText(max_length=255)
    address = OptionalText(max_length=255)
    city = OptionalText(max_length=255)
    state = OptionalText(max_length=255)
    postal_code = OptionalText(max_length=14)
    timezone = OptionalText(max_length=64)
    country = OptionalText(max_length=255)
    note = OptionalText(max_length=1500)
    locale = LocaleField()

    class Meta:
        model = Customer
        fields = [
            *("id", "id_link", "name", "email", "job_title", "address", "city", "state"),
            *("postal_code", "timezone", "country", "note", "locale", "created_at", "updated_at"),
        ]

    def get_id_link(self, customer: Customer) -> str:
        """Return the customer's own URL."""
        request = self.context["request"]
        return reverse("help_desk:customer-detail", [customer.pk], request=request)

    def validate_email(self, email: str) -> str:
        """Return an address that no other customer of the client has."""
        refuse_taken(self, email=email)
        return email


class TagSerializer(serializers.ModelSerializer):
    """A tag by itself; a ticket names only its ``name``."""

    slug = OptionalSlug(max_length=255)
    color = serializers.RegexField(r"\A#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z", default="#7f7f7f")
    type = Choice(choices=Tag.Type.values, required=False)

    class Meta:
        model = Tag
        fields = ["id", "name", "slug", "color", "type", "created_at", "updated_at"]

    def validate_slug(self, slug: str) -> str:
        """Return a slug that no other tag of the client has; an empty one changes nothing."""
        refuse_taken(self, slug=slug)
        return slug or getattr(self.instance, "slug", "")

    def create(self, validated_data: dict[str, Any]) -> Tag:
        """Create a tag; its slug is made from its name unless one was given."""
        own = Tag.objects.filter(client=validated_data["client"])
        slug = validated_data.get("slug") or free_slug(own, validated_data["name"])
        return super().create({**validated_data, "slug": slug})


class HeaderSerializer(ObjectSerializer):
    """A header that goes with each message to a webhook."""

    key = serializers.RegexField(r"\A[A-Za-z0-9-]+\Z", max_length=255)
    value = serializers.RegexField(r"\A[ -~]*\Z", max_length=255, allow_blank=True)


class SwitchesSerializer(NestedSerializer):
    """Events of one kind, each of them on or off."""

    def __init__(self, kind: str, **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(**kwargs)

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return a switch for each event."""
        return {event: serializers.BooleanField(required=False) for event in EVENTS[self.kind]}


class TriggerSerializer(NestedSerializer):
    """All events; what is not named stays as it is."""

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return the events of each kind."""
        return {kind: SwitchesSerializer(kind, required=False) for kind in EVENTS}


class WebhookSerializer(ObjectSerializer, serializers.ModelSerializer):
    """A client's webhook."""

    version = serializers.ReadOnlyField(default="V1")
    url = OptionalURL(max_length=255)
    secret = OptionalText(max_length=255)
    headers = ShortListField(child=HeaderSerializer(), max_length=20)
    trigger = TriggerSerializer(required=False)

    class Meta:
        model = Webhook
        fields = [
            *("id", "version", "headers", "enabled", "failed_count", "url", "secret", "trigger"),
            *("created_at", "updated_at"),
        ]
        read_only_fields = ["failed_count"]

    def update(self, webhook: Webhook, validated_data: dict[str, Any]) -> Webhook:
        """Change what was given, down to the single event."""
        for kind, switches in validated_data.pop("trigger", {}).items():
            webhook.trigger[kind].update(switches)
        for name, value in validated_data.items():
            setattr(webhook, name, value)
        webhook.save()
        return webhook


class NewWebhookSerializer(serializers.Serializer):
    """What a client's webhook is set to."""

    webhooks = WebhookSerializer()

    def create(self, validated_data: dict[str, Any]) -> Webhook:
        """Change the one webhook that there is, or make it."""
        webhooks = Webhook.objects.select_for_update()
        webhook, _ = webhooks.get_or_create(client=validated_data["client"])
        return self.fields["webhooks"].update(webhook, validated_data["webhooks"])

    def to_representation(self, webhook: Webhook) -> dict[str, Any]:
        """Show the whole webhook."""
        return WebhookSerializer(webhook, context=self.context).data


class WebhookLogSerializer(serializers.ModelSerializer):
    """What a webhook's address answered."""

    class Meta:
        model = WebhookLog
        fields = ["id", "status", "response", "created_at"]


def refuse_taken(serializer: serializers.ModelSerializer, **value: str) -> None:
    """Raise ``ValidationError`` if another of the client's rows has the value."""
    rows = serializer.Meta.model.objects.filter(client=serializer.context["view"].client, **value)
    if rows.exclude(pk=getattr(serializer.instance, "pk", None)).exists():
        raise serializers.ValidationError("This field must be unique.", "unique")
