"""List limits: those of LIMITERS, throttles where they stand, and that of refused tokens."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandParser

from connectnow_api.engines import get_place
from connectnow_api.limiters import Limiter
from connectnow_api.management.console import Console
from connectnow_api.management.limited import remark_on_switches, say_by, say_rates
from connectnow_api.management.tables import printable
from connectnow_api.site_limits import site_limits

HEADER = ("NAME", "RATES", "BY", "WINDOW", "ON FAILURE", "SHADOW")


def add_arguments(parser: CommandParser) -> None:
    """Declare nothing of its own."""


def run(console: Console, options: dict[str, Any]) -> None:
    """Write a line for each; no store is asked."""
    console.remark(f"Counted by {get_place()}.")
    remark_on_switches(console)
    limiters = [limit.limiter for limit in site_limits()]
    console.rows(limiters, _describe, HEADER, _cells)


def _describe(limiter: Limiter) -> dict[str, Any]:
    limit = limiter.limit_of("", ())
    return {
        "name": limiter.name,
        "rates": say_rates(limiter),
        "by": say_by(limiter.by),
        "per": [*limiter.per],
        "window": limiter.window,
        "on_failure": limit.policy,
        "shadow": limit.is_shadow,
    }


def _cells(limiter: Limiter) -> tuple[str, ...]:
    shown = _describe(limiter)
    return (
        printable(shown["name"]),
        printable("; ".join(shown["rates"])),
        printable(" per ".join([shown["by"], *shown["per"]])),
        printable(str(shown["window"])),
        printable(shown["on_failure"]),
        "yes" if shown["shadow"] else "no",
    )
