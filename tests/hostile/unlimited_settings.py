"""The example without the limits that a client meets who tries everything from one address."""

from project import settings
from project.settings import *  # noqa: F403

CONNECTNOW_API = {**settings.CONNECTNOW_API, "FAILED_AUTH_RATE": None, "LIMITERS": {}}
REST_FRAMEWORK = {
    **settings.REST_FRAMEWORK,
    "DEFAULT_THROTTLE_RATES": {
        scope: rate and "1000000/m"
        for scope, rate in settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"].items()
    },
}
