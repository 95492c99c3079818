"""Asking the limited view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.conftest import Mount

from .views import View


@pytest.fixture
def ask(mount: Mount, client: APIClient) -> Callable[..., Any]:
    """Ask a view: ``ask(throttles, "?fail=404", token="cn_...", address="192.0.2.7")``."""

    def ask(
        throttles: Any = None,
        query: str = "",
        *,
        method: str = "GET",
        token: str | None = None,
        address: str = "127.0.0.1",
        view: Any = View,
        **attributes: Any,
    ) -> Any:
        if throttles is not None:
            attributes["throttle_classes"] = throttles
        mount({"flat/x": type("Asked", (view,), attributes).as_view()})
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return client.generic(method, f"/flat/x{query}", REMOTE_ADDR=address, headers=headers)

    return ask
