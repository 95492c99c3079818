from django.apps import AppConfig


class IssueTrackerConfig(AppConfig):
    """The first dialect: issues that companies report to the public."""

    name = "issue_tracker"
