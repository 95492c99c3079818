"""Help for the tests of projects that use us; nothing here is imported by what serves requests.

Each is a context manager and a decorator, of functions, ``async`` ones too, and of classes of
``unittest``, as Django's ``override_settings`` is. They hold in all threads, so also for a live
server, and may stand in one another: the innermost holds.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from django.test.utils import TestContextDecorator

from .engines import MemoryEngine, using
from .limits import switched

__all__ = ["Limits", "limits_frozen", "limits_off", "limits_reset"]


class Limits:
    """Counters of a test's own, and the clock that they go by, which stands until it is set."""

    now: float
    """The time, in seconds since 1970."""

    def __init__(self, now: float | None = None) -> None:
        """Take the time; the present unless given."""
        # A whole second: headers tell whole ones, and would be rounded otherwise.
        self.now = float(int(time.time())) if now is None else now
        self.engine = MemoryEngine(lambda: self.now)

    def tick(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def reset(self) -> None:
        """Forget what was counted."""
        self.engine.clear()


class _LimitsDecorator(TestContextDecorator):
    """Django's kind of decorator, which here may also be used inside of itself."""

    def __init__(self, attr_name: str | None = None, kwarg_name: str | None = None) -> None:
        super().__init__(attr_name, kwarg_name)
        self._entered: list[ExitStack] = []

    def enable(self) -> Any:
        with ExitStack() as stack:
            found = self.enter(stack)
            self._entered.append(stack.pop_all())
        return found

    def disable(self) -> None:
        self._entered.pop().close()

    def enter(self, stack: ExitStack) -> Any:
        """Enter what the test runs in, and return what the test is given."""
        raise NotImplementedError


class limits_off(_LimitsDecorator):  # noqa: N801 - as override_settings
    """Count nothing and refuse nothing, refused tokens included, whatever the settings say."""

    def __init__(self) -> None:
        super().__init__()

    def enter(self, stack: ExitStack) -> None:
        # Not by the setting: tests change settings meanwhile, and not always one in the other.
        stack.enter_context(switched(False))


class limits_frozen(_LimitsDecorator):  # noqa: N801
    """Count in memory of the test's own, which is empty, by a clock that stands still.

    As a context manager it returns ``Limits``, which moves the clock; as a decorator it passes them
    on under the name in ``kwarg_name``, or for a class as the attribute in ``attr_name``. ``now``:
    seconds since 1970, the present unless given. Limits are on, whatever the settings say. Windows
    begin with the first request.
    """

    def __init__(
        self,
        now: float | None = None,
        kwarg_name: str | None = None,
        attr_name: str | None = None,
    ) -> None:
        super().__init__(attr_name, kwarg_name)
        self._now = now

    def __enter__(self) -> Limits:  # type: ignore[override]  # typed for modify_settings and such
        return self.enable()

    def enable(self) -> Limits:
        limits: Limits = super().enable()
        return limits

    def enter(self, stack: ExitStack) -> Limits:
        limits = Limits(self._now)
        stack.enter_context(using(limits.engine))
        stack.enter_context(switched(True))
        return limits


class limits_reset(_LimitsDecorator):  # noqa: N801
    """Begin with empty counters in memory of the test's own; the clock goes on, limits as they are.

    What was counted before is there again afterwards.
    """

    def __init__(self) -> None:
        super().__init__()

    def enter(self, stack: ExitStack) -> None:
        stack.enter_context(using(MemoryEngine()))
