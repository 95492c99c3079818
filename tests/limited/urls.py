"""The example's addresses, and ``/limited/<limiter>`` for each of the limiters."""

import os
from typing import Any

from django.conf import settings
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api.throttling import LimiterThrottle


class View(APIView):
    """Tells which process has answered, or refused."""

    permission_classes = ()
    throttle_classes = [LimiterThrottle]
    limiters: Any = None

    def get(self, request: Any) -> Response:
        return Response({})

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(*args, **kwargs)
        response["X-Process"] = os.getpid()
        return response


urlpatterns = [
    *(path(f"limited/{name}", View.as_view(limiters=name)) for name in settings.LIMITERS),
    path("", include("project.urls")),
]
