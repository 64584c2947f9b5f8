"""Findings of the plan: they point at the words of the file that asked for what is missing."""

from __future__ import annotations

from runner.words.diagnostics import Diagnostic, Level, Note
from runner.words.spans import Path, Span
from runner.workflow.model import Workflow


def span_at(workflow: Workflow, path: Path) -> Span | None:
    """Where the value of ``path`` stands, or else the nearest value around it whose place is known.

    Of a whole step or model that is its ``id``.
    """
    for length in range(len(path), 0, -1):
        for place in ((*path[:length], "id"), path[:length]):
            if place in workflow.spans:
                return workflow.spans[place]
    return None


def finding(
    workflow: Workflow,
    code: str,
    path: Path,
    message: str,
    *,
    level: Level = "error",
    help: str | None = None,
    notes: tuple[Note, ...] = (),
) -> Diagnostic:
    """A finding about the value at ``path`` of the workflow's file."""
    return Diagnostic(
        code=code,
        message=message,
        file=workflow.file,
        span=span_at(workflow, path),
        level=level,
        help=help,
        notes=notes,
    )
