"""The issue tracker's routes, below ``/api/``."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from .views import (
    CategoryViewSet,
    CompanyUserViewSet,
    CompanyViewSet,
    ExportView,
    IssueViewSet,
    ThrottledView,
    UserView,
    WebhookViewSet,
)

app_name = "issue_tracker"

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("issues", IssueViewSet)
router.register("categories", CategoryViewSet)
router.register("companies", CompanyViewSet)
router.register("companies/<int:company_pk>/users", CompanyUserViewSet)
router.register("webhooks", WebhookViewSet)

urlpatterns = [
    *router.urls,
    path("user", UserView.as_view(), name="user"),
    path("exports", ExportView.as_view(), name="exports"),
    path("throttled", ThrottledView.as_view(), name="throttled"),
]
