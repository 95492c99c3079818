"""What each setting has to be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.module_loading import import_string

from connectnow_api import tokens
from connectnow_api.abilities import is_ability
from connectnow_api.addresses import NO_ADDRESS, read_network
from connectnow_api.limits import POLICIES
from connectnow_api.placements import READERS
from connectnow_api.rates import parse_rate, parse_rates
from connectnow_api.signals import TOKEN_SIGNALS


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and value >= least


def _is_one_of(*names: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in names


def _is_list_of(is_valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(is_valid, value))


def _or_none(is_valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or is_valid(value)


def is_rate(value: Any) -> bool:
    """Tell whether a limit can be counted by ``value``."""
    try:
        parse_rate(value)
    except ValueError:
        return False
    return True


def is_rates(value: Any) -> bool:
    """Tell whether a limit can be counted by ``value``, one rate or several."""
    try:
        return bool(parse_rates(value))
    except ValueError:
        return False


def _is_mapping(
    is_key: Callable[[Any], bool], is_value: Callable[[Any], bool]
) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, Mapping)
        and all(map(is_key, value))
        and all(map(is_value, value.values()))
    )


def _is_header_value(value: Any) -> bool:
    return _is_text(value) and value.isascii() and value.isprintable() and '"' not in value


def _is_lifetime(value: Any) -> bool:
    return isinstance(value, timedelta) and value > timedelta(0)


def _is_description(value: Any) -> bool:
    return isinstance(value, Promise) or _is_text(value)


def _is_function(value: Any) -> bool:
    try:
        return isinstance(value, str) and callable(import_string(value))
    except ImportError:
        return False


def _is_anything(value: Any) -> bool:
    return True


def _is_limiter_name(value: Any) -> bool:
    return _is_text(value) and "/" not in value


def _is_storage_uri(value: Any) -> bool:
    return _is_text(value) and "://" in value


def _is_moment(value: Any) -> bool:
    """Tell whether a value is a day, or a time whose zone is known."""
    if isinstance(value, datetime):
        return value.tzinfo is not None
    return isinstance(value, date)


def _is_url(value: Any) -> bool:
    return _is_header_value(value) and re.fullmatch(r"https?://[^\s<>,]+", value) is not None


def _is_proxy(value: Any) -> bool:
    return value == NO_ADDRESS or read_network(value) is not None


def _is_address_header(value: Any) -> bool:
    """Tell whether a value is such a name: no key of ``META``, nor the header of RFC 7239."""
    is_name = isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", value) is not None
    return is_name and value.lower() != "forwarded"


_BOOL = (_is_bool, "True or False", "False")
_COUNT = (_is_number(1), "a whole number from 1", "50")
_TEXT = (_is_text, "a text")
_MOMENT = (_or_none(_is_moment), "a date, an aware datetime, or None", "date(2027, 1, 1)")

is_names = _is_list_of(_is_text)
is_cache_policy = _is_one_of(*POLICIES)

VALUES: Mapping[str, tuple[Callable[[Any], bool], str, str]] = {
    "PAGINATOR": (
        _is_one_of("length_aware", "simple"),
        '"length_aware" or "simple"',
        '"length_aware"',
    ),
    "SHAPE": (_is_one_of("resource", "flat"), '"resource" or "flat"', '"resource"'),
    "PAGE_SIZE": _COUNT,
    "MAX_PAGE_SIZE": _COUNT,
    "PAGE_QUERY_PARAM": (*_TEXT, '"page"'),
    "PAGE_SIZE_QUERY_PARAM": (_or_none(_is_text), "a text or None", '"per_page"'),
    "ON_EACH_SIDE": (_is_number(0), "a whole number from 0", "3"),
    "KEEP_QUERY": (
        lambda value: isinstance(value, bool | Mapping),
        "True, False or a mapping",
        "True",
    ),
    "KEEP_REPEATED": _BOOL,
    "PREVIOUS_LABEL": (*_TEXT, '"« Previous"'),
    "NEXT_LABEL": (*_TEXT, '"Next »"'),
    "PAGE_IN_LINKS": _BOOL,
    "CURRENT_PAGE_URL": _BOOL,
    "TRIM_PATH": _BOOL,
    "WRAP": (_or_none(_is_text), "a key or None", '"data"'),
    "DATETIME_FORMAT": (
        lambda value: value in ("zulu", "offset") or (_is_text(value) and "%" in value),
        '"zulu", "offset" or a strftime format',
        '"zulu"',
    ),
    "PLACEMENTS": (
        _is_list_of(_is_one_of(*READERS)),
        f"a list of {', '.join(map(repr, READERS))}",
        '["header"]',
    ),
    "REQUIRED_HEADERS": (
        _is_mapping(_is_header_value, _is_text),
        "a mapping of header names to attributes of the token",
        '{"X-Client-Id": "client"}',
    ),
    "STRICT_ACCEPT": _BOOL,
    "EMPTY_BODY": (_is_one_of("accept", "refuse"), '"accept" or "refuse"', '"refuse"'),
    "MALFORMED_STATUS": (lambda value: value in (400, 422), "400 or 422", "400"),
    "MALFORMED_MESSAGE": (*_TEXT, '"The request body is malformed."'),
    "DELETE_STATUS": (lambda value: value in (200, 204), "200 or 204", "204"),
    "RESHAPE_MANUAL_ERRORS": _BOOL,
    "ERROR_CODES": _BOOL,
    "SUMMARISE_ERRORS": _BOOL,
    "MESSAGES": (
        _is_mapping(_is_number(400), _is_text),
        "a mapping of error statuses to texts",
        '{404: "Not found."}',
    ),
    "TOKEN_PREFIX": (
        lambda value: isinstance(value, str) and tokens.is_prefix(value),
        "2 to 10 of a-z and 0-9, letter first",
        '"cn"',
    ),
    "TOKEN_LIFETIME": (
        _or_none(_is_lifetime),
        "a timedelta above zero, or None",
        "timedelta(days=365)",
    ),
    "MAX_TOKEN_LIFETIME": (
        _or_none(_is_lifetime),
        "a timedelta above zero, or None",
        "timedelta(days=365)",
    ),
    "TOKEN_IDLE_TIMEOUT": (
        _or_none(_is_lifetime),
        "a timedelta above zero, or None",
        "timedelta(days=90)",
    ),
    "LAST_USED": (
        _is_one_of("database", "cache", "off"),
        '"database", "cache" or "off"',
        '"database"',
    ),
    "LAST_USED_INTERVAL": (_is_lifetime, "a timedelta above zero", "timedelta(seconds=60)"),
    "LAST_USED_ADDRESS": _BOOL,
    "ABILITIES": (
        _is_mapping(is_ability, _is_description),
        "a mapping of ability names to descriptions",
        '{"issues:read": "Read issues"}',
    ),
    "AUDIT_ACTIONS": (
        _is_list_of(_is_one_of(*TOKEN_SIGNALS)),
        "a list of actions of events",
        '["revoked", "refused"]',
    ),
    "TOKEN_PARAMETERS": (_is_list_of(_is_text), "a list of parameter names", '["api_token"]'),
    "QUERY_TOKEN_DEPRECATION": _MOMENT,
    "QUERY_TOKEN_SUNSET": _MOMENT,
    "QUERY_TOKEN_LINK": (
        _or_none(_is_url),
        "an absolute URL, or None",
        '"https://example.com/docs/tokens"',
    ),
    "COUNT_PLACEMENTS": _BOOL,
    "FAILED_AUTH_RATE": (_or_none(is_rate), 'a rate such as "30/m", or None', '"30/m"'),
    "TRUSTED_PROXIES": (
        lambda value: _is_number(0)(value) or _is_list_of(_is_proxy)(value),
        'a whole number from 0, or a list of networks and "unix"',
        '["127.0.0.1", "unix"]',
    ),
    "CLIENT_ADDRESS_HEADER": (
        _is_address_header,
        "the name of a header that holds nothing but addresses",
        '"X-Forwarded-For"',
    ),
    "ON_CACHE_FAILURE": (is_cache_policy, '"open", "closed" or "local"', '"open"'),
    "LIMITERS": (
        _is_mapping(_is_limiter_name, _is_anything),
        "a mapping of names without slash to limiters",
        '{"api": {"rate": ["60/m", "1000/day"], "by": "token"}}',
    ),
    "LIMIT_STORAGE": (
        _or_none(_is_storage_uri),
        'the URI of a storage of "limits", or None',
        '"redis://127.0.0.1:6379/0"',
    ),
    "LIMIT_STORAGE_OPTIONS": (
        _is_mapping(_is_text, _is_anything),
        "a mapping of options",
        '{"socket_timeout": 0.5}',
    ),
    "LIMIT_HEADERS": (
        _is_one_of("laravel", "ietf", "both"),
        '"laravel", "ietf" or "both"',
        '"laravel"',
    ),
    "SHADOW_LIMITS": _BOOL,
    "REALM": (_is_header_value, "printable ASCII without quotes", '"api"'),
    "DEBUG_ERRORS": _BOOL,
    "REQUEST_ID": (
        _or_none(_is_function),
        "the dotted name of a function, or None",
        "None",
    ),
    "REQUEST_ID_IN_ERRORS": _BOOL,
    "REQUIRE_TOKEN": _BOOL,
    "STRICT_PLACEMENT": _BOOL,
    "TRANSLATE_MESSAGES": _BOOL,
}
"""Each setting's test, what it asks for, and a value to paste."""
