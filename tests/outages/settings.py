"""The example's settings, except that a lost memcached is tried again sooner."""

from project import settings
from project.settings import *  # noqa: F403

CACHES = {**settings.CACHES}
if "dead_timeout" in CACHES["default"].get("OPTIONS", {}):
    CACHES["default"]["OPTIONS"]["dead_timeout"] = 1
