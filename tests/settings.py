"""A small project around the app, with both dialects and a view of neither."""

from connectnow_api.profiles import rest_framework

from .services import database_settings, default_cache

SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["testserver", "testserver:8080", "example.com"]
DATABASES = {"default": database_settings()}
CACHES = {"default": default_cache()}
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "connectnow_api",
    "connectnow_api.audit",
    "tests.library",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
ROOT_URLCONF = "tests.urls"
# What Django 6.1 asks for; others do not read it.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

CONNECTNOW_API = {"PREFIXES": {"/flat/": "connectnow", "/resource/": "helpspace"}}
REST_FRAMEWORK = {**rest_framework()}
# Refused tokens are what many tests are about; those of the limits switch it on.
RATELIMIT_ENABLE = False
