"""Findings for machines: what ``check --format json`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runner.words.diagnostics import Diagnostic, Fix, in_file_order


def findings_json(diagnostics: Iterable[Diagnostic], files: Sequence[str], exit_code: int) -> dict[str, Any]:
    """``{findings, files, exit_code}``: findings in file order, the files that were checked, the exit code.

    A finding has ``fix`` besides what ``finding_json`` says: null, or ``{title, unsafe, edits}``. An edit is ``{line,
    column, end_line, end_column, text}``: the text stands instead of what is there, which may be nothing.
    """
    found = in_file_order(diagnostics)
    return {
        "findings": [finding_json(finding) | {"fix": fix_json(finding.fix)} for finding in found],
        "files": list(files),
        "exit_code": int(exit_code),
    }


def finding_json(finding: Diagnostic) -> dict[str, Any]:
    """``{code, level, file, line, column, end_line, end_column, message, help}``; null where there is none.

    Lines and columns count from 1 in code points; the end is exclusive.
    """
    line, column, end_line, end_column = finding.span or (None, None, None, None)
    return {
        "code": finding.code,
        "level": finding.level,
        "file": finding.file,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "message": finding.message,
        "help": finding.help,
    }


def fix_json(fix: Fix | None) -> dict[str, Any] | None:
    """``{title, unsafe, edits}``; edits have their places as findings have."""
    if fix is None:
        return None
    edits = [dict(zip(_PLACE, edit.span, strict=True), text=edit.text) for edit in fix.edits]
    return {"title": fix.title, "unsafe": fix.unsafe, "edits": edits}


_PLACE = ("line", "column", "end_line", "end_column")
