"""``bridge-run check --fix``: what is certain is written into the files, and never what makes one worse."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from runner.app.check.check import Report, counted
from runner.app.console import say, tell
from runner.app.request import CheckRequest
from runner.edges.files.diff import unified_diff
from runner.edges.replace_file import replace_file
from runner.words.diagnostics import Diagnostic, Edit, Fix
from runner.words.edits import apart, edited
from runner.words.errors import WorkflowError
from runner.words.noun import noun
from runner.words.spans import Span
from runner.workflow.document import Document, parse_document, read_document
from runner.workflow.fixes.fixes import FIXABLE, with_fixes
from runner.workflow.load import load_document
from runner.workflow.schema import shape_findings

_ROUNDS = 10
"""A fix may bring to light what could not be judged before; so often it is looked again."""
_VERSION = "BR222"
"""Whoever writes another version is told of nothing else."""
_MARK = "\ufeff"
_MODELINE = "# yaml-language-server:"
_SCHEMAS = (".schema/workflow.schema.json", "schemas/workflow.schema.json")


def with_all_fixes(report: Report) -> tuple[Diagnostic, ...]:
    """The findings of a check, each with its fix if it has one; files that are only called stay as they are."""
    found = report.findings
    for name in dict.fromkeys(finding.file for finding in found if finding.code in FIXABLE):
        if name not in report.files:
            continue
        try:
            document = read_document(name)
        except WorkflowError:
            continue
        found = with_fixes(document, found)
    return found


def fix_files(report: Report, request: CheckRequest) -> bool:
    """Repair the files of a check, or with ``request.diff`` only show how; whether a file was written.

    Raises:
        UsageError: a file cannot be written.
    """
    written, fixes = 0, 0
    for name in report.files:
        own = [finding for finding in report.findings if finding.file == name]
        repair = _repair(name, own, unsafe=request.unsafe_fixes)
        if repair is None:
            continue
        written, fixes = written + 1, fixes + repair.fixes
        if request.diff:
            say(unified_diff(repair.before, repair.after, name))
        else:
            replace_file(name, repair.after.encode())
    what = "would fix" if request.diff else "fixed"
    tell(f"{what} {counted(fixes, 'thing')} in {counted(written, 'file')}" if fixes else f"{what} nothing")
    return written > 0 and not request.diff


@noun
class _Repair:
    """A text before and after, with the byte order mark if it has one, and how many fixes made the difference."""

    before: str
    after: str
    fixes: int


@noun
class _Judged:
    """A text, what was found in it, and how far the judging came.

    ``stage``: 0 its grammar, 1 its version, 2 its shape, 3 its meaning, 4 nothing is wrong.
    """

    text: str
    stage: int
    findings: tuple[Diagnostic, ...]
    document: Document | None = None

    @property
    def errors(self) -> int:
        return sum(finding.level == "error" for finding in self.findings)


def _repair(name: str, findings: Sequence[Diagnostic], *, unsafe: bool) -> _Repair | None:
    try:
        before = Path(name).read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None
    now = _judge(name, before.removeprefix(_MARK))
    if now.document is None:
        return None
    fixes = 0
    found: Sequence[Diagnostic] = findings
    for _ in range(_ROUNDS):
        assert now.document is not None, "what is worse was not taken"
        wanted = [one.fix for one in with_fixes(now.document, found) if one.fix and (unsafe or not one.fix.unsafe)]
        better, made = _best(name, now, [*_modeline(name, now.text), *wanted])
        if not made:
            break
        now, fixes, found = better, fixes + made, better.findings
    mark = _MARK if before.startswith(_MARK) else ""
    return _Repair(before=before, after=mark + now.text, fixes=fixes) if fixes else None


def _best(name: str, now: _Judged, wanted: Iterable[Fix]) -> tuple[_Judged, int]:
    """The text with as many of the fixes as make it no worse, and how many these are."""
    fixes = apart(wanted)
    then = _with(name, now, fixes)
    if _is_worse(then, now):
        fixes = tuple(fix for fix in fixes if not _is_worse(_with(name, now, [fix]), now))
        then = _with(name, now, fixes)
    return (now, 0) if _is_worse(then, now) or then.text == now.text else (then, len(fixes))


def _with(name: str, now: _Judged, fixes: Iterable[Fix]) -> _Judged:
    return _judge(name, edited(now.text, [edit for fix in fixes for edit in fix.edits]))


def _is_worse(then: _Judged, now: _Judged) -> bool:
    return (then.stage, -then.errors) < (now.stage, -now.errors)


def _judge(name: str, text: str) -> _Judged:
    """What is wrong with the text in place of the file's; of the files that it calls nothing is said."""
    try:
        document = parse_document(text, name)
    except WorkflowError as error:
        return _Judged(text=text, stage=0, findings=error.diagnostics)
    try:
        found = load_document(document).warnings
    except WorkflowError as error:
        shape = {one.code for one in shape_findings(document) if one.level == "error"}
        stage = 1 if _VERSION in shape else 2 if shape else 3
        return _Judged(text=text, stage=stage, findings=tuple(_own(name, error.diagnostics)), document=document)
    return _Judged(text=text, stage=4, findings=tuple(_own(name, found)), document=document)


def _own(name: str, findings: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    return (finding for finding in findings if finding.file == name)


def _modeline(name: str, text: str) -> Iterator[Fix]:
    """The line that tells editors where the schema is, if the project has one and the file does not say so."""
    if _MODELINE in text:
        return
    folder = Path(name).absolute().parent
    for above in (folder, *folder.parents):
        for schema in _SCHEMAS:
            if (above / schema).is_file():
                way = Path(os.path.relpath(above / schema, folder)).as_posix()
                end = "\r\n" if "\r\n" in text else "\n"
                edit = Edit(span=Span(1, 1, 1, 1), text=f"{_MODELINE} $schema={way}{end}")
                yield Fix(title="name the schema for editors", edits=(edit,))
                return
        if (above / ".git").exists() or above == Path.cwd():
            return
