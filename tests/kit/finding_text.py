"""Findings as plain text, all of each: a test that compares it shows what a person is told."""

from __future__ import annotations

from collections.abc import Iterable

from runner.words.diagnostics import Diagnostic
from runner.words.errors import WorkflowError
from runner.words.spans import Span
from runner.workflow.document import parse_document
from runner.workflow.schema import shape_findings


def shown(findings: Iterable[Diagnostic]) -> str:
    """One finding after the other: code, place, level, message; help and notes in lines of their own."""
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.code} {_place(finding.span)} {finding.level}: {finding.message}")
        lines += [f"  note {_place(note.span)}: {note.message}" for note in finding.notes]
        lines += [f"  help: {finding.help}"] if finding.help else []
    return "\n".join(lines)


def _place(span: Span | None) -> str:
    return "-" if span is None else f"{span.line}:{span.column}-{span.end_line}:{span.end_column}"


def text_findings(source: str | bytes) -> str:
    """What reading a text finds."""
    try:
        return shown(parse_document(source, "w.yaml").warnings)
    except WorkflowError as error:
        return shown(error.diagnostics)


def shape_text(source: str) -> str:
    """What the schema finds in a text that can be read."""
    return shown(shape_findings(parse_document(source, "w.yaml")))
