from connectnow_api.authentication import APITokenAuthentication

from .models import ChatUserToken


class ChatUserTokenAuthentication(APITokenAuthentication):
    """Reads chat users' tokens where ``api_token`` is read, by a name of their own."""

    model = ChatUserToken
    parameter = "chat_user_token"
