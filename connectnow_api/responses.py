"""Answers with a status of their own."""

from __future__ import annotations

from typing import Any

from rest_framework import status
from rest_framework.response import Response


def accepted(message: str = "Your request was accepted and queued.", **members: Any) -> Response:
    """Return a 202: ``message`` and further top-level members; the work is done later."""
    return Response({"message": message, **members}, status=status.HTTP_202_ACCEPTED)
