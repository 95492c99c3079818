"""Settings for the site behind a real server.

The environment says ``SERVED_DATABASE`` (a URL) and ``SERVED`` (JSON: further settings; those of
``CONNECTNOW_API`` are added to what is set here).
"""

import json
import os

from project.databases import database
from tests.settings import *  # noqa: F403
from tests.settings import CONNECTNOW_API as OURS
from tests.settings import MIDDLEWARE as INNER_MIDDLEWARE

from .middleware import MIDDLEWARE as OUTER_MIDDLEWARE

DATABASES = {"default": database(os.environ["SERVED_DATABASE"])}
MIDDLEWARE = [*OUTER_MIDDLEWARE, *INNER_MIDDLEWARE]
ROOT_URLCONF = "tests.defects.site"
RATELIMIT_ENABLE = True
# Those who read it count what Django and the server call an error.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "[{levelname}] {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        # A wrong host is an error to it, and no crash.
        "django.security": {"level": "CRITICAL"},
    },
}
served = json.loads(os.environ["SERVED"])
# A window that hardly ever ends within a test.
ours = {"FAILED_AUTH_RATE": "30/d", **served.pop("CONNECTNOW_API", {})}
CONNECTNOW_API = {**OURS, **ours}
globals().update(served)
