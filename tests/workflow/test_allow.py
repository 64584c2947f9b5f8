"""Comments that allow findings: where they may stand, what they reach, what is wrong with them."""

from __future__ import annotations

import pytest

from runner.workflow.allow import ALLOWABLE, read_allows
from runner.workflow.document import parse_document
from runner.workflow.explain.explain import EXPLANATIONS
from runner.workflow.load import load_document

FILE = """\
# What this file is for
# bridge: allow BR303, br319 because the machines differ
version: 1
name: example
models:
  # bridge: allow BR305
  coder:
    id: a/b
    ttl: 10m  # bridge: allow BR320
steps:
  - id: first  # bridge: allow BR318
    model: coder
    task: |  # bridge: allow BR307
      # bridge: allow BR306
      text # bridge: allow BR306
    # bridge: allow BR308

    # about the timeout

    timeout: 3m
  - task: "x # bridge: allow BR306"
    # bridge: allow BR321
    id: second
    model: a/b
  - {id: third, task: y}  # bridge: allow BR322
"""


def allows(text: str) -> list[tuple[str, int, int]]:
    found, problems = read_allows(parse_document(text, "w.yaml"))
    assert problems == ()
    return [(", ".join(allow.codes), allow.first, min(allow.last, 999)) for allow in found]


def problems(comment: str) -> list[str]:
    _, found = read_allows(parse_document(f"version: 1\nname: x  {comment}\n", "w.yaml"))
    return [f"{one.level} {one.code} {one.span and one.span[:2]} {one.message} | {one.help}" for one in found]


def test_what_each_comment_reaches():
    assert allows(FILE) == [
        ("BR303, BR319", 1, 999),  # before the first key: the whole file
        ("BR305", 7, 9),  # above the name of a model: all of it
        ("BR320", 9, 9),  # its own line
        ("BR318", 11, 20),  # at the id of a step: all of it
        ("BR307", 13, 13),  # where a block begins, which is no part of its text
        ("BR308", 20, 20),  # alone on a line: the next line that holds something
        ("BR321", 21, 24),  # above the id, though that is not the first key
        ("BR322", 25, 25),
    ]


def test_the_workflow_has_them():
    loaded = load_document(parse_document(FILE, "w.yaml"))
    assert [allow.codes for allow in loaded.workflow.allows][:2] == [("BR303", "BR319"), ("BR305",)]
    assert loaded.warnings == ()


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_like(ending):
    assert allows(FILE.replace("\n", ending)) == allows(FILE)


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nname: 'x # bridge: allow BR305'\n",
        "version: 1\nname: >\n  a\n\n  # bridge: allow BR305\n  b\n",
        "version: 1\nname: x # the bridge: allow nobody\n",
        "version: 1\nname: x\n",
    ],
)
def test_what_is_no_such_comment(text):
    assert allows(text) == []


def test_a_comment_at_the_end_reaches_nothing_else():
    assert allows("version: 1\nname: x\n# bridge: allow BR305") == [("BR305", 3, 3)]


WAYS = "BR303, BR305 to BR309, and BR315 to BR323 can be"


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("# bridge: allow BR305, BR306", []),
        ("# bridge: allow BR305 BR306: small and good enough", []),
        ("# bridge: alow BR305", ["`bridge: alow` means nothing | write `# bridge: allow CODE`"]),
        ("# bridge: over the river", []),
        ("# bridge: allow", ["this comment allows nothing | name the codes: `# bridge: allow BR305, BR318`"]),
        ("# bridge: allow all", ["this comment allows nothing | name the codes: `# bridge: allow BR305, BR318`"]),
        ("# bridge: allow BR301", [f"`BR301` is no finding that can be allowed | {WAYS}"]),
        ("# bridge: allow BR305, BR399", [f"`BR399` is no finding that can be allowed | {WAYS}"]),
        ("# bridge: allow BR230", [f"`BR230` cannot be allowed: only findings about models can | {WAYS}"]),
    ],
)
def test_what_is_wrong_with_a_comment(comment, said):
    assert problems(comment) == [f"warning BR328 (2, 10) {one}" for one in said]


def test_what_can_be_allowed_is_explained():
    assert set(EXPLANATIONS) >= ALLOWABLE
