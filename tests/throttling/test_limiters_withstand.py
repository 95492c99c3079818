"""Limiters whose fields, functions, askers and costs are not what one would wish for."""

from __future__ import annotations

from typing import Any

import pytest

from connectnow_api.limits import Limit, hit, peek, take

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]


@pytest.mark.parametrize("cost", [12, 10**9, 2**63, 2**64, 10**400])
@pytest.mark.parametrize("window", ["fixed", "moving", "sliding"])
def test_any_cost_beyond_the_limit_is_refused(window: str, cost: int, settings: Any) -> None:
    """A store that cannot add such a number is no store that is gone."""
    settings.CONNECTNOW_API = {"LIMIT_STORAGE": "memory://"}
    for on_failure in ("open", "closed"):
        told = take([Limit("a", "x", ["11/d", "9/h"], window, cost, on_failure)])
        assert any(each.refuses for each in told)
    assert peek("a", "11/d", "x", window=window).hits == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("cost", [2**63, 2**64, 10**400])
def test_so_it_is_by_each_cache(each_cache: Any, cost: int) -> None:
    for price, hits in ((3, 3), (cost, 15), (8, 11)):
        usage = hit("a", "11/d", "x", "closed", cost=price)
        assert usage is not None
        assert usage.hits == hits
