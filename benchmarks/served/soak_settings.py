"""The example's settings, with answers of 304 as docs/http.md describes, for benchmarks/soak.py.

``SOAK_SABOTAGE`` names what of `sabotage` spoils the server, so that it can be seen noticed.
"""

import os

from project.settings import *  # noqa: F403
from project.settings import MIDDLEWARE

MIDDLEWARE = [*MIDDLEWARE]
MIDDLEWARE.insert(1, "django.middleware.http.ConditionalGetMiddleware")
MIDDLEWARE += [f"sabotage.{name}" for name in os.environ["SOAK_SABOTAGE"].split()]
