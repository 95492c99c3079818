"""Both APIs, the admin and the home page."""

from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.urls import include, path

from .views import home

urlpatterns = [
    path("", home, name="home"),
    path("api/v1/", include("help_desk.urls")),
    path("api/", include("issue_tracker.urls")),
    path("api/", include("chats.urls")),
    path("admin/", admin.site.urls),
    # The admin's own styles and scripts. A real site has its web server do this, which is what
    # the view's refusal to work without DEBUG is about; here nothing else would.
    path("static/<path:path>", serve, {"insecure": True}),
]
