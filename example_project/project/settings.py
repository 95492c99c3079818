"""Settings of the example project: two APIs, two dialects, one process.

The environment may say ``SECRET_KEY``, ``ALLOWED_HOSTS`` (names with commas or spaces between),
``DATABASE_URL``, ``REDIS_URL`` or ``MEMCACHED_URL`` (``host:port``), and ``LIMIT_STORAGE_URL``.
Without any of them everything lives in this folder.
"""

import os
from pathlib import Path

from connectnow_api.profiles import rest_framework

from .databases import database
from .private_files import read_or_make_key

BASE_DIR = Path(__file__).resolve().parent.parent

# --- The two dialects -------------------------------------------------------------------------

CONNECTNOW_API = {
    "PREFIXES": {"/api/v1/": "helpspace", "/api/": "connectnow"},
    "TOKEN_PARAMETERS": ("api_token", "chat_user_token"),
    "FAILED_AUTH_RATE": "100/m",
    # The limits of single views, which name them.
    "LIMITERS": {
        "throttled": {"rate": "5/m", "by": "user"},
        "channels_report": {"rate": "10/5s", "by": "token", "rate_attribute": "token.rate"},
        "performance_report": {"rate": "10/5s", "by": "token", "rate_attribute": "token.rate"},
        # By address alone: no token makes whoever guesses codes somebody else.
        "chat_tokens": {"rate": "3000/m", "by": "address"},
        "wrong_codes": {"rate": ["4000/m", "50000/day"], "by": "address", "answers": [422]},
    },
    # Where limits are counted, as redis://host/0; in the cache below unless given.
    "LIMIT_STORAGE": os.environ.get("LIMIT_STORAGE_URL"),
    # What tokens can be given: the admin offers these, and check knows no others.
    "ABILITIES": {
        "issues:write": "Open, change, close and delete issues",
        "categories:write": "Change categories",
        "companies:write": "Change companies and their members",
        "webhooks:read": "See webhooks and their logs",
        "webhooks:write": "Change webhooks",
        "exports:write": "Order exports",
        "tickets:read": "See tickets and their messages",
        "tickets:write": "Open, answer, change and delete tickets",
        "customers:read": "See customers",
        "customers:write": "Change customers",
        "tags:read": "See tags",
        "tags:write": "Change tags",
        "reports:read": "See reports",
    },
}
REST_FRAMEWORK = {
    **rest_framework(),
    "DEFAULT_THROTTLE_CLASSES": [
        "connectnow_api.throttling.UserRateThrottle",
        "connectnow_api.throttling.TokenRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        # By user, else by address.
        "user": "6000/m",
        # By token: only those that have a rate of their own.
        "token": None,
    },
}
# Tokens in the query: both documents offer that to their clients, so it stays.
SILENCED_SYSTEM_CHECKS = ["connectnow_api.W005"]

# --- An ordinary Django site ------------------------------------------------------------------

DEBUG = False
SECRET_KEY = os.environ.get("SECRET_KEY") or read_or_make_key(BASE_DIR / ".secret_key")
ALLOWED_HOSTS = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    *os.environ.get("ALLOWED_HOSTS", "").replace(",", " ").split(),
]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "connectnow_api",
    "connectnow_api.audit",
    "issue_tracker",
    "chats",
    "help_desk",
    "project",
]
MIDDLEWARE = [
    # First, so that it sees what all others answer.
    "connectnow_api.middleware.JSONErrorMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
# The routes have no slash at their end, and a redirect would carry a token on in its address.
APPEND_SLASH = False
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Where the data lives ---------------------------------------------------------------------

DATABASES = {
    "default": database(os.environ.get("DATABASE_URL") or f"sqlite:///{BASE_DIR / 'demo.sqlite3'}")
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        # Of the usual 300, some would have to go when many ask at once, and limits with them.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
# What is counted belongs to the rows of one database.
KEY_PREFIX = DATABASES["default"]["NAME"]
if redis_url := os.environ.get("REDIS_URL"):
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": redis_url,
            # One that hangs holds requests up no longer than this.
            "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
            "KEY_PREFIX": KEY_PREFIX,
        }
    }

if memcached := os.environ.get("MEMCACHED_URL"):
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
            "LOCATION": memcached,
            # As for Redis; and one that was gone is asked again after ten seconds, not sixty.
            "OPTIONS": {"connect_timeout": 2, "timeout": 2, "dead_timeout": 10},
            "KEY_PREFIX": KEY_PREFIX,
        }
    }

# --- What is logged and reported ----------------------------------------------------------------

DEFAULT_EXCEPTION_REPORTER = "connectnow_api.reports.TokenExceptionReporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "connectnow_api.reports.TokenExceptionReporterFilter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    # What is sent in a query would be quoted by lines that quote a URL.
    "filters": {"tokens": {"()": "connectnow_api.logs.RedactTokens"}},
    "formatters": {"line": {"format": "[{asctime}] {levelname} {name}: {message}", "style": "{"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["tokens"],
        }
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    # Answers below 500 are the client's affair, and the server logs a line for each anyway.
    # A wrong host is, too, and would be a traceback each time.
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
