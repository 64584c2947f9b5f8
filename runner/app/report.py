"""Telling a person, or a machine, what a check, a dry run or an error has to say."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from runner.app.check import Report, outside_findings
from runner.app.console import allows_colour, say, tell
from runner.app.request import CheckRequest, RunRequest
from runner.plan.plan import Plan
from runner.show.findings import findings_json
from runner.show.plan_view import plan_json, render_plan
from runner.show.problems import render, render_error
from runner.words.diagnostics import Diagnostic
from runner.words.errors import BridgeError, WorkflowError


def tell_report(report: Report, request: CheckRequest, environment: Mapping[str, str]) -> int:
    """Show what a check found; returns its exit code. JSON goes to stdout, text findings go to stderr."""
    for note in report.notes:
        tell(note)
    if request.format == "json":
        findings = (*report.findings, *outside_findings(report))
        say(json.dumps(findings_json(findings, report.files, report.exit_code), ensure_ascii=False, indent=2))
        return report.exit_code
    colour = allows_colour(sys.stderr, environment, wanted=request.colour)
    tell_findings(report.findings, colour=colour)
    if report.outside is not None:
        tell(render_error(report.outside, colour=colour))
    if not report.findings and report.outside is None:
        say(f"{_count(len(report.files), 'workflow')} checked, nothing to complain about")
    return report.exit_code


def tell_plan(plan: Plan, notes: Sequence[str], request: RunRequest, environment: Mapping[str, str]) -> None:
    """Show a plan on stdout, and on stderr what else there is to say."""
    for note in notes:
        tell(note)
    tell_findings(plan.findings, colour=allows_colour(sys.stderr, environment, wanted=request.colour))
    if request.format == "json":
        say(json.dumps(plan_json(plan), ensure_ascii=False, indent=2))
    else:
        say(render_plan(plan))


def tell_error(error: BridgeError, *, colour: bool) -> None:
    """Show an error on stderr: findings with their place in the file where it has them."""
    if isinstance(error, WorkflowError) and error.diagnostics:
        tell_findings(error.diagnostics, colour=colour)
    else:
        tell(render_error(error, colour=colour))


def tell_findings(findings: Sequence[Diagnostic], *, colour: bool) -> None:
    """Show findings on stderr, each with the words of the file that it is about."""
    if findings:
        tell(render(findings, source_reader(), colour=colour))


def source_reader() -> Callable[[str], str | None]:
    """Reads files for excerpts, each once; None for what cannot be read as text."""

    @lru_cache(maxsize=256)
    def source(file: str) -> str | None:
        try:
            return Path(file).read_text("utf-8-sig", errors="replace")
        except OSError:
            return None

    return source


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
