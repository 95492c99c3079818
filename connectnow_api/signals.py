"""What other code may want to hear of."""

from __future__ import annotations

from django.dispatch import Signal

cache_unavailable = Signal()
"""A limit could not be counted. ``sender`` is the scope that was to be counted, ``exception`` what
went wrong; sent for every such request, where the log has one line a minute."""
