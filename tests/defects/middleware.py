"""The site's middleware."""

from __future__ import annotations

import os
from typing import Any

from django.db import connection


def tell(get_response: Any) -> Any:
    """Middleware: tell in headers how many queries an answer took, and which process gave it."""

    def middleware(request: Any) -> Any:
        queries = 0

        def count(execute: Any, *args: Any) -> Any:
            nonlocal queries
            queries += 1
            return execute(*args)

        # Connecting takes queries on some databases.
        connection.ensure_connection()
        with connection.execute_wrapper(count):
            response = get_response(request)
        response["X-Queries"], response["X-Process"] = str(queries), str(os.getpid())
        return response

    return middleware


MIDDLEWARE = [
    "connectnow_api.middleware.JSONErrorMiddleware",
    "django.middleware.common.CommonMiddleware",
    f"{__name__}.tell",
]
