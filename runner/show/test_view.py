"""Test cases for people (one line a case, then what failed) and for machines (JUnit)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from runner.show.cell import harmless, one_line, pad
from runner.show.ink import Ink
from runner.words.noun import noun
from runner.words.units import show_seconds

Verdict = Literal["passed", "failed", "error", "updated"]
"""``error``: the case could not be run, because a file is at fault; ``updated``: its snapshot was written."""


@noun
class Failure:
    """Why a case failed. ``place`` is ``file:line``, ``head`` one line, ``lines`` what follows below it."""

    place: str
    head: str
    lines: tuple[str, ...] = ()


@noun
class CaseReport:
    """How a case went. ``notes`` are told although it passed (what was written); ``seconds`` it took."""

    file: str
    name: str
    verdict: Verdict
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def id(self) -> str:
        """``file::name``."""
        return f"{self.file}::{self.name}"


def case_line(report: CaseReport, room: int, *, colour: bool = False) -> str:
    """The line of a case, its verdict in a column of its own; ``room`` is the width of the longest id."""
    ink = Ink(colour)
    verdict = report.verdict if report.verdict in ("passed", "updated") else ink.error(report.verdict.upper())
    return f"{pad(one_line(report.id), room)}  {verdict}"


def failures_text(reports: Sequence[CaseReport], *, colour: bool = False) -> str:
    """Everything that failed, a block each; what was written; empty for nothing."""
    ink = Ink(colour)
    blocks = [block for report in reports for block in _blocks(report, ink)]
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _blocks(report: CaseReport, ink: Ink) -> Iterator[str]:
    for failure in report.failures:
        head = f"{ink.error(harmless(report.name))}: {harmless(failure.head)}"
        below = [f"  {harmless(line)}".rstrip() for line in failure.lines]
        yield "\n".join([head, f"  {ink.frame('-->')} {harmless(failure.place)}", *below])
    for note in report.notes:
        yield harmless(note).rstrip("\n")


def tally_text(reports: Sequence[CaseReport], seconds: float) -> str:
    """``3 passed, 1 failed in 0.4s``."""
    counts = [(sum(one.verdict == verdict for one in reports), verdict) for verdict in _ORDER]
    said = ", ".join(f"{number:,} {_counted(verdict, number)}" for number, verdict in counts if number)
    return f"{said or 'no cases'} in {show_seconds(seconds)}"


_ORDER: tuple[Verdict, ...] = ("passed", "updated", "failed", "error")


def _counted(verdict: Verdict, number: int) -> str:
    return "errors" if verdict == "error" and number != 1 else verdict


def junit_xml(reports: Sequence[CaseReport]) -> str:
    """The cases as JUnit, a suite a file, as CI servers read it."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', f"<testsuites{_sums(reports)}>"]
    for file in dict.fromkeys(report.file for report in reports):
        own = [report for report in reports if report.file == file]
        lines.append(f"  <testsuite name={_attribute(file)}{_sums(own)}>")
        lines += [line for report in own for line in _junit_case(report)]
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _sums(reports: Sequence[CaseReport]) -> str:
    failed = sum(one.verdict == "failed" for one in reports)
    errors = sum(one.verdict == "error" for one in reports)
    seconds = sum(one.seconds for one in reports)
    return f' tests="{len(reports)}" failures="{failed}" errors="{errors}" time="{seconds:.3f}"'


def _junit_case(report: CaseReport) -> Iterator[str]:
    names = f"classname={_attribute(report.file)} name={_attribute(report.name)}"
    head = f'    <testcase {names} time="{report.seconds:.3f}"'
    if not report.failures:
        yield f"{head}/>"
        return
    # One element whatever failed: of several, most readers of such reports show the first alone.
    tag = "error" if report.verdict == "error" else "failure"
    first, *more = report.failures
    message = f"{first.head} (and {len(more)} more)" if more else first.head
    blocks = ["\n".join([*([one.head] if more else []), one.place, *one.lines]) for one in report.failures]
    text = escape(_legal("\n\n".join(blocks)))
    yield f"{head}>"
    yield f'      <{tag} type="{report.verdict}" message={_attribute(message)}>{text}</{tag}>'
    yield "    </testcase>"


def _attribute(text: str) -> str:
    return quoteattr(_legal(text))


def _legal(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(sign if sign in "\t\n" or (sign >= " " and sign not in "\ufffe\uffff") else "�" for sign in text)
