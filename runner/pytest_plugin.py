"""The pytest plugin of bridge-run: ``*.test.yaml`` are collected, and tests in Python may run workflows.

Only pytest itself is imported here; all else when there is a test file, or a test that asks for ``workflow_run``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import chdir, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from runner.app.cases.read import Case
    from runner.app.workflow_run import WorkflowRun
    from runner.show.test_view import CaseReport

_TAKEN: pytest.StashKey[dict[str, Case]] = pytest.StashKey()
_IGNORED: pytest.StashKey[list[str]] = pytest.StashKey()
_ENDINGS = (".test.yaml", ".test.yml")
_UPDATE = "pytest --workflow-snapshot-update"
_TOLD = "workflow snapshot"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--workflow-snapshot-update``, and ``--workflow-repeat``."""
    group = parser.getgroup("bridge-run")
    group.addoption(
        "--workflow-snapshot-update",
        action="store_true",
        help="Write the snapshots of *.test.yaml that differ or are missing (as syrupy's --snapshot-update does, too).",
    )
    group.addoption(
        "--workflow-repeat", type=_times, default=1, metavar="N", help="Run each case of *.test.yaml N times; compare."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Have a list of what syrupy does not look at; it takes the list before it is known what is collected."""
    option: Any = config.option
    config.stash[_IGNORED] = [*(getattr(option, "ignore_file_extensions", None) or ())]
    option.ignore_file_extensions = config.stash[_IGNORED]


def _times(text: str) -> int:
    """As many as ``bridge-run test --repeat`` takes."""
    if not (text.isdecimal() and 1 <= int(text) <= 100):
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number from 1 to 100")
    return int(text)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The cases of a test file of workflows; a snapshot of a test file that is not there any more."""
    kind: type[WorkflowTests | StraySnapshot]
    if file_path.name.endswith(_ENDINGS):
        kind = WorkflowTests
    elif file_path.parent.name == "__snapshots__" and file_path.suffix == ".txt":
        kind = StraySnapshot
    else:
        return None
    collected: pytest.Collector = kind.from_parent(parent, path=file_path)
    return collected


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What became of snapshots: of a case that passes nothing else is shown."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    notes = [text for report in reports for name, text in report.sections if name == f"Captured {_TOLD} call"]
    if notes:
        terminalreporter.section("workflow snapshots")
        for note in notes:
            terminalreporter.write_line(note)


class WorkflowTests(pytest.File):
    """One test file. What is wrong with it is told when it is collected."""

    def collect(self) -> Iterable[pytest.Item]:
        """Its cases, and one item more where it has snapshots that no case uses."""
        from runner.app.cases.cases import unused_snapshots
        from runner.app.cases.read import read_cases, shared_snapshots
        from runner.words.errors import WorkflowError

        _keep_from_syrupy(self.config)
        with _at_root(self.config):
            try:
                cases = read_cases(_shown(self.path))
            except WorkflowError as error:
                raise self.CollectError(_words(error)) from None
            if shared := shared_snapshots(cases, self.config.stash.setdefault(_TAKEN, {})):
                raise self.CollectError(_words(WorkflowError(shared)))
            items: list[pytest.Item] = []
            items += (WorkflowCase.from_parent(self, name=case.name, case=case) for case in cases)
            if unused_snapshots(_shown(self.path), cases, update=False):
                items.append(UnusedSnapshots.from_parent(self, name="unused snapshots", cases=cases))
        return items


class StraySnapshot(pytest.File):
    """A file among snapshots. It is an item where it is a picture of a run that no test file beside it can be for."""

    def collect(self) -> Iterable[pytest.Item]:
        """Nothing, or itself."""
        from runner.app.cases.read import read_cases
        from runner.app.cases.snapshots import is_picture, strays_in
        from runner.words.errors import WorkflowError

        folder, own = self.path.parent.parent, str(self.path)
        if is_picture(self.path):
            _keep_from_syrupy(self.config)
        if own not in strays_in(folder, ()):
            return
        try:
            files = [str(path) for ending in _ENDINGS for path in folder.glob(f"*{ending}")]
            wanted = [case.snapshot for file in files for case in read_cases(file) if case.snapshot is not None]
        except WorkflowError:
            return  # told where it is collected
        if own in strays_in(folder, wanted):
            yield UnusedSnapshot.from_parent(self, name="unused snapshot")


class _Reported(pytest.Item):
    """An item whose outcome is a report of ours."""

    def report(self) -> CaseReport:
        """Run it."""
        raise NotImplementedError

    def runtest(self) -> None:
        """Fail with the words of the report."""
        from runner.show.test_view import failures_text

        with _at_root(self.config):
            report = self.report()
        if report.failures:
            raise _CaseFailedError(failures_text([report]))
        for note in report.notes:
            self.add_report_section("call", _TOLD, note)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Our words instead of a traceback; a bug keeps its traceback."""
        if isinstance(excinfo.value, _CaseFailedError):
            return str(excinfo.value).rstrip("\n")
        return super().repr_failure(excinfo, style)

    @property
    def updates(self) -> bool:
        """Whether snapshots are to be written."""
        config = self.config
        return bool(config.getoption("workflow_snapshot_update") or config.getoption("update_snapshots", default=False))


class _CaseFailedError(Exception):
    """A case failed; the text says why."""


class WorkflowCase(_Reported):
    """One case."""

    def __init__(self, *, case: Case, **more: Any) -> None:
        super().__init__(**more)
        self.case = case

    def report(self) -> CaseReport:
        """Run the case."""
        from runner.app.cases.cases import run_case
        from runner.app.cases.snapshots import Snapshots

        repeat = self.config.getoption("workflow_repeat")
        return run_case(self.case, Snapshots(update=self.updates, command=_UPDATE), os.environ, repeat=repeat)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the case stands."""
        return self.path, self.case.line(self.case.at) - 1, self.name


class UnusedSnapshots(_Reported):
    """Fails, or deletes them."""

    def __init__(self, *, cases: tuple[Case, ...], **more: Any) -> None:
        super().__init__(**more)
        self.cases = cases

    def report(self) -> CaseReport:
        """Look again."""
        from runner.app.cases.cases import unused_report, unused_snapshots

        file = _shown(self.path)
        unused = unused_snapshots(file, self.cases, update=self.updates)
        return unused_report(file, unused, update=self.updates, command=_UPDATE)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The file as a whole."""
        return self.path, None, self.name


class UnusedSnapshot(_Reported):
    """Fails, or deletes it."""

    def report(self) -> CaseReport:
        """Whoever the test file was."""
        from runner.app.cases.cases import delete, unused_report

        file = _shown(self.path)
        delete([file] if self.updates else ())
        return unused_report(file, [file], update=self.updates, command=_UPDATE)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The file."""
        return self.path, None, self.name


@pytest.fixture
def workflow_run(request: pytest.FixtureRequest) -> Callable[..., WorkflowRun]:
    """``workflow_run("workflows/refactor.yaml", path="src", stubs={…})``: the run, without models, tools or commands.

    Inputs are given by name; those that are called as one of ours go into ``inputs``. The file, ``recording`` and the
    paths in the workflow count from the root of the tests (where pytest's configuration lies). ``stubs`` is a mapping
    or a file, ``answers`` maps ids of questions to choices.
    """
    root = request.config.rootpath

    def run(
        file: str | os.PathLike[str],
        *,
        stubs: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        recording: str | os.PathLike[str] | None = None,
        answers: Mapping[str, str] | None = None,
        inputs: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> WorkflowRun:
        from runner.app.workflow_run import run_workflow_once
        from runner.words.errors import BridgeError

        def below(path: str | os.PathLike[str]) -> str:
            return _shown(root / path)

        with _at_root(request.config):
            try:
                return run_workflow_once(
                    below(file),
                    {**(inputs or {}), **more},
                    stubs=stubs if stubs is None or isinstance(stubs, Mapping) else below(stubs),
                    recording=None if recording is None else below(recording),
                    answers=answers,
                )
            except BridgeError as error:
                raise pytest.fail.Exception(_words(error), pytrace=False) from None

    return run


@pytest.fixture
def workflow_snapshot(request: pytest.FixtureRequest) -> Any:
    """Syrupy's ``snapshot`` with one readable text file a run: ``assert workflow_run(…) == workflow_snapshot``."""
    from runner.pytest_snapshot import WorkflowSnapshotExtension

    return request.getfixturevalue("snapshot").use_extension(WorkflowSnapshotExtension)


def _keep_from_syrupy(config: pytest.Config) -> None:
    """Syrupy takes what lies in ``__snapshots__`` beside tests in Python for forgotten ones of its own.

    It would fail for our snapshots, and delete them with ``--snapshot-update``.
    """
    config.stash[_IGNORED].append("txt")


@contextmanager
def _at_root(config: pytest.Config) -> Iterator[None]:
    """Where a workflow is started, as its paths count from there: at the root, wherever pytest was typed.

    Without a configuration the root is only what pytest made of its arguments; and a test that has gone to another
    folder means that one.
    """
    moves = config.inipath is not None and Path.cwd() == config.invocation_params.dir
    with chdir(config.rootpath) if moves else nullcontext():
        yield


def _shown(path: Path) -> str:
    """The path as a person would type it from here."""
    shown = os.path.relpath(path)
    return str(path) if shown.startswith("..") else shown


def _words(error: Any) -> str:
    """An error of ours with its excerpts."""
    from runner.app.problem import error_text

    return error_text(error)
