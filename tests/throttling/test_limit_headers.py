"""What headers say of limits, in each of their two spellings."""

from __future__ import annotations

import pytest

from connectnow_api.throttling import AnonRateThrottle
from tests.conftest import Clock

from .views import NOW, Ask, limited, shown

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits", "clock")]


def test_headers_of_one_answer_never_stand_on_another(ask: Ask, clock: Clock) -> None:
    """Also where a view has its headers from its class, in one mapping for all requests."""
    shared = {"Cache-Control": "public, max-age=60"}
    throttles = [limited(AnonRateThrottle, "1/m")]
    answers = [ask(throttles, default_response_headers=shared) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    clock.now = NOW + 60
    answers.append(ask(throttles, default_response_headers=shared))
    assert answers[2]["Cache-Control"] == "public, max-age=60"
    assert shown(answers[2]) == {"Limit": 1, "Remaining": 0}
    assert shown(ask([], default_response_headers=shared)) == {}
    assert shared == {"Cache-Control": "public, max-age=60"}
