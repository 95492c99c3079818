"""The example's settings, with each request in a transaction that an error rolls back."""

from project.settings import *  # noqa: F403
from project.settings import DATABASES

DATABASES = {"default": {**DATABASES["default"], "ATOMIC_REQUESTS": True}}
