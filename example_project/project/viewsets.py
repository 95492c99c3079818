"""What the viewsets of both applications share."""

import functools
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from .models import one_moment


def once_more(write: Any) -> Any:
    """Let a view try again if a row went, or came, after it was validated: now it says so itself.

    Django asks for rows and leaves it to the database to notice at the end of the transaction that
    one of them has been deleted meanwhile.
    """

    @functools.wraps(write)
    def attempt(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            return write(self, request, *args, **kwargs)
        except IntegrityError:
            return write(self, request, *args, **kwargs)

    return attempt


class AtomicWrites:
    """Writes as a whole or not at all, at one moment, to rows that nobody else changes meanwhile.

    Put it before DRF's classes. Lists and objects that are only read take no part in it.
    """

    @once_more
    @transaction.atomic
    @one_moment()
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Create in a transaction."""
        return super().create(request, *args, **kwargs)

    @once_more
    @transaction.atomic
    @one_moment()
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Update in a transaction."""
        return super().update(request, *args, **kwargs)

    @transaction.atomic
    @one_moment()
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete in a transaction."""
        return super().destroy(request, *args, **kwargs)

    def get_success_headers(self, data: Any) -> dict[str, str]:
        """Return nothing: a ``url`` among the fields is somebody's, and no address of the row."""
        return {}

    def get_queryset(self) -> QuerySet[Any]:
        """Return the rows, locked within a transaction."""
        return locked(super().get_queryset())


def locked(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows, within a transaction so that nobody else changes or removes them.

    Without those they refer to: PostgreSQL cannot lock what an outer join may leave empty. What an
    inner join finds is locked, too, so let no condition join: those who lock the same two rows in
    another sequence would wait for one another.
    """
    if transaction.get_connection().in_atomic_block:
        return rows.select_related(None).select_for_update()
    return rows
