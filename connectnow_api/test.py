"""Help for the tests of projects that use us; nothing here is imported by what serves requests.

Each is a context manager and a decorator, also of methods and of ``async`` functions, as Django's
``override_settings`` is. They hold in all threads, so also for a live server.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from django.test.utils import TestContextDecorator, override_settings

from .engines import MemoryEngine, using


class Limits:
    """Counters of a test's own, and the clock that they go by, which stands until it is set."""

    now: float
    """The time, in seconds since 1970."""

    def __init__(self, now: float | None = None) -> None:
        """Take the time; the present unless given."""
        self.now = float(int(time.time())) if now is None else now
        self.engine = MemoryEngine(lambda: self.now)

    def tick(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def reset(self) -> None:
        """Forget what was counted."""
        self.engine.clear()


class limits_off(TestContextDecorator):  # noqa: N801 - as override_settings
    """Count nothing and refuse nothing, refused tokens included, whatever the settings say."""

    def __init__(self) -> None:
        super().__init__()
        self._settings = override_settings(RATELIMIT_ENABLE=False)

    def enable(self) -> None:
        self._settings.enable()

    def disable(self) -> None:
        self._settings.disable()


class limits_frozen(TestContextDecorator):  # noqa: N801
    """Count in memory of the test's own, which is empty, by a clock that stands still.

    As a context manager it returns ``Limits``, which moves the clock; as a decorator it passes them
    on under the name in ``kwarg_name``. ``now``: seconds since 1970, the present unless given.
    Limits are on, whatever the settings say. Windows begin with the first request.
    """

    def __init__(self, now: float | None = None, kwarg_name: str | None = None) -> None:
        super().__init__(kwarg_name=kwarg_name)
        self._now = now
        self._entered = ExitStack()

    def __enter__(self) -> Limits:  # type: ignore[override]  # typed for modify_settings and such
        return self.enable()

    def enable(self) -> Limits:
        limits = Limits(self._now)
        self._entered.enter_context(override_settings(RATELIMIT_ENABLE=True))
        self._entered.enter_context(using(limits.engine))
        return limits

    def disable(self) -> None:
        self._entered.close()


class limits_reset(TestContextDecorator):  # noqa: N801
    """Begin with empty counters in memory of the test's own; the clock goes on, limits as they are.

    What was counted before is there again afterwards.
    """

    def __init__(self) -> None:
        super().__init__()
        self._entered: Any = ExitStack()

    def enable(self) -> None:
        self._entered.enter_context(using(MemoryEngine()))

    def disable(self) -> None:
        self._entered.close()
