"""The example, with limits that let nothing pass uncounted."""

from project import settings
from project.settings import *  # noqa: F403

CONNECTNOW_API = {**settings.CONNECTNOW_API, "ON_CACHE_FAILURE": "closed"}
