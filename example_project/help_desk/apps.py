from django.apps import AppConfig


class HelpDeskConfig(AppConfig):
    """The second dialect: tickets of several clients, each of which sees its own alone."""

    name = "help_desk"
