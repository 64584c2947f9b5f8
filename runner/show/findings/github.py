"""Findings as GitHub's workflow commands: printed in a step, they stand as annotations beside the lines of the change.

GitHub shows at most ten errors and ten warnings of a step, and fifty annotations of a job; all of them are in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runner.words.diagnostics import Diagnostic, in_file_order

Place = Callable[[str], str]
"""The path of a file, as it was given, from the root of the repository."""


def findings_github(diagnostics: Iterable[Diagnostic], place: Place) -> str:
    """A line a finding, in file order: ``::error file=…,line=…,title=BR204::message``; empty for none."""
    return "".join(_command(finding, place) + "\n" for finding in in_file_order(diagnostics))


def _command(finding: Diagnostic, place: Place) -> str:
    properties: dict[str, object] = {"file": place(finding.file)}
    if finding.span is not None:
        line, column, end_line, end_column = finding.span
        properties |= {"line": line}
        if line == end_line:  # GitHub refuses columns of what goes over several lines
            properties |= {"col": column, "endLine": end_line, "endColumn": end_column}
        else:
            properties |= {"endLine": end_line}
    properties |= {"title": finding.code}
    said = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    message = finding.message + (f"\nhelp: {finding.help}" if finding.help else "")
    return f"::{finding.level} {said}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
