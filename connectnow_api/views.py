"""Django's error views under Django's names: JSON for API requests, the site's pages for others.

Name them in the root URLconf, ``handler404 = "connectnow_api.views.page_not_found"`` and so on,
where the middleware cannot be added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

from .outside import refuse
from .query_tokens import keep_private
from .settings import is_api_path


def error_response(request: HttpRequest, status_code: int) -> HttpResponse:
    """Return ``{"message"}`` with the neutral text of a status, 503 while a store is down."""
    code, body, headers = refuse(request, status_code)
    as_text = {"ensure_ascii": False}
    response = JsonResponse(body, status=code, headers=headers, json_dumps_params=as_text)
    keep_private(request, response)
    return response


def _for_api(status_code: int, default: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_api_path(request.path_info):
            return error_response(request, status_code)
        return default(request, *args, **kwargs)

    view.__doc__ = f"Answer {status_code}: JSON below the API's prefixes, else Django's page."
    return view


bad_request = _for_api(400, defaults.bad_request)
permission_denied = _for_api(403, defaults.permission_denied)
page_not_found = _for_api(404, defaults.page_not_found)
server_error = _for_api(500, defaults.server_error)
