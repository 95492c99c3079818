"""From issuing to revoking: what each change does, refuses, and leaves as it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.forms.models import model_to_dict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectnow_api import managers, tokens
from connectnow_api.exceptions import TokenConflict
from connectnow_api.managers import BATCH_SIZE
from connectnow_api.models import APIToken
from connectnow_api.states import LATEST
from connectnow_api.validators import MAX_IDLE_TIMEOUT

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]
Configure = Callable[..., None]

DAY, HOUR, YEAR = timedelta(days=1), timedelta(hours=1), timedelta(days=365)
NAMES = [
    pytest.param("Ada's laptop", id="english"),
    pytest.param("حاسوب آدا المحمول", id="arabic"),
    pytest.param("\u200fמחשב \u200e(2)", id="hebrew with marks"),
    pytest.param("नमस्ते क्ष\u200dत्रिय", id="devanagari with a joiner"),
    pytest.param("笔记本电脑", id="chinese"),
    pytest.param("👩\u200d💻👨\u200d👩\u200d👧\u200d👦🏳\ufe0f\u200d🌈", id="emoji with joiners"),
    pytest.param("e\u0301", id="combining"),
    pytest.param("x" * 255, id="255 letters"),
    pytest.param("𝔘" * 255, id="255 letters of four bytes"),
    pytest.param("<script>'\"; DROP TABLE x; --%s", id="hostile"),
]
UNNAMEABLE = [
    pytest.param("", id="empty"),
    pytest.param(" \t ", id="blank"),
    pytest.param("\u3000\u2003", id="wide blanks"),
    pytest.param("a\x00b", id="NUL"),
    pytest.param("a\nb", id="newline"),
    pytest.param("a\r\nSet-Cookie: x", id="CRLF"),
    pytest.param("\x1b[31m", id="escape"),
    pytest.param("a\x7f", id="DEL"),
    pytest.param("a\x85", id="NEL"),
    pytest.param("a\u2028b", id="line separator"),
    pytest.param("a\u2029b", id="paragraph separator"),
    pytest.param("\ud800", id="lone surrogate"),
    pytest.param("\udc80abc", id="lone low surrogate"),
    pytest.param("x" * 256, id="256 letters"),
    pytest.param(None, id="none"),
]


@pytest.fixture
def configure(settings: Any) -> Configure:
    """Set keys of ``CONNECTNOW_API``."""

    def configure(**keys: Any) -> None:
        settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, **keys}

    return configure


def columns(token: APIToken) -> dict[str, Any]:
    """Return all that is stored of a token."""
    found = APIToken.objects.filter(pk=token.pk).values().get()
    return dict(found)


def held(token: APIToken) -> dict[str, Any]:
    """Return all that an instance holds."""
    return {field.attname: getattr(token, field.attname) for field in token._meta.concrete_fields}


def refused_fields(call: Callable[[], Any]) -> list[str]:
    with pytest.raises(ValidationError) as refusal:
        call()
    return [*refusal.value.message_dict]


def in_past(token: APIToken, **times: timedelta) -> None:
    """Set columns to so long ago."""
    now = timezone.now()
    APIToken.objects.filter(pk=token.pk).update(**{name: now - ago for name, ago in times.items()})


# --- Issuing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_of_any_script(user: Any, name: str) -> None:
    token = APIToken.objects.issue(user, name).token
    assert columns(token)["name"] == name
    token.rename(name[::-1].strip())
    assert columns(token)["name"] == name[::-1].strip()


@pytest.mark.parametrize("name", UNNAMEABLE)
def test_what_is_no_name_is_refused_and_nothing_is_stored(user: Any, name: Any) -> None:
    assert refused_fields(lambda: APIToken.objects.issue(user, name)) == ["name"]
    assert not APIToken.objects.exists()


@pytest.mark.parametrize(
    "abilities",
    ["a", None, 1, [1], [["a"]], [{}], [None], ["a", ""], {"a": True}, ["\ud800"], b"ab", ["a\n"]],
)
def test_what_is_no_list_of_abilities_is_refused(user: Any, abilities: Any) -> None:
    assert refused_fields(lambda: APIToken.objects.issue(user, "x", abilities)) == ["abilities"]
    assert not APIToken.objects.exists()


def test_an_ability_that_the_site_does_not_offer_is_refused(
    user: Any, configure: Configure
) -> None:
    configure(ABILITIES={"issues:read": "Read issues"})
    for abilities in (["issues:read"], ["*"], []):
        assert APIToken.objects.issue(user, "laptop", abilities).token.abilities == abilities
    with pytest.raises(ValidationError) as refusal:
        APIToken.objects.issue(user, "laptop", ["issues:read", "issues:write"])
    assert refusal.value.message_dict == {
        "abilities": ["This site does not offer the ability 'issues:write'."]
    }


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("allowed_networks", None),
        ("allowed_networks", ""),
        ("allowed_networks", {}),
        ("allowed_networks", "192.0.2.0/24"),
        ("allowed_networks", ["192.0.2.1/24"]),
        ("allowed_networks", ["192.0.2.0/33"]),
        ("allowed_networks", ["localhost"]),
        ("allowed_networks", [1]),
        ("allowed_networks", [True]),
        ("allowed_networks", [None]),
        ("allowed_networks", [["192.0.2.0", 24]]),
        ("allowed_networks", ["192.0.2.0/24", "fe80::%eth0/64"]),
        ("rate", None),
        ("rate", "5"),
        ("rate", "5/month"),
        ("rate", "-1/m"),
        ("rate", "5/m\n"),
        ("rate", "x" * 33),
        ("client", None),
        ("client", "a,b"),
        ("idle_timeout", timedelta(0)),
        ("idle_timeout", -DAY),
        ("idle_timeout", MAX_IDLE_TIMEOUT + timedelta(microseconds=1)),
        ("idle_timeout", timedelta.max),
        ("expires_at", datetime(2000, 1, 1, tzinfo=UTC)),
        ("expires_at", datetime(2999, 1, 1)),  # noqa: DTZ001
        ("expires_at", date(2999, 1, 1)),
        ("expires_at", "2999-01-01T00:00:00Z"),
        ("expires_at", "soon"),
        ("expires_at", LATEST + timedelta(microseconds=1)),
        ("expires_at", datetime.max.replace(tzinfo=UTC)),
        ("owner", None),
    ],
)
def test_what_a_column_cannot_have_is_refused_by_its_name(
    user: Any, column: str, value: Any
) -> None:
    fields = {"owner": user, "name": "laptop", column: value}
    assert refused_fields(lambda: APIToken.objects.issue(**fields)) == [column]
    assert not APIToken.objects.exists()


def test_an_owner_that_is_not_stored_is_refused(user: Any) -> None:
    unsaved = type(user)(username="grace")
    assert refused_fields(lambda: APIToken.objects.issue(unsaved, "laptop")) == ["owner"]


def test_the_extremes_of_each_column_are_taken(user: Any) -> None:
    token = APIToken.objects.issue(
        user,
        "laptop",
        ["\x21", "~" * 1000],
        expires_at=LATEST,
        allowed_networks=["0.0.0.0/0", "::/0", "192.0.2.7", "::ffff:10.0.0.0/104"],
        rate="999999999/365d",
        idle_timeout=MAX_IDLE_TIMEOUT,
        client="x" * 255,
    ).token
    assert APIToken.objects.get() == token
    assert columns(token) == held(token)
    assert [*APIToken.objects.active()] == [token]
    assert not token.revoked_at
    successor = token.rotate().token
    assert successor.expires_at == LATEST
    successor.rotate(grace=HOUR)


def test_all_that_is_wrong_is_said_at_once(user: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        APIToken.objects.issue(
            user,
            "a\nb",
            ["a b"],
            expires_at=timezone.now() - DAY,
            allowed_networks=["x"],
            rate="5/x",
            client="a,b",
            idle_timeout=timedelta(0),
        )
    assert refusal.value.message_dict == {
        "name": ["This text holds a control character."],
        "abilities": [
            "'a b' is no ability: use printable ASCII without space, quote and \\.",
        ],
        "allowed_networks": ["'x' is no network such as 192.0.2.0/24 or 2001:db8::/32."],
        "rate": ["'5/x' is no rate such as 60/m or 10/5s."],
        "client": ["A client is a text of printable characters without a comma."],
        "idle_timeout": ["An idle timeout is above zero, and 100 years at most."],
        "expires_at": ["The expiry lies in the past."],
    }
    assert not APIToken.objects.exists()


def test_a_maximum_bounds_every_new_token(user: Any, configure: Configure) -> None:
    configure(MAX_TOKEN_LIFETIME=DAY, TOKEN_LIFETIME=YEAR)
    before = timezone.now()
    token = APIToken.objects.issue(user, "laptop").token
    assert before + DAY <= token.expires_at <= timezone.now() + DAY
    for at in (None, timezone.now() + 2 * DAY):
        issue = partial(APIToken.objects.issue, user, "laptop", expires_at=at)
        assert refused_fields(issue) == ["expires_at"]


def test_a_maximum_ends_tokens_that_were_issued_before_it(
    issue: Issue, configure: Configure
) -> None:
    token = issue(expires_at=None).token
    in_past(token, created_at=2 * DAY)
    token.refresh_from_db()
    assert token.state == "active"
    configure(MAX_TOKEN_LIFETIME=DAY)
    assert token.state == "expired"
    assert [*APIToken.objects.expired()] == [token]


# --- Renaming and extending -------------------------------------------------------------------


@pytest.mark.parametrize("name", UNNAMEABLE)
def test_a_refused_name_leaves_row_and_instance_as_they_are(issue: Issue, name: Any) -> None:
    token = issue().token
    before = columns(token)
    assert refused_fields(lambda: token.rename(name)) == ["name"]
    assert columns(token) == held(token) == before


def test_renaming_changes_the_name_and_nothing_else(issue: Issue) -> None:
    token = issue().token
    other = APIToken.objects.get(pk=token.pk)
    APIToken.objects.filter(pk=token.pk).update(abilities=["a"], rate="5/m")
    before = columns(token)
    other.rename("phone")
    assert columns(token) == {**before, "name": "phone"}
    assert other.name == "phone"


def test_an_expired_token_can_be_renamed_and_extended(issue: Issue) -> None:
    token = issue(expires_at=timezone.now() - DAY).token
    token.rename("phone")
    later = timezone.now() + DAY
    token.extend(later)
    assert (token.state, token.name, columns(token)["expires_at"]) == ("active", "phone", later)


def test_extending_to_for_ever_and_back(issue: Issue) -> None:
    token = issue().token
    APIToken.objects.update(expiry_notified_at=timezone.now())
    token.extend(None)
    assert held(token) == columns(token)
    assert (token.expires_at, token.expiry_notified_at) == (None, None)
    later = timezone.now() + DAY
    token.extend(later)
    assert columns(token)["expires_at"] == token.expires_at == later


@pytest.mark.parametrize(
    "expires_at",
    [
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2999, 1, 1),  # noqa: DTZ001
        date(2999, 1, 1),
        "2999-01-01T00:00:00Z",
        datetime.max.replace(tzinfo=UTC),
        ...,
    ],
)
def test_a_refused_expiry_leaves_row_and_instance_as_they_are(
    issue: Issue, expires_at: Any
) -> None:
    token = issue().token
    before = columns(token)
    assert refused_fields(lambda: token.extend(expires_at)) == ["expires_at"]
    if expires_at is not ...:
        assert refused_fields(lambda: token.rotate(expires_at=expires_at)) == ["expires_at"]
    assert columns(token) == held(token) == before
    assert APIToken.objects.count() == 1


def test_a_maximum_is_counted_from_the_day_of_issue(issue: Issue, configure: Configure) -> None:
    token = issue().token
    in_past(token, created_at=9 * DAY)
    token.refresh_from_db()
    configure(MAX_TOKEN_LIFETIME=10 * DAY)
    assert refused_fields(lambda: token.extend(timezone.now() + 2 * DAY)) == ["expires_at"]
    assert refused_fields(lambda: token.extend(None)) == ["expires_at"]
    token.extend(token.created_at + 10 * DAY)
    assert token.expires_at == token.created_at + 10 * DAY


# --- Rotating ---------------------------------------------------------------------------------


def test_without_a_grace_the_old_one_ends_at_once(issue: Issue) -> None:
    old, old_text = issue()
    before = timezone.now()
    new, text = old.rotate()
    assert text != old_text
    assert tokens.is_well_formed(text, "cn")
    assert APIToken.objects.find(text) == new
    assert (old.state, new.state) == ("revoked", "active")
    assert held(old) == columns(old)
    assert old.revoked_at == old.expires_at
    assert before <= old.revoked_at <= timezone.now()


def test_within_its_grace_the_old_one_opens_what_it_did(issue: Issue) -> None:
    old = issue(abilities=["a"]).token
    before = timezone.now()
    old.rotate(grace=HOUR)
    assert held(old) == columns(old)
    assert before + HOUR <= old.revoked_at == old.expires_at <= timezone.now() + HOUR
    assert (old.state, old.is_usable, old.can("a")) == ("active", True, True)
    assert old in APIToken.objects.active()
    in_past(old, revoked_at=timedelta(0))
    old.refresh_from_db()
    assert (old.state, old.is_usable) == ("revoked", False)


def test_a_grace_lengthens_no_life(issue: Issue) -> None:
    soon = timezone.now() + HOUR
    old = issue(expires_at=soon).token
    old.rotate(grace=DAY)
    assert columns(old)["expires_at"] == old.expires_at == soon
    assert old.revoked_at > soon


def test_a_successor_is_a_twin_but_for_secret_and_dates(user: Any) -> None:
    fields = {
        "name": "laptop",
        "abilities": ["a", "b"],
        "allowed_networks": ["192.0.2.0/24"],
        "rate": "5/m",
        "client": "acme",
        "idle_timeout": DAY,
    }
    old = APIToken.objects.issue(user, **fields).token
    APIToken.objects.update(
        last_used_at=timezone.now(),
        last_used_address="192.0.2.7",
        expiry_notified_at=timezone.now(),
    )
    new = old.rotate().token
    assert held(new) == columns(new)
    twin = {
        **columns(old),
        "id": new.pk,
        "rotated_from_id": old.pk,
        "revoked_at": None,
        "last_used_at": None,
        "last_used_address": None,
        "expiry_notified_at": None,
        **{name: getattr(new, name) for name in ("digest", "tail", "created_at", "expires_at")},
    }
    assert columns(new) == twin
    assert model_to_dict(new).keys() == model_to_dict(old).keys()
    assert new.digest != old.digest


def test_a_successor_is_a_twin_of_the_row_and_not_of_the_instance(issue: Issue) -> None:
    """What another process changed meanwhile is kept, and what was only tried here is not."""
    old = issue().token
    APIToken.objects.get(pk=old.pk).rename("phone")
    old.abilities = ["*"]
    new = old.rotate().token
    assert (new.name, new.abilities) == ("phone", [])


@pytest.mark.parametrize("lifetime", [HOUR, 90 * DAY, 3 * YEAR])
def test_a_successor_lives_as_long_as_the_old_one_was_to_live(
    issue: Issue, lifetime: timedelta
) -> None:
    old = issue(expires_at=timezone.now() + lifetime).token
    in_past(old, created_at=lifetime)
    old.refresh_from_db()
    whole = old.expires_at - old.created_at
    before = timezone.now()
    new = old.rotate().token
    assert before + whole <= new.expires_at <= timezone.now() + whole


def test_a_successor_of_a_token_without_expiry_has_none(issue: Issue) -> None:
    old = issue(expires_at=None).token
    assert old.rotate(grace=HOUR).token.expires_at is None
    assert old.expires_at == old.revoked_at


def test_a_successor_may_have_an_expiry_of_its_own(issue: Issue) -> None:
    later = timezone.now() + DAY
    first = issue().token
    second = first.rotate(expires_at=later).token
    third = second.rotate(expires_at=None).token
    assert (second.expires_at, third.expires_at) == (min(later, second.revoked_at), None)


def test_a_maximum_bounds_successors(issue: Issue, configure: Configure) -> None:
    old = issue(expires_at=None).token
    configure(MAX_TOKEN_LIFETIME=DAY)
    for at in (None, timezone.now() + 2 * DAY):
        assert refused_fields(partial(old.rotate, expires_at=at)) == ["expires_at"]
    before = timezone.now()
    assert before + DAY <= old.rotate().token.expires_at <= timezone.now() + DAY


def test_rotations_make_a_chain(issue: Issue) -> None:
    chain = [issue().token]
    for _ in range(5):
        chain.append(chain[-1].rotate(grace=HOUR).token)
    for old, new in pairwise(chain):
        assert APIToken.objects.get(pk=old.pk).rotated_to == new
    assert APIToken.objects.active().count() == 6
    assert APIToken.objects.all().revoke() == 6
    assert APIToken.objects.active().count() == 0


@pytest.mark.parametrize("grace", [timedelta(microseconds=-1), timedelta.min, timedelta.max])
def test_a_grace_that_cannot_be_is_refused(issue: Issue, grace: timedelta) -> None:
    token = issue().token
    before = columns(token)
    assert refused_fields(lambda: token.rotate(grace=grace)) == ["grace"]
    assert columns(token) == held(token) == before
    assert APIToken.objects.count() == 1


def test_a_successor_that_cannot_be_stored_leaves_everything_as_it_was(
    issue: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issue().token
    before = columns(token)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise IntegrityError("a column of a kind of its own is unique")

    monkeypatch.setattr(APIToken, "save", refuse)
    with pytest.raises(IntegrityError):
        token.rotate()
    assert columns(token) == held(token) == before


def test_a_second_successor_is_a_conflict_however_the_first_was_made(issue: Issue) -> None:
    token = issue().token
    successor = issue().token
    APIToken.objects.filter(pk=successor.pk).update(rotated_from=token)
    with pytest.raises(TokenConflict) as conflict:
        token.rotate()
    assert (conflict.value.token, conflict.value.state) == (token, "rotated")
    assert columns(token)["revoked_at"] is None


# --- Conflicts --------------------------------------------------------------------------------


def end(token: APIToken, state: str) -> None:
    """Bring a token into a state by other hands than the instance's."""
    other = APIToken.objects.get(pk=token.pk)
    if state == "revoked":
        other.revoke()
    elif state == "rotated":
        other.rotate(grace=HOUR)
    elif state == "expired":
        in_past(token, expires_at=timedelta(0))
    elif state == "idle":
        APIToken.objects.filter(pk=token.pk).update(idle_timeout=DAY)
        in_past(token, last_used_at=2 * DAY)
    else:
        other.delete()


@pytest.mark.parametrize(
    ("change", "states"),
    [
        pytest.param(
            lambda token: token.rotate(),
            ["revoked", "rotated", "expired", "idle", "pruned"],
            id="rotate",
        ),
        pytest.param(
            lambda token: token.extend(timezone.now() + DAY),
            ["revoked", "rotated", "idle", "pruned"],
            id="extend",
        ),
        pytest.param(lambda token: token.rename("phone"), ["revoked", "pruned"], id="rename"),
    ],
)
def test_what_comes_too_late_is_a_conflict_that_says_why(
    issue: Issue, change: Callable[[Any], Any], states: list[str]
) -> None:
    for state in states:
        token = issue().token
        end(token, state)
        rows = [*APIToken.objects.order_by("pk").values()]
        with pytest.raises(TokenConflict) as conflict:
            change(token)
        assert conflict.value.status_code == 409
        assert conflict.value.token is token
        assert conflict.value.state == state
        assert [*APIToken.objects.order_by("pk").values()] == rows
        if state not in ("pruned", "idle"):
            assert held(token) == columns(token)


def test_revoking_a_row_that_is_gone_revokes_nothing(issue: Issue) -> None:
    token = issue().token
    APIToken.objects.all().delete()
    assert token.revoke() is False


# --- Revoking ---------------------------------------------------------------------------------


def test_a_token_in_its_grace_loses_it(issue: Issue) -> None:
    token = issue().token
    successor = token.rotate(grace=HOUR).token
    before = timezone.now()
    assert token.revoke() is True
    assert before <= token.revoked_at == columns(token)["revoked_at"] <= timezone.now()
    assert not token.is_usable
    assert APIToken.objects.get(pk=successor.pk).is_usable
    assert token.revoke() is False


def test_a_grace_that_began_meanwhile_is_lost_too(issue: Issue) -> None:
    token = issue().token
    APIToken.objects.get(pk=token.pk).rotate(grace=HOUR)
    assert token.revoked_at is None
    assert token.revoke() is True
    assert token.state == "revoked"


def test_a_revocation_that_took_its_time_before_another_does_not_count(
    issue: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited for the other's lock, and what it finds lies in its future, as a grace does."""
    token = issue().token
    early = timezone.now()
    assert APIToken.objects.get(pk=token.pk).revoke() is True
    revoked_at = columns(token)["revoked_at"]
    times = iter([early])
    now = timezone.now
    monkeypatch.setattr(managers.timezone, "now", lambda: next(times, None) or now())
    assert token.revoke() is False
    assert columns(token)["revoked_at"] == token.revoked_at == revoked_at


def test_a_queryset_revokes_what_it_holds_and_nothing_else(issue: Issue) -> None:
    keys = [issue().token.pk for _ in range(6)]
    APIToken.objects.get(pk=keys[0]).revoke()
    first = columns(APIToken(pk=keys[0]))["revoked_at"]
    APIToken.objects.get(pk=keys[1]).rotate(grace=HOUR)
    assert APIToken.objects.order_by("pk")[:3].revoke() == 2
    assert APIToken.objects.order_by("-pk").filter(pk__in=keys)[:1].revoke() == 1
    revoked = APIToken.objects.revoked().order_by("pk").values_list("pk", flat=True)
    assert [*revoked] == [keys[0], keys[1], keys[2], keys[5]]
    assert columns(APIToken(pk=keys[0]))["revoked_at"] == first
    assert APIToken.objects.none().revoke() == 0
    assert APIToken.objects.filter(pk__in=keys).revoke() == 2


@pytest.mark.parametrize("count", [BATCH_SIZE, BATCH_SIZE + 1])
def test_a_large_queryset_is_revoked_in_batches(user: Any, count: int) -> None:
    rows = [APIToken(owner=user, name=f"{n}", digest=f"{n:064}") for n in range(count)]
    APIToken.objects.bulk_create(rows)
    with CaptureQueriesContext(connection) as queries:
        assert APIToken.objects.order_by("-name").revoke() == count
    updates = [query for query in queries if query["sql"].startswith("UPDATE")]
    assert len(updates) == -(-count // BATCH_SIZE)
    assert APIToken.objects.revoked().count() == count
    assert APIToken.objects.all().revoke() == 0


def test_batches_hold_each_row_once(user: Any) -> None:
    rows = [APIToken(owner=user, name=f"{n}", digest=f"{n:064}") for n in range(7)]
    APIToken.objects.bulk_create(rows)
    batches = [*APIToken.objects.order_by("pk").in_batches(3)]
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert [row.name for batch in batches for row in batch] == [f"{n}" for n in range(7)]
