"""The site that browsers visit: the admin below a strict policy, and an API that wants a token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api.authentication import BearerTokenAuthentication
from connectnow_api.permissions import HasAbilities

POLICY = "default-src 'self'; img-src 'self' data:"

GetResponse = Callable[[HttpRequest], HttpResponse]


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """Forbid what is written into a page: scripts and styles come from files of the site."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    return middleware


class IssuesView(APIView):
    """Tells whose token came, if it may read issues."""

    authentication_classes = [BearerTokenAuthentication]
    permission_classes = [HasAbilities]
    required_abilities = ["issues:read"]

    def get(self, request: Request) -> Response:
        auth: Any = request.auth
        return Response({"token": auth.pk})


def favicon(request: HttpRequest) -> HttpResponse:
    """Answer with nothing, which is no error in the console."""
    return HttpResponse(status=204)


urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/issues", IssuesView.as_view()),
    path("favicon.ico", favicon),
]
