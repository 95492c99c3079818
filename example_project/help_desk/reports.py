"""The two reports: what happened to a client's tickets within some days."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import TruncDate
from rest_framework import serializers

from project.fields import Day
from project.models import at

from .models import Ticket

LONGEST = 366
TOP = 10
"""How many customers or agents a report names."""


class PeriodSerializer(serializers.Serializer):
    """The days that a report is about, the first and the last included."""

    start = Day()
    end = Day()

    def validate(self, attrs: dict[str, date]) -> dict[str, date]:
        """Return days in their sequence, and not too many of them."""
        if attrs["end"] < attrs["start"]:
            raise serializers.ValidationError({"end": ["The end is before the start."]})
        if (attrs["end"] - attrs["start"]).days >= LONGEST:
            raise serializers.ValidationError({"end": [f"These are more than {LONGEST} days."]})
        return attrs


@dataclass(frozen=True)
class Report:
    """What both reports have in common. Each number costs one query, however many tickets."""

    tickets: QuerySet[Ticket]
    start: date
    end: date

    @property
    def moments(self) -> tuple[datetime, datetime]:
        """The first and the last moment."""
        return at(self.start, time.min), at(self.end, time.max)

    @property
    def opened(self) -> QuerySet[Ticket]:
        """The tickets that came in."""
        return self.tickets.filter(created_at__range=self.moments)

    @property
    def closed(self) -> QuerySet[Ticket]:
        """The tickets that were closed, whenever they came in."""
        return self.tickets.filter(closed_at__range=self.moments)

    def get_body(self) -> dict[str, Any]:
        """Return the numbers of each day, and which channels and tags the tickets came with."""
        days = [
            self.start + timedelta(number) for number in range((self.end - self.start).days + 1)
        ]
        opened, closed = _by_day(self.opened, "created_at"), _by_day(self.closed, "closed_at")
        return {
            "labels": [day.isoformat() for day in days],
            "opened": [opened.get(day, 0) for day in days],
            "closed": [closed.get(day, 0) for day in days],
            "metrics": self.get_metrics(sum(opened.values()), sum(closed.values())),
            "channel_usage": _count(self.opened, "channel__name"),
            "tag_usage": _count(self.opened.exclude(tags=None), "tags__name"),
        }

    def get_metrics(self, opened: int, closed: int) -> dict[str, Any]:
        """Return the numbers of all days together."""
        raise NotImplementedError


class ChannelsReport(Report):
    """What came in, and from whom."""

    def get_body(self) -> dict[str, Any]:
        """Return the numbers, and the customers who asked most."""
        return {**super().get_body(), "top_customers": self.get_top_customers()}

    def get_metrics(self, opened: int, closed: int) -> dict[str, int]:
        """Return how many tickets came, were closed, and of those that came stand where now."""
        found = _count(self.opened, "status")
        statuses = (Ticket.Status.OPEN, Ticket.Status.WAITING, Ticket.Status.ESCALATED)
        now = {status.value: found.get(status, 0) for status in statuses}
        return {"new": opened, "closed": closed, **now}

    def get_top_customers(self) -> list[dict[str, Any]]:
        """Return customers with the number of their tickets."""
        asked = self.opened.exclude(from_contact__customer=None)
        return _top(asked, "from_contact__customer", "count")


class PerformanceReport(Report):
    """How soon tickets were closed, and by whom."""

    def get_body(self) -> dict[str, Any]:
        """Return the numbers, and the agents who closed most."""
        return {**super().get_body(), "top_agents": self.get_top_agents()}

    def get_metrics(self, opened: int, closed: int) -> dict[str, Any]:
        """Return how many tickets came and were closed, and how long the closed ones took."""
        took = ExpressionWrapper(F("closed_at") - F("created_at"), DurationField())
        average = self.closed.aggregate(average=Avg(took))["average"] or timedelta()
        return {"new": opened, "closed": closed, "avg_resolution_time": _parts(average)}

    def get_top_agents(self) -> list[dict[str, Any]]:
        """Return agents with the number of tickets that they closed."""
        return _top(self.closed.exclude(assignee=None), "assignee", "resolved")


def _by_day(tickets: QuerySet[Ticket], column: str) -> dict[date, int]:
    days = tickets.order_by().values_list(TruncDate(column, tzinfo=UTC))
    return dict(days.annotate(Count("pk")))


def _count(tickets: QuerySet[Ticket], column: str) -> dict[str, int]:
    """Return how many tickets there are of each value, the most frequent first."""
    values = tickets.values_list(column).annotate(number=Count("pk"))
    return dict(values.order_by("-number", column))


def _top(tickets: QuerySet[Ticket], person: str, number: str) -> list[dict[str, Any]]:
    """Return who stands behind most of the tickets, and behind how many."""
    names = [f"{person}__{name}" for name in ("pk", "name", "email")]
    rows: Iterable[Any] = tickets.values_list(*names).annotate(number=Count("pk"))
    return [
        {"id": id_, "name": name, "email": email, number: count}
        for id_, name, email, count in rows.order_by("-number", names[0])[:TOP]
    ]


def _parts(duration: timedelta) -> dict[str, int]:
    minutes = int(duration.total_seconds()) // 60
    return {"days": minutes // 1440, "hours": minutes // 60 % 24, "minutes": minutes % 60}
