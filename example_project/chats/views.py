"""The chats' endpoints: who a chat user's token belongs to, and how to come by one."""

from typing import Any

from rest_framework.generics import CreateAPIView, RetrieveAPIView, get_object_or_404
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.permissions import HasAbilities
from connectnow_api.throttling import LimiterThrottle

from .authentication import ChatUserTokenAuthentication
from .models import Chat, ChatUser
from .serializers import ChatUserSerializer, ExchangeSerializer


class ChatUserView(RetrieveAPIView):
    """The owner of the token, which is of the second kind."""

    authentication_classes = [ChatUserTokenAuthentication]
    permission_classes = [HasAbilities]
    required_abilities: list[str] = []
    serializer_class = ChatUserSerializer

    def get_object(self) -> ChatUser:
        """Return whoever sent the request."""
        return self.request.user

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer as to GET; a token in the body needs a method whose body is read."""
        self.get_serializer(data=request.data).is_valid(raise_exception=True)
        return self.retrieve(request, *args, **kwargs)


class ExchangeView(CreateAPIView):
    """Gives a token for an address and the code that was sent there."""

    # Everybody may ask. Tokens of both kinds may come along, and wrong ones are refused.
    authentication_classes = [APITokenAuthentication, ChatUserTokenAuthentication]
    permission_classes = [HasAbilities | AllowAny]
    required_abilities: list[str] = []
    throttle_classes = [LimiterThrottle]
    limiters = ["chat_tokens", "wrong_codes"]
    serializer_class = ExchangeSerializer

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Find the chat before anything is said of the body."""
        self.chat = get_object_or_404(Chat, pk=kwargs["chat_pk"])
        return super().create(request, *args, **kwargs)

    def perform_create(self, serializer: BaseSerializer) -> None:
        """Exchange the code in this chat, and no other."""
        serializer.save(chat=self.chat)

    def get_success_headers(self, data: Any) -> dict[str, str]:
        """Keep the token out of caches: the answer is the only place where it stands."""
        return {"Cache-Control": "no-store"}
