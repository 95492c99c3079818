"""Limiters, in the settings and on views."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.utils.module_loading import import_string
from django.views import View

from connectnow_api.engines import WINDOWS
from connectnow_api.limiters import ASKERS, FIELDS, PARTS, Limiter, is_attribute, is_path
from connectnow_api.limits import FAILED_AUTH
from connectnow_api.mounted import MountedView, is_subclass, mounted_views
from connectnow_api.rates import is_pair, parse_rates
from connectnow_api.settings import UNSET, api_settings
from connectnow_api.site_limits import PlacedThrottle
from connectnow_api.throttling import BaseRateThrottle, LimiterThrottle

from .limit_storage import what_counts
from .messages import SETTING, check_id, close_match, label
from .values import is_cache_policy, is_rates

LIMITERS = f'{SETTING}["LIMITERS"]'
METHODS = tuple(name.upper() for name in View.http_method_names)
STATUSES = range(100, 600)
HEADER = re.compile("[0-9A-Za-z-]+")
"""A header's name; servers drop those with an underscore (RFC 9110 section 5.1 has more)."""
ATTRIBUTE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


# --- What the fields have to be ---------------------------------------------------------------


def _is_function(value: Any) -> bool:
    """Tell whether a value is a function, or names one; limits are asked in no event loop."""
    try:
        found = import_string(value) if is_path(value) else value
    except ImportError:
        return False
    return callable(found) and not iscoroutinefunction(found)


def _or_function(is_valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: is_valid(value) or _is_function(value)


def _or(other: Any, is_valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is other or is_valid(value)


def _is_list_of(is_valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(is_valid, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_kind(value: Any) -> bool:
    """Tell whether a value names one who asks."""
    if isinstance(value, str) and value.startswith("header:"):
        return bool(HEADER.fullmatch(value.removeprefix("header:")))
    return _is_function(value) or (isinstance(value, str) and value in ASKERS)


def _is_by(value: Any) -> bool:
    several = isinstance(value, list | tuple)
    return bool(value) and all(map(_is_kind, value if several else [value]))


def _is_method(value: Any) -> bool:
    return isinstance(value, str) and value.upper() in METHODS


def _is_answer(value: Any) -> bool:
    if type(value) is int:
        return value in STATUSES
    return value in [f"{first}xx" for first in range(1, 6)]


_is_limit = _or(None, _or_function(is_rates))

RATES = ('a rate such as "60/m", a list of up to five, None, or a function', '"60/m"')
VALUES: Mapping[str, tuple[Callable[[Any], bool], str, str]] = {
    "rate": (_is_limit, *RATES),
    "guest_rate": (_or(UNSET, _is_limit), *RATES),
    "rate_attribute": (
        _or(None, lambda value: isinstance(value, str) and bool(ATTRIBUTE.fullmatch(value))),
        "an attribute of what a request came with, or None",
        '"token.rate"',
    ),
    "plan": (
        _or(None, lambda value: is_attribute(value) or _is_function(value)),
        "an attribute of user or token, a function, or None",
        '"user.plan"',
    ),
    "plans": (
        lambda value: isinstance(value, Mapping) and all(map(_is_limit, value.values())),
        "a mapping of plans to rates",
        '{"pro": "600/m"}',
    ),
    "by": (
        _is_by,
        f'{", ".join(map(repr, ASKERS))}, "header:NAME", a function, or a list of these',
        '"token"',
    ),
    "cost": (
        _or_function(lambda value: type(value) is int and value >= 0),
        "a whole number from 0, or a function",
        "1",
    ),
    "methods": (_is_list_of(_is_method), "a list of methods", '["POST"]'),
    "per": (
        _is_list_of(lambda value: isinstance(value, str) and value in PARTS),
        f"a list of {', '.join(map(repr, PARTS))}",
        '["method"]',
    ),
    "answers": (
        _or_function(_is_list_of(_is_answer)),
        'a list of statuses and of "4xx" and the like, or a function',
        '[401, "5xx"]',
    ),
    "window": (
        lambda value: isinstance(value, str) and value in WINDOWS,
        ", ".join(map(repr, WINDOWS)),
        '"fixed"',
    ),
    "counter": (_or(None, _is_text), "a text or None", '"shared"'),
    "on_cache_failure": (
        _or(UNSET, is_cache_policy),
        '"open", "closed" or "local"',
        '"open"',
    ),
    "shadow": (_or(UNSET, lambda value: isinstance(value, bool)), "True or False", "True"),
    "name": (lambda value: isinstance(value, str), "a text", '"api"'),
}
"""Each field's test, what it asks for, and a value to paste."""


# --- Limiters where they stand ----------------------------------------------------------------


class Written(NamedTuple):
    """A limiter as it is written, and where."""

    value: Any
    owner: str

    @property
    def fields(self) -> dict[Any, Any]:
        """What is said of each field."""
        if isinstance(self.value, Limiter):
            return {name: getattr(self.value, name) for name in FIELDS}
        return {**self.value} if isinstance(self.value, Mapping) else {"rate": self.value}

    def spell(self, field: str, value: str) -> str:
        """Return how a field would be written here."""
        if isinstance(self.value, Limiter):
            return f"{field}={value}"
        return f'"{field}": {value}' if isinstance(self.value, Mapping) else value


def written_limiters(throttles: Iterable[PlacedThrottle]) -> Iterator[Written]:
    """Yield the limiters of the settings, and those on views that are no names."""
    for name, value in api_settings.limiters.items():
        yield Written(value, f"{SETTING}['LIMITERS'][{name!r}]")
    for placed in throttles:
        for value in _named(placed.limiters):
            if not _is_name(value):
                yield Written(value, f"A limiter of {placed.place}")


def _named(limiters: Any) -> list[Any]:
    several = isinstance(limiters, list | tuple) and not is_pair(limiters)
    found = limiters if several else [limiters]
    return [value for value in found if value is not None]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and "/" not in value


def check_limiters(throttles: Iterable[PlacedThrottle]) -> Iterator[CheckMessage]:
    """Report limiters that cannot be, names of none, and views whose limiters nobody asks for."""
    placed = [*throttles]
    for written in written_limiters(placed):
        yield from _check_fields(written)
        yield from _check_plans(written)
        yield from _check_shared(written)
        yield from _check_cost(written)
        yield from _check_counting(
            written.owner, written.fields.get("window"), written.fields.get("counter")
        )
    yield from _check_reserved()
    yield from _check_names(placed)
    yield from _check_views()


def _check_fields(written: Written) -> Iterator[CheckMessage]:
    fields = written.fields
    for field, value in fields.items():
        if field not in VALUES:
            message = f"{written.owner} has the field {field!r}, which does not exist."
            yield Error(message, hint=close_match(field, VALUES), id=check_id("E017"))
            continue
        is_valid, expected, example = VALUES[field]
        if not is_valid(value):
            message = f"{written.owner} has the {field} {value!r}: it has to be {expected}."
            hint = f"Write {written.spell(field, example)}."
            yield Error(message, hint=hint, id=check_id("E017"))
    if "rate" not in fields:
        message = f"{written.owner} has no rate."
        yield Error(message, hint='Add "rate": "60/m".', id=check_id("E017"))


def _check_plans(written: Written) -> Iterator[CheckMessage]:
    plan, plans = (written.fields.get(field) for field in ("plan", "plans"))
    if plan is not None and not plans:
        message = f"{written.owner} has a plan, and no plans that say what it allows."
        yield _add(message, written, "plans")
    if plans and plan is None:
        message = f"{written.owner} has plans, and no plan that says whose is which."
        yield _add(message, written, "plan")


def _check_shared(written: Written) -> Iterator[CheckMessage]:
    rates = (written.fields.get(field) for field in ("rate", "guest_rate"))
    if written.fields.get("counter") and any(map(_has_several, rates)):
        message = f"{written.owner} has a counter, which is one number, and several rates."
        hint = "Give each rate a limiter with a counter of its own."
        yield Error(message, hint=hint, id=check_id("E017"))


def _check_cost(written: Written) -> Iterator[CheckMessage]:
    cost = written.fields.get("cost")
    rates = (written.fields.get(field) for field in ("rate", "guest_rate"))
    limits = [rate.limit for each in rates if is_rates(each) for rate in parse_rates(each)]
    if type(cost) is int and limits and cost > min(limits):
        message = f"{written.owner} has the cost {cost}, more than its rate allows: nothing passes."
        hint = f"Write {written.spell('cost', '1')}."
        yield Error(message, hint=hint, id=check_id("E017"))


def _has_several(rate: Any) -> bool:
    return is_rates(rate) and len(parse_rates(rate)) > 1


def _check_reserved() -> Iterator[CheckMessage]:
    for name, value in api_settings.limiters.items():
        own = Written(value, "").fields.get("name")
        if FAILED_AUTH in (name, own):
            message = f"{LIMITERS} has the name {FAILED_AUTH!r}, which is that of refused tokens."
            hint = f'Take another name, or set "FAILED_AUTH_RATE" in {SETTING}.'
            yield Error(message, hint=hint, id=check_id("E017"))


def _add(message: str, written: Written, field: str) -> CheckMessage:
    hint = f"Add {written.spell(field, VALUES[field][2])}."
    return Error(message, hint=hint, id=check_id("E017"))


def _check_names(throttles: Iterable[PlacedThrottle]) -> Iterator[CheckMessage]:
    known = api_settings.limiters
    for placed in throttles:
        for name in filter(_is_name, _named(placed.limiters)):
            if name not in known:
                message = f"{placed.place} is limited by {name!r}, which LIMITERS does not have."
                near = f" {close_match(name, known)}" if known else ""
                hint = f'Add "{name}": "60/m" to {LIMITERS}.{near}'
                yield Error(message, hint=hint, id=check_id("E017"))


def _check_views() -> Iterator[CheckMessage]:
    views = mounted_views()
    # An action may be limited otherwise than the rest of its view.
    asked = {view.view for view in views if _asks_for_limiters(view)}
    for view in views:
        if view.get("limiters") and view.view not in asked:
            message = f"{view.label} has limiters, and no throttle that asks for them."
            hint = 'Add "connectnow_api.throttling.LimiterThrottle" to DEFAULT_THROTTLE_CLASSES.'
            yield CheckWarning(message, hint=hint, id=check_id("W025"))


def _asks_for_limiters(view: MountedView) -> bool:
    return any(
        is_subclass(throttle, LimiterThrottle) and throttle.limiters is UNSET
        for throttle in view.classes("throttle_classes")
    )


# --- What can be counted ----------------------------------------------------------------------


def check_windows(throttles: Iterable[PlacedThrottle]) -> Iterator[CheckMessage]:
    """Report windows of throttle classes that cannot be counted."""
    for throttle in dict.fromkeys(placed.throttle for placed in throttles):
        if not issubclass(throttle, BaseRateThrottle):
            continue
        if throttle.window not in WINDOWS:
            message = f"{label(throttle)} has the window {throttle.window!r}, which does not exist."
            yield Error(message, hint=close_match(throttle.window, WINDOWS), id=check_id("E018"))
        if throttle.shadow is not UNSET and not isinstance(throttle.shadow, bool):
            message = f"{label(throttle)} has the shadow {throttle.shadow!r}, not True or False."
            yield Error(message, hint="Write shadow = True.", id=check_id("E017"))
        yield from _check_counting(label(throttle), throttle.window, None)


def _check_counting(owner: str, window: Any, counter: Any) -> Iterator[CheckMessage]:
    counting = what_counts()
    if counting is None:
        return
    hint = 'Set CONNECTNOW_API["LIMIT_STORAGE"] = "redis://127.0.0.1:6379/0".'
    if window in WINDOWS and window not in counting.windows:
        message = f"{owner} has the window {window!r}, which {counting.place} cannot count."
        yield Error(message, hint=hint, id=check_id("E018"))
    if _is_text(counter) and not counting.shares:
        message = f"{owner} has the counter {counter!r}, which {counting.place} cannot share."
        yield Error(message, hint=hint, id=check_id("E018"))


# --- Production -------------------------------------------------------------------------------


def check_shadows(throttles: Iterable[PlacedThrottle]) -> Iterator[CheckMessage]:
    """Report limits that refuse nothing."""
    placed = [*throttles]
    names = [f'{SETTING}["SHADOW_LIMITS"]'] if api_settings.shadow_limits else []
    for written in written_limiters(placed):
        names += [written.owner] if written.fields.get("shadow") is True else []
    for throttle in (each.throttle for each in placed):
        if issubclass(throttle, BaseRateThrottle) and throttle.shadow not in (UNSET, False):
            names.append(label(throttle))
    if names:
        message = f"Limits in shadow refuse nothing: {', '.join(dict.fromkeys(names))}."
        hint = "Take the shadow off once the log shows what it should."
        yield CheckWarning(message, hint=hint, id=check_id("W026"))
