from django.contrib import admin

from .models import Category, Company, CompanyUser, Issue, Webhook

admin.site.register([Category, Company, CompanyUser, Issue, Webhook])
