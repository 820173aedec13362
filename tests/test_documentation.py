"""The documentation can be followed: its blocks run, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks of a page: what follows the opening fence, and the content."""
    return re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def page_name(page: Path) -> str:
    """The page as the reader knows it."""
    return str(page.relative_to(ROOT))


def test_the_quickstart_is_two_commands() -> None:
    section = (ROOT / "README.md").read_text().split("## Quickstart\n")[1].split("\n## ")[0]
    commands = [content.splitlines() for _, content in blocks(section)]
    assert commands == [["python3 quickstart.py"], ["python3 quickstart.py test"]]
    assert commands[1][0] in (ROOT / ".ci/run").read_text()


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_python_block_is_marked_so_that_it_is_run(page: Path) -> None:
    languages = {language for language, _ in blocks(page.read_text()) if "py" in language.lower()}
    assert languages <= {"python"}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", page.read_text())
    files = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in files if not (page.parent / target).exists()] == []
