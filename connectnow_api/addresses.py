"""Where a request comes from, and the networks that a token may be used from."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .settings import api_settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

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
    return named or _read(request.META.get("REMOTE_ADDR", ""))


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
    try:
        known = [ipaddress.ip_network(network) for network in networks]
    except (TypeError, ValueError):
        return False
    return address is not None and any(address in network for network in known)


def validate_networks(networks: Any) -> None:
    """Raise ``ValidationError`` unless ``networks`` is a list of networks in CIDR notation."""
    if not isinstance(networks, list):
        raise ValidationError(_("Networks are a list in CIDR notation."), code="invalid")
    for network in networks:
        if not isinstance(network, str) or not _is_network(network):
            text = _("%(network)r is no network such as 192.0.2.0/24 or 2001:db8::/32.")
            raise ValidationError(text, code="invalid", params={"network": network})


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
