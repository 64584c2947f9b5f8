"""What a check found, in the forms that programs read, and the file that it may go into."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from runner import __version__
from runner.app.check.check import Report, good_text, outside_findings
from runner.app.problem import error_text, source_reader
from runner.app.request import CheckRequest
from runner.words.errors import UsageError


def formatted(report: Report, request: CheckRequest, environment: Mapping[str, str]) -> str:
    """The report in the format of the request; that no server could be asked is a finding of it."""
    findings = (*report.findings, *outside_findings(report))
    source = source_reader()
    places = {file: path_in_repository(file, environment) for file in {finding.file for finding in findings}}
    if request.format == "json":
        from runner.show.findings.findings import findings_json

        made = findings_json(findings, report.files, report.exit_code)
        return json.dumps(made, ensure_ascii=False, indent=2)
    if request.format == "github":
        from runner.show.findings.github import findings_github

        return findings_github(findings, places.__getitem__)
    if request.format == "sarif":
        from runner.show.findings.sarif import findings_sarif
        from runner.workflow.explain.explain import EXPLANATIONS

        log = findings_sarif(findings, EXPLANATIONS, source, places, version=__version__)
        return json.dumps(log, ensure_ascii=False, indent=2)
    if request.format == "junit":
        from runner.show.findings.junit import findings_junit

        return findings_junit(findings, report.files, source, strict=request.strict)
    return _text(report)


def _text(report: Report) -> str:
    from runner.show.problems import render

    text = render(report.findings, source_reader())
    if report.outside is not None:
        text += error_text(report.outside)
    return text or good_text(report) + "\n"


def path_in_repository(file: str, environment: Mapping[str, str]) -> str:
    """The path from the root of what CI checked out, where CI says which that is; else as it was given."""
    root = environment.get("GITHUB_WORKSPACE")
    if root:
        inside = os.path.relpath(Path(file).absolute(), root)
        if not inside.startswith(os.pardir):
            return Path(inside).as_posix()
    return Path(file).as_posix()


def write_report(file: str, text: str) -> None:
    """Write it, and the folders on the way there.

    Raises:
        UsageError: it cannot be written.
    """
    path = Path(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if text.endswith("\n") or not text else text + "\n", encoding="utf-8", errors="replace")
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"cannot write `{file}`: {why}", hint="`--output-file` names another place") from error
