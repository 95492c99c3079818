"""Requests without end at the example's entry points, within one process.

What a server would refuse before Django is asked comes through here, too.
"""

from __future__ import annotations

import json

import pytest

from tests.example.conftest import Seeded

from .conftest import Run, examples

pytestmark = pytest.mark.hostile

STATUSES = {"200", "401", "404", "422"}
"""What about every tenth request comes to, at least; else they are not made as they should be."""


@pytest.mark.parametrize(("application", "short"), [("wsgi", 300), ("asgi", 150)])
def test_no_request_gets_an_answer_that_it_should_not(
    inside: Run, seeded: Seeded, application: str, short: int
) -> None:
    counts = json.loads(inside(application, seeded.file, examples(short)))
    assert counts.keys() >= STATUSES
