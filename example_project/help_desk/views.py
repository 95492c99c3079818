"""The help desk's endpoints: each client reads and writes its own."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.functional import cached_property
from rest_framework.generics import GenericAPIView, ListAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet

from connectnow_api.permissions import HasAbilities
from connectnow_api.throttling import LimiterThrottle
from project.models import now
from project.viewsets import AtomicWrites, locked

from .filters import MessageFilter
from .models import Client, Customer, Message, Tag, Ticket, Webhook, WebhookLog
from .reports import ChannelsReport, PerformanceReport, PeriodSerializer, Report
from .serializers import (
    CustomerSerializer,
    MessageSerializer,
    NewMessageSerializer,
    NewTicketSerializer,
    NewWebhookSerializer,
    TagSerializer,
    TicketSerializer,
    TicketUpdateSerializer,
    WebhookLogSerializer,
    WebhookSerializer,
)


def read_and_write(resource: str) -> Mapping[str, list[str]]:
    """Return the abilities of a resource by method."""
    read, write = [f"{resource}:read"], [f"{resource}:write"]
    return {"GET": read, "POST": write, "PUT": write, "PATCH": write, "DELETE": write}


class OfClient:
    """What belongs to the client that the token was issued for; nothing else exists.

    Put it before DRF's classes.
    """

    permission_classes = [HasAbilities]
    required_headers = {"Hs-Client-Id": "client"}

    @cached_property
    def client(self) -> Client:
        """The client that the token was issued for."""
        return get_object_or_404(Client, slug=self.request.auth.client)

    def get_queryset(self) -> QuerySet[Any]:
        """Return the client's own."""
        return self.own(super().get_queryset())

    def own(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return those of the rows that are the client's, without a join: see ``locked``."""
        return rows.filter(client__in=Client.objects.filter(slug=self.request.auth.client))


class ClientViewSet(OfClient, AtomicWrites, ModelViewSet):
    """A client's rows."""

    lookup_value_converter = "int"

    def perform_create(self, serializer: BaseSerializer) -> None:
        """Give what is new to the client."""
        serializer.save(client=self.client)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change only what is given, with PUT as with PATCH."""
        return super().update(request, *args, **{**kwargs, "partial": True})


class TicketViewSet(ClientViewSet):
    """Tickets that nobody has deleted."""

    queryset = (
        Ticket.objects.filter(deleted_at=None)
        .select_related("channel", "from_contact", "assignee", "team", "creator")
        .prefetch_related("tags")
        .order_by("pk")
    )
    required_abilities = read_and_write("tickets")

    def get_serializer_class(self) -> type[BaseSerializer]:
        """Return what a ticket is made from, what of it can be changed, or how it is shown."""
        writers = {
            "POST": NewTicketSerializer,
            "PUT": TicketUpdateSerializer,
            "PATCH": TicketUpdateSerializer,
        }
        return writers.get(self.request.method, TicketSerializer)

    def perform_destroy(self, instance: Ticket) -> None:
        """Keep the row."""
        instance.deleted_at = now()
        instance.save(update_fields=["deleted_at"])


class MessageViewSet(ClientViewSet):
    """The messages of one ticket, which stay as they were written."""

    http_method_names = ["get", "post", "head", "options"]
    filter_backends = [MessageFilter]
    required_abilities = read_and_write("tickets")

    def get_ticket(self) -> Ticket:
        """Return a ticket that the client can see."""
        tickets = self.own(locked(Ticket.objects.filter(deleted_at=None)))
        return get_object_or_404(tickets, pk=self.kwargs["ticket_pk"])

    def get_queryset(self) -> QuerySet[Message]:
        """Return the messages of the ticket."""
        messages = Message.objects.filter(ticket=self.get_ticket())
        return messages.select_related("from_contact").order_by("pk")

    def get_serializer_class(self) -> type[BaseSerializer]:
        """Return what a message is made from, or how it is shown."""
        return NewMessageSerializer if self.request.method == "POST" else MessageSerializer

    @transaction.atomic
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Find the ticket before anything is said of the message."""
        self.ticket = self.get_ticket()
        return super().create(request, *args, **kwargs)

    def perform_create(self, serializer: BaseSerializer) -> None:
        """Add the message to its ticket."""
        serializer.save(client=self.client, ticket=self.ticket)


class CustomerViewSet(ClientViewSet):
    """The people who ask."""

    queryset = Customer.objects.order_by("pk")
    serializer_class = CustomerSerializer
    required_abilities = read_and_write("customers")

    def perform_destroy(self, instance: Customer) -> None:
        """Delete a customer, and whatever the customer asked."""
        asked = Ticket.objects.filter(from_contact__customer=instance, deleted_at=None)
        asked.update(deleted_at=now())
        super().perform_destroy(instance)


class TagViewSet(ClientViewSet):
    """The words that tickets are found by."""

    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    queryset = Tag.objects.order_by("pk")
    serializer_class = TagSerializer
    required_abilities = read_and_write("tags")


class WebhookViewSet(ClientViewSet):
    """The client's one webhook, which is there or set by a POST."""

    queryset = Webhook.objects.all()
    required_abilities = read_and_write("webhooks")

    def get_object(self) -> Webhook:
        """Return the only one."""
        return get_object_or_404(self.get_queryset())

    def get_serializer_class(self) -> type[BaseSerializer]:
        """Return what a webhook is set to, or how it is shown."""
        return NewWebhookSerializer if self.request.method == "POST" else WebhookSerializer


class WebhookLogView(OfClient, ListAPIView):
    """What went wrong with the client's webhook."""

    queryset = WebhookLog.objects.order_by("pk")
    serializer_class = WebhookLogSerializer
    required_abilities = ["webhooks:read"]


class ReportView(OfClient, GenericAPIView):
    """A report on the client's tickets."""

    queryset = Ticket.objects.filter(deleted_at=None)
    serializer_class = PeriodSerializer
    required_abilities = ["reports:read"]
    envelope = None
    throttle_classes = [LimiterThrottle]
    report: type[Report]

    def post(self, request: Request) -> Response:
        """Return the report of the days asked for."""
        period = self.get_serializer(data=request.data)
        period.is_valid(raise_exception=True)
        return Response(self.report(self.get_queryset(), **period.validated_data).get_body())


class ChannelsReportView(ReportView):
    """What came in, and from whom."""

    report = ChannelsReport
    limiters = "channels_report"


class PerformanceReportView(ReportView):
    """How soon tickets were closed, and by whom."""

    report = PerformanceReport
    limiters = "performance_report"
