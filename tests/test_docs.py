"""The pages: every link leads somewhere, and every page is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kit.page import DOCS, ROOT, headings

PAGES = sorted((*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", DOCS / "decisions" / "README.md"))
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """Those that GitHub gives to the headings of a page."""
    text = page.read_text("utf-8")
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for level in (1, 2, 3, 4)
        for title in headings(text, level)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    plain = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text("utf-8"), flags=re.M | re.S)
    wrong = []
    for link in _LINK.findall(plain):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


def test_every_page_is_in_the_index():
    listed = set(_LINK.findall((DOCS / "README.md").read_text("utf-8")))
    assert sorted(page.name for page in DOCS.glob("*.md") if page.name not in listed) == ["README.md"]
