"""Proxies that ``check --deploy`` finds believed by others, and networks that are too wide."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import CheckMessage

from connectnow_api import checks
from connectnow_api.checks import check_proxies
from connectnow_api.checks.proxies import SIGNS


@pytest.fixture(autouse=True)
def nothing_said_elsewhere(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CONNECTNOW_API = {}
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)


def test_without_a_proxy_there_is_nothing_to_say() -> None:
    assert check_proxies() == []


SETTINGS: dict[str, list[Any]] = {
    "USE_X_FORWARDED_HOST": [True],
    "USE_X_FORWARDED_PORT": [True],
    "SECURE_PROXY_SSL_HEADER": [("HTTP_X_FORWARDED_PROTO", "https")],
    "REST_FRAMEWORK": [{"NUM_PROXIES": 1}],
    "RATELIMIT_IP_META_KEY": ["HTTP_X_REAL_IP", "site.addresses.find", print],
    "AXES_IPWARE_PROXY_COUNT": [1],
    "AXES_IPWARE_META_PRECEDENCE_ORDER": [["HTTP_X_FORWARDED_FOR", "REMOTE_ADDR"]],
    "IPWARE_META_PRECEDENCE_ORDER": [("HTTP_CF_CONNECTING_IP",)],
    "ALLAUTH_TRUSTED_PROXY_COUNT": [1],
    "ALLAUTH_TRUSTED_CLIENT_IP_HEADER": ["CF-Connecting-IP"],
}
PLACES = {"REST_FRAMEWORK": "NUM_PROXIES of REST_FRAMEWORK"}


def only(messages: list[CheckMessage]) -> CheckMessage:
    (message,) = messages
    return message


def test_each_sign_of_a_proxy_is_tried_here() -> None:
    named = {PLACES.get(name, name) for name in SETTINGS}
    assert {str(sign) for sign in SIGNS} == named | {"FORWARDED_ALLOW_IPS of the environment"}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in SETTINGS.items() for value in values]
)
def test_a_proxy_that_others_believe_is_named(settings: Any, name: str, value: Any) -> None:
    setattr(settings, name, value)
    message = only(check_proxies())
    assert message.id == "connectnow_api.W006"
    assert message.msg == (
        f"A proxy's headers are believed by {PLACES.get(name, name)}, but CONNECTNOW_API names no "
        "proxy: limits count all clients behind it as one."
    )


@pytest.mark.parametrize("value", ["*", "127.0.0.1", "10.0.0.0/8,::1"])
def test_a_proxy_that_the_server_believes(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", value)
    assert "by FORWARDED_ALLOW_IPS of the environment, but" in only(check_proxies()).msg


def test_all_that_believe_it_are_named_at_once(settings: Any) -> None:
    settings.USE_X_FORWARDED_HOST = True
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2
    named = "by USE_X_FORWARDED_HOST, ALLAUTH_TRUSTED_PROXY_COUNT, but"
    assert named in only(check_proxies()).msg


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REST_FRAMEWORK", {"NUM_PROXIES": 0}),
        ("REST_FRAMEWORK", {"NUM_PROXIES": None}),
        ("RATELIMIT_IP_META_KEY", None),
        ("RATELIMIT_IP_META_KEY", "REMOTE_ADDR"),
        ("AXES_IPWARE_PROXY_COUNT", None),
        ("AXES_IPWARE_META_PRECEDENCE_ORDER", ("REMOTE_ADDR",)),
        ("AXES_IPWARE_META_PRECEDENCE_ORDER", None),
        ("IPWARE_META_PRECEDENCE_ORDER", ()),
        ("ALLAUTH_TRUSTED_PROXY_COUNT", 0),
        ("ALLAUTH_TRUSTED_CLIENT_IP_HEADER", None),
    ],
)
def test_defaults_of_others_say_nothing(settings: Any, name: str, value: Any) -> None:
    setattr(settings, name, value)
    assert check_proxies() == []


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "")
    assert check_proxies() == []


@pytest.mark.parametrize(
    ("values", "is_quiet"),
    [
        ({"TRUSTED_PROXIES": 1}, True),
        ({"TRUSTED_PROXIES": ["10.0.0.0/8"]}, True),
        ({"TRUSTED_PROXIES": ["unix"]}, True),
        (
            {"CLIENT_ADDRESS_HEADER": "CF-Connecting-IP", "TRUSTED_PROXIES": ["10.0.0.0/8"]},
            True,
        ),
        ({"TRUSTED_PROXIES": 0}, False),
        ({"TRUSTED_PROXIES": []}, False),
        ({"CLIENT_ADDRESS_HEADER": "x-forwarded-for"}, False),
        ({"CLIENT_ADDRESS_HEADER": "CF-Connecting-IP", "TRUSTED_PROXIES": []}, False),
    ],
)
def test_whoever_names_a_proxy_is_left_alone(
    settings: Any, values: dict[str, Any], is_quiet: bool
) -> None:
    settings.USE_X_FORWARDED_HOST = True
    settings.CONNECTNOW_API = values
    assert [message.id for message in check_proxies()] == (
        [] if is_quiet else ["connectnow_api.W006"]
    )


def test_a_header_of_an_edge_that_anybody_may_write(settings: Any) -> None:
    settings.USE_X_FORWARDED_HOST = True
    settings.CONNECTNOW_API = {"CLIENT_ADDRESS_HEADER": "X-Real-IP"}
    [message] = check_proxies()
    assert message.id == "connectnow_api.W024"
    assert "whoever reaches the server is believed" in message.msg
    assert '"TRUSTED_PROXIES": ["192.0.2.0/24"]' in str(message.hint)


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "::ffff:0:0/96"])
def test_a_network_that_holds_everybody(settings: Any, network: str) -> None:
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": ["10.0.0.0/8", network]}
    message = only(check_proxies())
    assert message.id == "connectnow_api.W024"
    assert message.msg.startswith("CONNECTNOW_API['TRUSTED_PROXIES'] has ")


def test_networks_of_ones_own_are_fine(settings: Any) -> None:
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": ["10.0.0.0/8", "fd00::/8", "127.0.0.1", "unix"]}
    assert check_proxies() == []


def test_nothing_is_said_while_the_settings_are_wrong(settings: Any) -> None:
    settings.USE_X_FORWARDED_HOST = True
    settings.CONNECTNOW_API = {"TRUSTED_PROXIES": "10.0.0.0/8"}
    assert check_proxies() == []
    assert [message.id for message in checks.check_settings()] == ["connectnow_api.E004"]
