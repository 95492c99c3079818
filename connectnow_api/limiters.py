"""Named limiters: who is counted, how much, and which answers count.

``CONNECTNOW_API["LIMITERS"]`` names them; a view may also have a ``Limiter`` of its own.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CoroutineType
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404
from django.utils.module_loading import import_string
from rest_framework import status
from rest_framework.exceptions import APIException

from .limits import Limit, client_address, go_without, name_of_address
from .rates import Rate, is_pair
from .settings import UNSET, api_settings

_NAMELESS = (object.__repr__, CoroutineType.__repr__)
DEFAULT = "default"
"""The limiter of views that name none, if there is one of this name."""


@dataclasses.dataclass(frozen=True)
class Limiter:
    """One or several limits, and whom they count.

    What is a function here is called with the request; it may be named by its dotted path.
    """

    rate: Any
    """A rate such as ``"60/m"``, a list of up to five, ``None`` (no limit), or a function that
    returns one of these."""
    guest_rate: Any = UNSET
    """The rate of requests without user and token, if it differs."""
    rate_attribute: str | None = None
    """What has a rate of its own, as ``"token.rate"`` or ``"user.rate_limit"``: it replaces the
    others, unless it is empty."""
    plan: Any = None
    """What says the asker's plan: an attribute, such as ``"user.plan"``, or a function."""
    plans: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Plan to rate; of a plan that is not here ``rate``."""
    by: Any = "token"
    """Who is one asker: ``"token"`` (else the user, else the address), ``"user"`` (else the
    address), ``"address"``, ``"everybody"``, ``"header:X-Client-Id"`` (else the address), a
    function that returns a text or ``None`` (not counted), or a list of these."""
    cost: Any = 1
    """What a request costs: a whole number, or a function that returns one; 0 is not counted."""
    methods: Sequence[str] = ()
    """The methods that are limited; none named: all. HEAD goes with GET."""
    per: Sequence[str] = ()
    """What has a counter of its own besides: ``"method"``, ``"endpoint"`` (the route)."""
    answers: Any = ()
    """Which answers count, as ``[401, "4xx"]`` or a function of the response; ``()``: all requests,
    when they come."""
    window: str = "fixed"
    """``"fixed"``, ``"moving"`` or ``"sliding"``."""
    counter: str | None = None
    """A counter that it shares with other limiters, whatever their rates, as in Laravel; with a
    window that moves or slides, those of the same length."""
    on_cache_failure: Any = UNSET
    """``"open"``, ``"closed"`` (503) or ``"local"``; ``UNSET``: as ``ON_CACHE_FAILURE`` says."""
    shadow: Any = UNSET
    """Whether it only tells what it would have refused; ``UNSET``: as ``SHADOW_LIMITS`` says."""
    name: str = ""
    """What its counters, headers and log lines are called. Unless given, its key in ``LIMITERS``;
    without one it is called after its rate, and counts together with others of that name."""

    def __post_init__(self) -> None:
        """Refuse what has no methods that are needed; raise ``TypeError``."""
        if not isinstance(self.plans, Mapping):
            raise TypeError("plans has to be a mapping of plans to rates")

    def limit(self, request: Any) -> Limit | None:
        """Return what a request is counted for; ``None``: it is not.

        Raises whatever its functions raise, and whatever comes of fields that cannot be.
        """
        if not self.applies_to(request):
            return None
        rate, cost = self.get_rate(request), _called(self.cost, request)
        who = None if rate is None or cost == 0 else self.get_asker(request)
        return None if who is None else self.limit_of(who, rate, cost)

    def limit_of(self, who: str, rate: Any, cost: Any = 1) -> Limit:
        """Return what a request of ``who`` is counted for at a rate."""
        return Limit(
            scope=self.name,
            who=who,
            rates=rate,
            window=self.window,
            cost=cost,
            on_failure=self.on_cache_failure,
            shadow=self.shadow,
            counter=self.counter,
        )

    def applies_to(self, request: Any) -> bool:
        """Tell whether the request's method is limited."""
        methods = {method.upper() for method in _listed(self.methods)}
        # HEAD goes with GET, whichever is named.
        return not methods or not methods.isdisjoint({request.method, _method(request)})

    def get_rate(self, request: Any) -> Any:
        """Return rate or rates of a request, ``None`` for no limit."""
        own = _attribute(request, self.rate_attribute) if self.rate_attribute else None
        if own:
            return own
        if self.plans:
            plan = _ask_plan(self.plan, request)
            if plan in self.plans:
                return _called(self.plans[plan], request)
        is_known = self.guest_rate is UNSET or name_of_token(request) or name_of_user(request)
        return _called(self.rate if is_known else self.guest_rate, request)

    def get_asker(self, request: Any) -> str | None:
        """Return who asks, ``None`` for whoever is not counted."""
        return self.join([asker_of(kind, request) for kind in self.kinds], request)

    @property
    def kinds(self) -> list[Any]:
        """What ``by`` names, one or several."""
        return [*self.by] if isinstance(self.by, list | tuple) else [self.by]

    def join(self, askers: Sequence[str | None], request: Any) -> str | None:
        """Return those of ``kinds`` as one who asks, with what ``per`` tells apart."""
        if None in askers:
            return None
        parts = [*askers, *(f"{part}:{PARTS[part](request)}" for part in self.per)]
        return parts[0] if len(parts) == 1 else json.dumps(parts)

    def counts(self, response: Any) -> bool:
        """Tell whether an answer counts; a 429 does if it is named, since limits answer it.

        Raises whatever its function raises.
        """
        wanted = _function(self.answers)
        if callable(wanted):
            return bool(wanted(response))
        code = response.status_code
        kind = "" if code == status.HTTP_429_TOO_MANY_REQUESTS else f"{code // 100}xx"
        return any(each in (code, kind) for each in _listed(wanted))


FIELDS = tuple(field.name for field in dataclasses.fields(Limiter))


def find_limiter(value: Any) -> Limiter:
    """Return a ``Limiter``, the one that ``LIMITERS`` has of a name, or a new one of rates.

    A name that is not there, or fields that are none, are mistakes that ``manage.py check``
    reports. Meanwhile it is a limiter without a rate, which is treated as one that cannot be
    counted.
    """
    is_name = isinstance(value, str) and "/" not in value
    name = value if is_name else ""
    try:
        found = read_limiter(api_settings.limiters[value] if is_name else value, name)
    except (KeyError, TypeError):
        found = Limiter(rate="", name=name)
    return found if found.name else dataclasses.replace(found, name=name or say_rate(found.rate))


def dotted(function: Any) -> str:
    """Return the dotted name of a function, or of the class of something that can be called."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def say_rate(rate: Any) -> str:
    """Return a rate, several, or what decides it, as somebody would write it."""
    if rate is None:
        return "none"
    if callable(rate):
        return dotted(rate)
    if is_pair(rate):
        return str(Rate(*rate))
    return ", ".join(map(say_rate, rate)) if isinstance(rate, list | tuple) else str(rate)


def read_limiter(value: Any, name: str = "") -> Limiter:
    """Return what an entry of ``LIMITERS`` says: a ``Limiter``, its fields, or its rates.

    ``name`` is that of fields without one, and of rates. Raises ``TypeError`` for a field that is
    none.
    """
    if isinstance(value, Limiter):
        return value
    if isinstance(value, Mapping):
        return Limiter(**{"name": name, **value})
    return Limiter(value, name=name)


def limiters_of(named: Any) -> list[Limiter]:
    """Return the limiters that a view names: one or a list, of names, rates and ``Limiter``s."""
    several = isinstance(named, list | tuple) and not is_pair(named)
    return [find_limiter(each) for each in (named if several else [named])]


def asker_of(kind: Any, request: Any) -> str | None:
    """Return who asks, as ``Limiter.by`` says; ``None``: nobody who is counted."""
    if isinstance(kind, str) and kind.startswith("header:"):
        value = request.headers.get(kind.removeprefix("header:"))
        return f"{kind.lower()}:{value}" if value else address_of(request)
    if isinstance(kind, str) and kind in ASKERS:
        return ASKERS[kind](request)
    key = _function(kind)(request)
    return None if key is None else name_of_key(key)


def name_of_key(key: Any) -> str:
    """Return what a function of ``by`` has returned, as one who asks.

    Raises ``TypeError`` for what is written with its place in memory, another one each time.
    """
    kind: Any = type(key)
    if kind.__str__ is object.__str__ and kind.__repr__ in _NAMELESS:
        raise TypeError(f"a {kind.__name__} is no text that tells who asks")
    return f"key:{key}"


def address_of(request: Any) -> str:
    """Return the client's address as one who asks."""
    return name_of_address(client_address(request))


def name_of_user(request: Any) -> str | None:
    """Return kind and key of a request's user, ``None`` for a guest."""
    user = getattr(request, "user", None)
    return _name("user", user) if user and user.is_authenticated else None


def name_of_token(request: Any) -> str | None:
    """Return kind and key of the token that a request came with, if that is a row."""
    token = getattr(request, "auth", None)
    return _name("token", token) if isinstance(token, Model) else None


ASKERS: Mapping[str, Callable[[Any], str]] = {
    "token": lambda request: name_of_token(request) or name_of_user(request) or address_of(request),
    "user": lambda request: name_of_user(request) or address_of(request),
    "address": address_of,
    "everybody": lambda _request: "everybody",
}
"""What ``Limiter.by`` may name, and who asks by that."""


def _name(what: str, row: Any) -> str | None:
    """Return a text for a row: two kinds may have the same keys, and a kind may be no model."""
    key = getattr(row, "pk", None)
    if key is None:
        return None
    kind = type(row)
    name = (
        row._meta.label_lower if hasattr(row, "_meta") else f"{kind.__module__}.{kind.__qualname__}"
    )
    return f"{what}:{name}:{key}"


def _attribute(request: Any, path: str) -> Any:
    """Return ``"token.client"`` or ``"user.profile.plan"`` of a request, ``None`` without."""
    first, *rest = path.split(".")
    found = getattr(request, {"token": "auth"}.get(first, first), None)
    for name in rest:
        found = getattr(found, name, None)
    return found


def _ask_plan(plan: Any, request: Any) -> Any:
    return _attribute(request, plan) if is_attribute(plan) else _function(plan)(request)


def is_attribute(plan: Any) -> bool:
    """Tell whether a plan is an attribute of what a request came with, such as ``"user.plan"``."""
    return isinstance(plan, str) and plan.partition(".")[0] in ("token", "user")


def _called(value: Any, request: Any) -> Any:
    value = _function(value)
    return value(request) if callable(value) else value


def _function(value: Any) -> Any:
    """Return the function that a dotted path names; anything else as it is."""
    return import_string(value) if is_path(value) else value


def _listed(value: Any) -> Any:
    """Return a list as it is; raise ``TypeError`` for a text, which has characters and no items."""
    if isinstance(value, str):
        raise TypeError(f"{value!r} is no list")
    return value


def is_path(value: Any) -> bool:
    """Tell whether a value names a function by its dotted path."""
    return isinstance(value, str) and "." in value and "/" not in value


def _method(request: Any) -> str:
    method: str = request.method
    return "GET" if method == "HEAD" else method


def _endpoint(request: Any) -> str:
    """Return the name of a request's URL, which format suffixes do not change, else its route."""
    match = getattr(request, "resolver_match", None)
    if not match:
        return str(request.path_info)
    return str(match.view_name if match.url_name else match.route)


PARTS: Mapping[str, Callable[[Any], str]] = {"method": _method, "endpoint": _endpoint}
"""What ``Limiter.per`` may name, and what is told apart by it."""


def limits_of(limiters: Iterable[Limiter], request: Any) -> list[tuple[Limiter, Limit]]:
    """Return limiters that count a request, each with what it is counted for.

    One whose functions fail cannot be counted, and does what it does then; what they refuse, by an
    exception of DRF's or Django's, is refused.
    """
    found = []
    for limiter in limiters:
        with failures_of(limiter):
            found.append((limiter, limiter.limit(request)))
    return [(limiter, limit) for limiter, limit in found if limit is not None]


@contextmanager
def failures_of(limiter: Limiter) -> Iterator[None]:
    """Take what fails inside for a limit that cannot be counted; raise ``LimitUnavailable``."""
    try:
        yield
    except (APIException, Http404, PermissionDenied):
        raise
    except Exception as exc:  # noqa: BLE001 - the functions are other people's
        go_without([limiter.limit_of("", None)], exc)
