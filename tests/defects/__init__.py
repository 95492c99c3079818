"""The defects once reproduced in plain Django REST framework, each as it has to be now.

A test is named after its row of the table of 51 defects, and asserts what was wanted instead. A
test that takes the fixture ``client`` runs here, with Django's test client (WSGI), and behind
uvicorn with two processes (ASGI). Rows on which the two protocols or their servers can differ
(``servers.BOTH``) run behind gunicorn with four processes (WSGI), too. The servers share a
database, and may log no error. The variants behind servers are marked ``servers``.

It runs here only, by rule,

- where it changes or watches this process: its settings, clock, log, limits or cache (the fixtures
  ``OF_THIS_PROCESS``). What servers show of the same row is a test of its own, with settings of
  theirs where it needs some;
- where it makes an environ by hand, as no server would (``own_client``). What is no proper request
  is sent as bytes to the servers by ``test_refusals.py``;
- where it asks no site: how rates are parsed and counters are named (50, 51), and what checks say.

Elsewhere are the rows of servers without a cache or a database (6-8: ``tests/outages``), and of
logs, mails and debug pages that would hold a token (26-28).
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.site")
