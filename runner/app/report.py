"""Telling a person, or a machine, what a check or a dry run has found."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from runner.app.check import Report, outside_findings
from runner.app.console import allows_colour, say, tell
from runner.app.problem import tell_error, tell_findings
from runner.app.request import CheckRequest, RunRequest
from runner.plan.plan import Plan
from runner.show.findings import findings_json
from runner.show.plan_view import plan_json, plan_text


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
        tell_error(report.outside, colour=colour)
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
        say(plan_text(plan))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
