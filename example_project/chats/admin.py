from django.contrib import admin

from connectnow_api.admin import APITokenAdmin

from .models import Chat, ChatUser, ChatUserToken


@admin.register(ChatUserToken)
class ChatUserTokenAdmin(APITokenAdmin):
    """Finds tokens by their owners' addresses, too."""

    search_fields = (*APITokenAdmin.search_fields, "owner__email")


admin.site.register([Chat, ChatUser])
