"""The example's OpenAPI document says what is there, and what is answered is what it says."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.example.support import EXAMPLE, Site

from .strategies import Route

pytestmark = pytest.mark.hostile

DOCUMENT: dict[str, Any] = yaml.safe_load((EXAMPLE / "openapi.yaml").read_text(encoding="utf-8"))
METHODS = {"get", "post", "put", "patch", "delete"}
OPERATIONS = [
    (path, method)
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if method in METHODS
]


@pytest.fixture
def demo(demo_server: Site) -> Site:
    return demo_server.from_new_address()


def plain(path: str) -> str:
    """Return a path with its parameters as the URLconf's and the document's have it."""
    return "/".join("{}" if part[:1] in "{<" else part for part in path.split("/") if part)


def test_paths_and_methods_are_those_of_the_project(routes: list[Route]) -> None:
    there = {
        (plain(path), method.lower())
        for path, methods in routes
        for method in methods
        if path.startswith(("/api/", "api/")) and method.lower() in METHODS
    }
    assert {(plain(path), method) for path, method in OPERATIONS} == there


def resolved(node: Any) -> Any:
    """Return a part of the document without references."""
    if isinstance(node, dict) and "$ref" in node:
        found: Any = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return resolved(found)
    if isinstance(node, dict):
        return {key: resolved(value) for key, value in node.items()}
    return [resolved(item) for item in node] if isinstance(node, list) else node


def validate(path: str, method: str, status: int, body: Any) -> None:
    response = resolved(DOCUMENT["paths"][path][method]["responses"][str(status)])
    schema = response["content"]["application/json"]["schema"]
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(body)


@pytest.mark.parametrize("path", [path for path, method in OPERATIONS if method == "get"])
def test_what_is_read_is_what_the_document_says(demo: Site, path: str) -> None:
    token = demo.credentials["chat"]["token"] if path == "/api/chat-user" else "valid"
    uri = path.format(id=1, ticket=1, company=1)
    if uri == "/api/webhooks/1":
        created = demo.request(
            "/api/webhooks", method="POST", json={"url": "https://doc.example/"}, token="valid"
        )
        validate("/api/webhooks", "post", created.status, created.json())
        uri = f"/api/webhooks/{created.json()['id']}"
    answer = demo.as_acme(uri, token=token)
    assert answer.status == 200, answer.text
    validate(path, "get", 200, answer.json())
    if path == "/api/webhooks/{id}":
        # Others expect that nobody has one.
        assert demo.request(uri, method="DELETE", token="valid").status == 200


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_refusals_are_what_the_document_says(demo: Site, path: str, method: str) -> None:
    """Without a token, with a wrong one, and of a body that cannot be read."""
    uri = path.format(id=1, ticket=1, company=1)
    refused = demo.request(uri, method=method.upper(), token="x")
    assert refused.status == 401
    validate(path, method, 401, refused.json())
    if "requestBody" in DOCUMENT["paths"][path][method]:
        token = demo.credentials["chat"]["token"] if path == "/api/chat-user" else "valid"
        broken = demo.as_acme(uri, method=method.upper(), body=b"{", token=token)
        # A webhook of one's own is seeded for nobody.
        assert broken.status in ((404,) if uri == "/api/webhooks/1" else (400, 422)), broken.text
        validate(path, method, broken.status, broken.json())
