from django.contrib import admin

from .models import Agent, Channel, Client, Customer, Message, Tag, Team, Ticket, Webhook

admin.site.register([Agent, Channel, Client, Customer, Message, Tag, Team, Ticket, Webhook])
