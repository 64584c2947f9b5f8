"""Findings for machines: what ``check --format json`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runner.words.diagnostics import Diagnostic, in_file_order


def findings_json(diagnostics: Iterable[Diagnostic], files: Sequence[str], exit_code: int) -> dict[str, Any]:
    """``{findings, files, exit_code}``: findings in file order, the files that were checked, the exit code."""
    return {
        "findings": [finding_json(finding) for finding in in_file_order(diagnostics)],
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
