"""Counting requests against limits, and what happens when they cannot be counted.

``hit``, ``peek`` and ``reset`` are the whole interface, and ``ahit`` for asynchronous code. What
counts is one of ``engines``. ``RATELIMIT_ENABLE = False``, django-ratelimit's own setting, switches
all limits off.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from django.conf import settings as django_settings

from .addresses import Address, find_address
from .engines import (
    WINDOWS,
    Counter,
    Engine,
    MemoryEngine,
    Unreachable,
    Usage,
    digest,
    get_engine,
    say_what_failed,
    weigh,
)
from .exceptions import LimitUnavailable
from .outages import Outages
from .rates import Rate, parse_rate, parse_rates
from .settings import UNSET, api_settings
from .signals import cache_unavailable, limit_exceeded

__all__ = [
    "Limit",
    "Rate",
    "Told",
    "Usage",
    "ahit",
    "client_address",
    "hit",
    "hit_failed_auth",
    "is_enabled",
    "parse_rate",
    "parse_rates",
    "peek",
    "reset",
    "show",
    "take",
]

POLICIES = ("open", "closed", "local")
"""What a limit may do that cannot be counted."""

FAILED_AUTH = "failed_auth"
"""What the limit of refused tokens is called."""

logger = logging.getLogger(__name__)
_outages = Outages(logger)
_LEGIBLE = re.compile(
    r"user:\w+\.\w+:[0-9a-f-]{1,36}|token:\w+\.\w+:[0-9]{1,19}|address:[0-9a-f.:]*(/64)?", re.ASCII
)
"""Who asks, as our limiters and throttles name them; other code may name whatever it likes. The key
of another package's token may be the token itself, unless it is a number."""
_local = MemoryEngine()
_switched: list[bool] = []


@lru_cache(maxsize=1000)
def _digest_of_name(text: str) -> str:
    """Return what a limit is called in the names of its counters, which each request asks for."""
    return digest(text, 16)


class Limit(NamedTuple):
    """What one request is counted for: by whom, where, and against which rates."""

    scope: str
    who: str
    """Who asks, different for different ones; of any length, with any characters."""
    rates: Any
    """As ``parse_rates`` takes them."""
    window: str = "fixed"
    cost: Any = 1
    on_failure: Any = UNSET
    """One of ``POLICIES``; ``UNSET``: as ``ON_CACHE_FAILURE`` says."""
    shadow: Any = UNSET
    """Whether it counts and tells, and refuses nothing; ``UNSET``: as ``SHADOW_LIMITS`` says."""
    counter: str | None = None
    """The counter that it shares with other limits of this name, whatever their rates."""

    @property
    def policy(self) -> str:
        """What it does when it cannot be counted."""
        own = self.on_failure
        return str(api_settings.on_cache_failure if own is UNSET else own)

    @property
    def is_shadow(self) -> bool:
        """Whether it refuses nothing."""
        return bool(api_settings.shadow_limits if self.shadow is UNSET else self.shadow)

    def counters(self) -> list[Counter]:
        """Return its counters, one for each rate.

        Raises ``ValueError`` for what is no rate, cost or window, and for several rates with one
        ``counter``.
        """
        if type(self.cost) is not int or self.cost < 1:
            raise ValueError(f"a request costs {self.cost!r}, which is no whole number from 0")
        if self.window not in WINDOWS:
            raise ValueError(f"there is no window {self.window!r}")
        rates = parse_rates(self.rates)
        if self.counter is not None and len(rates) > 1:
            raise ValueError(f"the counter {self.counter!r} is one number, and counts one rate")
        scope, asker = self.counter_scope, digest(str(self.who), 32)
        shares = self.counter is not None
        return [
            # What costs more than there is, is refused; and stores cannot add any number.
            Counter(scope, asker, rate, self.window, min(self.cost, rate.limit + 1), shares)
            for rate in rates
        ]

    @property
    def counter_scope(self) -> str:
        """The scope of its counters, whoever asks."""
        shares = self.counter is not None
        return _digest_of_name(f"shared:{self.counter}" if shares else f"limit:{self.scope}")


class Told(NamedTuple):
    """One counter of a limit, and how it stands."""

    limit: Limit
    counter: Counter
    usage: Usage

    @property
    def refuses(self) -> bool:
        """Whether the request may not pass."""
        return self.usage.is_exceeded and not self.limit.is_shadow

    @property
    def name(self) -> str:
        """What it is called in ``RateLimit-Policy``: the limit's name, with a length if needed."""
        has_several = len(parse_rates(self.limit.rates)) > 1
        return f"{self.limit.scope}-{self.counter.rate.seconds}s" if has_several else self.scope

    @property
    def scope(self) -> str:
        """The limit's name."""
        return self.limit.scope

    def as_passing(self) -> Told:
        """Return it as of a request that passes, and was one too many."""
        return self._replace(usage=self.usage.as_passing())

    def outranks(self, other: Told) -> bool:
        """Tell whether a client needs to know of this one rather than of the other."""
        if self.refuses != other.refuses:
            return self.refuses
        return self.usage.outranks(other.usage)


def is_enabled() -> bool:
    """Tell whether anything is counted at all: django-ratelimit's own setting says so."""
    return _switched[-1] if _switched else bool(getattr(django_settings, "RATELIMIT_ENABLE", True))


@contextmanager
def switched(on: bool) -> Iterator[None]:
    """Switch limits on or off inside, in all threads, whatever the settings say: for tests."""
    _switched.append(on)
    try:
        yield
    finally:
        _switched.pop()


def take(limits: Iterable[Limit], request: Any = None, *, tells_shadow: bool = True) -> list[Told]:
    """Count a request against several limits at once, and return how each of their counters stands.

    If one refuses, none has counted it, but for races that the request loses. Limits in shadow are
    counted if the others let pass, and told of, unless that was done before (``tells_shadow``).
    What cannot be counted is left out, or counted in this process (``"local"``); raises
    ``LimitUnavailable`` for a limit that is ``"closed"`` then.
    """
    wanted = [*limits] if is_enabled() else []
    told = _ask(_hit, [limit for limit in wanted if not limit.is_shadow])
    if not any(each.refuses for each in told):
        told += _ask(_hit, [limit for limit in wanted if limit.is_shadow])
    _tell_exceeded((each for each in told if tells_shadow or not each.limit.is_shadow), request)
    return told


def look(limits: Iterable[Limit]) -> list[Told]:
    """Return how the counters of several limits stand; what cannot be counted as in ``take``."""
    return _ask(_peek, [*limits] if is_enabled() else [])


def foresee(limits: Iterable[Limit], request: Any = None) -> list[Told]:
    """Return what ``look`` does, but of counters that a request would exceed, how that would be."""
    told = look(limits)
    usages = weigh([each.usage for each in told], [each.counter for each in told])
    if usages:
        told = [each._replace(usage=usage) for each, usage in zip(told, usages, strict=True)]
    _tell_exceeded(told, request)
    return told


def hit(scope: str, rate: Any, who: str, on_failure: Any = UNSET, **fields: Any) -> Usage | None:
    """Count a request of ``who`` against ``rate``, or a list of rates, and return how it stands.

    Each (scope, rate, who) has a counter of its own; of several rates the one that a client needs
    to know is returned. ``fields`` are those of ``Limit``: ``window``, ``counter``, and ``cost``,
    of which 0 only looks.
    ``None``: limits are switched off, or could not be counted, which includes a rate that cannot be
    read, and ``on_failure``, else the setting ``ON_CACHE_FAILURE``, is ``"open"``. ``"local"``
    counts in this process then, and ``"closed"`` raises ``LimitUnavailable``.
    """
    if fields.get("cost") == 0:
        return peek(scope, rate, who, on_failure, **{**fields, "cost": 1})
    return _tightest(take([_limit(scope, rate, who, on_failure, **fields)]))


ahit: Callable[..., Any] = sync_to_async(hit)
"""``hit`` for asynchronous code, in the thread that Django has for its request."""


def peek(scope: str, rate: Any, who: str, on_failure: Any = UNSET, **fields: Any) -> Usage | None:
    """Return what ``hit`` has counted, without counting."""
    return _tightest(look([_limit(scope, rate, who, on_failure, **fields)]))


def reset(scope: str, rate: Any, who: str, **fields: Any) -> None:
    """Let the counters of ``hit`` begin anew; raise what the store's library raises without it."""
    counters = _limit(scope, rate, who, **fields).counters()
    get_engine().reset(counters)
    _local.reset(counters)


def hit_failed_auth(request: Any) -> Told | None:
    """Count a refused token against the address that sent it; return what makes it one too many."""
    rate, who = api_settings.failed_auth_rate, name_of_address(client_address(request))
    limit = _limit(FAILED_AUTH, rate, who, failed_auth_policy())
    return next((each for each in take([limit], request) if each.refuses), None)


def failed_auth_policy() -> str:
    """Return what becomes of refused tokens that cannot be counted.

    Never ``"closed"``: whoever is refused gets no further, counted or not.
    """
    return "local" if api_settings.on_cache_failure == "local" else "open"


def _limit(scope: str, rate: Any, who: str, on_failure: Any = UNSET, **fields: Any) -> Limit:
    return Limit(scope, who, rate, on_failure=on_failure, **fields)


def _hit(engine: Any, counters: Sequence[Counter]) -> list[Usage]:
    usages: list[Usage] = engine.hit(counters)
    return usages


def _peek(engine: Any, counters: Sequence[Counter]) -> list[Usage]:
    usages: list[Usage] = engine.peek(counters)
    return usages


def _ask(ask: Callable[[Any, Sequence[Counter]], list[Usage]], limits: list[Limit]) -> list[Told]:
    """Ask the engine about all limits at once, and do without it as each of them says."""
    if not limits:
        return []
    engine = _engine()
    pairs, local, countable = [], [], []
    for limit in limits:
        try:
            pairs += _counted_by(engine, limit)
            countable.append(limit)
        except (TypeError, ValueError) as exc:
            go_without([limit], exc)
            # A window may be none of the store's, and one of ours.
            with suppress(TypeError, ValueError):
                local += _counted_by(_local, limit) if limit.policy == "local" else []
    told = _ask_engine(ask, _local, local)
    try:
        return _ask_engine(ask, engine, pairs) + told
    except Exception as exc:  # noqa: BLE001 - each library has errors of its own
        go_without(countable, exc)
        local = [pair for pair in pairs if pair[0].policy == "local"]
        return _ask_engine(ask, _local, local) + told


def _ask_engine(ask: Any, engine: Any, pairs: Sequence[tuple[Limit, Counter]]) -> list[Told]:
    usages = ask(engine, [counter for _limit, counter in pairs]) if pairs else []
    return [
        Told(limit, counter, usage) for (limit, counter), usage in zip(pairs, usages, strict=True)
    ]


def _engine() -> Engine:
    """Return what counts; what cannot be made, such as a client of a cluster that is gone, later
    says why."""
    try:
        return get_engine()
    except Exception as exc:  # noqa: BLE001 - each library has errors of its own
        return Unreachable(exc)


def _counted_by(engine: Engine, limit: Limit) -> list[tuple[Limit, Counter]]:
    """Return a limit with each of its counters in an engine.

    Raises ``ValueError`` for what cannot be counted there, ``TypeError`` for a window without hash.
    """
    if limit.window not in engine.windows:
        raise ValueError(f"there is no window {limit.window!r} where limits are counted")
    shares = limit.counter is None or engine.shares
    found = limit.counters()
    return [(limit, each if shares else each._replace(is_shared=False)) for each in found]


def go_without(limits: Sequence[Limit], exc: Exception) -> None:
    """Tell that limits cannot be counted; raise ``LimitUnavailable`` if one of them is closed."""
    for limit in limits:
        cache_unavailable.send_robust(sender=limit.scope, exception=exc)
        # A library may quote the whole URI of its server.
        _outages.report(f"Limit {limit.scope!r} cannot be counted", exc, say_what_failed(exc))
    if any(limit.policy == "closed" and not limit.is_shadow for limit in limits):
        raise LimitUnavailable


def _tell_exceeded(told: Iterable[Told], request: Any) -> None:
    for each in told:
        if each.usage.is_exceeded:
            limit_exceeded.send_robust(
                sender=each.scope,
                request=request,
                usage=each.usage,
                is_shadow=each.limit.is_shadow,
            )
        if each.usage.is_exceeded and each.limit.is_shadow:
            logger.warning(
                "Limit %s would have refused %s: %d of %s",
                json.dumps(each.scope),
                _legible(each),
                each.usage.hits,
                each.counter.rate,
            )


def _legible(told: Told) -> str:
    """Return who asked, for a log; of what a client or other code has named only a digest."""
    is_legible = _LEGIBLE.fullmatch(told.limit.who)
    return json.dumps(told.limit.who) if is_legible else told.counter.asker[:8]


def _tightest(told: Iterable[Told]) -> Usage | None:
    """Return the usage that decides; one in shadow is never exceeded."""
    found = tightest(told)
    if found is None:
        return None
    return found.usage.as_passing() if found.limit.is_shadow else found.usage


def tightest(told: Iterable[Told]) -> Told | None:
    """Return the one that a client needs to know of, the first of equals; ``None`` for none."""
    found: Told | None = None
    for each in told:
        if found is None or each.outranks(found):
            found = each
    return found


def client_address(request: Any) -> str:
    """Return the address that a request counts against, as text; ``""`` if there is none."""
    return counted_address(find_address(request))


def counted_address(address: Address | None) -> str:
    """Return what an address counts as: an IPv6 client has a whole /64 network."""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address), 64), strict=False))
    return "" if address is None else str(address)


def name_of_address(text: str) -> str:
    """Return an address that counts, as one who asks."""
    return f"address:{text}"


def headers_of(told: Sequence[Told]) -> dict[str, str]:
    """Return the headers that tell of limits, without ``Retry-After``: that is the handler's.

    Laravel's say the tightest limit; those of the IETF's draft
    (draft-ietf-httpapi-ratelimit-headers-11) all of them.
    """
    shown = tightest(told)
    kind = api_settings.limit_headers
    headers: dict[str, str] = {}
    if shown is not None and kind != "ietf":
        headers |= _laravels(shown)
    if told and kind != "laravel":
        headers |= _drafts(told)
    return headers


def _laravels(told: Told) -> dict[str, str]:
    usage = told.usage
    headers = {
        "X-RateLimit-Limit": str(usage.limit),
        "X-RateLimit-Remaining": str(usage.remaining),
    }
    reset = {"X-RateLimit-Reset": str(math.ceil(usage.reset))} if told.refuses else {}
    return {**headers, **reset}


def _drafts(told: Sequence[Told]) -> dict[str, str]:
    named = [(_quoted(each.name), each.counter.rate, each.usage) for each in told]
    policies = [f"{name};q={_whole(rate.limit)};w={rate.seconds}" for name, rate, _usage in named]
    standing = [
        f"{name};r={_whole(usage.remaining)};t={usage.retry_after}" for name, _rate, usage in named
    ]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(standing)}


def _whole(number: int) -> int:
    """Return a whole number of structured fields, which have 15 digits at most (section 3.3.1)."""
    return min(number, 10**15 - 1)


def _quoted(text: str) -> str:
    r"""Return a string of structured fields (RFC 9651 section 3.3.3), other characters as ``?``."""
    printable = "".join(c if " " <= c <= "~" else "?" for c in text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'


def show(view: Any, told: Sequence[Told]) -> None:
    """Put the headers of limits on a view's answer, beside those that were shown before.

    DRF copies ``view.headers`` to whatever the view answers, refusals included. RFC 6585: no cache
    may keep a 429.
    """
    headers = getattr(view, "headers", None)
    if headers is None or not told:
        return
    # A counter that is asked twice is told once, as it stands last.
    known: dict[Any, Told] = getattr(view, "_limits_told", {})
    view._limits_told = {**known, **{(each.scope, each.counter): each for each in told}}
    # A view may have them from its class, in one mapping for all requests.
    view.headers = {**headers, **headers_of([*view._limits_told.values()])}
    refuses = any(each.refuses for each in told)
    if refuses and "no-store" not in headers.get("Cache-Control", ""):
        view.headers["Cache-Control"] = "no-store"


def has_refused(view: Any) -> bool:
    """Tell whether a limit that ``show`` was given has refused the view's request."""
    told: dict[Any, Told] = getattr(view, "_limits_told", {})
    return any(each.refuses for each in told.values())
