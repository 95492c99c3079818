"""The admin, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from connectnow_api.models import APIToken

from .driving import CSS, Browser, call

LIST = "/admin/connectnow_api/apitoken/"
TOKEN = "#id_plain_text"

Issue = Callable[..., Any]


def messages(browser: Browser) -> list[str]:
    return browser.texts(".messagelist li")


def revealed(browser: Browser) -> str:
    """Return the plain text that the page shows."""
    return str(browser.find(TOKEN).get_property("value"))


def fill_in(browser: Browser, name: str) -> None:
    browser.open(f"{LIST}add/")
    browser.choose_owner("ada")
    browser.type(name=name, abilities="issues:read")


def test_a_token_is_issued_and_shown_once(admin: Browser, user: Any) -> None:
    assert admin.path == LIST
    fill_in(admin, "laptop")
    admin.press("Issue")
    plain_text = revealed(admin)
    token = APIToken.objects.find(plain_text)
    assert token is not None
    assert (token.owner, token.name, token.abilities) == (user, "laptop", ["issues:read"])
    assert call(admin.root, plain_text) == (200, {"data": {"token": token.pk}})
    assert admin.path == f"{LIST}add/"
    admin.follow("I have copied it")
    assert admin.path == f"{LIST}{token.pk}/change/"
    assert plain_text not in admin.source
    for step in (admin.driver.back, admin.driver.back, admin.driver.forward):
        admin.leave(step)
        assert plain_text not in admin.source
    assert APIToken.objects.count() == 1
    admin.console()  # The answer to a POST is not kept, and the browser says so.


def test_a_form_that_is_sent_again_issues_nothing(admin: Browser, user: Any) -> None:
    fill_in(admin, "laptop")
    admin.press("Issue")
    plain_text = revealed(admin)
    admin.leave(admin.driver.refresh)
    token = APIToken.objects.get()
    assert plain_text not in admin.source
    [text] = admin.texts(".errorlist li")
    assert text.startswith(f"This form was sent before: {token} was issued then")
    assert (admin.value("name"), admin.value("abilities")) == ("laptop", "issues:read")
    [said] = admin.console()
    assert "409" in said
    admin.press("Issue")
    assert revealed(admin) != plain_text
    assert APIToken.objects.count() == 2


def test_a_double_click_shows_the_one_token_that_it_made(admin: Browser, user: Any) -> None:
    from selenium.webdriver import ActionChains

    fill_in(admin, "laptop")
    button = admin.find('input[type=submit][value="Issue"]')
    admin.leave(ActionChains(admin.driver).double_click(button).perform)
    token = APIToken.objects.find(revealed(admin))
    assert list(APIToken.objects.all()) == [token]


def test_bad_input_is_told_at_the_field_and_nothing_is_lost(admin: Browser, user: Any) -> None:
    fill_in(admin, "x" * 256)
    admin.type(expires_at_0="2020-01-01", expires_at_1="00:00", rate="60/month")
    admin.press("Issue")
    assert admin.texts(".field-name .errorlist li") == [
        "Ensure this value has at most 255 characters (it has 256)."
    ]
    assert admin.texts(".field-rate .errorlist li") == [
        "'60/month' is no rate such as 60/m or 10/5s."
    ]
    assert admin.texts(".field-expires_at .errorlist li") == ["The expiry lies in the past."]
    assert len(admin.texts(".errorlist li")) == 3
    assert admin.texts(".field-owner .select2-selection__rendered") == ["ada"]
    typed = {name: admin.value(name) for name in ("name", "abilities", "rate", "expires_at_0")}
    assert typed == {
        "name": "x" * 256,
        "abilities": "issues:read",
        "rate": "60/month",
        "expires_at_0": "2020-01-01",
    }
    admin.type(name="laptop", rate="60/m", expires_at_0="2099-01-01")
    admin.press("Issue")
    assert APIToken.objects.find(revealed(admin)) == APIToken.objects.get()


def test_a_rotated_token_works_beside_its_successor(admin: Browser, issue: Issue) -> None:
    token, old = issue(abilities=["issues:read"])
    admin.open(LIST)
    admin.follow("laptop")
    admin.follow("Rotate")
    admin.select("grace", "3600")
    admin.press("Rotate")
    new = revealed(admin)
    successor = APIToken.objects.get(rotated_from=token)
    assert call(admin.root, old) == (200, {"data": {"token": token.pk}})
    assert call(admin.root, new) == (200, {"data": {"token": successor.pk}})
    admin.leave(admin.driver.refresh)
    assert admin.texts(".errorlist li") == [f"{token} was rotated already."]
    [said] = admin.console()
    assert "409" in said
    admin.open(f"{LIST}{token.pk}/change/")
    admin.follow("Revoke")
    admin.press("Revoke")
    assert messages(admin) == ["1 API token was revoked."]
    assert call(admin.root, old)[0] == 401
    assert call(admin.root, new)[0] == 200


def test_a_token_is_renamed_and_extended(admin: Browser, issue: Issue) -> None:
    token = issue().token
    admin.open(f"{LIST}{token.pk}/change/")
    admin.type(name="Ноутбук")
    admin.find("[name=never_expires]").click()
    admin.press("Save")
    token.refresh_from_db()
    assert (token.name, token.expires_at) == ("Ноутбук", None)


def test_tokens_are_filtered_extended_and_revoked(admin: Browser, issue: Issue) -> None:
    names = ["one", "two", "three"]
    for name in names:
        issue().token.rename(name)
    revoked = issue().token
    revoked.revoke()
    admin.open(LIST)
    admin.follow("Active")
    assert sorted(admin.texts("#result_list .field-name")) == sorted(names)

    do(admin, "extend")
    admin.type(expires_at_0="2099-01-02", expires_at_1="03:04:05")
    admin.press("Extend")
    assert messages(admin) == ["3 API tokens were extended."]
    assert admin.path == f"{LIST}?state=active"
    assert APIToken.objects.filter(expires_at__year=2099).count() == 3

    do(admin, "revoke")
    assert len(admin.texts("#content-main ul li")) == 3
    admin.press("Revoke")
    assert messages(admin) == ["3 API tokens were revoked."]
    assert admin.texts("#result_list .field-name") == []
    assert not APIToken.objects.active().exists()
    admin.follow("Revoked")
    assert len(admin.texts("#result_list .field-name")) == 4


def do(browser: Browser, action: str) -> None:
    """Do something to all that the list shows."""
    browser.find("#action-toggle").click()
    browser.select("action", action)
    browser.leave(browser.find(".actions [type=submit]").click)


def test_an_owner_leads_to_his_tokens(admin: Browser, issue: Issue, django_user_model: Any) -> None:
    issue()
    APIToken.objects.issue(django_user_model.objects.create_user("eve"), "phone")
    admin.open(LIST)
    admin.follow("eve")
    assert admin.texts("#result_list .field-name") == ["phone"]


def test_logging_out_works_also_where_a_token_is_shown(admin: Browser, user: Any) -> None:
    """A policy of no referrers there would make Django refuse the form."""
    fill_in(admin, "laptop")
    admin.press("Issue")
    admin.leave(admin.find("#logout-form button").click)
    assert "Logged out" in admin.source
    admin.open(LIST)
    assert admin.path == f"/admin/login/?next={LIST}"


@pytest.mark.parametrize("width", [1280, 400])
def test_every_field_has_a_label_and_every_page_fits(
    admin: Browser, issue: Issue, width: int
) -> None:
    admin.driver.set_window_size(width, 1000)
    token = issue().token
    token.rotate(timedelta(hours=1))
    for path in ("", "add/", *(f"{token.pk}/{name}/" for name in ("change", "rotate", "revoke"))):
        admin.open(LIST + path)
        assert admin.unlabelled() == [], path
    admin.open(f"{LIST}add/")
    admin.choose_owner("ada")
    admin.type(name="laptop")
    admin.press("Issue")
    assert admin.unlabelled() == []
    field = admin.driver.find_element(CSS, TOKEN)
    assert field.rect["x"] + field.rect["width"] <= width
