"""What authenticating costs: one query by an index, however many tokens there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.models import APIToken
from connectnow_api.permissions import HasAbilities
from tests.conftest import Mount
from tests.test_promises import BY_UNIQUE_INDEX

pytestmark = pytest.mark.django_db

Issue = Callable[..., Any]


class View(APIView):
    authentication_classes = [APITokenAuthentication]
    permission_classes = [HasAbilities]
    required_abilities = ["a"]

    def get(self, request: Any) -> Response:
        return Response({"user": request.user.username, "token": request.auth.name})


def fill(owner: Any, count: int) -> None:
    """Store so many tokens that nobody has."""
    first = APIToken.objects.count()
    rows = [
        APIToken(owner=owner, name="x", digest=f"{number:064}")
        for number in range(first, first + count)
    ]
    APIToken.objects.bulk_create(rows, batch_size=500)


def queries_of_a_request(client: APIClient, plain_text: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/flat/x", headers={"authorization": f"Bearer {plain_text}"})
    assert response.json() == {"user": "ada", "token": "laptop"}
    return [query["sql"] for query in queries]


def test_one_query_however_many_tokens_an_owner_and_the_table_have(
    mount: Mount,
    client: APIClient,
    issue: Issue,
    user: Any,
    django_user_model: Any,
    settings: Any,
) -> None:
    settings.CONNECTNOW_API = {**settings.CONNECTNOW_API, "LAST_USED": "off"}
    mount({"flat/x": View.as_view()})
    text = issue(abilities=["a"]).plain_text
    alone = queries_of_a_request(client, text)
    fill(user, 499)
    among_its_owners = queries_of_a_request(client, text)
    fill(django_user_model.objects.create_user("grace"), 2000)
    among_all = queries_of_a_request(client, text)
    assert len(alone) == 1
    assert alone == among_its_owners == among_all


def test_the_query_reads_one_row_by_the_index_of_digests(
    mount: Mount, client: APIClient, issue: Issue, user: Any
) -> None:
    """The plan of the very statement that a request makes."""
    mount({"flat/x": View.as_view()})
    text = issue(abilities=["a"]).plain_text
    fill(user, 2000)
    with connection.cursor() as cursor:
        # Without figures of its own a database may take so new a table for an empty one.
        cursor.execute("ANALYZE" if connection.vendor != "mysql" else "SELECT 1")
    statements = []

    def keep(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        client.get("/flat/x", headers={"authorization": f"Bearer {text}"})
    sql, params = statements[0]
    with connection.cursor() as cursor:
        cursor.execute(f"{connection.ops.explain_query_prefix()} {sql}", params)
        plan = "\n".join(" ".join(map(str, row)) for row in cursor.fetchall())
    assert BY_UNIQUE_INDEX[connection.vendor] in plan
    assert "SCAN connectnow_api_apitoken" not in plan
