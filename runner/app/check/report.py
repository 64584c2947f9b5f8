"""Telling a person, or a machine, what a check has found; drawing is imported when there is something to draw."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace

from runner.app.check.check import Report, good_text
from runner.app.console import allows_colour, say, tell
from runner.app.request import OFFLINE, CheckRequest


def tell_report(report: Report, request: CheckRequest, environment: Mapping[str, str]) -> int:
    """Show what a check found; returns its exit code. What machines read goes to stdout or into the file of the
    request, text findings go to stderr.

    Raises:
        UsageError: the file cannot be written.
    """
    if report.findings:
        from runner.app.check.fix import with_all_fixes

        report = replace(report, findings=with_all_fixes(report))
    for note in report.notes:
        tell(note)
    good = not report.findings and report.outside is None
    as_text = request.format == "text" or request.output_file is not None
    if request.offline and not (good and as_text):
        tell(f"offline: {OFFLINE}")
    if request.format != "text" or request.output_file is not None:
        from runner.app.check.formats import formatted, write_report

        made = formatted(report, request, environment)
        if request.output_file is None:
            say(made)
            return report.exit_code
        write_report(request.output_file, made)
    if good:
        say(good_text(report))
        return report.exit_code
    from runner.app.problem import tell_error, tell_findings

    colour = allows_colour(sys.stderr, environment, wanted=request.colour)
    tell_findings(report.findings, colour=colour)
    tell(_fixable(report))
    if report.outside is not None:
        tell_error(report.outside, colour=colour)
    return report.exit_code


def _fixable(report: Report) -> str:
    """How many findings have a fix; empty for none."""
    fixes = [finding.fix for finding in dict.fromkeys(report.findings) if finding.fix is not None]
    unsafe = sum(fix.unsafe for fix in fixes)
    said = [f"{len(fixes) - unsafe} with `--fix`"] if len(fixes) > unsafe else []
    said += [f"{unsafe} with `--fix --unsafe-fixes`"] if unsafe else []
    return f"fixable: {', '.join(said)}" if said else ""
