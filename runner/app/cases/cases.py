"""``bridge-run test``: every case of the test files run, judged and told."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from runner.app.cases.jobs import reports_of, usual_jobs
from runner.app.cases.judge import Miss, misses
from runner.app.cases.play import CasePlayed, play, unused_stubs
from runner.app.cases.read import Case, find_test_files, read_cases, shared_snapshots, snapshot_folders
from runner.app.cases.snapshots import UPDATE, Compared, Snapshots, difference, strays_in, unused_beside
from runner.app.console import allows_colour, say, tell
from runner.app.interrupt import ended_by_signals
from runner.app.problem import error_text
from runner.edges.clock import Clock
from runner.show.cell import width
from runner.show.test_view import CaseReport, Failure, case_line, failures_text, junit_xml, tally_text
from runner.words.diagnostics import Diagnostic
from runner.words.errors import BridgeError, UsageError, WorkflowError
from runner.words.exits import Exit
from runner.words.noun import noun

_WIDEST = 100
"""Cells of the column of names; a verdict stands behind a longer one."""


@noun
class TestRequest:
    """``bridge-run test``: ``paths`` are files and folders, none = where we are. ``only`` is a part of a case's id.

    ``update`` writes snapshots instead of failing for them; ``repeat`` runs each case so often and compares;
    ``jobs`` is the number of processes, None = as many as pay; ``junit`` is a file to write.
    """

    __test__ = False  # pytest takes classes of such a name for its own

    paths: tuple[str, ...] = ()
    only: str = ""
    update: bool = False
    repeat: int = 1
    jobs: int | None = None
    junit: str | None = None
    quiet: bool = False
    colour: bool = True


def run_tests(request: TestRequest) -> int:
    """Run every case, tell how it went, and give the exit code: 1 a case failed, 3 a file is at fault.

    Raises:
        UsageError: there are no test files or no such cases, or the JUnit file cannot be written.
        WorkflowError: a test file is at fault; with the findings of all of them.
        KeyboardInterrupt: Ctrl-C or SIGTERM; no case is run any more, and what they had started is gone.
    """
    with ended_by_signals():
        return _run_tests(request)


def _run_tests(request: TestRequest) -> int:
    files = find_test_files(request.paths)
    try:
        cases = _all_cases(files)
    except WorkflowError as error:
        if request.junit is not None:
            _write(request.junit, junit_xml([*_unreadable(error.diagnostics)]))
        raise
    chosen = [case for case in cases if request.only.casefold() in case.id.casefold()]
    if not chosen:
        raise UsageError(f"no case has `{request.only}` in its name", hint="leave `-k` out to see them all")
    colour = allows_colour(sys.stdout, os.environ, wanted=request.colour)
    clock = Clock()
    began = clock.monotonic()
    room = min(_WIDEST, max(width(case.id) for case in chosen))
    run = partial(run_case, snapshots=Snapshots(update=request.update), repeat=request.repeat)
    jobs = request.jobs or usual_jobs(len(chosen) * request.repeat)
    reports: list[CaseReport] = []
    with closing(reports_of(chosen, run, jobs)) as ended:
        for report in ended:
            reports.append(report)
            if not request.quiet or report.failures:
                say(case_line(report, room, colour=colour))
    if not request.only:
        reports += _unused(request, files, cases)
    told = failures_text(reports, colour=colour)
    say(f"\n{told}\n" if told else "")
    say(tally_text(reports, clock.monotonic() - began))
    if request.junit is not None:
        _write(request.junit, junit_xml(reports))
    return exit_code_of(reports)


def _unused(request: TestRequest, files: Sequence[str], cases: Sequence[Case]) -> Iterator[CaseReport]:
    """What is told of snapshots that no case uses: of each test file, and of files that are not there any more."""
    for file in files:
        if unused := unused_snapshots(file, cases, update=request.update):
            yield unused_report(file, unused, update=request.update)
    wanted = [case.snapshot for case in cases if case.snapshot is not None]
    for folder in snapshot_folders(request.paths):
        if strays := tuple(strays_in(Path(folder).parent, wanted)):
            delete(strays if request.update else ())
            yield unused_report(folder, strays, update=request.update)


def exit_code_of(reports: Sequence[CaseReport]) -> int:
    """3 where a file is at fault, 1 where a case failed."""
    if any(report.verdict == "error" for report in reports):
        return Exit.FILE
    return Exit.STEP_FAILED if any(report.verdict == "failed" for report in reports) else Exit.OK


def run_case(
    case: Case, snapshots: Snapshots, environment: Mapping[str, str] | None = None, *, repeat: int = 1
) -> CaseReport:
    """Run one case so often, and judge it; ``environment`` is ours if None. Never raises a ``BridgeError``."""
    environment = os.environ if environment is None else environment
    clock = Clock()
    began = clock.monotonic()
    try:
        failures, notes = _tried(case, snapshots, environment, repeat)
        verdict = "failed" if failures else "updated" if notes else "passed"
        expected_error = False
    except BridgeError as error:
        expected_error = case.expect.get("exit_code") == int(error.exit_code)
        failures, notes = (_unjudged(case, error) if expected_error else (_error(case, error),)), ()
        verdict = "error" if not expected_error else "failed" if failures else "passed"
    seconds = clock.monotonic() - began
    return CaseReport(
        file=case.file,
        name=case.name,
        verdict=verdict,  # type: ignore[arg-type]  # one of the four
        failures=failures,
        notes=notes,
        seconds=seconds,
    )


def _tried(
    case: Case, snapshots: Snapshots, environment: Mapping[str, str], repeat: int
) -> tuple[tuple[Failure, ...], tuple[str, ...]]:
    """Failures, and what was written."""
    first = play(case, environment)
    failures = [*_judged(case, first)]
    for number in range(2, repeat + 1):
        again = play(case, environment)
        if again.picture != first.picture:
            lines = difference(first.picture, again.picture, "run 1", f"run {number}")
            failures.append(Failure(place=_place(case, case.at), head="it is unstable: two runs differ", lines=lines))
            break
    compared = Compared()
    if case.snapshot is not None:
        compared = snapshots.compare(case.snapshot, first.picture, is_good=not failures)
        if compared.lines:
            failures.append(
                Failure(place=f"{_place(case, (*case.at, 'snapshot'))}", head=compared.head, lines=compared.lines)
            )
    return tuple(failures), (compared.note,) if compared.note else ()


def _judged(case: Case, played: CasePlayed) -> Iterator[Failure]:
    for miss in misses(case.expect, case.expect_at, played.result, played.entries):
        yield _failure(case, miss)
    if not case.expect and case.snapshot is None and played.result["exit_code"] != Exit.OK:
        ended = f"the run ended with exit code {played.result['exit_code']}"
        yield Failure(place=_place(case, case.at), head=ended, lines=tuple(_errors(played)))
    for name, line in unused_stubs(case, played):
        yield Failure(place=f"{case.file}:{line}", head=f"the stub of `{name}` was never used")
    yield from _replayed(case, played)
    for path in played.missing:
        hint = "write a stub for it"
        yield Failure(
            place=_place(case, case.at), head=f"nothing that fits the `output` of `{path}` was found", lines=(hint,)
        )


def _replayed(case: Case, played: CasePlayed) -> Iterator[Failure]:
    """Where a replay is not as it was recorded; a step whose error is expected may be otherwise."""
    at = (*case.at, "recording")
    place = _place(case, at if case.document.has(at) else ("recording",))
    for unit, error in dict(played.mismatches).items():
        if case.expect.get("steps", {}).get(unit, {}).get("error") is None:
            helps = () if error.hint is None else (f"help: {error.hint}",)
            head = f"`{unit}` is not as it was recorded" if unit else "it is not as it was recorded"
            yield Failure(place=place, head=head, lines=(*error.message.split("\n"), *helps))
    if played.unused and case.strict:
        head, *lines = played.unused.split("\n")
        hint = f"record it anew with `bridge-run {case.workflow} --record`; `strict: false` lets lines be unused"
        yield Failure(place=place, head=head.removesuffix(":"), lines=(*lines, f"help: {hint}"))


def _errors(played: CasePlayed) -> Iterator[str]:
    """Why a run failed of which nothing was expected."""
    for name, step in played.result["steps"].items():
        if step["status"] == "failed" and step["error"] is not None:
            yield f"`{name}` failed ({step['error']['kind']}): {step['error']['message']}"
    if played.result["error"] is not None:
        yield played.result["error"]["message"]


def _failure(case: Case, miss: Miss) -> Failure:
    lines = (*_lined("expected", miss.expected), *_lined("got", miss.got))
    return Failure(place=_place(case, miss.at), head=miss.what, lines=lines)


def _lined(name: str, text: str) -> Iterator[str]:
    first, *rest = text.split("\n")
    yield f"{name + ':':10}{first}"
    yield from (f"{'':10}{line}" for line in rest)


def _place(case: Case, at: tuple[str | int, ...]) -> str:
    return f"{case.file}:{case.line(at)}" if at else case.file


def _unjudged(case: Case, error: BridgeError) -> tuple[Failure, ...]:
    """What else a case expects whose exit code came before any run began: nothing of it can be so."""
    ways = [(*case.expect_at, key) for key in case.expect if key != "exit_code"]
    ways += [] if case.snapshot is None else [(*case.at, "snapshot")]
    lines = tuple(error_text(error).rstrip("\n").split("\n"))
    return tuple(
        Failure(place=_place(case, way), head=f"`{way[-1]}` cannot be judged: the run never began", lines=lines)
        for way in ways
    )


def _error(case: Case, error: BridgeError) -> Failure:
    text = error_text(error)
    place = _place(case, (*case.at, "workflow") if case.document.has((*case.at, "workflow")) else case.at)
    return Failure(place=place, head="it cannot be run", lines=tuple(text.rstrip("\n").split("\n")))


def _all_cases(files: Sequence[str]) -> list[Case]:
    cases: list[Case] = []
    faults: list[WorkflowError] = []
    for file in files:
        try:
            cases += read_cases(file)
        except WorkflowError as error:
            faults.append(error)
    findings = [finding for fault in faults for finding in fault.diagnostics] or shared_snapshots(cases)
    if findings:
        raise WorkflowError(findings)
    return cases


def _unreadable(findings: Sequence[Diagnostic]) -> Iterator[CaseReport]:
    """For a report: the test files that are at fault, each with its findings."""
    for file in dict.fromkeys(finding.file for finding in findings):
        failures = tuple(
            Failure(
                place=file if finding.span is None else f"{file}:{finding.span.line}",
                head=f"{finding.code}: {finding.message}",
                lines=() if finding.help is None else (f"help: {finding.help}",),
            )
            for finding in findings
            if finding.file == file
        )
        yield CaseReport(file=file, name="the test file", verdict="error", failures=failures)


def unused_snapshots(file: str, cases: Sequence[Case], *, update: bool) -> tuple[str, ...]:
    """The snapshots that bear the name of a test file, and that none of its cases uses; ``update`` deletes them."""
    wanted = [case.snapshot for case in cases if case.file == file and case.snapshot is not None]
    unused = tuple(unused_beside(file, wanted))
    delete(unused if update else ())
    return unused


def delete(paths: Iterable[str]) -> None:
    """Delete snapshots that no case uses.

    Raises:
        UsageError: one cannot be deleted.
    """
    for path in paths:
        try:
            Path(path).unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"the snapshot `{path}` cannot be deleted: {error.strerror or error}") from error


def unused_report(file: str, unused: Sequence[str], *, update: bool, command: str = UPDATE) -> CaseReport:
    """What is told of them."""
    name = "unused snapshots"
    if update:
        return CaseReport(file=file, name=name, verdict="updated", notes=tuple(f"deleted {path}" for path in unused))
    hint = f"delete it, or run `{command}`"
    failures = tuple(Failure(place=path, head="no case uses this snapshot", lines=(hint,)) for path in unused)
    return CaseReport(file=file, name=name, verdict="failed", failures=failures)


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"`--junit {path}` cannot be written: {error.strerror or error}") from error
    tell(f"wrote {path}")
