"""What ``api_limits`` says, of limits and of what went wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from connectnow_api.limiters import Limiter
from connectnow_api.throttling import (
    BaseRateThrottle,
    LimiterThrottle,
    TokenRateThrottle,
    UserRateThrottle,
    limited_by,
)
from tests.conftest import Mount
from tests.services import BACKENDS, cache_settings

from .conftest import Run
from .limited import ADDRESS, ask, counted, limit, limiters, remaining
from .test_revoke import Terminal

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]

IN_CACHE = "Counted by django-ratelimit's counters in the cache 'default'.\n"


def decide(request: Any) -> str:
    return "4/d"


@pytest.fixture(autouse=True)
def nothing_else(mount: Mount, settings: Any) -> None:
    mount({})
    settings.REST_FRAMEWORK = {}
    settings.CONNECTNOW_API = {}


# --- list -------------------------------------------------------------------------------------


def test_every_limit_is_listed(run_limits: Run, mount: Mount, settings: Any) -> None:
    limiters(settings, api=["60/m", (1000, 3600)], **{"a\x1b[31m": "5/m"})
    settings.CONNECTNOW_API |= {"ON_CACHE_FAILURE": "closed"}
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"token": "7/m", "user": "8/m"}}
    own = type("Own", (UserRateThrottle,), {"window": "moving", "on_cache_failure": "local"})
    mine = Limiter("5/d", name="mine", by=["user", decide], per=["method"], shadow=True)
    limit(mount, TokenRateThrottle, own, limited_by("api", mine))
    by = f"user, {__name__}.decide per method"
    wide = len(by)
    lines = [
        f"NAME         RATES             {'BY':{wide}}  WINDOW  ON FAILURE  SHADOW",
        f"api          60/m, 1000/3600s  {'token':{wide}}  fixed   closed      no",
        f"a\\x1b[31m    5/m               {'token':{wide}}  fixed   closed      no",
        f"failed_auth  30/m              {'address':{wide}}  fixed   open        no",
        f"token        7/m; token.rate   {'token':{wide}}  fixed   closed      no",
        f"user         8/m               {'user':{wide}}  moving  local       no",
        f"mine         5/d               {by}  fixed   closed      yes",
    ]
    assert run_limits("list") == ("".join(f"{line}\n" for line in lines), IN_CACHE, 0)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"rate": None}, ["none"]),
        ({"rate": decide}, [f"{__name__}.decide"]),
        ({"rate": "tests.x.rate"}, ["tests.x.rate"]),
        ({"rate": "5/m", "guest_rate": decide}, ["5/m", f"guests {__name__}.decide"]),
        ({"rate": "5/m", "rate_attribute": "token.rate"}, ["5/m", "token.rate"]),
        (
            {"rate": "5/m", "plan": "user.plan", "plans": {"a": None, "b": ["9/m", "99/h"]}},
            ["5/m", "user.plan a: none", "user.plan b: 9/m, 99/h"],
        ),
        (
            {"rate": "5/m", "plan": decide, "plans": {"a": (9, 60)}},
            ["5/m", f"{__name__}.decide a: 9/60s"],
        ),
    ],
)
def test_rates_are_told_as_they_are_written(
    fields: Any, told: list[str], run_limits: Run, settings: Any
) -> None:
    limiters(settings, api=fields)
    assert run_limits("list", "--format", "json").data[0]["rates"] == told


def test_a_script_gets_a_list_of_objects(run_limits: Run, settings: Any) -> None:
    limiters(settings, api={"rate": ["60/m", "1000/d"], "guest_rate": "5/m", "per": ["method"]})
    found = run_limits("list", "--format", "json")
    assert found.data == [
        {
            "name": "api",
            "rates": ["60/m, 1000/d", "guests 5/m"],
            "by": "token",
            "per": ["method"],
            "window": "fixed",
            "on_failure": "open",
            "shadow": False,
        },
        {
            "name": "failed_auth",
            "rates": ["30/m"],
            "by": "address",
            "per": [],
            "window": "fixed",
            "on_failure": "open",
            "shadow": False,
        },
    ]
    assert found.stderr == ""


def test_a_throttle_whose_rate_or_asker_it_decides_itself(run_limits: Run, mount: Mount) -> None:
    class Own(BaseRateThrottle):
        scope = "own"

        def get_rate(self, request: Any, view: Any) -> str:
            return "5/m"

        def get_cache_key(self, request: Any, view: Any) -> str:
            return "all"

    limit(mount, Own)
    (row, _failed_auth) = reversed(run_limits("list", "--format", "json").data)
    assert row["rates"][0].endswith("Own.get_rate")
    assert row["by"].endswith("Own.get_cache_key")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("redis://:s3cret@127.0.0.1:1/0", "redis://127.0.0.1:1/0"),
        ("redis://u:s3/cr@et@127.0.0.1:1/0?password=s3cret", "redis://127.0.0.1:1/0"),
        ("memcached://127.0.0.1:1,127.0.0.1:2", "memcached://127.0.0.1:1,127.0.0.1:2"),
    ],
)
def test_where_it_is_counted_without_a_password(
    uri: str, shown: str, run_limits: Run, settings: Any
) -> None:
    settings.CONNECTNOW_API = {"LIMIT_STORAGE": uri}
    found = run_limits("list")
    assert (found.stderr, found.status) == (f"Counted by {shown}.\n", 0)


def test_limits_that_are_off_are_remarked(run_limits: Run, settings: Any) -> None:
    settings.RATELIMIT_ENABLE = False
    off = "RATELIMIT_ENABLE is False: requests are not counted.\n"
    assert run_limits("list").stderr == IN_CACHE + off
    assert off in run_limits("show", "failed_auth", "--address", ADDRESS).stderr


@pytest.mark.parametrize("kind", ["locmem", "memory://"])
def test_counters_that_are_each_processs_own_are_remarked(
    kind: str, run_limits: Run, settings: Any
) -> None:
    settings.CACHES = {"default": {"BACKEND": BACKENDS["locmem"]}}
    settings.CONNECTNOW_API = {"LIMIT_STORAGE": kind} if "://" in kind else {}
    found = run_limits("show", "failed_auth", "--address", ADDRESS)
    remark = "Each process has counters of its own: this one sees those of no other.\n"
    assert (found.stderr, found.status) == (remark, 0)


# --- show -------------------------------------------------------------------------------------


@pytest.mark.servers
@pytest.mark.usefixtures("storage")
def test_a_table(run_limits: Run, settings: Any) -> None:
    limiters(settings, api={"rate": ["3/h", "100/day"], "by": "address"})
    assert run_limits("show", "api", "--address", ADDRESS) == (
        (
            "RATE        WINDOW  LIMIT  COUNTED  REMAINING  RESET\n"
            "3/3600s     fixed   3      0        3          -\n"
            "100/86400s  fixed   100    0        100        -\n"
        ),
        "",
        0,
    )


def test_a_script_gets_when_counting_begins_anew(
    run_limits: Run, mount: Mount, settings: Any
) -> None:
    limiters(settings, api={"rate": "3/h", "by": "address"})
    limit(mount, LimiterThrottle, limiters="api")
    answers = [ask() for _ in range(4)]
    (row,) = run_limits("show", "api", "--address", ADDRESS, "--format", "json").data
    reset = datetime.fromtimestamp(int(answers[3]["X-RateLimit-Reset"]), UTC)
    told = {"rate": "3/3600s", "window": "fixed", "limit": 3, "counted": 4, "remaining": 0}
    assert row == {**told, "reset": reset.isoformat().replace("+00:00", "Z")}


@pytest.fixture
def many(limits: None, mount: Mount, settings: Any, storage: None) -> None:
    """Count requests from three addresses: one, two and three."""
    limiters(settings, api={"rate": ["9/h", "99/d"], "by": "address"}, other="9/h")
    limit(mount, limited_by("api", "other"))
    for number in (2, 1, 3):
        for _ in range(number):
            ask(address=f"192.0.2.{number}")


@pytest.mark.servers
@pytest.mark.usefixtures("many")
def test_those_who_asked_most_are_listed_without_their_addresses(run_limits: Run) -> None:
    found = run_limits("show", "api", "--format", "json")
    assert [row["counted"] for row in found.data] == [3, 3, 2, 2, 1, 1]
    assert {row["rate"] for row in found.data} == {"9/3600s", "99/86400s"}
    assert len({row["asker"] for row in found.data}) == 3
    assert "192.0.2" not in run_limits("show", "api").stdout


@pytest.mark.servers
@pytest.mark.usefixtures("many")
def test_only_the_first_are_listed(run_limits: Run) -> None:
    found = run_limits("show", "api", "--top", "3", "--format", "json")
    assert [row["counted"] for row in found.data] == [3, 3, 2]


@pytest.mark.servers
@pytest.mark.usefixtures("storage")
def test_a_prefix_may_have_any_character(run_limits: Run, mount: Mount, settings: Any) -> None:
    options = settings.CONNECTNOW_API["LIMIT_STORAGE_OPTIONS"]
    options["key_prefix"] += "[1]*?\\"
    limiters(settings, api={"rate": "9/h", "by": "address"})
    limit(mount, LimiterThrottle, limiters="api")
    ask()
    assert counted(run_limits, "api") == [1]


@pytest.mark.servers
@pytest.mark.usefixtures("many")
def test_whoever_is_listed_can_be_named(run_limits: Run) -> None:
    first = run_limits("show", "api", "--format", "json").data[0]["asker"]
    assert counted(run_limits, "api", "--asker", first) == [3, 3]
    lines = run_limits("reset", "api", "--asker", first).stdout.splitlines()
    assert lines[0] == "2 counters of the limit api reset."
    assert sorted(lines[1:]) == ["3 of 9/3600s forgotten.", "3 of 99/86400s forgotten."]
    assert sorted(counted(run_limits, "api")) == [1, 1, 2, 2]
    gone = run_limits("show", "api", "--asker", first)
    assert (gone.status, gone.stdout) == (3, "")
    assert f"Nothing is counted of '{first}'." in gone.stderr


@pytest.mark.parametrize("asker", ["0123456", "g" * 8, "A" * 8, "a" * 33])
def test_an_asker_that_is_none(run_limits: Run, asker: str) -> None:
    found = run_limits("show", "failed_auth", "--asker", asker)
    assert (found.status, found.stdout) == (2, "")
    assert f"{asker!r} is neither what show lists" in found.stderr


@pytest.mark.servers
@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("window", ["fixed", "moving", "sliding"])
def test_a_shared_counter_is_told_by_the_rate_of_its_limit(
    run_limits: Run, mount: Mount, settings: Any, window: str
) -> None:
    limiters(
        settings,
        one={"rate": "3/h", "counter": "both", "by": "address", "window": window},
        two={"rate": "5/h", "counter": "both", "by": "address", "window": window},
    )
    limit(mount, limited_by("one"))
    ask()
    for name, limits in (("one", 3), ("two", 5)):
        (row,) = run_limits("show", name, "--format", "json").data
        assert (row["limit"], row["counted"]) == (limits, 1)
        assert counted(run_limits, name, "--address", ADDRESS) == [1]


@pytest.mark.parametrize("verb", [["show"], ["reset", "--all", "--no-input"]])
def test_a_cache_cannot_say_whom_it_counts(verb: list[str], run_limits: Run) -> None:
    found = run_limits(*verb, "failed_auth")
    assert (found.stdout, found.status) == ("", 2)
    assert found.stderr.endswith(
        "What is counted in django-ratelimit's counters in the cache 'default' cannot be listed: "
        "name who asks, as by --user or --address.\n"
    )


# --- reset ------------------------------------------------------------------------------------


@pytest.mark.servers
@pytest.mark.usefixtures("many")
def test_what_was_reset_is_said(run_limits: Run) -> None:
    assert run_limits("reset", "api", "--address", "192.0.2.3") == (
        "2 counters of the limit api reset.\n3 of 9/3600s forgotten.\n3 of 99/86400s forgotten.\n",
        "",
        0,
    )
    found = run_limits("reset", "api", "--address", "192.0.2.2", "--format", "json")
    assert found.data == {"limit": "api", "reset": 2}


@pytest.mark.servers
@pytest.mark.usefixtures("many")
def test_all_are_reset_and_other_limits_left_alone(run_limits: Run) -> None:
    found = run_limits("reset", "api", "--all", "--no-input")
    assert found == ("6 counters of the limit api reset.\n", "", 0)
    assert counted(run_limits, "api") == []
    assert counted(run_limits, "other") == [3, 2, 1]
    assert remaining(ask(address="192.0.2.3")) == 5


@pytest.mark.servers
@pytest.mark.usefixtures("many")
def test_all_need_a_yes(run_limits: Run) -> None:
    assert run_limits("reset", "api", "--all") == (
        "",
        "This resets all 6 counters of the limit 'api'. Say --no-input.\n",
        2,
    )
    assert counted(run_limits, "other") == [3, 2, 1]


@pytest.fixture
def agree(many: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reset all on a terminal where somebody types an answer; return the question."""

    def agree(answer: str) -> str:
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        stderr = Terminal()
        arguments = ("api_limits", "reset", "api", "--all", "--no-color")
        call_command(*arguments, stdout=StringIO(), stderr=stderr)
        return stderr.getvalue()

    return agree


@pytest.mark.servers
def test_on_a_terminal_a_person_is_asked(agree: Any, run_limits: Run) -> None:
    assert agree("y") == "Reset all 6 counters of the limit 'api'? [y/N] "
    assert counted(run_limits, "api") == []


@pytest.mark.servers
def test_who_does_not_agree_resets_nothing(agree: Any, run_limits: Run) -> None:
    with pytest.raises(CommandError, match=r"^Nothing was reset\.$"):
        agree("n")
    assert counted(run_limits, "api") == [3, 3, 2, 2, 1, 1]


@pytest.mark.parametrize("who", [[], ["--all", "--everybody"]])
def test_one_or_all_are_reset(who: list[str], run_limits: Run) -> None:
    found = run_limits("reset", "failed_auth", *who)
    assert found == ("", "Name who asks, as by --user or --address, or say --all.\n", 2)


# --- What cannot be ---------------------------------------------------------------------------


def test_a_limit_that_is_not_there_is_named_with_its_close_match(
    run_limits: Run, settings: Any
) -> None:
    limiters(settings, reports="5/m")
    expected = "There is no limit 'report'. Did you mean reports?\n"
    assert run_limits("show", "report", "--everybody") == ("", expected, 3)
    expected = "There is no limit 'x'. There are: reports, failed_auth.\n"
    assert run_limits("show", "x", "--everybody") == ("", expected, 3)


@pytest.mark.parametrize(
    ("by", "named", "needed"),
    [
        ("address", ["--user", "ada"], "address: name who asks by --address"),
        ("user", ["--key", "a"], "user: name who asks by --user or --token or --address"),
        ("everybody", ["--address", ADDRESS], "everybody: name who asks by --everybody"),
        ("header:X-Id", ["--user", "ada"], "header:X-Id: name who asks by --key or --address"),
        (["address", "header:X-Id"], ["--key", "a"], "address, header:X-Id: name who asks by"),
    ],
)
def test_who_asks_is_named_by_what_counts(
    by: Any, named: list[str], needed: str, run_limits: Run, settings: Any, user: Any
) -> None:
    limiters(settings, api={"rate": "5/m", "by": by})
    found = run_limits("show", "api", *named)
    assert (found.stdout, found.status) == ("", 2)
    assert f"The limit 'api' counts by {needed}" in found.stderr


def test_two_keys_cannot_be_named(run_limits: Run, settings: Any) -> None:
    limiters(settings, api={"rate": "5/m", "by": ["header:A", "header:B"]})
    found = run_limits("show", "api", "--key", "a")
    assert (found.stdout, found.status) == ("", 2)
    assert "The limit 'api' asks for several keys, and --key is one.\n" in found.stderr


@pytest.mark.parametrize(
    ("named", "text"),
    [
        (["--user", "bob"], "There is no user 'bob'."),
        (["--token", "9999"], "There is no token '9999' of the kind connectnow_api.APIToken."),
    ],
)
def test_who_is_not_there(
    named: list[str], text: str, run_limits: Run, settings: Any, user: Any
) -> None:
    limiters(settings, api="5/m")
    found = run_limits("show", "api", *named)
    assert (found.stdout, found.status) == ("", 3)
    assert text in found.stderr


@pytest.mark.parametrize("option", [["--address", "192.0.2"], ["--rate", "5/x"]])
def test_values_of_no_such_form(option: list[str]) -> None:
    with pytest.raises(CommandError, match=r"no (address|rate) such as"):
        call_command("api_limits", "show", "failed_auth", *option)


def test_a_token_itself_is_never_an_argument(run_limits: Run, issue: Any) -> None:
    text = issue().plain_text
    found = run_limits("show", "failed_auth", "--key", text)
    assert found.status == 2
    assert text not in found.stderr


def test_a_rate_that_cannot_be_read(run_limits: Run, settings: Any) -> None:
    limiters(settings, api={"rate": "5/x", "by": "address"})
    found = run_limits("show", "api", "--address", ADDRESS)
    assert (found.stdout, found.status) == ("", 1)
    assert "'5/x' is no rate such as '5/m' or '10/5s'" in found.stderr


# --- Stores that are gone ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "verb", "address"),
    [("redis", "show", "redis://127.0.0.1:1"), ("memcached", "reset", "127.0.0.1:1")],
)
def test_a_cache_that_is_gone(
    kind: str, verb: str, address: str, run_limits: Run, settings: Any
) -> None:
    settings.CACHES = {"default": cache_settings(kind, address)}
    found = run_limits(verb, "failed_auth", "--address", ADDRESS)
    assert (found.stdout, found.status) == ("", 1)
    place = "Limits cannot be counted in django-ratelimit's counters in the cache 'default': "
    assert found.stderr.startswith(place)
    assert found.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "failed_auth", "--address", ADDRESS],
        ["show", "failed_auth"],
        ["reset", "failed_auth", "--address", ADDRESS],
        ["reset", "failed_auth", "--all", "--no-input"],
    ],
)
@pytest.mark.parametrize("uri", ["redis://:s3cret@127.0.0.1:1", "redsi://:s3cret@127.0.0.1:1"])
def test_a_storage_that_is_gone(
    uri: str, arguments: list[str], run_limits: Run, settings: Any
) -> None:
    settings.CONNECTNOW_API = {"LIMIT_STORAGE": uri}
    found = run_limits(*arguments)
    assert (found.stdout, found.status) == ("", 1)
    assert found.stderr.startswith(f"Limits cannot be counted in {uri[:5]}://127.0.0.1:1: ")
    assert "s3cret" not in found.stderr
    assert found.stderr.count("\n") == 1
