"""The page of a token: looking, renaming, extending, rotating, revoking, deleting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connectnow_api.exceptions import TokenConflict
from connectnow_api.models import APIToken

from .conftest import LIST, AsStaff, errors_of, fill
from .test_list import messages_of

pytestmark = pytest.mark.django_db


def page_of(token: Any, name: str = "change") -> str:
    return f"{LIST}{token.pk}/{name}/"


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Any:
    """Return what was told of tokens since: action, address and actor."""
    caplog.set_level("INFO", "connectnow_api.tokens")

    def events() -> list[tuple[str, str, str]]:
        found = [getattr(record, "token_event", None) for record in caplog.records]
        caplog.clear()
        return [(event.action, event.address, event.actor) for event in found if event]

    return events


def actor() -> str:
    from django.contrib.auth import get_user_model

    return f"auth.User:{get_user_model().objects.get(username='staff').pk}"


# --- Look and change ------------------------------------------------------------------------


def test_a_viewer_sees_and_changes_nothing(as_staff: AsStaff, issue: Any) -> None:
    token = issue(abilities=["issues:read"], allowed_networks=["192.0.2.0/24"]).token
    client = as_staff("view")
    html = client.get(page_of(token)).content.decode()
    for text in (token.masked, "<code>issues:read</code>", "<code>192.0.2.0/24</code>"):
        assert text in html
    for text in ('name="_save"', 'name="name"', "/rotate/", "/revoke/"):
        assert text not in html
    data = {"name": "changed", "never_expires": "on"}
    assert client.post(page_of(token), data).status_code == 403
    after = APIToken.objects.get()
    assert (after.name, after.expires_at) == ("laptop", token.expires_at)


def test_name_and_expiry_are_changed_and_nothing_else(
    as_staff: AsStaff, issue: Any, events: Any
) -> None:
    token = issue(abilities=["issues:read"]).token
    client = as_staff("view", "change")
    data = fill(client, page_of(token), name="Ноутбук", expires_at="2099-01-02 03:04:05")
    events()
    tricks = {"revoked_at_0": "2020-01-01", "abilities": "*", "digest": "", "owner": "1"}
    response = client.post(page_of(token), data | tricks, follow=True)
    assert response.redirect_chain == [(LIST, 302)]
    after = APIToken.objects.get()
    assert after.name == "Ноутбук"
    assert after.expires_at.isoformat() == "2099-01-02T03:04:05+00:00"
    for name in ("abilities", "digest", "owner_id", "revoked_at", "created_at"):
        assert getattr(after, name) == getattr(token, name)
    told = [("extended", "127.0.0.1", actor()), ("renamed", "127.0.0.1", actor())]
    assert events() == told


def test_the_name_before_is_told(
    as_staff: AsStaff, issue: Any, caplog: pytest.LogCaptureFixture
) -> None:
    token = issue().token
    client = as_staff("view", "change")
    caplog.set_level("INFO", "connectnow_api.tokens")
    client.post(page_of(token), fill(client, page_of(token), name="phone"))
    event = caplog.records[-1].token_event  # type: ignore[attr-defined]
    assert (event.name, event.reason) == ("phone", "from laptop")


def test_what_was_not_changed_is_not_written(as_staff: AsStaff, issue: Any, events: Any) -> None:
    token = issue().token
    APIToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(days=1))
    client = as_staff("view", "change")
    events()
    client.post(page_of(token), fill(client, page_of(token)))
    assert events() == []
    client.post(page_of(token), fill(client, page_of(token), name="phone"))
    assert [action for action, *_ in events()] == ["renamed"]


@pytest.mark.parametrize(
    ("bad", "errors"),
    [
        ({"name": ""}, {"name": ["This field is required."]}),
        ({"name": "a\x07b"}, {"name": ["This text holds a control character."]}),
        ({"expires_at": "2020-01-01 00:00"}, {"expires_at": ["The expiry lies in the past."]}),
        (
            {"expires_at": ""},
            {"expires_at": ["Say when the token expires, or that it never does."]},
        ),
    ],
)
def test_bad_changes_are_told_at_their_field(
    as_staff: AsStaff, issue: Any, bad: dict[str, str], errors: Any
) -> None:
    token = issue().token
    client = as_staff("view", "change")
    typed = {"name": "phone", "expires_at": "2099-01-01 00:00"} | bad
    response = client.post(page_of(token), fill(client, page_of(token), **typed))
    assert errors_of(response) == errors
    assert response.context["adminform"].form["name"].value() == typed["name"]
    assert APIToken.objects.get().name == "laptop"


def test_a_token_without_expiry_can_be_renamed_under_a_maximum(
    as_staff: AsStaff, issue: Any, settings: Any
) -> None:
    token = issue(expires_at=None).token
    settings.CONNECTNOW_API = {"MAX_TOKEN_LIFETIME": timedelta(days=30)}
    client = as_staff("view", "change")
    client.post(page_of(token), fill(client, page_of(token), name="phone"))
    after = APIToken.objects.get()
    assert (after.name, after.expires_at) == ("phone", None)


def test_who_was_revoked_meanwhile_stays_so(as_staff: AsStaff, issue: Any) -> None:
    token = issue().token
    client = as_staff("view", "change")
    data = fill(client, page_of(token), name="phone", never_expires="on")
    token.revoke()
    client.post(page_of(token), data)
    after = APIToken.objects.get()
    assert (after.name, after.revoked_at) == ("laptop", token.revoked_at)


@pytest.mark.parametrize("values", [{"name": "phone"}, {"never_expires": "on"}])
def test_a_change_that_comes_second_says_so(
    as_staff: AsStaff, issue: Any, values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is revoked between the form's validation and the UPDATE."""
    from connectnow_api.admin.forms import ChangeForm

    token = issue().token
    client = as_staff("view", "change")
    data = fill(client, page_of(token), **values)
    clean = ChangeForm.clean

    def revoke_and_clean(form: Any) -> Any:
        APIToken.objects.all().revoke()
        return clean(form)

    monkeypatch.setattr(ChangeForm, "clean", revoke_and_clean)
    response = client.post(page_of(token), data, follow=True)
    assert response.redirect_chain == [(page_of(token), 302)]
    assert messages_of(response) == [f"{token} is revoked, which is final."]
    assert LogEntry.objects.count() == 0


def test_a_revoked_token_has_no_fields(as_staff: AsStaff, issue: Any) -> None:
    token = issue().token
    token.revoke()
    html = as_staff("view", "change", "add").get(page_of(token)).content.decode()
    for text in ('name="_save"', 'name="name"', "/rotate/", "/revoke/"):
        assert text not in html


def test_a_token_in_its_grace_is_renamed_but_not_extended(as_staff: AsStaff, issue: Any) -> None:
    token = issue().token
    successor = token.rotate(timedelta(days=1)).token
    client = as_staff("view", "change", "add")
    page = client.get(page_of(token))
    assert list(page.context["adminform"].form.fields) == ["name"]
    html = page.content.decode()
    assert f'<a href="{page_of(successor)}">{successor}</a>' in html
    assert "/rotate/" not in html
    assert "/revoke/" in html
    client.post(page_of(token), {"name": "old", "never_expires": "on"})
    after = APIToken.objects.get(pk=token.pk)
    assert (after.name, after.expires_at) == ("old", token.expires_at)


def test_a_token_is_not_saved_as_a_new_one(as_staff: AsStaff, issue: Any) -> None:
    token = issue().token
    client = as_staff("view", "add", "change")
    data = fill(client, page_of(token)) | {"_saveasnew": "1", "owner": token.owner_id}
    assert client.post(page_of(token), data).status_code == 403
    assert APIToken.objects.count() == 1


@pytest.mark.parametrize(("page", "method"), [("change", "extend"), ("rotate", "rotate")])
def test_what_the_model_refuses_at_last_is_no_crash(
    as_staff: AsStaff, issue: Any, monkeypatch: pytest.MonkeyPatch, page: str, method: str
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise ValidationError("The expiry lies in the past.")

    token = issue().token
    client = as_staff("view", "add", "change")
    data = {"grace": "0", "name": "laptop", "never_expires": "on"}
    monkeypatch.setattr(APIToken, method, refuse)
    response = client.post(page_of(token, page), data, follow=True)
    assert "The expiry lies in the past." in response.content.decode()
    assert APIToken.objects.get().expires_at == token.expires_at


# --- Rotate ---------------------------------------------------------------------------------


@pytest.mark.parametrize("permissions", [(), ("view",), ("view", "add"), ("view", "change")])
def test_rotating_needs_the_permissions_to_add_and_to_change(
    as_staff: AsStaff, issue: Any, permissions: Any
) -> None:
    token = issue().token
    client = as_staff(*permissions)
    assert client.get(page_of(token, "rotate")).status_code == 403
    assert client.post(page_of(token, "rotate"), {"grace": "0"}).status_code == 403
    assert APIToken.objects.count() == 1


@pytest.mark.parametrize("seconds", [0, 3600, 86400, 604800])
def test_a_rotated_token_goes_on_for_its_grace(
    as_staff: AsStaff, issue: Any, seconds: int, events: Any
) -> None:
    token = issue(abilities=["a"]).token
    client = as_staff("view", "add", "change")
    assert client.get(page_of(token, "rotate")).status_code == 200
    assert APIToken.objects.count() == 1
    events()
    before = timezone.now()
    response = client.post(page_of(token, "rotate"), {"grace": str(seconds)})
    assert response.status_code == 200
    token.refresh_from_db()
    grace = timedelta(seconds=seconds)
    assert before + grace <= token.revoked_at <= timezone.now() + grace
    new = APIToken.objects.get(rotated_from=token)
    assert new.abilities == ["a"]
    assert APIToken.objects.find(response.context["new"].plain_text) == new
    assert events() == [
        ("created", "127.0.0.1", actor()),
        ("rotated", "127.0.0.1", actor()),
    ]
    history = LogEntry.objects.values_list("object_id", "change_message")
    assert set(history) == {(str(token.pk), "Rotated."), (str(new.pk), '[{"added": {}}]')}


@pytest.mark.parametrize("grace", ["", "-1", "60", "a week", str(10**30)])
def test_another_grace_is_refused_at_the_field(as_staff: AsStaff, issue: Any, grace: str) -> None:
    token = issue().token
    client = as_staff("view", "add", "change")
    response = client.post(page_of(token, "rotate"), {"grace": grace})
    assert list(errors_of(response)) == ["grace"]
    assert APIToken.objects.count() == 1


def test_a_rotation_that_is_sent_twice_is_a_conflict(as_staff: AsStaff, issue: Any) -> None:
    token = issue().token
    client = as_staff("view", "add", "change")
    client.post(page_of(token, "rotate"), {"grace": "3600"})
    response = client.post(page_of(token, "rotate"), {"grace": "3600"})
    assert response.status_code == 409
    assert errors_of(response) == {"__all__": [f"{token} was rotated already."]}
    assert APIToken.objects.count() == 2


def test_a_conflict_that_is_none_any_more_is_told_too(
    as_staff: AsStaff, issue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An expired token may be extended while somebody is told that it cannot be rotated."""

    def rotate(token: APIToken, *args: Any, **kwargs: Any) -> None:
        raise TokenConflict(token, "active")

    token = issue().token
    monkeypatch.setattr(APIToken, "rotate", rotate)
    response = as_staff("add", "change").post(page_of(token, "rotate"), {"grace": "0"})
    assert response.status_code == 409
    assert errors_of(response) == {"__all__": [f"{token} was changed meanwhile."]}


def test_a_token_that_cannot_be_rotated_says_why(as_staff: AsStaff, issue: Any) -> None:
    revoked = issue().token
    revoked.revoke()
    expired = issue(expires_at=timezone.now() - timedelta(days=1)).token
    created_at = timezone.now() - timedelta(days=9)
    APIToken.objects.filter(pk=expired.pk).update(created_at=created_at)
    client = as_staff("view", "add", "change")
    for token, text in [(revoked, "is revoked, which is final."), (expired, "has expired.")]:
        response = client.post(page_of(token, "rotate"), {"grace": "0"})
        assert response.status_code == 409
        assert errors_of(response) == {"__all__": [f"{token} {text}"]}


# --- Revoke and delete ----------------------------------------------------------------------


def test_revoking_needs_the_permission_to_change(as_staff: AsStaff, issue: Any) -> None:
    token = issue().token
    client = as_staff("view", "add", "delete")
    assert client.get(page_of(token, "revoke")).status_code == 403
    assert client.post(page_of(token, "revoke")).status_code == 403
    assert APIToken.objects.get().revoked_at is None


def test_a_token_is_revoked_after_a_question(as_staff: AsStaff, issue: Any, events: Any) -> None:
    token = issue().token
    client = as_staff("view", "change")
    assert str(token) in client.get(page_of(token, "revoke")).content.decode()
    assert APIToken.objects.get().revoked_at is None
    events()
    response = client.post(page_of(token, "revoke"), follow=True)
    assert response.redirect_chain == [(page_of(token), 302)]
    assert messages_of(response) == ["1 API token was revoked."]
    assert APIToken.objects.get().state == "revoked"
    assert events() == [("revoked", "127.0.0.1", actor())]
    again = client.post(page_of(token, "revoke"), follow=True)
    assert messages_of(again) == ["0 API tokens were revoked."]
    assert [entry.change_message for entry in LogEntry.objects.all()] == ["Revoked."]


def test_deleting_tells_of_the_token(as_staff: AsStaff, issue: Any, events: Any) -> None:
    token = issue().token
    client = as_staff("view", "delete")
    events()
    client.post(page_of(token, "delete"), {"post": "yes"})
    assert events() == [("pruned", "127.0.0.1", actor())]
    assert not APIToken.objects.exists()


def test_an_owner_can_be_deleted_with_his_tokens(root: Client, issue: Any) -> None:
    token = issue().token
    root.post(reverse("admin:auth_user_delete", args=[token.owner.pk]), {"post": "yes"})
    assert not APIToken.objects.exists()


# --- Addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["0", "999999", "x", str(10**30), "_5F", "%00", "é", "a/b"])
def test_unknown_tokens_are_not_found(as_staff: AsStaff, key: str) -> None:
    client = as_staff("view", "add", "change", "delete")
    for name in ("change", "delete", "history"):
        response = client.get(f"{LIST}{key}/{name}/")
        assert response.status_code == 302, name
    for name in ("rotate", "revoke"):
        assert client.get(f"{LIST}{key}/{name}/").status_code == 404
        assert client.post(f"{LIST}{key}/{name}/", {"grace": "0"}).status_code == 404
