"""What a token may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.models import APIToken
from connectnow_api.permissions import HasAbilities, HasAbilitiesOrReadOnly, HasAnyAbility
from tests.conftest import Mount

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]
FORBIDDEN = {"message": "This action is unauthorized."}


class View(APIView):
    authentication_classes = [APITokenAuthentication, SessionAuthentication]
    permission_classes: Any = [HasAbilities]
    required_abilities: Any = ["issues:read"]

    def get(self, request: Any) -> Response:
        return Response({"ok": True})

    def post(self, request: Any) -> Response:
        return Response({"ok": True})


@pytest.fixture
def ask(mount: Mount, client: APIClient, issue: Issue) -> Callable[..., Any]:
    """Send a request with a token of these abilities (``None``: no token) to a view."""

    def ask(view: Any, abilities: Any, method: str = "GET", actions: Any = None) -> Any:
        mount({"flat/x": view.as_view(actions) if actions else view.as_view()})
        headers = {}
        if abilities is not None:
            headers["authorization"] = f"Bearer {issue(abilities=abilities).plain_text}"
        return client.generic(method, "/flat/x", headers=headers)

    return ask


Ask = Callable[..., Any]


@pytest.mark.parametrize("abilities", [["issues:read"], ["*"], ["a", "issues:read"]])
def test_a_token_with_the_ability_passes(ask: Ask, abilities: list[str]) -> None:
    assert ask(View, abilities).status_code == 200


@pytest.mark.parametrize("abilities", [[], ["issues:write"], ["issues:*"], ["ISSUES:READ"]])
def test_a_token_without_it_is_refused_and_told_what_is_missing(
    ask: Ask, abilities: list[str]
) -> None:
    response = ask(View, abilities)
    assert response.status_code == 403
    assert response.json() == FORBIDDEN
    assert response["WWW-Authenticate"] == (
        'Bearer realm="api", error="insufficient_scope", scope="issues:read"'
    )


def test_every_ability_is_needed_and_the_missing_ones_are_named(ask: Ask) -> None:
    class Both(View):
        required_abilities = ["a", "b", "c"]

    response = ask(Both, ["b"])
    assert response.status_code == 403
    assert 'scope="a c"' in response["WWW-Authenticate"]
    assert ask(Both, ["a", "b", "c"]).status_code == 200


def test_nobody_is_401_not_403(ask: Ask) -> None:
    assert ask(View, None).status_code == 401


def test_an_empty_list_asks_for_any_valid_token(ask: Ask) -> None:
    class AnyToken(View):
        required_abilities: list[str] = []

    assert ask(AnyToken, []).status_code == 200
    assert ask(AnyToken, None).status_code == 401


def test_a_mapping_by_method(ask: Ask) -> None:
    class ByMethod(View):
        required_abilities = {"GET": ["issues:read"], "POST": ["issues:write"]}

    assert ask(ByMethod, ["issues:read"]).status_code == 200
    assert ask(ByMethod, ["issues:read"], "HEAD").status_code == 200
    assert ask(ByMethod, ["issues:read"], "OPTIONS").status_code == 200
    assert ask(ByMethod, ["issues:read"], "POST").status_code == 403
    assert ask(ByMethod, ["issues:write"], "POST").status_code == 200


def test_what_a_mapping_does_not_name_is_refused(ask: Ask) -> None:
    class GetOnly(View):
        required_abilities = {"GET": ["issues:read"]}

    response = ask(GetOnly, ["*"], "POST")
    assert response.status_code == 403
    assert "WWW-Authenticate" not in response


def test_an_empty_mapping_refuses_everything(ask: Ask) -> None:
    class Nothing(View):
        required_abilities: dict[str, list[str]] = {}

    assert ask(Nothing, ["*"]).status_code == 403
    assert ask(Nothing, ["*"], "POST").status_code == 403


def test_no_mapping_at_all_asks_for_any_valid_token(ask: Ask) -> None:
    class Unnamed(View):
        required_abilities = None

    assert ask(Unnamed, []).status_code == 200
    assert ask(Unnamed, None).status_code == 401


def test_one_text_is_one_ability(ask: Ask) -> None:
    class Text(View):
        required_abilities = "issues:read"

    assert ask(Text, ["i", "s", "u", "e"]).status_code == 403
    assert ask(Text, ["issues:read"]).status_code == 200


def test_a_mapping_by_action_goes_before_the_method(ask: Ask) -> None:
    class Actions(ViewSet):
        authentication_classes = [APITokenAuthentication]
        permission_classes = [HasAbilities]
        required_abilities = {"archive": ["issues:archive"], "POST": ["issues:write"]}

        def create(self, request: Any) -> Response:
            return Response({"ok": True})

        archive = create

    assert ask(Actions, ["issues:archive"], "POST", {"post": "archive"}).status_code == 200
    assert ask(Actions, ["issues:write"], "POST", {"post": "archive"}).status_code == 403
    assert ask(Actions, ["issues:write"], "POST", {"post": "create"}).status_code == 200


def test_a_method_that_the_view_lacks_is_405(ask: Ask) -> None:
    """As in Laravel, where the router answers before anybody asks who it is."""
    for abilities in (None, [], ["*"]):
        response = ask(View, abilities, "DELETE")
        assert response.status_code == 405
        assert response.json() == {"message": "Method not allowed."}
        assert response["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_a_user_without_a_token_passes_unless_told_otherwise(
    ask: Ask, client: APIClient, user: Any, settings: Any
) -> None:
    class Strict(View):
        require_token = True

    class Lax(View):
        require_token = False

    client.force_login(user)
    assert ask(View, None).status_code == 200
    assert ask(Strict, None).status_code == 403
    settings.CONNECTNOW_API = {"REQUIRE_TOKEN": True}
    assert ask(View, None).status_code == 403
    assert ask(Lax, None).status_code == 200


def test_force_authenticate_passes_without_a_token_and_is_checked_with_one(
    ask: Ask, client: APIClient, issue: Issue, user: Any
) -> None:
    client.force_authenticate(user)
    assert ask(View, None).status_code == 200
    client.force_authenticate(user, issue(abilities=["other"]).token)
    assert ask(View, None).status_code == 403
    client.force_authenticate(user, issue(abilities=["issues:read"]).token)
    assert ask(View, None).status_code == 200


def test_or_read_only_lets_everybody_read(ask: Ask) -> None:
    class Public(View):
        permission_classes = [HasAbilitiesOrReadOnly]
        required_abilities = {"POST": ["issues:write"]}

    for method in ("GET", "HEAD", "OPTIONS"):
        assert ask(Public, None, method).status_code == 200
    assert ask(Public, None, "POST").status_code == 401
    assert ask(Public, [], "POST").status_code == 403
    assert ask(Public, ["issues:write"], "POST").status_code == 200


class Never(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return False


def test_composed_permissions_decide_together(ask: Ask) -> None:
    class Either(View):
        permission_classes = [HasAbilities | AllowAny]

    class Neither(View):
        permission_classes = [Never | HasAbilities]

    assert ask(Either, []).status_code == 200
    response = ask(Neither, [])
    assert response.status_code == 403
    assert 'scope="issues:read"' in response["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("granted", "all_of", "any_of"),
    [
        ([], False, False),
        (["a"], False, True),
        (["b", "a"], True, True),
        (["*"], True, True),
        (["a*", "A", " a"], False, False),
        ("ab", False, False),
        ({"a": 1, "b": 1}, False, False),
        (None, False, False),
        ([["a"], {"b": 1}, None, 1], False, False),
    ],
)
def test_a_token_can_what_its_column_lists(granted: Any, all_of: bool, any_of: bool) -> None:
    token = APIToken(abilities=granted)
    assert token.can("a", "b") is all_of
    assert token.cannot("a", "b") is not all_of
    assert token.can_any("a", "b") is any_of
    assert token.can()
    assert not token.can_any()


def test_any_of_the_abilities_is_enough_where_a_view_says_so(ask: Ask) -> None:
    class Either(View):
        permission_classes = [HasAnyAbility]
        required_abilities = ["a", "b"]

    for granted in (["a"], ["b", "c"], ["*"]):
        assert ask(Either, granted).status_code == 200
    refused = ask(Either, ["c"])
    assert (refused.status_code, refused.json()) == (403, FORBIDDEN)
    assert 'error="insufficient_scope", scope="a b"' in refused["WWW-Authenticate"]
    assert ask(Either, None).status_code == 401


def test_any_of_the_abilities_of_a_method_or_action(ask: Ask) -> None:
    class Actions(ViewSet):
        authentication_classes = [APITokenAuthentication]
        permission_classes = [HasAnyAbility]
        required_abilities = {"archive": ["c", "d"], "POST": ["a", "b"], "GET": []}

        def create(self, request: Any) -> Response:
            return Response({"ok": True})

        archive = list = create

    routes = {"post": "archive"}
    assert ask(Actions, ["d"], "POST", routes).status_code == 200
    refused = ask(Actions, ["a"], "POST", routes)
    assert 'scope="c d"' in refused["WWW-Authenticate"]
    assert ask(Actions, ["b"], "POST", {"post": "create"}).status_code == 200
    assert ask(Actions, [], "GET", {"get": "list"}).status_code == 200
    assert ask(Actions, ["*"], "DELETE", {"delete": "create"}).status_code == 403
