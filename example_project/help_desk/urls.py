"""The help desk's routes, below ``/api/v1/``."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from .views import (
    ChannelsReportView,
    CustomerViewSet,
    MessageViewSet,
    PerformanceReportView,
    TagViewSet,
    TicketViewSet,
    WebhookLogView,
    WebhookViewSet,
)

app_name = "help_desk"

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("tickets", TicketViewSet)
router.register("tickets/<int:ticket_pk>/messages", MessageViewSet, basename="message")
router.register("customers", CustomerViewSet)
router.register("tags", TagViewSet)

urlpatterns = [
    *router.urls,
    path("webhook", WebhookViewSet.as_view({"get": "retrieve", "post": "create"}), name="webhook"),
    path("webhook/logs", WebhookLogView.as_view(), name="webhook-logs"),
    path("reports/channels", ChannelsReportView.as_view(), name="channels-report"),
    path("reports/performance", PerformanceReportView.as_view(), name="performance-report"),
]
