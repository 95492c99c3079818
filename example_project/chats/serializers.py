"""What a chat user looks like, and what is exchanged for a token."""

from typing import Any

from django.db import transaction
from rest_framework import serializers

from connectnow_api.base_models import NewAPIToken

from .models import AuthCode, ChatUser, ChatUserToken


class ChatUserSerializer(serializers.ModelSerializer):
    """A person in a chat."""

    class Meta:
        model = ChatUser
        fields = ["id", "chat_id", "name", "email", "created_at", "updated_at"]
        read_only_fields = fields


class ExchangeSerializer(serializers.Serializer):
    """An address and the code that was sent there, for a new token."""

    # One text, on one field: nobody learns which addresses are in the chat.
    default_error_messages = {"wrong": "This code cannot be exchanged for this address."}

    email = serializers.EmailField(max_length=254, write_only=True)
    chat_user_token = serializers.CharField(source="plain_text", read_only=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return the fields, with the one whose name Python could not spell."""
        code = serializers.CharField(source="code", max_length=255, write_only=True)
        return {**super().get_fields(), "auth-code": code}

    @transaction.atomic
    def create(self, validated_data: dict[str, Any]) -> NewAPIToken[ChatUserToken]:
        """Issue a token; if that fails, the code stays good."""
        owner = AuthCode.redeem(**validated_data)
        if owner is None:
            wrong = self.error_messages["wrong"]
            raise serializers.ValidationError({"auth-code": [wrong]})
        return ChatUserToken.objects.issue(owner, "by auth code")
