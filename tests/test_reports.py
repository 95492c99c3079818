"""Reports of crashes: mails and Django's page, about requests with tokens wherever they may be."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django import VERSION
from django.core import mail
from django.http import HttpRequest
from django.test import Client
from django.urls import path
from django.utils.log import AdminEmailHandler
from rest_framework.response import Response
from rest_framework.views import APIView

from connectnow_api import tokens
from connectnow_api.authentication import APITokenAuthentication
from connectnow_api.logs import RedactTokens
from connectnow_api.models import APIToken
from connectnow_api.reports import TokenExceptionReporter, TokenExceptionReporterFilter

pytestmark = pytest.mark.django_db

QUERY, FORM, JSON, HEADER, REFERER = (f"{name}-secret-%&'\"<" for name in "abcde")
"""Values that have not the form of a token, and characters that each place spells otherwise."""
LOCAL = tokens.generate("cn")
SECRETS = [QUERY, FORM, JSON, HEADER, REFERER, LOCAL]


def crash(request: HttpRequest) -> None:
    """Crash with all of it in local variables."""
    address = request.get_full_path()
    body = request.body
    form = request.POST
    query = request.GET
    said = f"cannot serve {address}"
    new = {"plain_text": LOCAL}
    raise ZeroDivisionError(said, body, form, query, new)


class View(APIView):
    authentication_classes = [APITokenAuthentication]
    permission_classes = ()

    def post(self, request: Any) -> Response:
        data, query = request.data, request.query_params
        raise ZeroDivisionError(data, query)


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.DEFAULT_EXCEPTION_REPORTER = "connectnow_api.reports.TokenExceptionReporter"
    settings.DEFAULT_EXCEPTION_REPORTER_FILTER = (
        "connectnow_api.reports.TokenExceptionReporterFilter"
    )
    settings.MIDDLEWARE = []
    settings.ROOT_URLCONF = (path("crash", crash), path("view", View.as_view()))


Send = Callable[[str], Any]


@pytest.fixture(params=["form", "json"])
def send(request: Any) -> Send:
    """Send a request with tokens in all places, which crashes."""

    def send(uri: str) -> Any:
        client = Client(raise_request_exception=False)
        in_form = request.param == "form"
        data = f"a=b&api_token={quote(FORM)}" if in_form else {"a": "b", "api_token": JSON}
        return client.post(
            f"{uri}?x=y&api_token={quote(QUERY)}",
            data,
            content_type="application/x-www-form-urlencoded" if in_form else "application/json",
            headers={
                "authorization": f"Bearer {HEADER}",
                "referer": f"https://example.com/?api_token={quote(REFERER)}",
            },
        )

    return send


def spellings(secret: str) -> set[str]:
    """Return what remains recognisable of a value, however it is spelt."""
    return {secret, secret.partition("%")[0] + "%", quote(secret), secret[:8]} if secret else set()


def assert_clean(text: str) -> None:
    for secret in SECRETS:
        found = [spelt for spelt in spellings(secret) if spelt in text]
        assert not found, text[max(0, text.index(found[0]) - 100) :][:250]


@pytest.fixture
def mails(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let Django mail what crashes, in text and HTML."""
    settings.ADMINS = ["ada@example.com"] if VERSION >= (6, 0) else [("Ada", "ada@example.com")]
    handler = AdminEmailHandler(include_html=True)
    handler.addFilter(RedactTokens())
    # Django's own was made when the tests were set up, with the reporter of then.
    monkeypatch.setattr(logging.getLogger("django"), "handlers", [handler])
    return mail.outbox


def test_row_27_mails_about_crashes(send: Send, mails: Any) -> None:
    send("/crash")
    [message] = mails
    assert message.subject.endswith("Internal Server Error: /crash")
    assert "ZeroDivisionError" in message.body
    assert "x=y" in message.body
    [page] = [part[0] for part in message.alternatives]
    for text in (message.subject, message.body, page):
        assert_clean(text)


def test_row_28_the_page_of_debug(send: Send, settings: Any) -> None:
    settings.DEBUG = True
    page = send("/crash").content.decode()
    assert "ZeroDivisionError" in page
    assert_clean(page)


@pytest.mark.parametrize("debug", [True, False])
def test_a_crash_behind_our_authentication(
    send: Send, settings: Any, mails: Any, user: Any, debug: bool, monkeypatch: Any
) -> None:
    """Where the token is read and found: nothing of it is in the report either."""
    settings.DEBUG = debug
    token = APIToken.objects.issue(user, "laptop").plain_text
    for name in ("QUERY", "FORM", "JSON", "HEADER"):
        monkeypatch.setitem(globals(), name, token)
    response = send("/view")
    assert response.status_code == 500, response.content
    page = response.content.decode() + "".join(
        text
        for message in mails
        for text in (message.body, *(part[0] for part in message.alternatives))
    )
    assert "ZeroDivisionError" in page
    assert token not in page
    assert token[3:43] not in page


def test_what_the_filter_gives_on_its_own(rf: Any) -> None:
    """For reporters of others that ask it."""
    request = rf.post(
        f"/x?api_token={quote(QUERY)}&a=b",
        {"api_token": FORM, "a": "b"},
        headers={"authorization": f"Bearer {HEADER}", "referer": f"/?api_token={quote(REFERER)}"},
    )
    found = TokenExceptionReporterFilter()
    meta = found.get_safe_request_meta(request)
    assert meta["QUERY_STRING"] == "api_token=[redacted]&a=b"
    assert meta["HTTP_REFERER"] == "/?api_token=[redacted]"
    assert_clean(str(meta))
    form = found.get_post_parameters(request)
    assert (form["a"], form["api_token"]) == ("b", found.cleansed_substitute)


def test_a_report_without_a_request() -> None:
    try:
        raise ValueError(f"api_token={QUERY}")
    except ValueError as exc:
        reporter = TokenExceptionReporter(None, type(exc), exc, exc.__traceback__)
    assert "ValueError" in reporter.get_traceback_text()
    assert QUERY not in reporter.get_traceback_text()
    assert html.escape(QUERY) not in reporter.get_traceback_html()
