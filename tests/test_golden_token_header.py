"""Whatever stands around a token in the header ``Authorization``.

The recordings of the token guard and of Sanctum have a few dozen headers; these are made at random.
"""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectnow_api import tokens
from connectnow_api.models import APIToken
from tests.conftest import fixtures_once
from tests.recorded_tokens import Whoami

pytestmark = pytest.mark.django_db

around = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=12)
before = around | st.sampled_from(
    ["Bearer ", "bearer  ", " Bearer ", "Basic x, Bearer ", "Bearer\t"]
)
after = around | st.sampled_from(["", " ", ",", ", Bearer x", " x"])


@fixtures_once
@given(before=before, after=after)
def test_nothing_but_the_scheme_and_the_token_authenticates(
    issue: Callable[..., Any], rf: Any, before: str, after: str
) -> None:
    if not APIToken.objects.exists():
        issue()
    text = tokens.generate("cn")
    APIToken.objects.update(digest=tokens.digest(text))
    request = rf.get("/", HTTP_AUTHORIZATION=f"{before}{text}{after}")
    response = Whoami.as_view()(request)
    sound = re.fullmatch("[ \t]*bearer +", before, re.IGNORECASE) and not after.strip(" \t")
    assert response.status_code == (200 if sound else 401)
    assert set(string.printable) >= set(itertools.chain(*response.headers.values()))
