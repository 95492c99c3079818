"""The defects once reproduced in plain Django REST framework, each as it has to be now.

A test is named after its row of the table of 51 defects, and asserts what was wanted instead. One
that takes the fixture ``client`` runs three times: here, with Django's test client, behind gunicorn
with four processes (WSGI) and behind uvicorn with two (ASGI), on a database that they share. There
nothing of it may be logged as an error.

It runs here only, by rule,

- where it changes or watches this process: its settings, clock, log, limits or cache (the fixtures
  ``OF_THIS_PROCESS``). What servers show of the same row is a test of its own, with settings of
  theirs where it needs some;
- where it makes an environ by hand, as no server would (``own_client``). What is no proper request
  is sent as bytes to the servers by ``test_refusals.py``;
- where it asks no site: how rates are parsed and counters are named (50, 51), and what checks say.

Elsewhere are the rows of servers without a database (8), and of logs, mails and debug pages that
would hold a token (26-28).
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.site")
