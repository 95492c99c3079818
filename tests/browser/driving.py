"""A browser that a test drives: each step waits for what it needs, and for nothing else."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from tests.services import PATIENCE

CSS, XPATH = "css selector", "xpath"

UNLABELLED = """
return [...document.querySelectorAll("input, select, textarea")].filter((field) =>
    !["hidden", "submit", "button"].includes(field.type)
    && !field.labels.length
    && !field.getAttribute("aria-label")
    && !field.getAttribute("aria-labelledby")
).map((field) => field.outerHTML);
"""


def missing() -> list[str]:
    """Return the names of what is needed to drive a browser and is not installed."""
    programs = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return [*([] if find_spec("selenium") else ["selenium"]), *programs]


def start() -> Any:
    """Return a new headless Chromium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    # Without a sandbox, as containers forbid it to root; without a shared memory that they lack.
    for name in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1280,1000"):
        options.add_argument(f"--{name}")
    options.add_argument("--lang=en")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(PATIENCE)
    driver.set_script_timeout(PATIENCE)
    return driver


class Browser:
    """One window on a site."""

    def __init__(self, driver: Any, root: str) -> None:
        self.driver = driver
        self.root = root

    # --- Look -------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """The address of the page, without the site's."""
        return str(self.driver.current_url).removeprefix(self.root)

    @property
    def source(self) -> str:
        """The page as it is now."""
        return str(self.driver.page_source)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until a condition is met and return what it returns."""
        from selenium.common.exceptions import (
            NoSuchElementException,
            StaleElementReferenceException,
        )
        from selenium.webdriver.support.ui import WebDriverWait

        passing = (NoSuchElementException, StaleElementReferenceException)
        waiting = WebDriverWait(self.driver, PATIENCE, 0.05, ignored_exceptions=passing)
        return waiting.until(lambda driver: condition())

    def find(self, selector: str, by: str = CSS) -> Any:
        """Return an element once it is to be seen."""

        def visible() -> Any:
            element = self.driver.find_element(by, selector)
            return element if element.is_displayed() else None

        return self.until(visible)

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that there are."""
        return [element.text for element in self.driver.find_elements(CSS, selector)]

    def console(self) -> list[str]:
        """Return what the console has said since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def unlabelled(self) -> list[str]:
        """Return the fields of the page that have no label."""
        found: list[str] = self.driver.execute_script(UNLABELLED)
        return found

    # --- Act --------------------------------------------------------------------------------

    def open(self, path: str) -> None:
        """Go to a page of the site."""
        self.driver.get(self.root + path)

    def leave(self, act: Callable[[], Any]) -> None:
        """Do what leads to another page, and wait until that is complete."""
        before = self.driver.execute_script("return performance.timeOrigin")
        script = "return [performance.timeOrigin, document.readyState]"
        act()

        def arrived() -> bool:
            origin, state = self.driver.execute_script(script)
            return bool(origin != before and state == "complete")

        self.until(arrived)

    def follow(self, text: str) -> None:
        """Follow the link with this text."""
        self.leave(self.find(f"//a[normalize-space()='{text}']", XPATH).click)

    def press(self, text: str) -> None:
        """Press the button with this text."""
        self.leave(self.find(f'input[type=submit][value="{text}"]').click)

    def type(self, **values: str) -> None:
        """Type into fields, by their names."""
        for name, text in values.items():
            field = self.find(f"[name={name}]")
            field.clear()
            field.send_keys(text)

    def value(self, name: str) -> str:
        """Return what stands in a field."""
        return str(self.find(f"[name={name}]").get_property("value"))

    def choose_owner(self, name: str) -> None:
        """Look for an owner and take him."""
        self.find(".field-owner .select2-selection").click()
        self.find(".select2-search__field").send_keys(name)
        self.until(lambda: self.texts(".select2-results__option") == [name])
        self.find(".select2-results__option").click()
        self.until(lambda: self.texts(".field-owner .select2-selection__rendered") != [""])

    def select(self, name: str, value: str) -> None:
        """Choose from a list, by the value."""
        self.find(f"select[name={name}] option[value='{value}']").click()


def call(root: str, token: str) -> tuple[int, Any]:
    """Ask the site's API with a token; return status and body."""
    connection = http.client.HTTPConnection(urlsplit(root).netloc, timeout=PATIENCE)
    try:
        connection.request("GET", "/api/issues", headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
