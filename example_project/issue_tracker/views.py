"""The issue tracker's endpoints: everybody reads, members with a token write."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from rest_framework.decorators import action
from rest_framework.generics import GenericAPIView, RetrieveAPIView, get_object_or_404
from rest_framework.mixins import CreateModelMixin, DestroyModelMixin, ListModelMixin
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.status import HTTP_200_OK, HTTP_201_CREATED
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet, ModelViewSet

from connectnow_api.permissions import HasAbilities, HasAbilitiesOrReadOnly
from connectnow_api.responses import accepted
from connectnow_api.throttling import LimiterThrottle
from project.viewsets import AtomicWrites, locked

from .filters import IssueFilter
from .models import Category, Company, CompanyUser, Issue, Webhook
from .permissions import IsMember, IsMemberOrReadOnly, IsOpen
from .serializers import (
    CategorySerializer,
    ClosingSerializer,
    CompanySerializer,
    CompanyUserSerializer,
    IssueDetailSerializer,
    IssueSerializer,
    SubscriptionSerializer,
    UserSerializer,
    WebhookSerializer,
)


def write(resource: str) -> dict[str, list[str]]:
    """Return the ability to write by method."""
    return {method: [f"{resource}:write"] for method in ("POST", "PUT", "DELETE")}


class TrackerViewSet(AtomicWrites, ModelViewSet):
    """Rows that are read one by one or in lists, and replaced as a whole."""

    http_method_names = ["get", "post", "put", "delete", "head", "options"]
    lookup_value_converter = "int"


class PublicViewSet(TrackerViewSet):
    """Lists and objects that everybody may read, and members may change."""

    permission_classes = [HasAbilitiesOrReadOnly, IsMemberOrReadOnly]


class Subscribable:
    """What addresses can subscribe to; anybody may give one."""

    @action(detail=True, methods=["post"], url_path="subscriptions", permission_classes=[AllowAny])
    @transaction.atomic
    def subscribe(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer 201 to a new address, 200 to one that has subscribed before."""
        subject = self.get_object()
        serializer = SubscriptionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        found, is_new = subject.subscriptions.get_or_create(**serializer.validated_data)
        status = HTTP_201_CREATED if is_new else HTTP_200_OK
        return Response(SubscriptionSerializer(found).data, status)


class IssueViewSet(Subscribable, PublicViewSet):
    """Issues; one by itself says more than a row of the list."""

    queryset = Issue.objects.order_by("pk")
    permission_classes = [*PublicViewSet.permission_classes, IsOpen]
    filter_backends = [IssueFilter]
    required_abilities = ["issues:write"]

    def get_serializer_class(self) -> type[BaseSerializer]:
        """Return the form of a row, of what closes an issue, or of one issue."""
        special = {"list": IssueSerializer, "close": ClosingSerializer}
        return special.get(self.action, IssueDetailSerializer)

    @action(detail=True, methods=["post"])
    def close(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Close an issue; its description says how it ended."""
        return self.update(request, *args, **kwargs)


class OfferViewSet(PublicViewSet):
    """What issues cannot do without."""

    def perform_destroy(self, instance: Any) -> None:
        """Delete an object, and the issues that are left without a category."""
        super().perform_destroy(instance)
        Issue.objects.filter(categories=None).delete()


class CategoryViewSet(Subscribable, OfferViewSet):
    """What the companies offer."""

    queryset = Category.objects.order_by("pk")
    serializer_class = CategorySerializer
    required_abilities = ["categories:write"]


class CompanyViewSet(OfferViewSet):
    """Who reports issues."""

    queryset = Company.objects.order_by("pk")
    serializer_class = CompanySerializer
    required_abilities = ["companies:write"]


class CompanyUserViewSet(
    AtomicWrites, ListModelMixin, CreateModelMixin, DestroyModelMixin, GenericViewSet
):
    """The members of one company, whose addresses only they may see."""

    queryset = CompanyUser.objects.order_by("pk")
    serializer_class = CompanyUserSerializer
    permission_classes = [HasAbilities, IsMember]
    required_abilities = {"GET": [], **write("companies")}
    http_method_names = ["get", "post", "delete", "head", "options"]
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[CompanyUser]:
        """Return the members of the company."""
        return super().get_queryset().filter(company=self.kwargs["company_pk"])

    def get_company(self) -> Company:
        """Return the company, if the user is a member."""
        company = get_object_or_404(locked(Company.objects.all()), pk=self.kwargs["company_pk"])
        self.check_object_permissions(self.request, company)
        return company

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Find the company before its members."""
        self.get_company()
        return super().list(request, *args, **kwargs)

    @transaction.atomic
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Find the company before anything is said of the new member."""
        self.company = self.get_company()
        return super().create(request, *args, **kwargs)

    def perform_create(self, serializer: BaseSerializer) -> None:
        """Add the member to the company."""
        serializer.save(company=self.company)


class WebhookViewSet(TrackerViewSet):
    """Webhooks, of which everybody sees their own."""

    queryset = Webhook.objects.order_by("pk")
    serializer_class = WebhookSerializer
    permission_classes = [HasAbilities]
    required_abilities = {"GET": [], **write("webhooks")}

    def get_queryset(self) -> QuerySet[Webhook]:
        """Return the user's own."""
        return super().get_queryset().filter(owner=self.request.user)

    def perform_create(self, serializer: BaseSerializer) -> None:
        """Give a new webhook to the user."""
        serializer.save(owner=self.request.user)


class UserView(RetrieveAPIView):
    """The owner of the token; any valid one will do."""

    permission_classes = [HasAbilities]
    required_abilities: list[str] = []
    serializer_class = UserSerializer

    def get_object(self) -> Any:
        """Return whoever sent the request."""
        return self.request.user


class ExportView(GenericAPIView):
    """Takes an order for an export, which nobody makes here."""

    permission_classes = [HasAbilities]
    required_abilities = ["exports:write"]
    serializer_class = Serializer

    def post(self, request: Request) -> Response:
        """Accept any object."""
        self.get_serializer(data=request.data).is_valid(raise_exception=True)
        return accepted()


class ThrottledView(APIView):
    """Answers anybody, but seldom."""

    permission_classes = [HasAbilitiesOrReadOnly]
    required_abilities: list[str] = []
    throttle_classes = [LimiterThrottle]
    limiters = "throttled"

    def get(self, request: Request) -> Response:
        """Say that there is room for this request."""
        return Response({"message": "You were let through."})
