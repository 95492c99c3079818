"""The example's settings, with named limiters over the store that the environment names.

``LIMITED_STORE``: ``"redis"`` or ``"memcached"``; ``LIMITED_LOCATION``: where it is, as in
``CACHES``; ``LIMITED_TIME_OUT``: the seconds that nobody waits longer for it; ``LIMITED_STORAGE``:
with any value, ``LIMIT_STORAGE`` names it, and else the cache is there.
"""

import os

from project.settings import *  # noqa: F403
from project.settings import CONNECTNOW_API as OURS
from tests.services import BACKENDS

STORE, LOCATION = os.environ["LIMITED_STORE"], os.environ["LIMITED_LOCATION"]
TIME_OUT = int(os.environ["LIMITED_TIME_OUT"])

# No window ends within a test, and memcached keeps nothing for more than 30 days.
LIMITERS = {
    "exact": {"rate": "100/20d"},
    "moving": {"rate": "100/20d", "window": "moving"},
    **{
        f"{policy}-{limit}": {"rate": f"{limit}/20d", "on_cache_failure": policy}
        for policy in ("open", "closed", "local")
        for limit in (5, 1_000_000)
    },
}
CONNECTNOW_API = {**OURS, "LIMITERS": LIMITERS}
OPTIONS = {
    "redis": {"socket_connect_timeout": TIME_OUT, "socket_timeout": TIME_OUT},
    "memcached": {"connect_timeout": TIME_OUT, "timeout": TIME_OUT},
}[STORE]
if os.environ.get("LIMITED_STORAGE"):
    uri = LOCATION if "://" in LOCATION else f"{STORE}://{LOCATION}"
    CONNECTNOW_API |= {"LIMIT_STORAGE": uri, "LIMIT_STORAGE_OPTIONS": OPTIONS}
    # What counts elsewhere must not need the cache.
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
else:
    CACHES = {"default": {"BACKEND": BACKENDS[STORE], "LOCATION": LOCATION, "OPTIONS": OPTIONS}}
    if STORE == "memcached":
        # A lost memcached is tried again after one second, not a minute.
        OPTIONS["dead_timeout"] = 1
ROOT_URLCONF = "tests.limited.urls"
