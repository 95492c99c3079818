"""From what somebody typed to a kind, an owner or a token."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Iterable
from getpass import getpass
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models, router
from django.views.decorators.debug import sensitive_variables

from connectnow_api import tokens
from connectnow_api.base_models import AbstractAPIToken, APITokenQuerySet, get_token_models
from connectnow_api.models import APIToken

from .errors import NotFoundError, UsageError
from .tables import printable

Kind = type[AbstractAPIToken]
Rows = APITokenQuerySet[Any]

FROM_STDIN = "-"
CANDIDATES = 1000
"""How many names are looked at to find one that was meant."""


def rows_of(kind: Kind) -> Rows:
    """Return all tokens of a kind with their owners, from the database that is written to."""
    found: Rows = kind.objects.using(router.db_for_write(kind)).select_related("owner")
    return found


def close_to(text: str, known: Iterable[str]) -> str:
    """Return a sentence with the names that may have been meant, after a space; or nothing."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(text.lower(), by_lower)
    meant = " or ".join(printable(by_lower[name]) for name in close)
    return f" Did you mean {meant}?" if meant else ""


# --- Kinds ------------------------------------------------------------------------------------


def get_kinds(label: str | None) -> list[Kind]:
    """Return the kind of this label, or all kinds."""
    return [get_kind(label)] if label else get_token_models()


def get_kind(label: str | None) -> Kind:
    """Return the kind of this label in any letter case, or the one that we ship."""
    if label is None:
        return APIToken
    kinds = {kind._meta.label: kind for kind in get_token_models()}
    for known, kind in kinds.items():
        if known.lower() == label.lower():
            return kind
    hint = close_to(label, kinds) or f" There are: {', '.join(kinds)}."
    raise NotFoundError(f"There is no kind of token {label!r}.{hint}")


# --- Owners -----------------------------------------------------------------------------------


def owner_model(kind: Kind) -> Any:
    """Return the model of those who own tokens of a kind."""
    return kind._meta.get_field("owner").related_model


def name_of(owner: Any) -> str:
    """Return what ``get_owner`` finds this owner by; ``""`` for nobody."""
    if owner is None:
        return ""
    field = getattr(owner, "USERNAME_FIELD", None)
    if field:
        return str(getattr(owner, field))
    if _natural_key(type(owner)):
        return str(owner.natural_key()[0])
    return str(owner.pk)


def get_owner(kind: Kind, text: str) -> Any:
    """Return an owner by the natural key, which is a user's name, else by the primary key."""
    model = owner_model(kind)
    get = _natural_key(model) or (lambda key: model._default_manager.get(pk=key))
    try:
        return get(text)
    except (ObjectDoesNotExist, ValidationError, ValueError, OverflowError):
        hint = close_to(text, _names_like(model, text))
    raise NotFoundError(f"There is no {model._meta.verbose_name} {text!r}.{hint}")


def get_user(kind: Kind, text: str) -> Any:
    """Return an owner by what ``get_owner`` takes, else by the primary key."""
    try:
        return get_owner(kind, text)
    except NotFoundError as exc:
        not_found = exc
    try:
        return owner_model(kind)._default_manager.get(pk=text)
    except (ObjectDoesNotExist, ValidationError, ValueError, OverflowError):
        raise not_found from None


def _natural_key(model: Any) -> Any:
    """Return what finds a row by its natural key, if that is one value."""
    get = getattr(model._default_manager, "get_by_natural_key", None)
    try:
        inspect.signature(get).bind("")  # type: ignore[arg-type]
    except TypeError:
        return None
    return get


def _names_like(model: Any, text: str) -> list[str]:
    """Return the names of users that begin like a text."""
    field = getattr(model, "USERNAME_FIELD", None)
    if field is None or not text.isprintable():
        return []
    names = model._default_manager.filter(**{f"{field}__istartswith": text[:1]})
    return [str(name) for name in names.values_list(field, flat=True)[:CANDIDATES]]


# --- Tokens -----------------------------------------------------------------------------------


def get_tokens(references: Iterable[str], label: str | None) -> list[Any]:
    """Return what each of the references names; see ``get_token``."""
    return [get_token(reference, label) for reference in references]


def get_token(reference: str, label: str | None) -> Any:
    """Return the token of an id, of ``app.Model:id``, or of a plain text on stdin for ``-``."""
    if reference == FROM_STDIN:
        return _find(read_secret("token"), get_kinds(label))
    named, _, key = reference.rpartition(":")
    kind = get_kind(named or label)
    if named and label and get_kind(label) is not kind:
        raise UsageError(f"{reference!r} is not of the kind {label!r}.")
    return _get_by_key(kind, key)


def reference_to(token: AbstractAPIToken) -> str:
    """Return what ``get_token`` finds a token by, without ``--kind``."""
    return str(token.pk) if type(token) is APIToken else f"{token._meta.label}:{token.pk}"


def _get_by_key(kind: Kind, key: str) -> Any:
    try:
        return rows_of(kind).get(pk=key)
    except (models.ObjectDoesNotExist, ValidationError, ValueError, OverflowError):
        raise NotFoundError(f"There is no token {key!r} of the kind {kind._meta.label}.") from None


@sensitive_variables("found", "line")
def read_secret(what: str) -> str:
    """Return a line of stdin; on a terminal nothing of it is shown. ``what`` is asked for."""
    stream = sys.stdin
    prompt = f"{what.capitalize()}: "
    line = getpass(prompt) if stream.isatty() else stream.readline(tokens.MAX_LENGTH + 2)
    found = line.strip()
    if not found:
        raise UsageError(f"There is no {what} on stdin.")
    return found


@sensitive_variables("plain_text")
def _find(plain_text: str, kinds: Iterable[Kind]) -> Any:
    for kind in kinds:
        token = kind.objects.using(router.db_for_write(kind)).find(plain_text)
        if token is not None:
            return token
    raise NotFoundError("The token on stdin is not known.")
