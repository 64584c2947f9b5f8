"""Findings with the words of the file. The pictures are the documentation."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.show.cell import width
from runner.show.findings.findings import findings_json
from runner.show.problems import count, render, render_error
from runner.words.diagnostics import Diagnostic, Note
from runner.words.errors import (
    CannotServeError,
    LLMConnectionError,
    ModelNotFoundError,
    OutsideError,
    ToolServerError,
    UsageError,
)
from runner.words.spans import Span

FILE = (
    "version: 1\n"
    "steps:\n"
    "  - id: survey\n"
    "    task: look\n"
    "  - id: fix\n"
    "    needs: [survy]\n"
    '\ttask: "日本語 {{ steps.x }} \x1b[31m red"\n'
    f'    long: "{"x" * 300} {{{{ nope }}}} {"日" * 300}"\n'
    "\n"
    "  - id: survey\n"
    "    for_each:\n"
    "      a: 1\n"
    "      b: 2\n"
    "      c: 3\n"
    "      d: 4\n"
    "\n"
    "    {id: one, id: two}\n"
)
LINES = FILE.split("\n")


def at(line: int, word: str, occurrence: int = 1) -> Span:
    """Where a word stands in a line of the file."""
    column = [match.start() + 1 for match in re.finditer(re.escape(word), LINES[line - 1])][occurrence - 1]
    return Span(line, column, line, column + len(word))


def finding(code: str, message: str, span: Span | None = None, **rest) -> Diagnostic:
    return Diagnostic(code=code, message=message, file=rest.pop("file", "flow.yaml"), span=span, **rest)


FINDINGS = {
    "a word": finding(
        "BR204", "step `fix` needs `survy`, but no step has this id", at(6, "survy"), help="did you mean `survey`?"
    ),
    "tabs, wide characters and escapes": finding("BR210", "there is no step `x`", at(7, "steps.x")),
    "the middle of a long line": finding("BR211", "`nope` is not defined", at(8, "nope"), level="warning"),
    "the end of a long line": finding("BR211", "too long", Span(8, 620, 8, 622)),
    "an end that is far away": finding("BR211", "too long", Span(8, 11, 8, 625)),
    "two places": finding(
        "BR212",
        "the id `survey` is taken",
        at(10, "survey"),
        notes=(Note(message="first defined here", span=at(3, "survey")), Note(message="ids are unique in a file")),
    ),
    "two places on one line": finding(
        "BR105", "`id` stands here twice", at(17, "id", 2), notes=(Note(message="first here", span=at(17, "id")),)
    ),
    "lines next to each other": finding("BR214", "a short block", Span(11, 5, 13, 1), help="do this\nand then that"),
    "a long block": finding("BR213", "no mapping here\nmore words", Span(11, 5, 17, 5)),
    "a block with a note inside": finding(
        "BR213", "no mapping", Span(11, 5, 17, 5), notes=(Note(message="because of this", span=at(14, "c: 3")),)
    ),
    "a note that is a block": finding(
        "BR213", "no mapping", at(5, "fix"), notes=(Note(message="like this one", span=Span(11, 5, 17, 5)),)
    ),
    "the end of the file": finding("BR101", "the file ends in the middle", Span(18, 1, 18, 2)),
    "past the end of the file": finding("BR101", "the file ends in the middle", Span(30, 1, 30, 2)),
    "past the end of a line": finding("BR101", "a value is missing", Span(2, 7, 2, 8)),
    "no place": finding("BR100", "the file is empty", help="start with `version: 1`"),
    "no text": finding("BR203", "unknown key", Span(4, 3, 4, 9), file="gone.yaml", help="remove it"),
    "a hostile name": finding("BR203", "\x1b[2Jgone", Span(4, 3, 4, 9), file="a\x1b[2J\nb.yaml"),
}


def source(file: str) -> str | None:
    return FILE if file == "flow.yaml" else None


@pytest.mark.parametrize("name", FINDINGS)
def test_a_finding(name, snapshot):
    assert render([FINDINGS[name]], source) == snapshot


def test_colours(snapshot):
    picture = render([FINDINGS["two places"], FINDINGS["the middle of a long line"]], source, colour=True)
    assert picture.replace("\x1b", "ESC") == snapshot


def test_findings_stand_in_file_order_once_each_and_are_counted():
    later, sooner = FINDINGS["two places"], FINDINGS["the middle of a long line"]
    picture = render([later, sooner, later, finding("BR100", "x", file="another.yaml")], source)
    assert re.findall(r"(?m)^(?:error|warning)\[(.*)\]", picture) == ["BR100", "BR211", "BR212"]
    assert picture.endswith("\n\n2 errors, 1 warning\n")


def test_nothing_found_says_nothing():
    assert render([], source) == ""
    assert count([]) == "no problems"
    assert count([FINDINGS["the middle of a long line"]] * 1_234) == "1,234 warnings"


@pytest.mark.parametrize("name", FINDINGS)
def test_the_first_two_lines_say_where(name):
    found = FINDINGS[name]
    head = " ".join(render([found], source).split("\n")[:2])
    place = "" if found.span is None else f":{found.span.line}:{found.span.column}"
    assert found.code in head
    assert re.search(rf"\S+{place}$", head)


@given(st.text(), st.integers(1, 8), st.integers(1, 2_000), st.integers(0, 4), st.integers(0, 2_000), st.booleans())
def test_any_place_in_any_text_can_be_drawn(text, line, column, more_lines, more_columns, repeated):
    text = text * 200 if repeated else text
    span = Span(line, column, line + more_lines, column + 1 + more_columns)
    note = Note(message="here", span=Span(line, 1, line, 2))
    picture = render([finding("BR1", "m", span, notes=(note,))], lambda _: text)
    assert picture.count("^") >= 1
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", picture) is None
    assert max(width(row) for row in picture.split("\n")) <= 110


def test_a_line_of_five_megabytes_is_drawn_in_no_time():
    text = "a: " + "日" * 5_000_000
    picture = render([finding("BR1", "m", Span(1, 4_000_000, 1, 4_000_002))], lambda _: text)
    assert max(map(len, picture.split("\n"))) < 110


ERRORS = {
    "usage": UsageError("there is no workflow `refactr`", hint="did you mean `refactor`?"),
    "several lines": OutsideError(
        "no model server answered\ntried http://127.0.0.1:1234: connection refused", hint="start LM Studio\nor another"
    ),
    "near models": ModelNotFoundError("qwen3-coder", [f"qwen/qwen3-coder-{size}b" for size in range(1, 12)]),
    "no models": ModelNotFoundError("qwen3-coder", []),
    "a hint of its own": ModelNotFoundError("qwen", ["gemma-3"], hint="load it first"),
    "a dead server": ToolServerError(
        "git", "tool server `git` ended at once with 1", stderr="Traceback\n\x1b[31mno repo\n", hint="is this a repo?"
    ),
    "a silent server": ToolServerError("git", "tool server `git` did not answer within 60s", stderr=" \n"),
    "escapes": LLMConnectionError("\x1b[2Jthe server said \x07"),
    "findings": CannotServeError([FINDINGS["no text"]]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_without_a_file(name, snapshot):
    assert render_error(ERRORS[name]) == snapshot


def test_an_error_in_colour():
    assert render_error(UsageError("no", hint="yes"), colour=True) == (
        "\x1b[1;31merror\x1b[0m\x1b[1m: no\x1b[0m\n  \x1b[1;34m=\x1b[0m \x1b[1mhelp\x1b[0m: yes\n"
    )


def test_findings_for_machines():
    found = [FINDINGS["a word"], FINDINGS["no place"]]
    assert findings_json(found, ["flow.yaml", "fine.yaml"], 3) == {
        "findings": [
            {
                "code": "BR100",
                "level": "error",
                "file": "flow.yaml",
                "line": None,
                "column": None,
                "end_line": None,
                "end_column": None,
                "message": "the file is empty",
                "help": "start with `version: 1`",
                "fix": None,
            },
            {
                "code": "BR204",
                "level": "error",
                "file": "flow.yaml",
                "line": 6,
                "column": 13,
                "end_line": 6,
                "end_column": 18,
                "message": "step `fix` needs `survy`, but no step has this id",
                "help": "did you mean `survey`?",
                "fix": None,
            },
        ],
        "files": ["flow.yaml", "fine.yaml"],
        "exit_code": 3,
    }
