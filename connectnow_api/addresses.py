"""Where a request comes from, and the networks that a token may be used from."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .settings import api_settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_NETWORKS = 100
"""They are read with each request."""
NO_ADDRESS = "unix"
"""How ``TRUSTED_PROXIES`` names a proxy without an address, at the other end of a Unix socket."""
FORWARDED_FOR = "HTTP_X_FORWARDED_FOR"
"""The header that proxies append to, as ``META`` has it; others are set by one edge."""
_MAPPED_BITS = 96
"""How many bits stand before the IPv4 address in one that is spelt as IPv6."""
_HOST_AND_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](?::[0-9]+)?|(?P<v4>[0-9.]+):[0-9]+")


def find_address(request: Any) -> Address | None:
    """Return the address that a request comes from, ``None`` if there is none.

    ``REMOTE_ADDR``, unless a header is believed by ``TRUSTED_PROXIES`` and
    ``CLIENT_ADDRESS_HEADER``, and holds an address where it should. What a client writes itself is
    never read. An IPv4 address that is spelt as an IPv6 one is an IPv4 address.
    """
    remote = request.META.get("REMOTE_ADDR") or ""
    return _find_forwarded(request.META, remote) or _read(remote)


def _find_forwarded(meta: Mapping[str, Any], remote: str) -> Address | None:
    """Return the client's address as proxies tell it, ``None`` unless they are believed."""
    header = "HTTP_" + api_settings.client_address_header.upper().replace("-", "_")
    is_of_an_edge = header != FORWARDED_FOR
    entries = meta.get(header, "").split(",")
    proxies = api_settings.trusted_proxies
    if isinstance(proxies, int):
        if proxies or not is_of_an_edge:
            return _read(entries[-proxies]) if 0 < proxies <= len(entries) else None
    elif not _is_trusted(remote, proxies):
        return None
    elif not is_of_an_edge:
        return _first_outside(entries, proxies)
    # An edge writes one address, over whatever the client has sent. Two are not only its word.
    return _read(entries[0]) if len(entries) == 1 else None


def _is_trusted(remote: str, proxies: Sequence[str]) -> bool:
    """Tell whether who opened the connection is one of the proxies.

    Only a server can leave ``REMOTE_ADDR`` empty. Text that is no address may have come from a
    header, by a server that believes one.
    """
    if not remote:
        return NO_ADDRESS in proxies
    address = _read(remote)
    return address is not None and _lies_in(address, proxies)


def _first_outside(entries: Sequence[str], proxies: Sequence[str]) -> Address | None:
    """Return the rightmost entry that is no proxy: whoever that was, a proxy has seen them.

    The leftmost if all are proxies, and ``None`` if there is no address where it should be.
    """
    address = None
    for entry in reversed(entries):
        address = _read(entry)
        if address is None or not _lies_in(address, proxies):
            break
    return address


def _read(text: str) -> Address | None:
    with_port = _HOST_AND_PORT.fullmatch(text.strip())
    host = (with_port["v6"] or with_port["v4"]) if with_port else text.strip()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_within(address: Address | None, networks: Any) -> bool:
    """Tell whether an address lies in one of the networks; ``[]`` are all.

    Anything else that is no list of networks holds no address: what restricts a token, and cannot
    be read, lets nobody in.
    """
    if networks == []:
        return True
    if address is None or not isinstance(networks, list):
        return False
    return None not in map(read_network, networks) and _lies_in(address, networks)


def _lies_in(address: Address, networks: Iterable[Any]) -> bool:
    known = map(read_network, networks)
    return any(address in network for network in known if network is not None)


def read_network(text: Any) -> Network | None:
    """Return the network that a text in CIDR notation names, ``None`` if it names none.

    IPv4 networks that are spelt as IPv6 ones are IPv4 networks, as ``find_address`` has it.
    """
    return _parse_network(text) if isinstance(text, str) and "%" not in text else None


@functools.lru_cache(maxsize=1024)
def _parse_network(text: str) -> Network | None:
    """The same for any text; those of the settings are asked for with each request."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


def validate_networks(networks: Any) -> None:
    """Raise ``ValidationError`` unless ``networks`` is a list of networks in CIDR notation."""
    if not isinstance(networks, list):
        raise ValidationError(_("Networks are a list in CIDR notation."), code="invalid")
    if len(networks) > MAX_NETWORKS:
        text = _("A token has %(limit)d of these at most.")
        raise ValidationError(text, code="too_many", params={"limit": MAX_NETWORKS})
    for network in networks:
        if read_network(network) is None:
            text = _("%(network)r is no network such as 192.0.2.0/24 or 2001:db8::/32.")
            raise ValidationError(text, code="invalid", params={"network": network})
