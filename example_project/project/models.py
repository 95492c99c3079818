"""What the models of both applications share."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time
from functools import cache
from itertools import count
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.text import slugify


def _now() -> datetime:
    return timezone.now().replace(microsecond=0)


_clock: ContextVar[Callable[[], datetime]] = ContextVar("clock", default=_now)


def now() -> datetime:
    """Return the time in whole seconds: neither dialect tells more."""
    return _clock.get()()


@contextmanager
def one_moment() -> Iterator[None]:
    """Stop the clock of ``now`` once it is read: what is written together has the same date."""
    token = _clock.set(cache(_clock.get()))
    try:
        yield
    finally:
        _clock.reset(token)


def at(day: date, moment: time) -> datetime:
    """Return a moment of a day, so that a column can be compared without a function around it."""
    return datetime.combine(day, moment, UTC)


class Timestamped(models.Model):
    """Knows when it was made and last changed; both can be given, which seeded rows need."""

    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Save, and note the time of a change."""
        if not self._state.adding:
            self.updated_at = now()
            update_fields = update_fields and {*update_fields, "updated_at"}
        super().save(*args, update_fields=update_fields, **kwargs)


def free_slug(rows: models.QuerySet[Any], name: str) -> str:
    """Return a slug made from a name that none of the rows has, with a number where it must."""
    slug = slugify(name)[:240] or rows.model._meta.model_name or ""
    taken = set(rows.filter(slug__startswith=slug).values_list("slug", flat=True))
    numbered = (f"{slug}-{number}" for number in count(2))
    return slug if slug not in taken else next(text for text in numbered if text not in taken)
