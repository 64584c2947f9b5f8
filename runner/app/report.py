"""Telling a person, or a machine, what a check has found; drawing is imported when there is something to draw."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from runner.app.check import Report, counted, outside_findings
from runner.app.console import allows_colour, say, tell
from runner.app.request import OFFLINE, CheckRequest


def tell_report(report: Report, request: CheckRequest, environment: Mapping[str, str]) -> int:
    """Show what a check found; returns its exit code. JSON goes to stdout, text findings go to stderr."""
    for note in report.notes:
        tell(note)
    good = not report.findings and report.outside is None
    if request.offline and not (good and request.format == "text"):
        tell(f"offline: {OFFLINE}")
    if request.format == "json":
        from runner.show.findings import findings_json

        findings = (*report.findings, *outside_findings(report))
        say(json.dumps(findings_json(findings, report.files, report.exit_code), ensure_ascii=False, indent=2))
        return report.exit_code
    if good:
        found = f" ({', '.join(report.looked_for)})" if report.looked_for else ""
        say(f"{counted(len(report.files), 'workflow')} checked, nothing to complain about{found}")
        return report.exit_code
    from runner.app.problem import tell_error, tell_findings

    colour = allows_colour(sys.stderr, environment, wanted=request.colour)
    tell_findings(report.findings, colour=colour)
    if report.outside is not None:
        tell_error(report.outside, colour=colour)
    return report.exit_code
