"""A site with its own server and a browser for each test; skipped where there is no browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.services import lack

from .driving import Browser, missing, start


@pytest.fixture(scope="session")
def _has_browser() -> None:
    if names := missing():
        lack(f"the browser tests need {', '.join(names)}: see .ci/browser")


@pytest.fixture
def server(_has_browser: None, settings: Any, transactional_db: None) -> Iterator[str]:
    """Serve the site of ``site.py`` and return its address."""
    settings.ROOT_URLCONF = "tests.browser.site"
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    settings.MIDDLEWARE = ["tests.browser.site.content_security_policy", *settings.MIDDLEWARE]
    server = LiveServer("127.0.0.1")
    yield server.url
    server.stop()


@pytest.fixture
def browser(server: str) -> Iterator[Browser]:
    """A browser at that site, whose console may say nothing that a test has not asked for."""
    driver = start()
    browser = Browser(driver, server)
    yield browser
    said = browser.console()
    driver.quit()
    assert said == []


@pytest.fixture
def admin(browser: Browser, django_user_model: Any) -> Browser:
    """A browser in which a superuser has logged in, at the list of tokens."""
    django_user_model.objects.create_superuser("root", password="very secret")
    browser.open("/admin/connectnow_api/apitoken/")
    browser.type(username="root", password="very secret")
    browser.press("Log in")
    return browser
