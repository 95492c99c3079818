"""Links lead somewhere, and the README's commands stand as they are to be copied."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, TEXTS


def slug(heading: str) -> str:
    """Return the anchor of a heading, made as the usual renderers of Markdown make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    without_code = re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", without_code, re.MULTILINE)}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_every_page_is_linked_from_the_index_and_the_readme() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.stem == "index" or (f"({page.name}" in index and f"docs/{page.name})" in readme)


VENV = "python3 -m venv .venv && .venv/bin/pip install -q -e"


@pytest.mark.parametrize(
    "command",
    [
        f"{VENV} '.[demo]' && .venv/bin/python example_project/manage.py demo",
        f"{VENV} '.[test]' && .venv/bin/python -m pytest",
    ],
)
def test_the_readme_has_the_commands_alone_in_their_blocks(command: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.count(f"\n```sh\n{command}\n```\n") == 1
