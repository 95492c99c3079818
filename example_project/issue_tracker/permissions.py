"""Who may change what."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from .models import is_member


class IsMember(BasePermission):
    """Lets members of all companies that an object belongs to do as they like."""

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        """Pass members."""
        return is_member(request.user, obj.get_company_ids())


class IsMemberOrReadOnly(IsMember):
    """Lets everybody read, and members change."""

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        """Pass readers, and members."""
        return request.method in SAFE_METHODS or super().has_object_permission(request, view, obj)


class IsOpen(BasePermission):
    """Leaves closed issues as they are; they can be deleted."""

    message = "The issue is closed."

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        """Pass everything but a change to a closed issue, which closing it again would be."""
        return request.method not in {"PUT", "POST"} or obj.closed_at is None
