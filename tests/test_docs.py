"""The pages: every link leads somewhere, and every page is found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from kit.page import DOCS, ROOT, headings

from runner.cli.verbs import DEFAULT, VERBS

PAGES = sorted((*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", DOCS / "decisions" / "README.md"))
_COMMAND = re.compile(r"\bbridge-run +([^`\n]+)")
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


def options(command: click.Command) -> set[str]:
    """Of the command and of those below it."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = {name for one in command.params if isinstance(one, click.Option) for name in (*one.opts, *one.secondary_opts)}
    return own.union({"--help", "--version"}, *map(options, below))


def wrong_words(line: str) -> Iterator[str]:
    """What of a command line, the name of the program left out, is no verb and no option of its verb."""
    words = re.split(r"\s#|[|;&]\s", line)[0].replace("[", " ").replace("]", " ").split()
    verb = words[0] if words and words[0] in VERBS else DEFAULT
    known = options(import_module(VERBS[verb].module).command)
    for at, word in enumerate(words):
        option = re.match(r"--?[a-z][\w-]*", word)
        is_no_file = at == 0 and re.fullmatch(r"[a-z]+", word) and word not in VERBS
        if (option and option[0] not in known) or (is_no_file and len(words) > 1 and words[1].startswith("-")):
            yield word


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_shown_has_the_options_it_is_shown_with(page):
    lines = _COMMAND.findall(page.read_text("utf-8"))
    assert [(line, wrong) for line in lines if (wrong := list(wrong_words(line)))] == []


def test_commands_that_are_not_there_are_noticed():
    assert list(wrong_words("check --frob flow.yaml # --more")) == ["--frob"]
    assert list(wrong_words("chek --offline")) == ["chek"]
    assert list(wrong_words("flow.yaml -i a=b --simulate flow.sim.yaml")) == []
