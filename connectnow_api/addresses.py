"""Where a request comes from, and the networks that a token may be used from."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .settings import api_settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_NETWORKS = 100
"""They are read with each request."""
_MAPPED_BITS = 96
"""How many bits stand before the IPv4 address in one that is spelt as IPv6."""
_HOST_AND_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](?::[0-9]+)?|(?P<v4>[0-9.]+):[0-9]+")


def find_address(request: Any) -> Address | None:
    """Return the address that a request comes from, ``None`` if there is none.

    ``REMOTE_ADDR``, or with ``TRUSTED_PROXIES`` = n the n-th from the right of
    ``X-Forwarded-For``: what stands left of it is the client's own word. An IPv4 address that is
    spelt as an IPv6 one is an IPv4 address.
    """
    proxies = api_settings.trusted_proxies
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    named = _read(forwarded[-proxies]) if 0 < proxies <= len(forwarded) else None
    return named or _read(request.META.get("REMOTE_ADDR") or "")


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
    known = [read_network(network) for network in networks] if isinstance(networks, list) else []
    if address is None or None in known:
        return False
    return any(address in network for network in known if network is not None)


def read_network(text: Any) -> Network | None:
    """Return the network that a text in CIDR notation names, ``None`` if it names none.

    IPv4 networks that are spelt as IPv6 ones are IPv4 networks, as ``find_address`` has it.
    """
    if not isinstance(text, str) or "%" in text:
        return None
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
