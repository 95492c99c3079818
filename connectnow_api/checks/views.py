"""Views of the URLconf: their abilities, profiles and attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from rest_framework.views import APIView

from connectnow_api.abilities import unknown_abilities
from connectnow_api.mounted import MountedView, mounted_views
from connectnow_api.permissions import HasAbilities
from connectnow_api.profiles import Profile
from connectnow_api.settings import (
    PROFILE_KEYS,
    UNSET,
    api_settings,
    find_profile,
    profile_of_path,
)

from .messages import SETTING, check_id, close_match, label
from .settings import check_profile, needs_sound_settings
from .values import VALUES, is_names

HTTP_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
NOT_ASKED = ("paginator", "error_codes", "summarise_errors", "messages")
"""Profile fields that are not asked of views, which may use these names for something else."""
ACTIONS = ("list", "create", "retrieve", "update", "partial_update", "destroy", "metadata")


@needs_sound_settings
def check_views(**kwargs: Any) -> list[CheckMessage]:
    """Report views of the URLconf whose abilities, profile or attributes are in doubt."""
    found: list[CheckMessage] = []
    views = mounted_views()
    parameters = [cls.parameter for view in views for cls in view.token_authenticators]
    for view in views:
        found += [*_check_abilities(view), *_check_view_profile(view)]
        found += [*_check_view_values(view), *_check_authenticators(view, parameters)]
    # A viewset has several routes and is wrong once.
    return [*{(message.id, message.msg): message for message in found}.values()]


def _check_abilities(view: MountedView) -> Iterator[CheckMessage]:
    required = view.get("required_abilities")
    if required is None:
        if view.token_authenticators:
            yield CheckWarning(
                f"{view.label} accepts API tokens and names no abilities: any token may do all.",
                hint='Add required_abilities = ["issues:read"], or [] if that is meant.',
                id=check_id("W001"),
            )
        return
    for problem, hint in _problems_of(view.view, required):
        yield Error(f"{view.label}.required_abilities {problem}.", hint=hint, id=check_id("E006"))
    yield from _check_offered(view, required)
    # An action may open itself to everybody; the class has to ask somewhere.
    own = MountedView(view.view, {})
    permissions = [*view.classes("permission_classes"), *own.classes("permission_classes")]
    if not any(map(_asks_for_abilities, permissions)):
        yield CheckWarning(
            f"{view.label} names required_abilities that none of its permissions asks for.",
            hint="Add HasAbilities to its permission_classes.",
            id=check_id("W002"),
        )


def _check_offered(view: MountedView, required: Any) -> Iterator[CheckMessage]:
    """Report abilities that the site's own list does not have: no token can be given them."""
    lists = required.values() if isinstance(required, Mapping) else [required]
    named = dict.fromkeys(name for names in lists if is_names(names) for name in names)
    for name in unknown_abilities(named):
        yield CheckWarning(
            f"{view.label} asks for the ability {name!r}, which {SETTING}['ABILITIES'] lacks.",
            hint=close_match(name, api_settings.abilities),
            id=check_id("W017"),
        )


def _check_authenticators(view: MountedView, parameters: Iterable[str]) -> Iterator[CheckMessage]:
    """Report classes that could not know their tokens, or whose tokens links would repeat.

    ``parameters``: those of all views, for one hint that is right for all of them.
    """
    for cls in view.token_authenticators:
        own, issued = cls().prefix, cls().get_model().get_token_prefix()
        if own != issued:
            message = f"{label(cls)}.prefix is {own!r}, but its tokens begin with {issued!r}."
            hint = f"Take the attribute off {cls.__name__}, which then asks its model."
            yield Error(message, hint=hint, id=check_id("E013"))
        if cls.parameter not in api_settings.token_parameters:
            known = [*dict.fromkeys([*api_settings.token_parameters, *parameters])]
            yield CheckWarning(
                f"{label(cls)} reads tokens from {cls.parameter!r}, which TOKEN_PARAMETERS lacks.",
                hint=f'Write "TOKEN_PARAMETERS": {known!r} in {SETTING}.',
                id=check_id("W018"),
            )


def _problems_of(view: Any, required: Any) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a view's ``required_abilities``, each with a hint."""
    by_key = required if isinstance(required, Mapping) else {"GET": required}
    if not by_key:
        yield "is an empty mapping, which refuses everything", "Write [] to ask for a token only."
    for key, names in by_key.items():
        if not is_names(names):
            yield f"has {names!r}, which is no list of names", 'Write ["issues:read"].'
        known = [*HTTP_METHODS, *_actions(view)]
        if key not in known and not _is_mapped(view, key):
            yield f"names {key!r}, which is no method or action", close_match(key, known)


def _is_mapped(view: Any, key: Any) -> bool:
    """Tell whether a viewset's routes may map a method to what ``key`` names."""
    is_viewset = hasattr(view, "get_extra_actions")
    is_own = isinstance(key, str) and not hasattr(APIView, key) and key.upper() not in HTTP_METHODS
    return is_viewset and is_own and callable(getattr(view, key, None))


def _actions(view: Any) -> list[str]:
    """Return the actions of a viewset: DRF's own, and those that it adds."""
    extra = [action.__name__ for action in getattr(view, "get_extra_actions", list)()]
    return [*(name for name in ACTIONS if hasattr(view, name)), *extra]


def _asks_for_abilities(permission: Any) -> bool:
    """Tell whether a permission class, or an operand of a composed one, is ours."""
    if isinstance(permission, type):
        return issubclass(permission, HasAbilities)
    operands = (getattr(permission, "op1_class", None), getattr(permission, "op2_class", None))
    return any(_asks_for_abilities(operand) for operand in operands if operand is not None)


def _check_view_values(view: MountedView) -> Iterator[CheckMessage]:
    """Report what our classes could not use; another view's attributes mean something else."""
    for key, name in PROFILE_KEYS.items() if view.has_ours else ():
        value = UNSET if name in NOT_ASKED else view.get(name, UNSET)
        is_valid, expected, example = VALUES[key]
        # A view may switch its pages off, and let clients ask for any number of rows.
        off = value is None and name in ("page_size", "max_page_size")
        if value is not UNSET and not off and not is_valid(value):
            message = f"{view.label}.{name} is {value!r}: it has to be {expected}."
            yield Error(message, hint=f"Write {name} = {example}.", id=check_id("E004"))


def _check_view_profile(view: MountedView) -> Iterator[CheckMessage]:
    own = view.get("profile")
    if not isinstance(own, str | Profile) or not view.has_ours:
        return
    problems = list(check_profile(own, f"{view.label}.profile"))
    yield from problems
    differing = [] if problems else [path for path in view.paths if _differs(own, path)]
    if differing:
        yield CheckWarning(
            f"{view.label} speaks {find_profile(own).name!r} where {differing[0]} speaks "
            f"{find_profile(profile_of_path(differing[0])).name!r}.",
            hint=f'Take the attribute off, or add its path to {SETTING}["PREFIXES"].',
            id=check_id("W003"),
        )


def _differs(own: str | Profile, path: str) -> bool:
    return find_profile(own) != find_profile(profile_of_path(path))
