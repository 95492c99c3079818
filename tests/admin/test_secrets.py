"""A token's plain text is in one answer, and its digest is nowhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from connectnow_api.models import APIToken

from .conftest import LIST, fill

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["issue", "rotate"])
def revealed(
    request: pytest.FixtureRequest, root: Client, user: Any, issue: Any, caplog: Any
) -> Any:
    """The answer that shows a new token: to a form that issues one, and to one that rotates."""
    caplog.set_level("DEBUG")
    if request.param == "issue":
        data = fill(root, owner=user.pk, name="laptop", abilities="issues:read")
        return root.post(f"{LIST}add/", data)
    token = issue(abilities=["issues:read"]).token
    return root.post(f"{LIST}{token.pk}/rotate/", {"grace": "3600"})


@pytest.fixture
def plain_text(revealed: Any) -> str:
    """Return what stands in the page's one field."""
    html = revealed.content.decode()
    [found] = re.findall(r'<input id="id_plain_text"[^>]* value="(cn_[0-9A-Za-z_]+)">', html)
    assert html.count(found) == 1
    assert APIToken.objects.find(found) is not None
    return found


def test_the_answer_to_the_post_shows_it(revealed: Any, plain_text: str) -> None:
    assert revealed.status_code == 200
    assert not revealed.has_header("Location")
    assert "no-store" in revealed["Cache-Control"]
    assert "private" in revealed["Cache-Control"]
    # Django's own: "no-referrer" would have browsers send "Origin: null", which logs nobody out.
    assert revealed["Referrer-Policy"] == "same-origin"
    assert revealed.cookies.keys() <= {"csrftoken"}


def test_no_other_page_has_a_secret_or_a_digest(
    revealed: Any, plain_text: str, root: Client
) -> None:
    for url in (*urls(), f"{LIST}?q={plain_text[-4:]}"):
        html = root.get(url).content.decode()
        assert plain_text not in html
        assert not any(token.digest in html for token in APIToken.objects.all())
    html = revealed.content.decode()
    assert not any(token.digest in html for token in APIToken.objects.all())


def urls() -> Iterator[str]:
    yield from ("/admin/", LIST, f"{LIST}add/")
    for token in APIToken.objects.all():
        for name in ("change", "history", "delete", "rotate", "revoke"):
            yield f"{LIST}{token.pk}/{name}/"


def test_nothing_that_stays_has_a_secret_or_a_digest(
    revealed: Any, plain_text: str, root: Client, caplog: pytest.LogCaptureFixture
) -> None:
    entries = [
        (entry.object_repr, entry.change_message, entry.get_change_message())
        for entry in LogEntry.objects.all()
    ]
    assert entries
    sessions = [session.get_decoded() for session in Session.objects.all()]
    assert sessions
    messages = [str(message) for message in revealed.context["messages"]]
    assert messages == []
    records = [*caplog.get_records("setup"), *caplog.records]
    logged = [json.dumps(vars(record), default=repr) for record in records]
    assert any("token_event" in line for line in logged)
    cached = [repr(value) for value in vars(cache).get("_cache", {}).values()]
    everything = repr([entries, sessions, root.cookies, logged, cached])
    for secret in (plain_text, *(token.digest for token in APIToken.objects.all())):
        assert secret not in everything


def test_a_crash_of_the_page_does_not_report_it(
    root: Client, user: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plain text is in no variable that an error report shows."""
    settings.DEBUG = True
    data = fill(root, owner=user.pk, name="laptop")
    made = []
    generate = "connectnow_api.managers.tokens.generate"
    from connectnow_api import tokens

    real = tokens.generate
    monkeypatch.setattr(generate, lambda prefix: made.append(real(prefix)) or made[-1])
    monkeypatch.setattr(
        type(admin.site._registry[APIToken]), "revealed_template", "connectnow_api/none.html"
    )
    root.raise_request_exception = False
    response = root.post(f"{LIST}add/", data)
    assert response.status_code == 500
    [plain_text] = made
    assert "TemplateDoesNotExist" in response.content.decode()
    assert plain_text not in response.content.decode()


def test_forms_are_safe_from_other_sites(root: Client, issue: Any) -> None:
    token = issue().token
    client = Client(enforce_csrf_checks=True)
    client.cookies = root.cookies
    for url in ("add/", f"{token.pk}/rotate/", f"{token.pk}/revoke/", f"{token.pk}/change/"):
        assert client.post(f"{LIST}{url}", {"grace": "0"}).status_code == 403


def test_pages_hold_no_inline_script(revealed: Any, root: Client) -> None:
    pages = [revealed, *(root.get(url) for url in urls())]
    for page in pages:
        html = page.content.decode()
        assert re.findall(r"<script(?![^>]*src=)[^>]*>(?!\s*</script>)", html) == []
        assert re.findall(r"\son[a-z]+=", html) == []
        assert re.findall(r"\sstyle=", html) == []


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "ar"])
def test_pages_are_there_in_every_language(root: Client, issue: Any, language: str) -> None:
    token = issue().token
    for url in urls():
        assert root.get(url, headers={"Accept-Language": language}).status_code == 200
    url = f"{LIST}{token.pk}/rotate/"
    response = root.post(url, {"grace": "0"}, headers={"Accept-Language": language})
    assert response.context["new"].plain_text in response.content.decode()
