"""DRF throttles that count exactly, over ``limits``.

Rates are where Django REST framework has them: ``REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]`` by
scope, or ``rate`` on a class; ``None`` sets no limit. Limiters are in ``LIMITERS``, or on the view.
All are read with each request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.http.response import HttpResponseBase
from rest_framework import status
from rest_framework.settings import api_settings as drf_settings
from rest_framework.throttling import BaseThrottle

from . import limits
from .events import emit_for_auth
from .exceptions import LimitUnavailable
from .limiters import (
    DEFAULT,
    Limiter,
    failures_of,
    limiters_of,
    limits_of,
    name_of_token,
    name_of_user,
)
from .settings import UNSET, api_settings


class LimitThrottle(BaseThrottle):
    """What our throttles have in common: they count a request, and tell the view's answer.

    Every answer made afterwards has ``X-RateLimit-Limit`` and ``X-RateLimit-Remaining``: of several
    limits those of the tightest, on a 429 those of the one that refused.
    """

    refusal: limits.Told | None = None
    """What refused the request."""

    def get_ident(self, request: Any) -> str:
        """Return the client's address; DRF's own takes any ``X-Forwarded-For`` at its word."""
        return limits.client_address(request)

    def wait(self) -> float | None:
        """Return the whole seconds until a request passes again, at least 1."""
        return None if self.refusal is None else self.refusal.usage.retry_after

    def tell(self, request: Any, view: Any, told: Sequence[limits.Told]) -> bool:
        """Show how limits stand, and tell whether the request passes."""
        is_first = not limits.has_refused(view)
        limits.show(view, told)
        self.refusal = limits.tightest(each for each in told if each.refuses)
        if self.refusal is not None and is_first:
            emit_for_auth("throttled", request, reason=self.refusal.scope)
        return self.refusal is None


class BaseRateThrottle(LimitThrottle):
    """Counts each request of whoever ``get_cache_key`` names."""

    scope: str | None = None
    """The key of the rate, and with rate and asker what a counter belongs to."""
    rate: str | Any | None = UNSET
    """A rate of the class's own, such as ``"10/5s"``, or a list; ``UNSET``: the scope's."""
    window: str = "fixed"
    """``"fixed"``, or where ``LIMIT_STORAGE`` is set, ``"moving"`` or ``"sliding"``."""
    on_cache_failure: str | Any = UNSET
    """``"open"``, ``"closed"`` (503) or ``"local"``; ``UNSET``: as ``ON_CACHE_FAILURE`` says."""
    shadow: bool | Any = UNSET
    """Whether it only tells what it would have refused; ``UNSET``: as ``SHADOW_LIMITS`` says."""

    def get_scope(self, view: Any) -> str | None:
        """Return what is counted, without a ``scope`` the class alone; ``None``: nothing is."""
        return self.scope or f"{type(self).__module__}.{type(self).__qualname__}"

    def get_rate(self, request: Any, view: Any) -> Any:
        """Return the rate of this request; ``None``: no limit.

        A scope without a rate is a mistake, which ``manage.py check`` reports and ``limits`` treats
        as a cache that fails.
        """
        if self.rate is not UNSET:
            return self.rate
        rates: Any = drf_settings.DEFAULT_THROTTLE_RATES
        scope = self.get_scope(view)
        is_there = isinstance(rates, Mapping) and isinstance(scope, str) and scope in rates
        return rates[scope] if is_there else ""

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        """Return a text that tells who asks, different for different ones; ``None``: not counted.

        It may be of any length and hold any character: it is hashed.
        """
        raise NotImplementedError(".get_cache_key() must be overridden")

    def allow_request(self, request: Any, view: Any) -> bool:
        """Count the request and tell whether it passes; raise ``LimitUnavailable`` (503)."""
        scope = self.get_scope(view)
        rate = self.get_rate(request, view) if scope is not None else None
        who = self.get_cache_key(request, view) if rate is not None else None
        if scope is None or who is None:
            return True
        limit = limits.Limit(
            scope=scope,
            who=str(who),
            rates=rate,
            window=self.window,
            on_failure=self.on_cache_failure,
            shadow=self.shadow,
        )
        return self.tell(request, view, limits.take([limit], request))


class AnonRateThrottle(BaseRateThrottle):
    """Counts requests of nobody in particular, by address; users are not counted."""

    scope = "anon"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        """Return the client's address, ``None`` for a user."""
        return None if name_of_user(request) else limits.name_of_address(self.get_ident(request))


class UserRateThrottle(BaseRateThrottle):
    """Counts by user, whatever the token and address; where there is none, by address."""

    scope = "user"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        """Return kind and key of the user, else the client's address."""
        return name_of_user(request) or limits.name_of_address(self.get_ident(request))


class TokenRateThrottle(UserRateThrottle):
    """Counts by token; where there is none, by user, and else by address.

    A token's own ``rate`` replaces that of the scope, not one of the class.
    """

    scope = "token"

    def get_rate(self, request: Any, view: Any) -> Any:
        """Return the token's own rate, else that of class or scope."""
        auth = getattr(request, "auth", None)
        own = getattr(auth, "rate", "") if self.rate is UNSET else ""
        return own or super().get_rate(request, view)

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        """Return kind and key of the token, else of the user, else the client's address."""
        return name_of_token(request) or super().get_cache_key(request, view)


class ScopedRateThrottle(UserRateThrottle):
    """Counts by user or address in the scope that the view's ``throttle_scope`` names, if any."""

    scope_attr = "throttle_scope"

    def get_scope(self, view: Any) -> str | None:
        """Return the view's scope; ``None``: the view is not counted."""
        scope: str | None = getattr(view, self.scope_attr, None)
        return scope


class LimiterThrottle(LimitThrottle):
    """Counts by the limiters that the view's ``limiters`` name, else by the one called ``default``.

    All of them at once: what one refuses, none has counted.
    """

    limiters: Any = UNSET
    """A limiter, or a list, as on a view: names, rates, or ``Limiter``s; ``UNSET``: the view's."""

    def get_limiters(self, request: Any, view: Any) -> list[Limiter]:
        """Return what limits a request to a view."""
        named = getattr(view, "limiters", UNSET) if self.limiters is UNSET else self.limiters
        if named is UNSET:
            named = [DEFAULT] if DEFAULT in api_settings.limiters else []
        return [] if named is None else limiters_of(named)

    def allow_request(self, request: Any, view: Any) -> bool:
        """Count the request and tell whether it passes; raise ``LimitUnavailable`` (503)."""
        found = limits_of(self.get_limiters(request, view), request)
        answered = [(limiter, limit) for limiter, limit in found if limiter.answers]
        told = limits.foresee([limit for _limiter, limit in answered], request) if answered else []
        if not any(each.refuses for each in told):
            told += limits.take([limit for limiter, limit in found if not limiter.answers], request)
        passes = self.tell(request, view, told)
        # What could not be looked at is not waited for once more.
        known = [pair for pair in answered if any(each.limit is pair[1] for each in told)]
        if passes and known:
            self.count_answer(request, view, known)
        return passes

    def count_answer(
        self, request: Any, view: Any, answered: Sequence[tuple[Limiter, limits.Limit]]
    ) -> None:
        """Let the view count its answer, before it finishes that.

        What has counted decides: an error that is one too many is told as a 429, however many were
        let in at once. Other answers are left as they are, since what they tell is done.
        """
        finalize = view.finalize_response

        def finalize_response(again: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
            # DRF says what is wrong with a view that returns something else.
            if isinstance(response, HttpResponseBase):
                told = self._count(request, response, answered)
                if not can_be_refused(response):
                    told = [each.as_passing() for each in told]
                if not self.tell(request, view, told):
                    response = self._refuse(again, view, response)
            return finalize(again, response, *args, **kwargs)

        # DRF has a view of its own for each request, and no other moment at which errors are known.
        view.finalize_response = finalize_response

    def _refuse(self, request: Any, view: Any, response: Any) -> Any:
        """Return what the view's own ``throttled`` makes of an answer that is one too many."""
        try:
            view.throttled(request, self.wait())
        except Exception as exc:  # noqa: BLE001 - a view may raise what it likes
            return view.handle_exception(exc)
        return response

    def _count(
        self, request: Any, response: Any, answered: Sequence[tuple[Limiter, limits.Limit]]
    ) -> list[limits.Told]:
        """Count an answer; a store or a function that fails by now refuses nobody any more."""
        counted = []
        for limiter, limit in answered:
            with suppress(LimitUnavailable), failures_of(limiter):
                counted += [limit] if limiter.counts(response) else []
        with suppress(LimitUnavailable):
            # Of shadows was told when the request came.
            return limits.take(counted, request, tells_shadow=False)
        return []


def can_be_refused(response: Any) -> bool:
    """Tell whether an answer may still become a 429: an error, and none that is under way."""
    is_error = response.status_code >= status.HTTP_400_BAD_REQUEST
    return is_error and not getattr(response, "streaming", False)


def limited_by(*limiters: Any) -> type[LimiterThrottle]:
    """Return a throttle for ``throttle_classes`` of a function, an action or a view.

    ``limiters``: names of ``LIMITERS``, rates such as ``"5/m"``, or ``Limiter`` objects.
    """
    return type("LimitedBy", (LimiterThrottle,), {"limiters": [*limiters]})
