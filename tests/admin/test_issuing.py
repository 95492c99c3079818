"""Issuing in the admin: what is typed, what is refused, what is shown once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from connectnow_api.admin import submissions
from connectnow_api.base_models import APITokenManager
from connectnow_api.models import APIToken

from .conftest import LIST, AsStaff, errors_of, fill

pytestmark = pytest.mark.django_db

ADD = f"{LIST}add/"
ABILITIES = {"issues:read": "See issues", "issues:write": "Write issues"}


def typed(response: Any) -> dict[str, str]:
    """Return what stands in the fields of a page."""
    form = response.context["adminform"].form
    return {name: form[name].value() for name in form.fields if name != "submission"}


@pytest.mark.parametrize("permissions", [(), ("view",), ("change",), ("view", "change", "delete")])
def test_issuing_needs_the_permission_to_add(as_staff: AsStaff, permissions: Any) -> None:
    client = as_staff(*permissions)
    assert client.get(ADD).status_code == 403
    assert client.post(ADD, {"name": "laptop"}).status_code == 403
    assert not APIToken.objects.exists()


def test_an_issued_token_has_what_was_typed(as_staff: AsStaff, user: Any) -> None:
    client = as_staff("add")
    data = fill(
        client,
        owner=user.pk,
        name="laptop",
        abilities="issues:read\n\n issues:write \nissues:read",
        allowed_networks="192.0.2.0/24\n2001:db8::/32",
        client="acme",
        rate="60/m",
        idle_timeout="30 00:00:00",
        expires_at="2099-01-02 03:04:05",
    )
    response = client.post(ADD, data)
    assert response.status_code == 200
    token = APIToken.objects.get()
    assert (token.owner, token.name, token.abilities) == (
        user,
        "laptop",
        ["issues:read", "issues:write"],
    )
    assert token.allowed_networks == ["192.0.2.0/24", "2001:db8::/32"]
    assert (token.client, token.rate, token.idle_timeout) == ("acme", "60/m", timedelta(days=30))
    assert token.expires_at.isoformat() == "2099-01-02T03:04:05+00:00"


def test_the_default_expiry_is_filled_in(as_staff: AsStaff, user: Any) -> None:
    client = as_staff("add")
    before = timezone.now().replace(microsecond=0)
    client.post(ADD, fill(client, owner=user.pk, name="laptop"))
    expires_at = APIToken.objects.get().expires_at
    assert before + timedelta(days=365) <= expires_at <= timezone.now() + timedelta(days=365)


def test_a_token_never_expires_if_that_is_ticked(as_staff: AsStaff, user: Any) -> None:
    client = as_staff("add")
    client.post(ADD, fill(client, owner=user.pk, name="laptop", never_expires="on"))
    assert APIToken.objects.get().expires_at is None


def test_never_is_ticked_where_that_is_the_default(
    as_staff: AsStaff, user: Any, settings: Any
) -> None:
    settings.CONNECTNOW_API = {"TOKEN_LIFETIME": None}
    client = as_staff("add")
    data = fill(client, owner=user.pk, name="laptop")
    assert (data["never_expires"], data["expires_at_0"]) == (True, "")


@pytest.mark.parametrize(
    ("typed_in", "kept"), [({}, timedelta(days=30)), ({"idle_timeout": ""}, None)]
)
def test_the_default_idle_timeout_is_filled_in_and_can_be_emptied(
    as_staff: AsStaff, user: Any, settings: Any, typed_in: dict[str, str], kept: timedelta | None
) -> None:
    settings.CONNECTNOW_API = {"TOKEN_IDLE_TIMEOUT": timedelta(days=30)}
    client = as_staff("add")
    client.post(ADD, fill(client, owner=user.pk, name="laptop", **typed_in))
    assert APIToken.objects.get().idle_timeout == kept


def test_an_empty_expiry_is_no_promise_of_for_ever(as_staff: AsStaff, user: Any) -> None:
    client = as_staff("add")
    response = client.post(ADD, fill(client, owner=user.pk, name="laptop", expires_at=""))
    assert errors_of(response) == {
        "expires_at": ["Say when the token expires, or that it never does."]
    }


def test_nothing_is_for_ever_under_a_maximum(as_staff: AsStaff, user: Any, settings: Any) -> None:
    settings.CONNECTNOW_API = {"MAX_TOKEN_LIFETIME": timedelta(days=30)}
    client = as_staff("add")
    data = fill(client, owner=user.pk, name="laptop", expires_at="", never_expires="on")
    response = client.post(ADD, data)
    assert errors_of(response) == {"expires_at": ["On this site every token expires."]}
    assert "never_expires" not in response.content.decode()
    far = client.post(ADD, data | {"expires_at_0": "2099-01-01", "expires_at_1": "00:00"})
    [text] = errors_of(far)["expires_at"]
    assert text.startswith("This token may live until ")
    client.post(ADD, fill(client, owner=user.pk, name="laptop"))
    token = APIToken.objects.get()
    assert token.expires_at <= token.created_at + timedelta(days=30)


BAD = [
    ({"owner": ""}, {"owner": ["This field is required."]}),
    ({"name": " "}, {"name": ["This field is required."]}),
    ({"name": "x" * 256}, "at most 255 characters (it has 256)"),
    ({"name": "a\x00b"}, {"name": ["Null characters are not allowed."]}),
    ({"name": "a\x1b[1mb"}, {"name": ["This text holds a control character."]}),
    ({"abilities": "issues read"}, "is no ability"),
    ({"abilities": 'quote"'}, "is no ability"),
    ({"allowed_networks": "192.0.2.1/24"}, "is no network"),
    ({"allowed_networks": "everywhere"}, "is no network"),
    ({"client": "a,b"}, "without a comma"),
    ({"rate": "60/month"}, "is no rate"),
    ({"rate": "6" * 33}, "at most 32 characters"),
    ({"idle_timeout": "soon"}, {"idle_timeout": ["Enter a valid duration."]}),
    ({"idle_timeout": "-1"}, "above zero"),
    ({"idle_timeout": "999999999 00:00:00"}, "100 years"),
    ({"idle_timeout": "99999999999999 00:00:00"}, "number of days must be between"),
    ({"expires_at": "2020-01-01 00:00"}, {"expires_at": ["The expiry lies in the past."]}),
    ({"expires_at": "2020-02-30 00:00"}, {"expires_at": ["Enter a valid date."]}),
    ({"expires_at": "tomorrow noon"}, "Enter a valid date."),
    ({"expires_at": "2099-01-01 "}, {"expires_at": ["Enter a valid time."]}),
]


@pytest.mark.parametrize(("bad", "said"), BAD)
def test_bad_input_is_told_at_its_field_and_nothing_is_lost(
    as_staff: AsStaff, user: Any, bad: dict[str, str], said: Any
) -> None:
    client = as_staff("add")
    good = {
        "owner": str(user.pk),
        "name": "laptop",
        "abilities": "a\nb",
        "allowed_networks": "192.0.2.0/24",
        "client": "acme",
        "rate": "60/m",
        "idle_timeout": "1 00:00:00",
        "expires_at": "2099-01-01 00:00",
    }
    response = client.post(ADD, fill(client, **good | bad))
    assert response.status_code == 200
    errors = errors_of(response)
    [field] = bad
    if isinstance(said, dict):
        assert errors == said
    else:
        assert list(errors) == [field]
        assert said in " ".join(errors[field])
    date, _, time = (good | bad)["expires_at"].partition(" ")
    assert typed(response) == {**good, **bad, "expires_at": [date, time], "never_expires": False}
    assert not APIToken.objects.exists()


@pytest.mark.parametrize("owner", ["0", "-1", "999999", str(10**30), "ada", "1e3", "\x00"])
def test_a_foreign_owner_is_refused_at_the_field(as_staff: AsStaff, user: Any, owner: str) -> None:
    client = as_staff("add")
    response = client.post(ADD, fill(client, owner=owner, name="laptop"))
    assert list(errors_of(response)) == ["owner"]


@pytest.mark.parametrize(
    "name", ["x" * 255, "Ноутбук", "笔记本电脑", "لابتوب", "نرم‌افزار", "👩‍💻", "<b>&"]
)
def test_names_of_every_script_are_kept(as_staff: AsStaff, user: Any, name: str) -> None:
    client = as_staff("add", "view")
    response = client.post(ADD, fill(client, owner=user.pk, name=name))
    assert response.status_code == 200
    assert APIToken.objects.get().name == name
    assert "<b>&" not in client.get(LIST).content.decode()


def test_abilities_are_ticked_where_the_site_offers_some(
    as_staff: AsStaff, user: Any, settings: Any
) -> None:
    settings.CONNECTNOW_API = {"ABILITIES": ABILITIES}
    client = as_staff("add")
    page = client.get(ADD).content.decode()
    for text in ("<code>issues:read</code> See issues", "<code>*</code> every ability"):
        assert text in page
    data = fill(client, owner=user.pk, name="laptop", abilities=["issues:write", "*"])
    client.post(ADD, data)
    assert APIToken.objects.get().abilities == ["issues:write", "*"]


def test_an_ability_that_is_not_offered_is_refused_and_the_others_stay(
    as_staff: AsStaff, user: Any, settings: Any
) -> None:
    settings.CONNECTNOW_API = {"ABILITIES": ABILITIES}
    client = as_staff("add")
    data = fill(client, owner=user.pk, name="laptop", abilities=["issues:read", "users:delete"])
    response = client.post(ADD, data)
    assert list(errors_of(response)) == ["abilities"]
    assert response.context["adminform"].form["abilities"].value() == [
        "issues:read",
        "users:delete",
    ]


def test_a_query_fills_the_form_in(as_staff: AsStaff, user: Any) -> None:
    data = fill(as_staff("add"), f"{ADD}?owner={user.pk}&name=laptop")
    assert (data["owner"], data["name"]) == (str(user.pk), "laptop")


@pytest.mark.parametrize("owner", ["abc", "9" * 20, "0", "\x00"])
@pytest.mark.parametrize("is_searched", [True, False])
def test_an_owner_who_cannot_be_is_told_at_the_field(
    root: Client, as_staff: AsStaff, owner: str, is_searched: bool
) -> None:
    client = root if is_searched else as_staff("add")
    data = fill(client, f"{ADD}?owner={owner}", owner=owner, name="laptop", rate="60/m")
    response = client.post(ADD, data)
    assert list(errors_of(response)) == ["owner"]
    assert {"name": "laptop", "rate": "60/m"}.items() <= typed(response).items()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-01-02", "2030-01-02 00:00:00"),
        ("2030-01-02T03:04:05", "2030-01-02 03:04:05"),
        ("2030-01-02T03:04:05%2B01:00", "2030-01-02 02:04:05"),
    ],
)
@pytest.mark.parametrize("lifetime", [timedelta(days=1), None])
def test_a_query_fills_the_expiry_in(
    as_staff: AsStaff, settings: Any, text: str, moment: str, lifetime: timedelta | None
) -> None:
    settings.CONNECTNOW_API = {"TOKEN_LIFETIME": lifetime}
    data = fill(as_staff("add"), f"{ADD}?expires_at={text}")
    assert f"{data['expires_at_0']} {data['expires_at_1']}" == moment
    assert "never_expires" not in data


@pytest.mark.parametrize(
    "text", ["", "soon", "2030-02-30", "2030-01-01T25:00", "0001-01-01T00:00%2B14:00", "\x00"]
)
def test_an_expiry_in_a_query_that_cannot_be_is_left_out(
    as_staff: AsStaff, settings: Any, text: str
) -> None:
    settings.CONNECTNOW_API = {"TOKEN_LIFETIME": None}
    data = fill(as_staff("add"), f"{ADD}?expires_at={text}")
    assert (data["expires_at_0"], data["never_expires"]) == ("", True)


@pytest.mark.parametrize("name", ["abilities", "allowed_networks", "idle_timeout", "never_expires"])
def test_whatever_a_query_fills_in_is_no_crash(root: Client, name: str) -> None:
    assert root.get(ADD, {name: "x"}).status_code == 200


# --- Once -----------------------------------------------------------------------------------


def test_a_form_that_is_sent_twice_makes_one_token(as_staff: AsStaff, user: Any) -> None:
    client = as_staff("add", "view")
    data = fill(client, owner=user.pk, name="laptop", abilities="a\nb")
    assert client.post(ADD, data).status_code == 200
    response = client.post(ADD, data)
    token = APIToken.objects.get()
    assert response.status_code == 409
    [text] = errors_of(response)["__all__"]
    link = f'<a href="{LIST}{token.pk}/change/">laptop ({token.masked})</a>'
    assert text.startswith(f"This form was sent before: {link} was issued then")
    assert link in response.content.decode()
    shown = typed(response)
    assert (shown["name"], shown["abilities"]) == ("laptop", "a\nb")


def test_the_form_that_tells_so_issues_another_token(as_staff: AsStaff, user: Any) -> None:
    client = as_staff("add")
    data = fill(client, owner=user.pk, name="laptop")
    client.post(ADD, data)
    key = client.post(ADD, data).context["adminform"].form["submission"].value()
    assert client.post(ADD, data | {"submission": key}).status_code == 200
    assert APIToken.objects.count() == 2


def test_a_form_that_is_being_sent_says_so(as_staff: AsStaff, user: Any) -> None:
    client = as_staff("add")
    data = fill(client, owner=user.pk, name="laptop")
    assert submissions.claim(data["submission"]) is None
    response = client.post(ADD, data)
    assert errors_of(response) == {
        "__all__": ["This form was sent before; look for its API token in the list."]
    }


def test_ticks_stay_when_a_form_is_sent_twice(as_staff: AsStaff, user: Any, settings: Any) -> None:
    settings.CONNECTNOW_API = {"ABILITIES": ABILITIES}
    client = as_staff("add")
    data = fill(client, owner=user.pk, name="laptop", abilities=["issues:read", "issues:write"])
    client.post(ADD, data)
    shown = typed(client.post(ADD, data))
    assert shown["abilities"] == ["issues:read", "issues:write"]


def test_bad_input_does_not_use_a_form_up(as_staff: AsStaff, user: Any) -> None:
    client = as_staff("add")
    data = fill(client, owner=user.pk, name="")
    key = client.post(ADD, data).context["adminform"].form["submission"].value()
    assert client.post(ADD, data | {"name": "laptop", "submission": key}).status_code == 200
    assert APIToken.objects.get().name == "laptop"


@pytest.mark.parametrize("key", ["", "made-up", "a:b:c", "é"])
def test_a_form_without_a_key_of_ours_is_shown_again(
    as_staff: AsStaff, user: Any, key: str
) -> None:
    client = as_staff("add")
    data = fill(client, owner=user.pk, name="laptop", submission=key)
    response = client.post(ADD, data)
    assert errors_of(response) == {
        "__all__": ["This form is too old. Look it over and send it again."]
    }
    key = response.context["adminform"].form["submission"].value()
    assert client.post(ADD, data | {"submission": key}).status_code == 200
    assert APIToken.objects.count() == 1


def test_a_key_is_good_for_one_user_and_one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    key = submissions.make_key("connectnow_api.APIToken:1")
    assert submissions.is_good(key, "connectnow_api.APIToken:1")
    assert not submissions.is_good(key, "connectnow_api.APIToken:2")
    monkeypatch.setattr(submissions, "LIFETIME", -1)
    assert not submissions.is_good(key, "connectnow_api.APIToken:1")


def test_a_token_that_could_not_be_issued_leaves_its_form_good(
    as_staff: AsStaff, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = as_staff("add")
    client.raise_request_exception = False
    data = fill(client, owner=user.pk, name="laptop")
    with monkeypatch.context() as broken:
        broken.setattr("connectnow_api.managers.tokens.digest", lambda text: None)
        assert client.post(ADD, data).status_code == 500
    assert client.post(ADD, data).status_code == 200
    assert APIToken.objects.count() == 1


def test_a_cache_that_is_gone_hinders_nobody(
    as_staff: AsStaff, user: Any, outage: None, caplog: pytest.LogCaptureFixture
) -> None:
    client = as_staff("add")
    data = fill(client, owner=user.pk, name="laptop")
    assert client.post(ADD, data).status_code == 200
    assert client.post(ADD, data).status_code == 200
    assert "A form cannot be kept from being sent twice: ConnectionRefusedError" in caplog.text


def test_what_the_cache_holds_is_no_secret(as_staff: AsStaff, user: Any, stored: Any) -> None:
    client = as_staff("add")
    response = client.post(ADD, fill(client, owner=user.pk, name="laptop"))
    plain_text = response.context["new"].plain_text
    token = APIToken.objects.get()
    [key] = [key for key in stored() if "submission" in key]
    assert cache.get(key.partition(":1:")[2]) == str(token.pk)
    assert plain_text not in key
    assert token.digest not in key


def test_what_the_model_refuses_at_last_is_told_at_its_field(
    as_staff: AsStaff, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An expiry may have come while the form was read."""
    errors = {"expires_at": ["The expiry lies in the past."], "tail": ["Too long."]}

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise ValidationError(errors)

    client = as_staff("add")
    data = fill(client, owner=user.pk, name="laptop")
    with monkeypatch.context() as late:
        late.setattr(APITokenManager, "issue", refuse)
        response = client.post(ADD, data)
    assert errors_of(response) == {
        "expires_at": ["The expiry lies in the past."],
        "__all__": ["Too long."],
    }
    assert client.post(ADD, data).status_code == 200
    assert APIToken.objects.count() == 1
