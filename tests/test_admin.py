"""Tokens in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from connectnow_api.models import APIToken

pytestmark = pytest.mark.django_db

LIST = "/admin/connectnow_api/apitoken/"


@pytest.fixture
def admin(settings: Any) -> None:
    from django.contrib import admin
    from django.urls import path

    settings.ROOT_URLCONF = (path("admin/", admin.site.urls),)


@pytest.fixture
def as_staff(django_user_model: Any, admin: None) -> Any:
    """Log in a member of staff with these permissions."""

    def as_staff(*permissions: str) -> Client:
        user = django_user_model.objects.create_user("staff", is_staff=True)
        codenames = [f"{permission}_apitoken" for permission in permissions]
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    return as_staff


def test_no_page_shows_secret_or_digest(as_staff: Any, issue: Any) -> None:
    new = issue(abilities=["issues:read"], client="acme")
    client = as_staff("view", "change", "delete")
    detail = f"{LIST}{new.token.pk}/change/"
    for url in (LIST, f"{LIST}?q=laptop", detail, f"{LIST}{new.token.pk}/history/"):
        response = client.get(url)
        assert response.status_code == 200
        html = response.content.decode()
        assert new.plain_text not in html
        assert new.token.digest not in html
    assert new.token.masked in client.get(LIST).content.decode()
    assert "issues:read" in client.get(detail).content.decode()


def test_tokens_are_neither_added_nor_edited(as_staff: Any, issue: Any) -> None:
    token = issue().token
    client = as_staff("view", "add", "change")
    assert client.get(f"{LIST}add/").status_code == 403
    detail = f"{LIST}{token.pk}/change/"
    assert 'name="_save"' not in client.get(detail).content.decode()
    assert client.post(detail, {"name": "changed", "revoked_at": ""}).status_code == 403
    token.refresh_from_db()
    assert token.name == "laptop"


def revoke(client: Client, *tokens: APIToken) -> Any:
    data = {"action": "revoke", "_selected_action": [token.pk for token in tokens]}
    return client.post(LIST, data, follow=True)


def test_selected_tokens_are_revoked(as_staff: Any, issue: Any) -> None:
    tokens = [issue().token, issue().token]
    kept = issue().token
    response = revoke(as_staff("view", "change"), *tokens)
    assert "2 API tokens were revoked." in response.content.decode()
    assert list(APIToken.objects.filter(revoked_at=None)) == [kept]


def test_revoking_needs_the_permission_to_change(as_staff: Any, issue: Any) -> None:
    token = issue().token
    revoke(as_staff("view"), token)
    token.refresh_from_db()
    assert token.revoked_at is None


def test_an_owner_can_be_deleted_with_his_tokens(
    admin: None, issue: Any, django_user_model: Any
) -> None:
    token = issue().token
    root = django_user_model.objects.create_superuser("root")
    client = Client()
    client.force_login(root)
    url = reverse("admin:auth_user_delete", args=[token.owner.pk])
    client.post(url, {"post": "yes"})
    assert not APIToken.objects.exists()
