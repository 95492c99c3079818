"""The project for WSGI servers."""

import os

from django.core.wsgi import get_wsgi_application

from connectnow_api.entry_points import wsgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = wsgi(get_wsgi_application())
