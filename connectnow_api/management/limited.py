"""From what somebody typed to a limit of the site, and to those whom it counts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Protocol, runtime_checkable

from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import CommandParser

from connectnow_api.engines import (
    CacheEngine,
    Counter,
    MemoryEngine,
    Usage,
    get_engine,
    get_place,
    say_what_failed,
)
from connectnow_api.engines.caches import get_alias
from connectnow_api.limiters import (
    ASKERS,
    PARTS,
    Limiter,
    asker_of,
    dotted,
    is_attribute,
    is_path,
    name_of_key,
    say_rate,
)
from connectnow_api.limits import Limit, counted_address, is_enabled, name_of_address
from connectnow_api.rates import Rate, parse_rate, parse_rates
from connectnow_api.settings import UNSET
from connectnow_api.site_limits import SiteLimit, site_limits

from .arguments import add_kind, address, rates
from .console import Console
from .errors import NotFoundError, UsageError, VerbError
from .finding import close_to, get_kind, get_token, get_user, read_secret

Options = Mapping[str, Any]


@runtime_checkable
class Listing(Protocol):
    """An engine that can say what it has counted."""

    def keys(self, scope: str) -> Iterator[tuple[str, str, str]]:
        """Yield asker, rate and window of each counter of a scope."""


TAKES: Mapping[str, Sequence[str]] = {
    "token": ("token", "user", "address"),
    "user": ("user", "token", "address"),
    "address": ("address",),
    "everybody": ("everybody",),
    "header": ("key", "address"),
    "function": ("key",),
}
"""What may name the asker of a limiter's ``by``, the closest first."""
OPTIONS = ("user", "token", "address", "key", "everybody", "asker")
ASKER = re.compile("[0-9a-f]{8,32}")
"""What ``show`` lists, or more of it."""


def add_limit(parser: CommandParser) -> None:
    """Add the name of a limit, and what names one who asks."""
    parser.add_argument("name", help="as list shows it")
    parser.add_argument("--user", help="of this user: the username, or the primary key")
    parser.add_argument("--token", metavar="ID", help="of this token: its id, app.Model:id, or -")
    add_kind(parser)
    parser.add_argument("--address", type=address, help="of whoever asks from there")
    parser.add_argument("--key", metavar="TEXT", help="of what a header says or a function returns")
    parser.add_argument("--everybody", action="store_true", help="of all together")
    parser.add_argument(
        "--asker",
        metavar="WHO",
        help="of whoever show and the log call so, 8 to 32 hexadecimal digits; or the name that a "
        "limit has for them, such as token:authtoken.token:KEY, or - for standard input",
    )
    parser.add_argument("--method", help="for limits that tell methods apart")
    parser.add_argument(
        "--endpoint",
        metavar="ROUTE",
        help="for limits that tell endpoints apart: a route such as api/issues/<int:pk>",
    )
    parser.add_argument(
        "--rate", type=rates, help="the rate, where a function decides it: 60/m, or 60/m,1000/d"
    )


def names_somebody(options: Options) -> bool:
    """Tell whether options name one who asks."""
    return any(options[name] for name in OPTIONS)


def find_limits(name: str) -> list[SiteLimit]:
    """Return the limits of a name: throttles of one scope may count different askers."""
    known = site_limits()
    found = [limit for limit in known if limit.limiter.name == name]
    if found:
        return found
    names = [limit.limiter.name for limit in known]
    hint = close_to(name, names) or f" There are: {', '.join(dict.fromkeys(names))}."
    raise NotFoundError(f"There is no limit {name!r}.{hint}")


# --- Who asks ---------------------------------------------------------------------------------


def counters_for(found: Sequence[SiteLimit], options: Options) -> list[Counter]:
    """Return the counters of the one who is named.

    Raises ``UsageError`` if none of the limits can tell from the options who asks, or how much it
    may; ``NotFoundError`` for a user, token or asker that is not there; ``VerbError`` for a rate
    that cannot be read, and for a store that is gone.
    """
    asker = read_secret("asker") if options["asker"] == "-" else options["asker"]
    if asker and ":" not in asker:
        return _counters_of_asker(found, asker, options)
    options = {**options, "asker": asker}
    with store_errors():
        return [counter for limit in _limits(found, options) for counter in limit.counters()]


def _counters_of_asker(found: Sequence[SiteLimit], asker: str, options: Options) -> list[Counter]:
    if not ASKER.fullmatch(asker):
        raise UsageError(
            f"{asker!r} is neither what show lists, 8 hexadecimal digits or up to 32, nor a name "
            "such as user:auth.user:7."
        )
    counters = [counter for limit in found for counter in enumerate_counters(limit, options)]
    named = [counter for counter in counters if counter.asker.startswith(asker)]
    if not named:
        raise NotFoundError(f"Nothing is counted of {asker!r}.")
    if len({counter.asker for counter in named}) > 1:
        raise UsageError(f"Several begin with {asker!r}: say more of the digits.")
    return [*dict.fromkeys(named)]


def _limits(found: Sequence[SiteLimit], options: Options) -> list[Limit]:
    request = _request_of(options)
    limits, refusals = [], []
    for limit in found:
        try:
            limits += _limits_for(limit, options, request)
        except UsageError as exc:
            refusals.append(exc)
    if refusals and not limits:
        raise refusals[0]
    return [limit for number, limit in enumerate(limits) if limit not in limits[:number]]


def _limits_for(limit: SiteLimit, options: Options, request: Any) -> list[Limit]:
    limiter = limit.limiter
    if limit.has_bare_key:
        who: str | None = options["asker"] or _given_key(limiter, options)
    else:
        _need_parts(limiter, options)
        parts = [_asker(limiter, kind, options, request) for kind in limiter.kinds]
        who = limiter.join(parts, request)
    rate = _known_rate(limiter, options).get_rate(request)
    return [] if rate is None or who is None else [limiter.limit_of(who, rate)]


def _request_of(options: Options) -> Any:
    """Return what a request of the one who is named has, as far as limiters ask for it."""
    token = None
    if options["token"]:
        token = get_token(options["token"], options["kind"])
    user: Any = token.owner if token else None
    if (options["asker"] or "").startswith(("token:", "user:")):
        # Somebody who is no guest; nothing else is known of them.
        user = SimpleNamespace(is_authenticated=True, pk=0)
    if options["user"]:
        user = get_user(get_kind(options["kind"]), options["user"])
    return SimpleNamespace(
        user=user,
        auth=token,
        method=(options["method"] or "").upper(),
        path_info=options["endpoint"] or "",
    )


def _asker(limiter: Limiter, kind: Any, options: Options, request: Any) -> str | None:
    """Return who asks, as ``asker_of`` does of a request."""
    if options["asker"]:
        if len(limiter.kinds) > 1:
            raise UsageError(
                f"The limit {limiter.name!r} counts by several at once: say --asker with the "
                "digits that show lists."
            )
        return str(options["asker"])
    takes = TAKES[_kind_of(kind)]
    if _kind_of(kind) == "user" and options["token"] and request.user is None:
        # A token need not belong to anybody.
        takes = [name for name in takes if name != "token"]
    given = next((name for name in takes if options[name]), None)
    if given is None:
        raise UsageError(
            f"The limit {limiter.name!r} counts by {say_by(limiter.by)}: name who asks by "
            f"{' or '.join(f'--{name}' for name in takes)}."
        )
    if given == "address":
        return name_of_address(counted_address(options["address"]))
    if given == "key" and sum("key" in TAKES[_kind_of(each)] for each in limiter.kinds) > 1:
        raise UsageError(f"The limit {limiter.name!r} asks for several keys, and --key is one.")
    if _kind_of(kind) == "function":
        return name_of_key(options["key"])
    if given == "key":
        request.headers = {kind.removeprefix("header:"): options["key"]}
    return asker_of(kind, request)


def _kind_of(kind: Any) -> str:
    if isinstance(kind, str) and kind in ASKERS:
        return kind
    return "header" if isinstance(kind, str) and kind.startswith("header:") else "function"


def _given_key(limiter: Limiter, options: Options) -> str:
    if not options["key"]:
        raise UsageError(
            f"The limit {limiter.name!r} counts by what {say_by(limiter.by)} returns: say --key."
        )
    return str(options["key"])


def _need_parts(limiter: Limiter, options: Options) -> None:
    for part in PARTS:
        if part in limiter.per and not options[part]:
            raise UsageError(
                f"The limit {limiter.name!r} has counters for each {part}: say --{part}."
            )


def _known_rate(limiter: Limiter, options: Options) -> Limiter:
    """Return a limiter whose rate can be told without a request, or says that it cannot."""
    if options["rate"]:
        return dataclasses.replace(
            limiter, rate=options["rate"], guest_rate=UNSET, rate_attribute=None, plans={}
        )

    def refuse(request: Any) -> Any:
        raise UsageError(
            f"A function decides what the limit {limiter.name!r} allows a request: say --rate."
        )

    def known(value: Any) -> Any:
        return refuse if callable(value) or is_path(value) else value

    return dataclasses.replace(
        limiter,
        rate=known(limiter.rate),
        guest_rate=known(limiter.guest_rate),
        plan=limiter.plan if is_attribute(limiter.plan) else known(limiter.plan),
        plans={plan: known(rate) for plan, rate in limiter.plans.items()},
    )


# --- What is said of a limit ------------------------------------------------------------------


def say_by(by: Any) -> str:
    """Return whom a limiter counts, in words of ``Limiter.by``."""
    if isinstance(by, list | tuple):
        return ", ".join(map(say_by, by))
    return by if isinstance(by, str) else dotted(by)


def say_rates(limiter: Limiter) -> list[str]:
    """Return all rates that a limiter may allow, each with whom it is for."""
    found = [say_rate(limiter.rate)]
    if limiter.guest_rate is not UNSET:
        found.append(f"guests {say_rate(limiter.guest_rate)}")
    if limiter.plans:
        plan = say_by(limiter.plan)
        found += [f"{plan} {name}: {say_rate(rate)}" for name, rate in limiter.plans.items()]
    return found + ([limiter.rate_attribute] if limiter.rate_attribute else [])


# --- The store --------------------------------------------------------------------------------


@contextmanager
def store_errors() -> Iterator[None]:
    """Tell in a line that a store is gone, or cannot be used."""
    try:
        yield
    except VerbError:
        raise
    except Exception as exc:
        # Each library has errors of its own.
        raise VerbError(
            f"Limits cannot be counted in {get_place()}: {say_what_failed(exc)}"
        ) from exc


def ask(counters: Sequence[Counter]) -> list[Usage]:
    """Return how counters stand; raise ``VerbError`` if that cannot be told."""
    with store_errors():
        return get_engine().peek(counters) if counters else []


def enumerate_counters(limit: SiteLimit, options: Options) -> Iterator[Counter]:
    """Yield each counter that a limit has in the store, in no order.

    Raises ``UsageError`` where a store cannot say which it has.
    """
    with store_errors():
        engine: Any = get_engine()
    if not isinstance(engine, Listing):
        raise UsageError(
            f"What is counted in {get_place()} cannot be listed: name who asks, as by --user or "
            "--address."
        )
    scope = limit.limiter.limit_of("", ()).counter_scope
    seen = set()
    with store_errors():
        for found in engine.keys(scope):
            # Redis may tell of a key twice.
            if found not in seen:
                seen.add(found)
                yield _counter(limit, scope, found, options)


def _counter(
    limit: SiteLimit, scope: str, found: tuple[str, str, str], options: Options
) -> Counter:
    asker, name, window = found
    if "-" in name:
        return Counter(scope, asker, parse_rate(name.replace("-", "/")), window)
    # It is shared by limits of several rates; how it stands is told by that of this limit.
    known = parse_rates(_known_rate(limit.limiter, options).get_rate(SimpleNamespace()))
    rate = known[0] if known else Rate(0, 1)
    if name:
        rate = rate._replace(seconds=int(name.removesuffix("s")))
    return Counter(scope, asker, rate, window, is_shared=True)


def remark_on_counting(console: Console) -> None:
    """Say why what is shown may not be what requests were counted by."""
    remark_on_switches(console)
    with store_errors():
        engine = get_engine()
        is_own = isinstance(engine, MemoryEngine) or (
            isinstance(engine, CacheEngine) and isinstance(caches[get_alias()], LocMemCache)
        )
    if is_own:
        console.remark("Each process has counters of its own: this one sees those of no other.")


def remark_on_switches(console: Console) -> None:
    """Say that limits are off."""
    if not is_enabled():
        console.remark("RATELIMIT_ENABLE is False: requests are not counted.")
