"""Who a request is from: placements, refusals, challenges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
)
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from connectnow_api import tokens
from connectnow_api.authentication import (
    APITokenAuthentication,
    BearerTokenAuthentication,
    QueryTokenAuthentication,
)
from connectnow_api.models import APIToken
from connectnow_api.permissions import HasAbilities
from tests.conftest import Mount, fixtures_once

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]

CHALLENGE = 'Bearer realm="api"'
INVALID = 'Bearer realm="api", error="invalid_token"'


class Whoami(APIView):
    """Says who asks; nobody is refused."""

    authentication_classes = [APITokenAuthentication]
    permission_classes = [IsAuthenticated]
    placements: Any = ("header", "query")

    def get(self, request: Any) -> Response:
        token = request.auth.pk if isinstance(request.auth, APIToken) else None
        return Response({"user": request.user.username, "token": token})


@pytest.fixture
def api(mount: Mount, client: APIClient) -> Callable[..., Any]:
    """Ask ``Whoami``, or a variant of it: ``api("?api_token=x", authorization="Bearer y")``."""

    def api(query: str = "", *, view: Any = None, **headers: str) -> Any:
        mount({"flat/user": (view or Whoami).as_view()})
        return client.get(f"/flat/user{query}", headers=headers)

    return api


Api = Callable[..., Any]


def assert_refused(response: Any, challenge: str) -> None:
    assert response.status_code == 401
    assert response.json() == {"message": "Unauthenticated."}
    assert response["WWW-Authenticate"] == challenge


def test_header(api: Api, issue: Issue) -> None:
    token, plain_text = issue()
    response = api(authorization=f"Bearer {plain_text}")
    assert response.json() == {"user": "ada", "token": token.pk}
    assert "Cache-Control" not in response


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_scheme_is_read_in_any_case_and_with_spaces_after_it(
    api: Api, issue: Issue, scheme: str
) -> None:
    assert api(authorization=f"{scheme} {issue().plain_text}").status_code == 200


def test_query(api: Api, issue: Issue) -> None:
    token, plain_text = issue()
    response = api(f"?api_token={plain_text}")
    assert response.json() == {"user": "ada", "token": token.pk}


def test_an_answer_to_a_query_token_stays_out_of_caches_and_referrers(
    api: Api, issue: Issue
) -> None:
    for query in (f"?api_token={issue().plain_text}", "?api_token=wrong"):
        response = api(query)
        assert response["Cache-Control"] == "private, no-store"
        assert response["Referrer-Policy"] == "no-referrer"


def test_nothing_sent_is_refused_without_an_error_code(api: Api) -> None:
    for query in ("", "?api_token=", "?api_token=%20+", "?api_token[]=x"):
        response = api(query)
        assert_refused(response, CHALLENGE)
        # Whoever spells the parameter otherwise may have meant a token all the same.
        assert ("Cache-Control" in response) == ("[]" in query)


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Basic YTpi", "Basic q, Bearer x", "XBearer x", ","]
)
def test_a_header_of_no_token_is_refused_without_an_error_code(
    api: Api, authorization: str
) -> None:
    assert_refused(api(authorization=authorization), CHALLENGE)


@pytest.fixture(params=["header", "query"])
def send(request: pytest.FixtureRequest, api: Api) -> Callable[[str], Any]:
    """Send a token in one of the placements."""
    if request.param == "header":
        return lambda text: api(authorization=f"Bearer {text}")
    return lambda text: api(f"?api_token={text}")


def test_all_refusals_look_the_same(send: Callable[[str], Any], issue: Issue, user: Any) -> None:
    """Unknown, malformed, expired and revoked, wrong owner: nobody can tell which."""
    inactive = type(user).objects.create_user("grace", is_active=False)
    revoked = issue()
    revoked.token.revoke()
    refused = [
        tokens.generate("cn"),
        tokens.generate("xy"),
        "garbage",
        "0",
        issue(expires_at=timezone.now() - timedelta(seconds=1)).plain_text,
        revoked.plain_text,
        issue(owner=inactive).plain_text,
    ]
    answers = [send(text) for text in refused]
    for answer in answers:
        assert_refused(answer, INVALID)
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1


def test_nothing_but_the_token_itself_is_accepted(send: Callable[[str], Any], issue: Issue) -> None:
    token, text = issue()
    for wrong in (
        token.digest,
        text.swapcase(),
        text[:-1],
        text + "0",
        text.removeprefix("cn_"),
        f"{token.pk}|{text}",
        f'"{text}"',
    ):
        assert_refused(send(wrong), INVALID)
    assert send(text).status_code == 200


@pytest.mark.parametrize(
    "form",
    [
        "Bearer {0}, Bearer {0}",
        "Bearer {0},Bearer {0}",
        "Bearer {0}, Basic YTpi",
        "Bearer {0},",
        "Bearer {0} {0}",
        "Bearer {0} x",
        "Bearer\t{0}",
        "Bearer {0}\u00a0",
        "Bearer ,{0}",
    ],
)
def test_repeated_and_listed_headers_never_authenticate(api: Api, issue: Issue, form: str) -> None:
    """Header lines of one name arrive joined by commas."""
    authorization = form.format(issue().plain_text)
    assert_refused(api(authorization=authorization), INVALID)


@pytest.mark.parametrize("form", ["api_token[]={0}", "api_token[0]={0}", "API_TOKEN={0}"])
def test_arrays_and_other_spellings_of_the_parameter_are_no_token(
    api: Api, issue: Issue, form: str
) -> None:
    assert_refused(api("?" + form.format(issue().plain_text)), CHALLENGE)


def test_two_different_tokens_are_a_bad_request(api: Api, issue: Issue) -> None:
    one, two = issue().plain_text, issue().plain_text
    answers = [
        api(f"?api_token={one}", authorization=f"Bearer {two}"),
        api(f"?api_token={one}&api_token={two}"),
        api("?api_token=garbage", authorization=f"Bearer {two}"),
        api(f"?api_token={one}", authorization="Bearer garbage"),
    ]
    for answer in answers:
        assert answer.status_code == 400
        assert answer.json() == {"message": "Send one API token, in one place."}
        assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_request"'


def test_one_token_in_two_places_is_tolerated_unless_strict(
    api: Api, issue: Issue, settings: Any
) -> None:
    text = issue().plain_text
    for query in (f"?api_token={text}&api_token={text}", f"?api_token={text}"):
        assert api(query, authorization=f"Bearer {text}").status_code == 200
    settings.CONNECTNOW_API = {"STRICT_PLACEMENT": True}
    assert api(f"?api_token={text}", authorization=f"Bearer {text}").status_code == 400
    assert api(f"?api_token={text}&api_token={text}").status_code == 400
    assert api(f"?api_token={text}").status_code == 200


def test_two_tokens_under_two_names_are_two_tokens(api: Api, issue: Issue) -> None:
    class Other(QueryTokenAuthentication):
        parameter = "other_token"

    class Both(Whoami):
        authentication_classes = [BearerTokenAuthentication, Other]

    one, other = issue().plain_text, issue().plain_text
    response = api(f"?other_token={other}", view=Both, authorization=f"Bearer {one}")
    assert response.status_code == 400
    assert api(f"?other_token={other}", view=Both).status_code == 200
    assert api(f"?other_token={one}", view=Both, authorization=f"Bearer {one}").status_code == 200


def test_every_challenge_names_the_scheme_that_is_read(api: Api, issue: Issue) -> None:
    class Keyed(APITokenAuthentication):
        keyword = "ApiKey"

    class Asks(Whoami):
        authentication_classes = [Keyed]
        permission_classes = [HasAbilities]
        required_abilities = ["issues:read"]

    one, other = issue().plain_text, issue().plain_text
    refused = api(view=Asks)
    assert_refused(refused, 'ApiKey realm="api"')
    lacking = api(view=Asks, authorization=f"ApiKey {one}")
    scope = 'ApiKey realm="api", error="insufficient_scope", scope="issues:read"'
    assert (lacking.status_code, lacking["WWW-Authenticate"]) == (403, scope)
    both = api(f"?api_token={other}", view=Asks, authorization=f"ApiKey {one}")
    invalid = 'ApiKey realm="api", error="invalid_request"'
    assert (both.status_code, both["WWW-Authenticate"]) == (400, invalid)


def test_two_classes_on_a_view_refuse_two_tokens_as_one_class_does(api: Api, issue: Issue) -> None:
    class View(Whoami):
        authentication_classes = [BearerTokenAuthentication, QueryTokenAuthentication]

    one, two = issue().plain_text, issue().plain_text
    assert api(f"?api_token={one}", view=View, authorization=f"Bearer {two}").status_code == 400
    assert api(f"?api_token={one}", view=View).status_code == 200
    assert api(view=View, authorization=f"Bearer {two}").status_code == 200
    assert_refused(api(view=View, authorization="Bearer garbage"), INVALID)
    assert_refused(api("?api_token=garbage", view=View), INVALID)


def test_each_class_reads_its_own_placement_only(api: Api, issue: Issue) -> None:
    class HeaderOnly(Whoami):
        authentication_classes = [BearerTokenAuthentication]

    class QueryOnly(Whoami):
        authentication_classes = [QueryTokenAuthentication]

    text = issue().plain_text
    assert api(view=HeaderOnly, authorization=f"Bearer {text}").status_code == 200
    assert_refused(api(f"?api_token={text}", view=HeaderOnly), CHALLENGE)
    assert api(f"?api_token={text}", view=QueryOnly).status_code == 200
    assert_refused(api(view=QueryOnly, authorization=f"Bearer {text}"), CHALLENGE)


@pytest.mark.parametrize(
    ("profile", "allowed"),
    [("connectnow", 200), ("helpspace", 200), ("laravel-8", 401), ("laravel-12", 401)],
)
def test_placements_come_from_the_profile(
    api: Api, issue: Issue, profile: str, allowed: int, settings: Any
) -> None:
    class View(APIView):
        authentication_classes = [APITokenAuthentication]
        permission_classes = [IsAuthenticated]
        get = Whoami.get

    settings.CONNECTNOW_API = {"PROFILE": profile}
    text = issue().plain_text
    assert api(f"?api_token={text}", view=View).status_code == allowed
    assert api(view=View, authorization=f"Bearer {text}").status_code == 200
    settings.CONNECTNOW_API = {"PROFILE": profile, "PLACEMENTS": ["query"]}
    assert api(f"?api_token={text}", view=View).status_code == 200
    assert api(view=View, authorization=f"Bearer {text}").status_code == 401


class OtherAuthentication(BaseAuthentication):
    """Knows one Bearer value of its own."""

    def authenticate(self, request: Any) -> Any:
        from django.contrib.auth.models import User

        if request.META.get("HTTP_AUTHORIZATION") == "Bearer theirs":
            return User(username="theirs"), "theirs"
        return None


def test_a_bearer_value_without_our_prefix_is_left_to_whom_follows(api: Api, issue: Issue) -> None:
    class View(Whoami):
        authentication_classes = [APITokenAuthentication, OtherAuthentication]

    class Last(Whoami):
        authentication_classes = [OtherAuthentication, APITokenAuthentication]

    assert api(view=View, authorization="Bearer theirs").json()["user"] == "theirs"
    assert api(view=Last, authorization="Bearer theirs").json()["user"] == "theirs"
    assert_refused(api(view=View, authorization="Bearer nobodys"), CHALLENGE)
    assert_refused(api(view=Last, authorization="Bearer nobodys"), INVALID)
    assert_refused(api(view=View, authorization=f"Bearer {tokens.generate('cn')}"), INVALID)


def test_a_wrong_query_token_is_not_left_to_a_kind_of_another_parameter(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Chat(QueryTokenAuthentication):
        parameter = "chat_user_token"
        prefix = "chat"  # type: ignore[assignment]

    class Second(Chat):
        parameter = "api_token"

    class View(Whoami):
        authentication_classes = [APITokenAuthentication, Chat]
        permission_classes = []

    class Shared(View):
        authentication_classes = [APITokenAuthentication, Second]

    assert_refused(api("?api_token=garbage", view=View), INVALID)
    assert_refused(api("?api_token=chat_x", view=Shared), INVALID)
    assert api(view=View).status_code == 200


def test_an_authenticator_within_another_knows_of_nobody_after_it(api: Api) -> None:
    class Delegate(BaseAuthentication):
        def authenticate(self, request: Any) -> Any:
            return APITokenAuthentication().authenticate(request)

        def authenticate_header(self, request: Any) -> str:
            return APITokenAuthentication().authenticate_header(request)

    class View(Whoami):
        authentication_classes = [Delegate]

    assert_refused(api(view=View, authorization="Bearer garbage"), INVALID)


def test_every_answer_to_a_url_with_a_token_stays_private(
    api: Api, issue: Issue, client: APIClient, user: Any
) -> None:
    """Also one that is refused before anybody looks for a token, or given to a session."""

    class Strict(Whoami):
        strict_accept = True

    class SessionFirst(Whoami):
        authentication_classes = [SessionAuthentication, APITokenAuthentication]

    uri = f"?api_token={issue().plain_text}"
    client.force_login(user)
    answers = [api(uri, view=Strict, accept="text/html"), api(uri, view=SessionFirst)]
    assert [answer.status_code for answer in answers] == [406, 200]
    for answer in answers:
        assert answer["Cache-Control"] == "private, no-store"
        assert answer["Referrer-Policy"] == "no-referrer"


def test_a_wrong_query_token_is_never_left_to_a_session(
    api: Api, client: APIClient, user: Any
) -> None:
    class View(Whoami):
        authentication_classes = [APITokenAuthentication, SessionAuthentication]

    client.force_login(user)
    assert api(view=View).json() == {"user": "ada", "token": None}
    assert_refused(api("?api_token=garbage", view=View), INVALID)


def test_a_challenge_is_sent_whichever_class_comes_first(api: Api) -> None:
    """DRF alone would answer 403 where sessions come first."""

    class SessionFirst(Whoami):
        authentication_classes = [SessionAuthentication, APITokenAuthentication]

    class SessionOnly(Whoami):
        authentication_classes = [SessionAuthentication]

    class Basic(Whoami):
        authentication_classes = [BasicAuthentication]

    assert_refused(api(view=SessionFirst), CHALLENGE)
    assert_refused(api("?api_token=garbage", view=SessionFirst), INVALID)
    assert_refused(api(view=SessionOnly), CHALLENGE)
    assert_refused(api(view=Basic), 'Basic realm="api"')


def test_realm_is_a_setting(api: Api, settings: Any) -> None:
    settings.CONNECTNOW_API = {"REALM": "Issue tracker"}
    assert_refused(api(), 'Bearer realm="Issue tracker"')


def test_a_wrong_token_is_refused_where_none_is_needed(api: Api) -> None:
    class Public(Whoami):
        permission_classes = []

    assert api(view=Public).status_code == 200
    assert_refused(api("?api_token=garbage", view=Public), INVALID)


class Client(Whoami):
    required_headers = {"Hs-Client-Id": "client"}


def test_a_required_header_has_to_name_the_tokens_client(api: Api, issue: Issue) -> None:
    bearer = f"Bearer {issue(client='acme').plain_text}"
    assert api(view=Client, authorization=bearer, hs_client_id="acme").status_code == 200
    for sent in ({}, {"hs_client_id": ""}, {"hs_client_id": "other"}):
        assert_refused(api(view=Client, authorization=bearer, **sent), INVALID)
    for listed in ("acme,acme", "acme, acme", "acme;acme", "ACME"):
        assert_refused(api(view=Client, authorization=bearer, hs_client_id=listed), INVALID)


def test_a_token_of_no_client_matches_no_header(api: Api, issue: Issue) -> None:
    bearer = f"Bearer {issue().plain_text}"
    for sent in ({}, {"hs_client_id": ""}, {"hs_client_id": "acme"}, {"hs_client_id": "None"}):
        assert_refused(api(view=Client, authorization=bearer, **sent), INVALID)


def test_a_required_header_may_name_an_attribute_of_the_owner(
    api: Api, issue: Issue, settings: Any
) -> None:
    settings.CONNECTNOW_API = {"REQUIRED_HEADERS": {"X-User": "owner.username"}}
    bearer = f"Bearer {issue().plain_text}"
    assert api(authorization=bearer, x_user="ada").status_code == 200
    assert_refused(api(authorization=bearer, x_user="grace"), INVALID)
    settings.CONNECTNOW_API = {"REQUIRED_HEADERS": {"X-User": "owner.no.such"}}
    assert_refused(api(authorization=bearer, x_user="None"), INVALID)


def test_one_query_for_a_token_and_none_for_what_is_malformed(
    send: Callable[[str], Any], issue: Issue, settings: Any
) -> None:
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "LAST_USED": "off"}
    text = issue().plain_text
    for sent, count in [
        (text, 1),
        (tokens.generate("cn"), 1),
        (text[:-1] + ("0" if text[-1] != "0" else "1"), 0),
        ("cn_garbage", 0),
        ("garbage", 0),
        ("x" * 3000, 0),
    ]:
        with CaptureQueriesContext(connection) as queries:
            send(sent)
        assert len(queries) == count


@fixtures_once
@given(
    authorization=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n")),
    query=st.text(st.characters(max_codepoint=255)),
)
def test_no_header_and_no_query_raises(authorization: str, query: str) -> None:
    request = APIRequestFactory().get("/flat/user", {"api_token": query})
    request.META["HTTP_AUTHORIZATION"] = f"Bearer {authorization}"
    response = Whoami.as_view()(request)
    assert response.status_code in (400, 401)


def test_an_authenticator_works_outside_a_view(issue: Issue) -> None:
    """Channels, middlewares and plain Django views may ask it too."""
    token, text = issue()
    request = APIRequestFactory().get("/", {"api_token": text})
    assert APITokenAuthentication().authenticate(request) == (token.owner, token)
