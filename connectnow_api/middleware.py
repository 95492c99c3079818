"""JSON for whatever goes wrong outside DRF's views, below the API's prefixes only."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import status

from .outside import refuse
from .query_tokens import has_query_token, keep_private
from .settings import is_api_path

ABOUT_THE_BODY = ("Content-Encoding", "Content-Disposition", "ETag", "Last-Modified")
"""Headers that say of the old body what is not true of the new one."""

GetResponse = Callable[[HttpRequest], Any]


class JSONErrorMiddleware:
    """Puts every error below ``PREFIXES`` into ``{"message"}``; belongs first in MIDDLEWARE.

    It replaces the body of an answer, never the answer: status and headers such as ``Allow``,
    ``Retry-After`` and those of CORS stay, and so do JSON, streams and files. Exceptions pass
    through it untouched, so Django logs, signals and rolls back as ever.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        """Take the next middleware, sync or async."""
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request; outside the prefixes, as if the middleware were not there."""
        if self.is_async:
            return self.answer_async(request)
        return self.after(request, self.get_response(request))

    async def answer_async(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request under ASGI."""
        return self.after(request, await self.get_response(request))

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Return the answer with its body replaced, if that is needed."""
        if not is_api_path(request.path_info):
            return response
        if loses_something(request, response):
            response = HttpResponse(status=status.HTTP_404_NOT_FOUND)
        if is_replaceable(response):
            self.replace(request, response)
        keep_private(request, response)
        return response

    def replace(self, request: HttpRequest, response: Any) -> None:
        """Write the neutral JSON of the answer's status into it."""
        response.status_code, body, headers = refuse(request, response.status_code)
        content = json.dumps(body, ensure_ascii=False).encode()
        response.content = content
        for name in ABOUT_THE_BODY:
            response.headers.pop(name, None)
        for name, value in headers.items():
            response.headers[name] = value
        response.headers["Content-Type"] = "application/json"
        response.headers["Content-Length"] = str(len(content))


def is_replaceable(response: HttpResponseBase) -> bool:
    """Tell whether an answer is an error that is no JSON, stream, file or answer of a DRF view.

    A DRF view has its own handler and renderers: a page of the browsable API is what was wanted.
    """
    if response.status_code < status.HTTP_400_BAD_REQUEST or response.streaming:
        return False
    if hasattr(response, "accepted_renderer"):
        return False
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return not media_type.endswith(("/json", "+json"))


def loses_something(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Tell whether a redirect of ``APPEND_SLASH`` would repeat a token or drop a body."""
    if not status.is_redirect(response.status_code):
        return False
    target = unquote(urlsplit(response.headers.get("Location", "")).path)
    if target != f"{request.path}/":
        return False
    return has_query_token(request) or request.method not in ("GET", "HEAD")
