"""What a rehearsal has seen: every step with its ways, what failed, and which stubs are missing or unused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.show.cell import harmless, pad
from runner.words.noun import noun

_UNMET = ("limit", "expectation")
"""Kinds that say that answers were not what the file asks for: a better one may be known to a person."""
_MARKS = {True: "✓", False: "·"}


@noun
class SeenStep:
    """A step of the file, or one below a call. ``ways`` are those that it may take besides running, and whether it did.

    ``why`` says why it never ran; empty where it did.
    """

    path: str
    kind: str
    ran: bool
    ways: tuple[tuple[str, bool], ...] = ()
    why: str = ""


@noun
class Fault:
    """A step that failed although nothing was made to fail. ``part`` says what was answered other than usual."""

    path: str
    kind: str
    message: str
    part: str = ""


@noun
class RehearsalReport:
    """``walks`` is how often the workflow was run through. ``unused`` are stubs with their lines in the stub file."""

    file: str
    walks: int
    steps: tuple[SeenStep, ...]
    faults: tuple[Fault, ...] = ()
    missing: tuple[str, ...] = ()
    unused: tuple[tuple[str, int], ...] = ()
    stub_file: str = ""

    @property
    def good(self) -> bool:
        """Whether every step ran, none failed by itself, and the stubs are as they should be."""
        return not (self.faults or self.missing or self.unused) and all(step.ran for step in self.steps)


def rehearsal_text(report: RehearsalReport) -> str:
    """The report for people."""
    parts = [list(_steps(report)), list(_never(report)), list(_faults(report)), list(_stubs(report))]
    parts.append([_last_line(report)])
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _steps(report: RehearsalReport) -> Iterator[str]:
    names = max((len(step.path) for step in report.steps), default=0)
    kinds = max((len(step.kind) for step in report.steps), default=0)
    for step in report.steps:
        ways = "  ".join(f"{_MARKS[taken]} {harmless(label)}" for label, taken in step.ways)
        yield f"  {_MARKS[step.ran]} {pad(step.path, names)}  {pad(step.kind, kinds)}  {ways}".rstrip()


def _never(report: RehearsalReport) -> Iterator[str]:
    for step in report.steps:
        if not step.ran:
            yield f"error: `{step.path}` was never reached: {harmless(step.why)}"


def _faults(report: RehearsalReport) -> Iterator[str]:
    for fault in report.faults:
        first, *rest = harmless(fault.message).split("\n")
        yield f"error: `{fault.path}` failed ({fault.kind}): {first}"
        yield from (f"  {line}".rstrip() for line in rest)
        if fault.part:
            yield f"  = note: {harmless(fault.part)}"
        if fault.kind in _UNMET:
            yield "  = help: no answer that was made up is good enough; write a stub for it"


def _stubs(report: RehearsalReport) -> Iterator[str]:
    for path in report.missing:
        yield f"error: nothing that fits the `output` of `{path}` could be made up"
        yield f"  = help: write a stub for it: `bridge-run {report.file} --rehearse --stubs-init`, then `--stubs FILE`"
    for name, line in report.unused:
        yield f"error: {report.stub_file}:{line}: the stub of `{name}` was never used"
        yield "  = help: delete it, or see above why its step was not reached"


def _last_line(report: RehearsalReport) -> str:
    ran = sum(step.ran for step in report.steps)
    taken = [way for step in report.steps for _, way in step.ways]
    walks = f"{report.walks} walk" + "s" * (report.walks != 1)
    ways = f", {sum(taken)} of {len(taken)} ways taken" if taken else ""
    return f"rehearsed {report.file} in {walks}: {ran} of {len(report.steps)} steps ran{ways}"


def rehearsal_json(report: RehearsalReport, exit_code: int) -> Mapping[str, Any]:
    """The report for machines."""
    return {
        "file": report.file,
        "walks": report.walks,
        "steps": [
            {
                "step": step.path,
                "kind": step.kind,
                "ran": step.ran,
                "ways": [{"way": label, "taken": taken} for label, taken in step.ways],
                "why": step.why or None,
            }
            for step in report.steps
        ],
        "faults": [
            {"step": fault.path, "kind": fault.kind, "message": fault.message, "with": fault.part or None}
            for fault in report.faults
        ],
        "missing_stubs": list(report.missing),
        "unused_stubs": [{"step": name, "line": line} for name, line in report.unused],
        "exit_code": exit_code,
    }
