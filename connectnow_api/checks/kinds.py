"""Kinds of token: their digests, prefixes and owners."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.db import connections, router

from connectnow_api import tokens
from connectnow_api.base_models import get_token_models
from connectnow_api.settings import api_settings
from connectnow_api.states import is_standing

from .messages import SETTING, check_id
from .settings import needs_sound_settings


def check_token_models(**kwargs: Any) -> list[CheckMessage]:
    """Report kinds of token that could not be looked up or told apart."""
    kinds: dict[str, Any] = {}
    found: list[CheckMessage] = []
    for model in get_token_models():
        prefix = model.get_token_prefix()
        other = kinds.setdefault(prefix, model)
        found += [*_check_digest(model), *_check_prefix(model, prefix, other)]
        found += [*_check_owner(model), *_check_unique(model)]
    return found


@needs_sound_settings
def check_idle_tokens(
    *, databases: Collection[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report tokens with an idle timeout where nobody keeps when a token was last used."""
    if api_settings.last_used != "off":
        return []
    kinds = [(alias, model) for alias in databases or () for model in get_token_models()]
    found = [_check_idle(alias, model) for alias, model in kinds if _is_migrated(alias, model)]
    return [message for messages in found for message in messages]


def _is_migrated(alias: str, model: Any) -> bool:
    """Tell whether a database has the table: this check goes before the first migration."""
    is_there = router.allow_migrate_model(alias, model)
    return is_there and model._meta.db_table in connections[alias].introspection.table_names()


def _check_idle(alias: str, model: Any) -> Iterator[CheckMessage]:
    idle = model._base_manager.using(alias).filter(idle_timeout__isnull=False)
    if count := idle.filter(is_standing()).count():
        message = f"{count} of {model._meta.label} have an idle timeout, and LAST_USED is off."
        hint = f'Write "LAST_USED": "database" in {SETTING}: they would die in use.'
        yield Error(message, hint=hint, obj=model, id=check_id("E011"))


def _check_unique(model: Any) -> Iterator[CheckMessage]:
    for field in model._meta.concrete_fields:
        if field.unique and field.editable and not field.primary_key:
            yield CheckWarning(
                f"{model._meta.label}.{field.name} is unique: a token could not be rotated.",
                hint="Make it no key of one row, such as a ForeignKey for a OneToOneField.",
                obj=model,
                id=check_id("W020"),
            )


def _check_owner(model: Any) -> Iterator[CheckMessage]:
    """Report owners without what DRF's permissions and throttles, and we, ask of a user."""
    fields = {field.name: field for field in model._meta.concrete_fields}
    owner = getattr(fields.get("owner"), "related_model", None)
    if isinstance(owner, str):
        return  # Django reports a key that leads nowhere.
    lacking = [name for name in ("is_authenticated", "is_active") if not hasattr(owner, name)]
    label = model._meta.label
    if owner is None:
        hint = "Write owner = models.ForeignKey(Owner, on_delete=models.CASCADE)."
        yield Error(f"{label}.owner is no key.", hint=hint, obj=model, id=check_id("E012"))
    elif lacking:
        message = f"{owner._meta.label}, the owner of {label}, has no {' and no '.join(lacking)}."
        hint = f"Write {' and '.join(f'{name} = True' for name in lacking)} in the class."
        yield Error(message, hint=hint, obj=model, id=check_id("E012"))


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
