"""Networks that a token may be used from, and requests from within and without."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from connectnow_api import tokens
from connectnow_api.addresses import find_address, is_within, read_network
from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.events import TokenEvent
from connectnow_api.models import APIToken
from tests.conftest import Mount

Issue = Callable[..., Any]
Ask = Callable[..., Any]

HOME = ["192.0.2.0/24", "2001:db8::/32"]
NO_LISTS: list[Any] = [
    None,
    "",
    "0.0.0.0/0",
    0,
    True,
    {},
    {"0.0.0.0/0": True},
    [None],
    [0],
    [True],
    [""],
    ["x"],
    ["0.0.0.0/0", "x"],
    [["0.0.0.0/0"]],
    [{}],
    ["192.0.2.7/24"],
    ["\ud800"],
]


@given(st.ip_addresses(), st.integers(0, 128), st.booleans(), st.randoms(use_true_random=False))
def test_is_within_agrees_with_the_standard_library(
    address: Any, length: int, near: bool, random: Any
) -> None:
    bits = min(length, address.max_prefixlen)
    start = address if near else ipaddress.ip_address(random.getrandbits(address.max_prefixlen))
    network = ipaddress.ip_network(f"{start}/{min(bits, start.max_prefixlen)}", strict=False)
    if read_network(str(network)) == network:
        assert is_within(address, [str(network)]) == (address in network)


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_ipv4_that_is_spelt_as_ipv6_is_ipv4(address: Any, length: int) -> None:
    network = ipaddress.ip_network(f"{address}/{length}", strict=False)
    spelt = f"::ffff:{network.network_address}/{96 + length}"
    assert read_network(spelt) == network
    assert is_within(address, [spelt])
    request = APIRequestFactory().get("/", REMOTE_ADDR=f"::ffff:{address}")
    assert find_address(request) == address


@given(st.ip_addresses())
def test_an_empty_list_restricts_nothing_and_rubbish_everything(address: Any) -> None:
    assert is_within(address, [])
    assert not any(is_within(address, networks) for networks in NO_LISTS)


@given(st.text(), st.integers(0, 3))
def test_no_header_raises(text: str, proxies: int) -> None:
    request = APIRequestFactory().get("/", REMOTE_ADDR=text)
    request.META["HTTP_X_FORWARDED_FOR"] = text
    found = find_address(request)
    assert found is None or is_within(found, [])


def test_a_server_that_knows_no_address_says_none() -> None:
    request = APIRequestFactory().get("/")
    for value in (None, "", "unix:", "/run/gunicorn.sock"):
        request.META["REMOTE_ADDR"] = value
        assert find_address(request) is None
    assert not is_within(None, ["0.0.0.0/0", "::/0"])
    assert is_within(None, [])


class View(APIView):
    authentication_classes = [APITokenAuthentication]
    permission_classes = ()

    def get(self, request: Any) -> Response:
        return Response({"user": request.user.username})


@pytest.fixture
def ask(mount: Mount, client: APIClient) -> Ask:
    mount({"flat/x": View.as_view()})

    def ask(plain_text: str, address: Any = "192.0.2.7", **headers: str) -> Any:
        headers["authorization"] = f"Bearer {plain_text}"
        return client.get("/flat/x", headers=headers, REMOTE_ADDR=address)

    return ask


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("192.0.2.0", 200),
        ("192.0.2.255", 200),
        ("192.0.2.7:8080", 200),
        ("::ffff:192.0.2.7", 200),
        ("2001:db8:ffff::1", 200),
        ("[2001:db8::1]:443", 200),
        ("192.0.3.0", 401),
        ("::ffff:192.0.3.0", 401),
        ("::192.0.2.7", 401),
        ("2001:db9::", 401),
        ("unknown", 401),
        ("", 401),
    ],
)
def test_a_token_opens_nothing_from_elsewhere(
    ask: Ask, issue: Issue, address: str, status: int
) -> None:
    assert ask(issue(allowed_networks=HOME).plain_text, address).status_code == status


@pytest.mark.django_db
def test_a_header_brings_nobody_home_unless_a_proxy_is_trusted(
    ask: Ask, issue: Issue, settings: Any
) -> None:
    text = issue(allowed_networks=HOME).plain_text
    claim = {"x-forwarded-for": "192.0.2.7"}
    assert ask(text, "203.0.113.1", **claim).status_code == 401
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "TRUSTED_PROXIES": 1}
    assert ask(text, "203.0.113.1", **claim).status_code == 200
    claim = {"x-forwarded-for": "192.0.2.7, 203.0.113.2"}
    assert ask(text, "192.0.2.1", **claim).status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "header"),
    [
        ({"TRUSTED_PROXIES": ["203.0.113.0/24"]}, "x-forwarded-for"),
        ({"TRUSTED_PROXIES": ["203.0.113.0/24"], "CLIENT_ADDRESS_HEADER": "X-Edge"}, "x-edge"),
    ],
)
def test_a_proxy_brings_home_whom_it_names_and_others_nobody(
    ask: Ask, issue: Issue, settings: Any, values: dict[str, Any], header: str
) -> None:
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, **values}
    text = issue(allowed_networks=HOME).plain_text
    assert ask(text, "203.0.113.1", **{header: "192.0.2.7"}).status_code == 200
    assert ask(text, "203.0.113.1", **{header: "192.0.2.7, 198.51.100.9"}).status_code == 401
    assert ask(text, "198.51.100.9", **{header: "192.0.2.7"}).status_code == 401


@pytest.mark.django_db
def test_from_elsewhere_a_token_is_as_unknown_and_the_log_says_why(
    ask: Ask, issue: Issue, caplog: Any
) -> None:
    new = issue(allowed_networks=HOME)
    unknown = ask(tokens.generate("cn"), "203.0.113.1")
    caplog.clear()
    refused = ask(new.plain_text, "203.0.113.1")
    assert refused.status_code == unknown.status_code == 401
    assert refused.content == unknown.content
    assert [*refused.headers.items()] == [*unknown.headers.items()]
    assert [record.token_event for record in caplog.records if record.name.endswith("tokens")] == [
        TokenEvent(
            action="refused",
            kind="connectnow_api.APIToken",
            token_id=str(new.token.pk),
            name="laptop",
            owner=str(new.token.owner_id),
            fingerprint=new.token.digest[:8],
            placement="header",
            address="203.0.113.1",
            reason="network",
        )
    ]
    assert APIToken.objects.get().last_used_at is None


@pytest.mark.django_db
def test_rubbish_in_the_column_lets_nobody_in(ask: Ask, issue: Issue) -> None:
    new = issue()
    for networks in NO_LISTS:
        if networks is not None and networks != ["\ud800"]:
            APIToken.objects.update(allowed_networks=networks)
            assert ask(new.plain_text).status_code == 401
