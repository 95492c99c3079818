from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """What belongs to the whole site: the home page and the ``demo`` command."""

    name = "project"
