from django.contrib import admin

from connectnow_api.admin import APITokenAdmin

from .models import Chat, ChatUser, ChatUserToken

admin.site.register(ChatUserToken, APITokenAdmin)
admin.site.register([Chat, ChatUser])
