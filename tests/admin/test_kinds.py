"""A second kind in the admin: keys that are no numbers, owners that are no users."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import path

from connectnow_api.admin import APITokenAdmin
from connectnow_api.models import APIToken

from .conftest import LIST as API_LIST
from .conftest import errors_of, fill
from .test_list import confirm, messages_of, send, shown

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/chat/chattoken/"


@pytest.fixture
def chat(transactional_db: None, settings: Any) -> Iterator[Any]:
    """Install the app of the second kind and return its models."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.chat"]
    from tests.chat import models

    with connection.schema_editor() as editor:
        editor.create_model(models.ChatUser)
        editor.create_model(models.ChatToken)
    yield models
    with connection.schema_editor() as editor:
        editor.delete_model(models.ChatToken)
        editor.delete_model(models.ChatUser)


@pytest.fixture
def both(chat: Any, settings: Any) -> AdminSite:
    """Mount an admin of both kinds, and of no owners."""
    site = AdminSite()
    site.register(APIToken, APITokenAdmin)
    site.register(chat.ChatToken, APITokenAdmin)
    settings.ROOT_URLCONF = (path("admin/", site.urls),)
    return site


@pytest.fixture
def client(both: AdminSite, django_user_model: Any) -> Client:
    """A superuser's."""
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("root"))
    return client


@pytest.fixture
def visitor(chat: Any) -> Any:
    return chat.ChatUser.objects.create(email="visitor@example.com")


def test_the_same_admin_fits_both_kinds(both: AdminSite, chat: Any) -> None:
    assert both._registry[chat.ChatToken].check() == []


def test_a_token_is_issued_to_an_owner_who_is_no_user(
    client: Client, chat: Any, visitor: Any
) -> None:
    response = client.post(
        f"{LIST}add/", fill(client, f"{LIST}add/", owner=visitor.pk, name="window")
    )
    token = chat.ChatToken.objects.get()
    plain_text = response.context["new"].plain_text
    assert plain_text.startswith("chat_")
    assert chat.ChatToken.objects.find(plain_text) == token
    assert f"{LIST}{token.pk}/change/" in response.content.decode()


@pytest.mark.parametrize("owner", ["999999", "x", str(10**30)])
def test_a_foreign_owner_is_refused(client: Client, visitor: Any, owner: str) -> None:
    data = fill(client, f"{LIST}add/", owner=owner, name="window")
    assert list(errors_of(client.post(f"{LIST}add/", data))) == ["owner"]


def test_a_token_is_found_rotated_revoked_and_deleted(
    client: Client, chat: Any, visitor: Any
) -> None:
    token = chat.ChatToken.objects.issue(visitor, "window").token
    assert shown(client.get(LIST, {"q": "visitor@"})) == ["window"]
    assert shown(client.get(LIST, {"owner": visitor.pk})) == ["window"]
    page = f"{LIST}{token.pk}/"
    client.post(f"{page}change/", fill(client, f"{page}change/", name="door"))
    new = client.post(f"{page}rotate/", {"grace": "3600"}).context["new"].token
    assert (new.name, new.rotated_from) == ("door", token)
    assert shown(client.get(LIST, {"state": "grace"})) == ["door"]
    asked = send(client, "extend", [new, token], LIST)
    done = confirm(client, asked, LIST, never_expires="on")
    assert len(messages_of(done)) == 2
    client.post(f"{page}revoke/")
    assert chat.ChatToken.objects.get(pk=token.pk).state == "revoked"
    client.post(f"{LIST}{new.pk}/delete/", {"post": "yes"})
    assert list(chat.ChatToken.objects.all()) == [token]


@pytest.mark.parametrize("key", ["1", "x", "00000000-0000-0000-0000-000000000000", "_5F"])
def test_unknown_keys_are_no_crash(client: Client, visitor: Any, key: str) -> None:
    assert client.get(f"{LIST}{key}/change/").status_code == 302
    assert client.post(f"{LIST}{key}/rotate/", {"grace": "0"}).status_code == 404
    assert client.post(f"{LIST}{key}/revoke/").status_code == 404
    data = {"action": "revoke", "_selected_action": [key], "confirmed": "1"}
    assert client.post(LIST, data).status_code == 302


def test_a_subclass_asks_for_columns_of_its_own(
    client: Client, both: AdminSite, chat: Any, visitor: Any, settings: Any
) -> None:
    class ChatTokenAdmin(APITokenAdmin):
        search_fields = ["room"]
        list_display = [*APITokenAdmin.list_display, "room"]
        add_fieldsets = [*APITokenAdmin.add_fieldsets, ("Chat", {"fields": ["room"]})]
        fieldsets = [*APITokenAdmin.fieldsets, ("Chat", {"fields": ["room"]})]

    both.unregister(chat.ChatToken)
    both.register(chat.ChatToken, ChatTokenAdmin)
    settings.ROOT_URLCONF = (path("admin/", both.urls),)
    client.post(
        f"{LIST}add/",
        fill(client, f"{LIST}add/", owner=visitor.pk, name="window", room="lobby"),
    )
    token = chat.ChatToken.objects.get()
    assert token.room == "lobby"
    for url in (f"{LIST}?q=lobby", f"{LIST}{token.pk}/change/"):
        assert "lobby</" in client.get(url).content.decode()
    assert shown(client.get(LIST, {"q": "window"})) == []
    client.post(
        f"{LIST}{token.pk}/change/",
        fill(client, f"{LIST}{token.pk}/change/", name="door", room="cellar"),
    )
    token.refresh_from_db()
    assert (token.name, token.room) == ("door", "lobby")


def kinds_of(response: Any) -> list[tuple[str, str]]:
    """Return names and addresses of the kinds that the side bar offers."""
    return [
        (choice["display"], choice["query_string"])
        for spec in response.context["cl"].filter_specs
        if spec.title == "kind"
        for choice in spec.choices(response.context["cl"])
    ]


def test_the_kinds_are_linked_and_keep_the_filters(client: Client, visitor: Any) -> None:
    query = "state=active&stale=30"
    response = client.get(f"{LIST}?owner={visitor.pk}&{query}&q=x")
    links = [("API tokens", f"{API_LIST}?{query}"), ("Chat tokens", f"{LIST}?{query}")]
    assert kinds_of(response) == links
    for _name, link in links:
        assert client.get(link).status_code == 200
    html = response.content.decode()
    assert re.search(rf'<li\s+class="selected">\s*<a href="{re.escape(LIST)}', html)


def test_a_kind_that_may_not_be_seen_is_not_linked(both: AdminSite, django_user_model: Any) -> None:
    staff = django_user_model.objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_apitoken"))
    client = Client()
    client.force_login(staff)
    assert kinds_of(client.get(API_LIST)) == []
