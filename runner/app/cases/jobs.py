"""Test cases side by side: a few processes that each run one case after the other; their reports in the cases' order.

Processes, not threads: a run has an event loop, and signals end it, which only the first thread of a process hears.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from runner.app.cases.read import Case, read_cases
from runner.show.test_view import CaseReport, Failure

MOST_JOBS = 8
_WORTH = 4
"""Cases from which on a process more pays: it costs as much as some of them to start one."""
RunCase = Callable[[Case], CaseReport]


class CaseBugError(Exception):
    """A case ended a process by an exception that is a bug of ours; the text is its traceback."""


def usual_jobs(cases: int) -> int:
    """How many processes run so many cases, if nobody says it: one a processor, 8 at most, fewer for few cases."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        processors = os.cpu_count() or 1
    return max(1, min(processors, MOST_JOBS, cases // _WORTH))


def reports_of(cases: Sequence[Case], run: RunCase, jobs: int) -> Generator[CaseReport]:
    """Run every case; the reports come in the order of the cases, each as soon as those before it are there.

    ``run`` must be picklable. Where the iterator is closed, or an exception goes through it, all processes are gone.

    Raises:
        CaseBugError: as it says.
    """
    if min(jobs, len(cases)) <= 1:
        yield from map(run, cases)
        return
    done: dict[int, CaseReport] = {}
    with tempfile.TemporaryDirectory(prefix="bridge-run-test-") as folder:
        workers = _Workers(cases, run, folder)
        try:
            workers.start(min(jobs, len(cases)))
            for number in range(len(cases)):
                while number not in done:
                    done.update(workers.next())
                yield done.pop(number)
        finally:
            workers.end()


class _Workers:
    """The processes. Each has one case at a time; ``folder`` is where they may write, and is ours to remove."""

    def __init__(self, cases: Sequence[Case], run: RunCase, folder: str) -> None:
        self._cases = cases
        self._run = run
        self._folder = folder
        self._left = iter(range(len(cases)))
        self._context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        self._processes: dict[Connection, BaseProcess] = {}
        self._at: dict[Connection, int] = {}

    def start(self, count: int) -> None:
        """Start so many, each with a case."""
        for _ in range(count):
            self._start_one()

    def _start_one(self) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._run, self._folder), daemon=True)
        process.start()
        theirs.close()
        self._processes[ours] = process
        self._give(ours)

    def _give(self, worker: Connection) -> None:
        number = next(self._left, None)
        if number is None:
            self._at.pop(worker, None)
            return
        self._at[worker] = number
        case = self._cases[number]
        with suppress(OSError):  # it has ended, and `next` is about to see that
            worker.send((case.file, case.at, case.name))

    def next(self) -> dict[int, CaseReport]:
        """Wait until one or more cases are done; their reports by number."""
        done: dict[int, CaseReport] = {}
        for worker in wait(list(self._at)):
            assert isinstance(worker, Connection), "they are all that is waited for"
            number = self._at[worker]
            try:
                said = worker.recv()
            except (EOFError, OSError):
                done[number] = self._dead(worker, self._cases[number])
                continue
            if isinstance(said, str):
                raise CaseBugError(said)
            done[number] = CaseReport(**{**said, "failures": tuple(Failure(**one) for one in said["failures"])})
            self._give(worker)
        return done

    def _dead(self, worker: Connection, case: Case) -> CaseReport:
        """The report of a case whose process ended under it; another process takes its place."""
        process = self._processes.pop(worker)
        process.join()
        del self._at[worker]
        code = process.exitcode or 0
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        self._start_one()
        head = f"the process that ran it ended {how}"
        lines = ("`--jobs 1` runs the cases in one process",)
        place = f"{case.file}:{case.line(case.at)}" if case.at else case.file
        failure = Failure(place=place, head=head, lines=lines)
        return CaseReport(file=case.file, name=case.name, verdict="error", failures=(failure,))

    def end(self) -> None:
        """End them at once: what a case has begun is in their folder alone."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.join()


def _work(orders: Connection, run: RunCase, folder: str) -> None:
    """What a process does: run the cases that it is told, until nobody tells any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us all, and whoever started us ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    tempfile.tempdir = folder
    parent = multiprocessing.parent_process()
    assert parent is not None, "it was started by one"
    with suppress(KeyboardInterrupt, EOFError, OSError):
        while orders in wait([orders, parent.sentinel]):
            file, at, name = orders.recv()
            orders.send(_report(run, file, at, name))


def _report(run: RunCase, file: str, at: Any, name: str) -> dict[str, Any] | str:
    """The report of a case, in plain values; a traceback for a bug of ours."""
    try:
        return asdict(run(next(case for case in _cases(file) if (case.at, case.name) == (at, name))))
    except Exception:  # told where it can be reported
        return traceback.format_exc()


@lru_cache(maxsize=4)
def _cases(file: str) -> tuple[Case, ...]:
    """Read once more: what a case holds is not made to be sent from process to process."""
    return read_cases(file)
