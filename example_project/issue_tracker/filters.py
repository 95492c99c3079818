"""What lists of issues can be narrowed down by."""

from datetime import time
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from project.fields import Choice, Day
from project.models import at

from .models import Issue


class IssueParameters(serializers.Serializer):
    """The parameters that the list knows; empty ones count as left out."""

    severity = Choice(choices=Issue.Severity.values, required=False)
    status = Choice(choices=["open", "closed"], required=False)
    before = Day(required=False)
    after = Day(required=False)


class IssueFilter(BaseFilterBackend):
    """Applies ``severity``, ``status``, ``before`` and ``after``; a wrong value is a 422."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Issue], view: Any
    ) -> QuerySet[Issue]:
        """Return the issues that fit all parameters; a single one is found by its id alone."""
        if view.detail:
            return queryset
        parameters = IssueParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        wanted = parameters.validated_data
        if "severity" in wanted:
            queryset = queryset.filter(severity=wanted["severity"])
        if "status" in wanted:
            queryset = queryset.filter(closed_at__isnull=wanted["status"] == "open")
        if "before" in wanted:
            queryset = queryset.filter(created_at__lte=at(wanted["before"], time.max))
        if "after" in wanted:
            queryset = queryset.filter(created_at__gte=at(wanted["after"], time.min))
        return queryset
