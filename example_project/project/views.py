"""The site's own page, which stays HTML beside the APIs."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

APIS = {
    "Issue tracker: lists and objects are public": [
        "issue_tracker:issue-list",
        "issue_tracker:category-list",
        "issue_tracker:company-list",
        "issue_tracker:user",
        "issue_tracker:webhook-list",
        "issue_tracker:throttled",
    ],
    "Help desk: with a token and the header Hs-Client-Id": [
        "help_desk:ticket-list",
        "help_desk:customer-list",
        "help_desk:tag-list",
        "help_desk:webhook",
        "help_desk:webhook-logs",
    ],
}
"""What a group of addresses is, to the names of its routes."""


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the addresses that one can start at."""
    apis = {title: [reverse(name) for name in names] for title, names in APIS.items()}
    return render(request, "project/home.html", {"apis": apis})
