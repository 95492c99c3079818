"""Proxies that are believed by others and not by us, or by us without need."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from rest_framework.settings import api_settings as drf_settings

from connectnow_api.addresses import read_network
from connectnow_api.settings import api_settings

from .messages import SETTING, check_id
from .settings import needs_sound_settings

FORWARDED_FOR = "x-forwarded-for"
CONNECTION = "REMOTE_ADDR"
"""Where others look for the address if they believe no header."""


@needs_sound_settings
def check_proxies(**kwargs: Any) -> list[CheckMessage]:
    """Report a proxy that we know nothing of, and addresses that anybody may make up."""
    return [*_check_unnamed(), *_check_networks(), *_check_edge()]


def _names_another(value: Any) -> bool:
    """Tell whether keys of ``META``, or a function, are something else than the connection's.

    Packages write their defaults into Django's settings, as a tuple with that key alone.
    """
    keys = value if isinstance(value, list | tuple) else [value]
    return any(key not in (None, "", CONNECTION) for key in keys)


class Sign(NamedTuple):
    """What says that there is a proxy: its name, where it stands, and which values say so."""

    name: str
    place: str = "settings"
    says_so: Callable[[Any], bool] = bool

    def __str__(self) -> str:
        return self.name if self.place == "settings" else f"{self.name} of {self.place}"


PLACES: Mapping[str, Callable[[str], Any]] = {
    "settings": lambda name: getattr(django_settings, name, None),
    "REST_FRAMEWORK": lambda name: getattr(drf_settings, name),
    "the environment": os.environ.get,
}
SIGNS = (
    Sign("USE_X_FORWARDED_HOST"),
    Sign("USE_X_FORWARDED_PORT"),
    Sign("SECURE_PROXY_SSL_HEADER"),
    # Without a number Django REST framework asks for no proxy, and 0 is the connection.
    Sign("NUM_PROXIES", "REST_FRAMEWORK"),
    # django-ratelimit, django-axes, django-ipware, django-allauth.
    Sign("RATELIMIT_IP_META_KEY", says_so=_names_another),
    Sign("AXES_IPWARE_PROXY_COUNT"),
    Sign("AXES_IPWARE_META_PRECEDENCE_ORDER", says_so=_names_another),
    Sign("IPWARE_META_PRECEDENCE_ORDER", says_so=_names_another),
    Sign("ALLAUTH_TRUSTED_PROXY_COUNT"),
    Sign("ALLAUTH_TRUSTED_CLIENT_IP_HEADER"),
    # gunicorn and uvicorn.
    Sign("FORWARDED_ALLOW_IPS", "the environment"),
)


def _check_unnamed() -> Iterator[CheckMessage]:
    found = [str(sign) for sign in SIGNS if sign.says_so(PLACES[sign.place](sign.name))]
    if found and not _believes_a_header():
        message = (
            f"A proxy's headers are believed by {', '.join(found)}, but {SETTING} names no proxy: "
            "limits count all clients behind it as one."
        )
        hint = (
            f'Add "TRUSTED_PROXIES": 1 to {SETTING}, or how many proxies append to '
            "X-Forwarded-For, or their networks. Silence this if the server itself puts the "
            "client's address into REMOTE_ADDR."
        )
        yield CheckWarning(message, hint=hint, id=check_id("W006"))


def _believes_a_header() -> bool:
    return bool(api_settings.trusted_proxies) or _believes_anybody()


def _believes_anybody() -> bool:
    """Tell whether a header of an edge is believed, whoever it comes from."""
    is_of_an_edge = api_settings.client_address_header.lower() != FORWARDED_FOR
    return api_settings.trusted_proxies == 0 and is_of_an_edge


def _check_edge() -> Iterator[CheckMessage]:
    if _believes_anybody():
        header = api_settings.client_address_header
        message = (
            f"{SETTING}['CLIENT_ADDRESS_HEADER'] is {header!r}, and TRUSTED_PROXIES names nobody: "
            "whoever reaches the server is believed, and chooses the address that limits count."
        )
        hint = (
            f'Add "TRUSTED_PROXIES": ["192.0.2.0/24"] to {SETTING}, the networks that the edge '
            "connects from. Silence this if nobody else can connect."
        )
        yield CheckWarning(message, hint=hint, id=check_id("W024"))


def _check_networks() -> Iterator[CheckMessage]:
    proxies = api_settings.trusted_proxies
    networks = map(read_network, proxies if isinstance(proxies, tuple) else ())
    found = [str(network) for network in networks if network and network.prefixlen == 0]
    if found:
        message = (
            f"{SETTING}['TRUSTED_PROXIES'] has {', '.join(found)}: whoever asks is believed, and "
            "chooses the address that limits count."
        )
        hint = (
            "Name the networks of your proxies. Where they cannot be known, count the proxies: "
            'write "TRUSTED_PROXIES": 1.'
        )
        yield CheckWarning(message, hint=hint, id=check_id("W024"))
