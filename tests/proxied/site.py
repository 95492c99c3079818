"""A view that tells a client how it is seen, under the settings that the client asks for."""

from __future__ import annotations

import json

from django.http import HttpRequest, JsonResponse
from django.test import override_settings
from django.urls import path

from connectnow_api.addresses import find_address
from connectnow_api.limits import client_address


def seen(request: HttpRequest, at: str) -> JsonResponse:
    with override_settings(CONNECTNOW_API=json.loads(request.GET["settings"])):
        address = find_address(request)
        return JsonResponse(
            {
                "remote": request.META.get("REMOTE_ADDR"),
                "address": None if address is None else str(address),
                "counted": client_address(request),
            }
        )


urlpatterns = [path("<at>/", seen)]
