"""The admin, mounted; members of staff with the permissions that a test gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import path

LIST = "/admin/connectnow_api/apitoken/"

AsStaff = Callable[..., Client]


@pytest.fixture
def site(settings: Any) -> None:
    """Mount the admin."""
    settings.ROOT_URLCONF = (path("admin/", admin.site.urls),)


@pytest.fixture
def as_staff(django_user_model: Any, site: None) -> AsStaff:
    """Log in a member of staff with these permissions, on tokens: ``as_staff("view", "add")``."""

    def as_staff(*permissions: str, name: str = "staff", model: str = "apitoken") -> Client:
        user = django_user_model.objects.create_user(name, is_staff=True)
        codenames = [f"{permission}_{model}" for permission in permissions]
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    return as_staff


@pytest.fixture
def root(django_user_model: Any, site: None) -> Client:
    """Log in a superuser."""
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("root"))
    return client


def fill(client: Client, url: str = f"{LIST}add/", /, **values: Any) -> dict[str, Any]:
    """Return what a browser would send of the form at ``url``, with ``values`` typed in.

    The expiry is typed as ``expires_at="2031-01-02 03:04:05"``; ``None`` leaves a field out.
    """
    form = client.get(url).context["adminform"].form
    data: dict[str, Any] = {}
    for name, field in form.fields.items():
        value = form[name].value()
        value = field.prepare_value(value)
        if name == "expires_at":
            date, time = field.widget.decompress(value)
            data |= {"expires_at_0": date or "", "expires_at_1": time or ""}
        elif value not in (None, False, []):
            data[name] = value
    if "expires_at" in values:
        date, _, time = values.pop("expires_at").partition(" ")
        data |= {"expires_at_0": date, "expires_at_1": time}
    data |= values
    return {name: value for name, value in data.items() if value is not None}


def errors_of(response: Any) -> dict[str, list[str]]:
    """Return the texts that a page shows at each field."""
    return dict(response.context["adminform"].form.errors)
