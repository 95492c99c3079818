"""Kinds of token: their digests and prefixes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error

from connectnow_api import tokens
from connectnow_api.base_models import get_token_models

from .messages import check_id


def check_token_models(**kwargs: Any) -> list[CheckMessage]:
    """Report kinds of token that could not be looked up or told apart."""
    kinds: dict[str, Any] = {}
    found: list[CheckMessage] = []
    for model in get_token_models():
        prefix = model.get_token_prefix()
        other = kinds.setdefault(prefix, model)
        found += [*_check_digest(model), *_check_prefix(model, prefix, other)]
    return found


def _check_digest(model: Any) -> Iterator[CheckMessage]:
    if not model._meta.get_field("digest").unique:
        yield Error(
            f"{model._meta.label}.digest is not unique: look-ups would scan and could be wrong.",
            hint="Inherit the field from AbstractAPIToken, or give yours unique=True.",
            obj=model,
            id=check_id("E005"),
        )


def _check_prefix(model: Any, prefix: str, other: Any) -> Iterator[CheckMessage]:
    label = model._meta.label
    problem = None
    if model.token_prefix is not None and not tokens.is_prefix(prefix):
        problem = f"{label}.token_prefix is {prefix!r}: it has to be 2 to 10 of a-z and 0-9."
    elif other is not model:
        problem = f"{label} and {other._meta.label} have the prefix {prefix!r} alike."
    if problem:
        hint = f'Write token_prefix = "{model._meta.model_name[:10]}".'
        yield Error(problem, hint=hint, obj=model, id=check_id("E007"))
