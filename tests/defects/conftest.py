"""The application that the defects were seen in, mounted for every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.test import Client
from django.urls import path

from .site import PREFIXES, ROUTES


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = [
        "connectnow_api.middleware.JSONErrorMiddleware",
        "django.middleware.common.CommonMiddleware",
        *settings.MIDDLEWARE,
    ]
    settings.ROOT_URLCONF = tuple(
        path(f"{prefix}/{route}", view) for prefix in PREFIXES for route, view in ROUTES.items()
    )


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture(autouse=True)
def crashes() -> Iterator[list[Any]]:
    """What was raised through Django: nothing, unless a test says that it expects some."""
    seen: list[Any] = []

    def listen(**kwargs: Any) -> None:
        seen.append(kwargs)

    got_request_exception.connect(listen)
    yield seen
    got_request_exception.disconnect(listen)
