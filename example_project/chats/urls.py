"""The chats' routes, below ``/api/``."""

from django.urls import path

from .views import ChatUserView, ExchangeView

app_name = "chats"

urlpatterns = [
    path("chat-user", ChatUserView.as_view(), name="chat-user"),
    path("chats/<int:chat_pk>/users/get-token", ExchangeView.as_view(), name="get-token"),
]
