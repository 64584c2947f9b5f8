"""Fixes: a file with something wrong in it, and the file that they make of it."""

from __future__ import annotations

import pytest

from runner.words.diagnostics import Diagnostic, Fix
from runner.words.edits import apart, edited
from runner.words.errors import WorkflowError
from runner.words.spans import Span
from runner.workflow.document import parse_document
from runner.workflow.fixes.fixes import FIXABLE, with_fixes
from runner.workflow.load import load_document

HEAD = "version: 1\nname: x\n"


def found(text: str) -> tuple[Diagnostic, ...]:
    document = parse_document(text, "x.yaml")
    try:
        findings = load_document(document).warnings
    except WorkflowError as error:
        findings = error.diagnostics
    return with_fixes(document, findings)


def fixes(text: str) -> list[Fix]:
    return [one.fix for one in found(text) if one.fix is not None]


def repaired(text: str) -> str:
    """The text with all of its fixes made, once."""
    return edited(text, [edit for fix in apart(fixes(text)) for edit in fix.edits])


def step(*lines: str, head: str = "") -> str:
    return f"{HEAD}{head}steps:\n  - id: scan\n    task: Go.\n  - id: note\n" + "".join(f"    {one}\n" for one in lines)


FILES = "mcp_servers:\n  files: {builtin: files}\n  git: {command: git-mcp}\n"
USE_GIT = "  - id: uses\n    task: Go.\n    mcp_servers: [files, git]\n"

REPAIRS = {
    "a key": (step("tsk: Go.  # now"), "tsk:", "task:"),
    "a key in quotes": (step('"tsk": Go.'), '"tsk"', '"task"'),
    "a key at the top": (step("task: Go.", head="descripton: A\n"), "descripton", "description"),
    "a key in flow": (step("task: Go.", "retry: {atempts: 3}"), "atempts", "attempts"),
    "a choice": (step("task: Go.", "join: all_suceeded"), "all_suceeded", "all_succeeded"),
    "a quoted boolean": (step("task: Go.", 'reads_only: "true"  # yes'), '"true"', "true"),
    "yes": (step("task: Go.", "reads_only: yes"), "yes", "true"),
    "a quoted number": (step("task: Go.", "repair: '3'"), "'3'", "3"),
    "a word for a list": (step("task: Go.", "mcp_servers: files", head=FILES) + USE_GIT, "files\n  -", "[files]\n  -"),
    "the version": (step("task: Go.").replace("version: 1", "version: '1'"), "'1'", "1"),
    "braces": (
        step("task: Go.", "when: \"{{ steps.scan.status == 'succeeded' }}\""),
        "{{ steps.scan.status == 'succeeded' }}",
        "steps.scan.status == 'succeeded'",
    ),
    "a need": (step("task: Go.", "needs: [scn]"), "scn", "scan"),
    "a need without a list": (step("task: Go.", "needs: scn"), "scn", "scan"),
    "a step in a template": (step('task: "{{ steps.scn.output }} scn"'), "steps.scn", "steps.scan"),
    "a step in a block": (step("task: |", "  Look at", "  {{ steps.scn.output }}."), "scn", "scan"),
    "an attribute": (step('task: "{{ steps.scan.outptu }}"'), "outptu", "output"),
    "a root": (step('task: "{{ step.scan.output }}"'), "step.", "steps."),
    "an input": (
        step("task: Look at {{ inputs.pth }}.", head="inputs: {path: {type: string}}\n"),
        "inputs.pth",
        "inputs.path",
    ),
    "a server": (step("task: Go.", "mcp_servers: [fles]", head=FILES) + USE_GIT, "fles", "files"),
    "a server of a tool": (step("tool: fles.list", head=FILES) + USE_GIT, "fles.", "files."),
    "a built-in tool": (step("tool: files.lst", head=FILES) + USE_GIT, "lst", "list"),
    "a secret": (
        step("run: [a]", 'env: {A: "{{ secrets.TOKN }}", B: "{{ secrets.TOKEN }}"}', head="secrets: [TOKEN]\n"),
        "TOKN",
        "TOKEN",
    ),
    "an answer": (step("approve: Sure?", "choices: [publish, wait]", "default: publsh"), "publsh", "publish"),
    "an answer without choices": (step("approve: Sure?", "default: yess"), "yess", "yes"),
}


@pytest.mark.parametrize("name", REPAIRS)
def test_what_can_only_mean_one_thing_is_put_right_and_nothing_else(name: str) -> None:
    before, wrong, right = REPAIRS[name]
    assert before.count(wrong) == 1
    assert repaired(before) == before.replace(wrong, right)
    assert not any(fix.unsafe for fix in fixes(before))


@pytest.mark.parametrize("name", REPAIRS)
def test_what_was_repaired_needs_no_second_repair(name: str) -> None:
    once = repaired(REPAIRS[name][0])
    if name != "an answer without choices":  # the word `yes` without quotes is a warning of its own
        assert fixes(once) == []
    assert repaired(once) == once


LEFT_ALONE = {
    "a synonym is no slip": step("prompt: Go."),
    "a tool that is excluded": step("task: Go.", "tools: ['!files.read']", "mcp_servers: [files]", head=FILES)
    + USE_GIT,
    "`required` at an input": step("task: Go.", head="inputs: {path: {type: string, required: true}}\n"),
    "the key is there already": step("tsk: Go.", "task: Stay."),
    "a key that belongs elsewhere": step("approve: Sure?", "timeout: 3s", "images: [a.png]"),
    "two names are near": step("task: Go.", "needs: [scat]") + "  - id: scab\n    task: Go.\n",
    "no name is near": step("task: Go.", "needs: [nothing]"),
    "the name stands twice": step('task: "{{ steps.scn.output.scn }}"'),
    "a reference over two lines": step('task: "{{ steps', '  .scn.output }}"'),
    "a text that is no number": step("task: Go.", "repair: many"),
    "a list of words in one text": step("task: Go.", "mcp_servers: files and git", head=FILES) + USE_GIT,
    "a mapping for a boolean": step("task: Go.", "reads_only: {a: 1}"),
    "another version": step("task: Go.").replace("version: 1", "version: 2"),
    "braces within an expression": step("task: Go.", 'when: "{{ steps.scan.output }} == {{ 1 }}"'),
    "braces in a block": step("task: Go.", "when: >-", "  {{ steps.scan.output == 1 }}"),
    "empty braces": step("task: Go.", 'when: "{{ }}"'),
    "a choice that nobody meant": step("task: Go.", "join: sometimes"),
    "a number for a choice": step("task: Go.", "join: 3"),
    "an alias": step("task: Go.", "needs: [&it scan]") + "  - id: last\n    task: Go.\n    mcp_servers: [*it]\n",
    "a tool that another server does not let": step("tool: git.lst", head=FILES.replace("git-mcp", "g, tools: [list]"))
    + USE_GIT,
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_is_not_certain_has_no_fix(name: str) -> None:
    assert found(LEFT_ALONE[name]) != ()
    assert fixes(LEFT_ALONE[name]) == []


UNUSED = {
    "an input between others": (
        step(
            "task: Look at {{ inputs.a }} and {{ inputs.c }}.",
            head="inputs:\n  a: {type: string}\n  # about b\n  b:  # nobody\n    type: string\n  c: {type: string}\n",
        ),
        "  b:  # nobody\n    type: string\n",
    ),
    "all inputs": (step("task: Go.", head="inputs:\n  a: {type: string}\n"), "inputs:\n  a: {type: string}\n"),
    "an input in flow": (
        step("task: Look at {{ inputs.a }}.", head="inputs: {a: {type: string}, b: {type: string}}\n"),
        ", b: {type: string}",
    ),
    "a secret of a list": (
        step("run: [a]", 'env: {A: "{{ secrets.TWO }}"}', head="secrets: [ONE, TWO]\n"),
        "ONE, ",
    ),
    "a secret of lines": (
        step("run: [a]", 'env: {A: "{{ secrets.TWO }}"}', head="secrets:\n  - ONE # old\n  - TWO\n"),
        "  - ONE # old\n",
    ),
    "the only secret": (step("task: Go.", head="secrets: [ONE]\n"), "secrets: [ONE]\n"),
    "a model": (step("task: Go.", "model: a", head="models:\n  a: x/a\n  b: x/b\n"), "  b: x/b\n"),
    "a server": (step("task: Go.", "mcp_servers: [files]", head=FILES), "  git: {command: git-mcp}\n"),
}


@pytest.mark.parametrize("name", UNUSED)
def test_what_nothing_uses_can_be_taken_out_but_that_is_not_safe(name: str) -> None:
    before, gone = UNUSED[name]
    assert [fix.unsafe for fix in fixes(before)] == [True]
    assert repaired(before) == before.replace(gone, "", 1)


@pytest.mark.parametrize(
    "head",
    [
        "inputs: {a: {type: string},\n  b: {type: string}}\n",  # a comma at the end of a line
        "inputs:\n  ? b\n  : {type: string}\n  a: {type: string}\n",  # a key in two parts
    ],
)
def test_what_shares_its_lines_with_something_else_stays(head: str) -> None:
    text = step("task: Look at {{ inputs.a }}.", head=head)
    assert [one.code for one in found(text)] == ["BR230"]
    assert fixes(text) == []


def test_all_of_a_file_that_uses_nothing_stays() -> None:
    text = step("task: Go.", head="models: {a: x/a, b: x/b}\n")
    assert edited(text, fixes(text)[0].edits) == text.replace("a: x/a, ", "")
    assert edited(text, fixes(text)[1].edits) == text.replace(", b: x/b", "")


def stale(line: int, column: int, end: int, *codes: str) -> list[Diagnostic]:
    """What the plan says of a comment."""
    span = Span(line, column, line, end)
    said = "this comment allows `{}`, and there is no such finding here"
    return [
        Diagnostic(code="BR329", message=said.format(code), file="x.yaml", span=span, level="warning") for code in codes
    ]


@pytest.mark.parametrize(
    ("comment", "codes", "left"),
    [
        ("  # bridge: allow BR305", ["BR305"], ""),
        ("  # bridge: allow BR305 as we know", ["BR305"], ""),
        ("  # bridge: allow BR305, br318 as we know", ["BR318"], "  # bridge: allow BR305 as we know"),
        ("  # bridge: allow BR305 BR318 BR307", ["BR305", "BR307"], "  # bridge: allow BR318"),
        ("  # bridge: allow BR305, BR318", ["BR305", "BR318"], ""),
    ],
)
def test_a_comment_that_allows_nothing_goes(comment: str, codes: list[str], left: str) -> None:
    text = step(f"task: Go.{comment}")
    column = len("    task: Go.  ") + 1
    findings = with_fixes(parse_document(text, "x.yaml"), stale(7, column, column + len(comment) - 2, *codes))
    (fix,) = apart(one.fix for one in findings if one.fix)
    assert edited(text, fix.edits) == step(f"task: Go.{left}")
    assert not fix.unsafe


def test_a_comment_on_a_line_of_its_own_goes_with_the_line() -> None:
    text = step("# bridge: allow BR305", "task: Go.")
    (finding,) = with_fixes(parse_document(text, "x.yaml"), stale(7, 5, 26, "BR305"))
    assert finding.fix is not None
    assert edited(text, finding.fix.edits) == step("task: Go.")


def test_a_comment_that_does_not_read_as_expected_stays() -> None:
    text = step("task: Go.  # nothing to see")
    assert [one.fix for one in with_fixes(parse_document(text, "x.yaml"), stale(7, 16, 32, "BR305"))] == [None]


def test_findings_about_another_file_or_without_a_place_have_no_fix() -> None:
    document = parse_document(step("tsk: Go."), "x.yaml")
    elsewhere = Diagnostic(code="BR217", message="unknown key `tsk`", file="y.yaml", span=Span(7, 5, 7, 8))
    nowhere = Diagnostic(code="BR217", message="unknown key `tsk`", file="x.yaml")
    unknown = Diagnostic(code="BR217", message="unknown key `tsk`", file="x.yaml", span=Span(1, 1, 1, 3))
    other = Diagnostic(code="BR231", message="nothing uses the model `a`", file="x.yaml", span=Span(1, 2, 1, 3))
    choice = Diagnostic(code="BR220", message="no", file="x.yaml", span=Span(1, 2, 1, 3))
    number = Diagnostic(code="BR219", message="no", file="x.yaml", span=Span(1, 1, 1, 8), help="write `3`")
    for finding in (elsewhere, nowhere, unknown, other, choice, number):
        assert with_fixes(document, [finding]) == (finding,)


def test_codes_with_fixes_are_codes() -> None:
    from runner.workflow.explain.explain import EXPLANATIONS

    assert set(EXPLANATIONS) >= FIXABLE


def test_what_an_alias_stands_for_is_not_taken_out_of_where_it_is_used() -> None:
    text = step("needs: &names [scan]", "task: Go.") + "secrets: *names\n"
    assert [one.code for one in found(text)] == ["BR231"]
    assert fixes(text) == []
