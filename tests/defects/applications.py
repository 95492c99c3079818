"""The site for real servers, mounted as the documentation tells everybody to."""

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

from connectnow_api.entry_points import asgi, wsgi

wsgi_application = wsgi(get_wsgi_application())
asgi_application = asgi(get_asgi_application())
