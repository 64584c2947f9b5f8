"""Test cases in several processes: order, processes that end under a case, bugs."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from runner.app.cases.jobs import CaseBugError, reports_of, usual_jobs
from runner.app.cases.read import Case, read_cases
from runner.show.test_view import CaseReport, Failure


@pytest.fixture
def cases(tmp_path: Path) -> tuple[Case, ...]:
    path = tmp_path / "flow.test.yaml"
    path.write_text("workflow: flow.yaml\ncases:\n" + "".join(f"  - name: {name}\n" for name in "abcdef"))
    return read_cases(str(path))


def passed(case: Case) -> CaseReport:
    time.sleep(0.2 if case.name == "a" else 0)
    failures = (Failure(place="here", head="wrong", lines=("one", "two")),) if case.name == "b" else ()
    return CaseReport(file=case.file, name=case.name, verdict="failed" if failures else "passed", failures=failures)


def dies(case: Case) -> CaseReport:
    if case.name in ("a", "d"):
        os._exit(7)
    if case.name == "f":
        os.kill(os.getpid(), 9)
    return passed(case)


def breaks(case: Case) -> CaseReport:
    if case.name == "c":
        raise ValueError("never thought of")
    return passed(case)


@pytest.mark.parametrize("jobs", [1, 2, 6, 40])
def test_reports_come_in_the_order_of_the_cases(cases: tuple[Case, ...], jobs: int) -> None:
    assert list(reports_of(cases, passed, jobs)) == [passed(case) for case in cases]
    assert multiprocessing.active_children() == []


def test_a_process_that_ends_under_a_case_is_told_and_the_others_go_on(cases: tuple[Case, ...]) -> None:
    reports = list(reports_of(cases, dies, 2))
    assert [(report.name, report.verdict) for report in reports] == [
        ("a", "error"), ("b", "failed"), ("c", "passed"), ("d", "error"), ("e", "passed"), ("f", "error"),
    ]  # fmt: skip
    assert [report.failures[0].head for report in reports if report.verdict == "error"] == [
        "the process that ran it ended with exit code 7",
        "the process that ran it ended with exit code 7",
        "the process that ran it ended by signal 9",
    ]
    assert reports[3].failures[0].place == f"{cases[3].file}:6"


def test_a_bug_in_a_process_is_told_with_its_traceback(cases: tuple[Case, ...]) -> None:
    with pytest.raises(CaseBugError, match=r"(?s)Traceback.*ValueError: never thought of"):
        list(reports_of(cases, breaks, 2))
    assert multiprocessing.active_children() == []


def test_who_stops_listening_leaves_no_process(cases: tuple[Case, ...]) -> None:
    reports = reports_of(cases, passed, 3)
    assert next(reports).name == "a"
    assert len(multiprocessing.active_children()) == 3
    reports.close()
    assert multiprocessing.active_children() == []


def test_few_cases_run_in_one_process() -> None:
    assert [usual_jobs(count) for count in (0, 1, 7)] == [1, 1, 1]
    assert 1 <= usual_jobs(10_000) <= 8
