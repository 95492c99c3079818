"""The project for ASGI servers."""

import os

from django.core.asgi import get_asgi_application

from connectnow_api.entry_points import asgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = asgi(get_asgi_application())
