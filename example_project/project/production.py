"""The same project as one would deploy it: several processes behind one proxy that speaks HTTPS.

The environment has to say ``SECRET_KEY``, ``ALLOWED_HOSTS``, ``DATABASE_URL`` and ``REDIS_URL``.
``manage.py check --deploy --settings project.production`` then has nothing to say.
"""

import os

from . import settings
from .settings import *  # noqa: F403

SECRET_KEY = os.environ["SECRET_KEY"]

SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

# The proxy sets both headers itself, whatever a client sends.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONNECTNOW_API = {**settings.CONNECTNOW_API, "TRUSTED_PROXIES": 1}
