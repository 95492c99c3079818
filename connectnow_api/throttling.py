"""DRF throttles that count exactly, over ``limits``.

Rates are where Django REST framework has them: ``REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]`` by
scope, or ``rate`` on a class; ``None`` sets no limit. Both are read with each request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from rest_framework.settings import api_settings as drf_settings
from rest_framework.throttling import BaseThrottle

from . import limits
from .events import emit_for_auth
from .settings import UNSET


class BaseRateThrottle(BaseThrottle):
    """Counts each request of whoever ``get_cache_key`` names, in fixed windows.

    Every answer made afterwards has ``X-RateLimit-Limit`` and ``X-RateLimit-Remaining``: of several
    throttles those of the tightest, on a 429 those of the one that refused.
    """

    scope: str | None = None
    """The key of the rate, and with rate and asker what a counter belongs to."""
    rate: str | Any | None = UNSET
    """A rate of the class's own, such as ``"10/5s"``; ``UNSET``: the scope's."""
    on_cache_failure: str | Any = UNSET
    """``"open"`` or ``"closed"`` (503); ``UNSET``: as the setting ``ON_CACHE_FAILURE`` says."""
    usage: limits.Usage | None = None

    def get_scope(self, view: Any) -> str | None:
        """Return what is counted, without a ``scope`` the class alone; ``None``: nothing is."""
        return self.scope or f"{type(self).__module__}.{type(self).__qualname__}"

    def get_rate(self, request: Any, view: Any) -> Any:
        """Return the rate of this request; ``None``: no limit.

        A scope without a rate is a mistake, which ``manage.py check`` reports and ``limits.hit``
        treats as a cache that fails.
        """
        if self.rate is not UNSET:
            return self.rate
        rates: Mapping[Any, Any] = drf_settings.DEFAULT_THROTTLE_RATES or {}
        return rates.get(self.get_scope(view), "")

    def get_ident(self, request: Any) -> str:
        """Return the client's address; DRF's own takes any ``X-Forwarded-For`` at its word."""
        return limits.client_address(request)

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
        self.usage = limits.hit(scope, rate, who, self.on_cache_failure)
        if self.usage is None:
            return True
        limits.show(view, self.usage)
        if self.usage.is_exceeded:
            emit_for_auth("throttled", request, reason=scope)
        return not self.usage.is_exceeded

    def wait(self) -> float | None:
        """Return the whole seconds until the next window, at least 1."""
        return None if self.usage is None else self.usage.retry_after


class AnonRateThrottle(BaseRateThrottle):
    """Counts requests of nobody in particular, by address; users are not counted."""

    scope = "anon"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        """Return the client's address, ``None`` for a user."""
        return None if _user(request) else _address(self, request)


class UserRateThrottle(BaseRateThrottle):
    """Counts by user, whatever the token and address; where there is none, by address."""

    scope = "user"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        """Return kind and key of the user, else the client's address."""
        return _user(request) or _address(self, request)


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
        token = request.auth if isinstance(request.auth, Model) else None
        return _name("token", token) or super().get_cache_key(request, view)


class ScopedRateThrottle(UserRateThrottle):
    """Counts by user or address in the scope that the view's ``throttle_scope`` names, if any."""

    scope_attr = "throttle_scope"

    def get_scope(self, view: Any) -> str | None:
        """Return the view's scope; ``None``: the view is not counted."""
        scope: str | None = getattr(view, self.scope_attr, None)
        return scope


def _address(throttle: BaseThrottle, request: Any) -> str:
    return f"address:{throttle.get_ident(request)}"


def _user(request: Any) -> str | None:
    user = request.user
    return _name("user", user) if user and user.is_authenticated else None


def _name(what: str, row: Any) -> str | None:
    """Return a text for a row: two kinds may have the same keys, and a kind may be no model."""
    key = getattr(row, "pk", None)
    if key is None:
        return None
    kind = row._meta.label_lower if hasattr(row, "_meta") else row.__class__.__qualname__
    return f"{what}:{kind}:{key}"
