from django.apps import AppConfig


class ChatsConfig(AppConfig):
    """The first dialect's second kind of token: people in chats, who need no account."""

    name = "chats"
