"""Workflows from Python: what ``import runner`` gives. Every path counts from the folder of the process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runner.app.api.live import LiveRun
from runner.app.api.run import Run
from runner.app.check import check as checking
from runner.app.request import CheckRequest, RunRequest
from runner.edges.run_folder import RUNS
from runner.record.journal import Entry
from runner.words.diagnostics import Diagnostic
from runner.words.errors import OutsideError, UsageError
from runner.words.noun import noun
from runner.workflow.load import load as load_file
from runner.workflow.model import Workflow

File = str | os.PathLike[str]


@noun
class CheckReport:
    """What a check found. ``findings`` are in the order of the files; ``notes`` say what could not be judged.

    ``outside`` is set when no model server could be asked. ``exit_code`` is that of ``bridge-run check``.
    """

    findings: tuple[Diagnostic, ...]
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()
    outside: OutsideError | None = None
    exit_code: int = 0

    @property
    def ok(self) -> bool:
        """Whether all files are right and this machine can serve them."""
        return self.exit_code == 0


def load(path: File) -> Workflow:
    """Read and check a workflow file and all that it calls; nothing outside of files is looked at.

    Raises:
        UsageError: there is no such file.
        WorkflowError: it is at fault; ``diagnostics`` has every finding.
    """
    from runner.app.files import one_file

    return load_file(one_file(os.fspath(path))).workflow


def check(
    paths: File | Sequence[File] = (),
    *,
    models: str | Sequence[str] | Mapping[str, str] = (),
    endpoints: str | Sequence[str] = (),
    config: File | None = None,
    simulate: File | None = None,
    offline: bool = False,
    tools: bool = False,
    strict: bool = False,
    environment: Mapping[str, str] | None = None,
) -> CheckReport:
    """Check files and folders, all of ``workflows`` if none is named; options as those of ``bridge-run check``.

    It blocks while servers are asked: in an event loop, ``await asyncio.to_thread(runner.check, …)``.

    Raises:
        UsageError: a path, an address or a model swap makes no sense; or servers are to be asked in an event loop.
        WorkflowError: a file of the configuration is at fault.
    """
    if not offline or tools:
        _refuse_in_loop("check", "await asyncio.to_thread(runner.check, …)")
    request = CheckRequest(
        paths=(os.fspath(paths),) if isinstance(paths, str | os.PathLike) else tuple(os.fspath(one) for one in paths),
        models=_swaps(models),
        endpoints=_several(endpoints),
        config=_text(config),
        simulate=_text(simulate),
        offline=offline,
        tools=tools,
        strict=strict,
    )
    report = checking.check(request, dict(os.environ if environment is None else environment))
    return CheckReport(
        findings=report.findings,
        files=report.files,
        notes=report.notes,
        outside=report.outside,
        exit_code=int(report.exit_code),
    )


def start(
    file: File | Workflow,
    inputs: Mapping[str, Any] | None = None,
    *,
    models: str | Sequence[str] | Mapping[str, str] = (),
    endpoints: str | Sequence[str] = (),
    answers: Mapping[str, str] | None = None,
    yes: bool = False,
    config: File | None = None,
    simulate: File | None = None,
    run_dir: File = RUNS,
    keep_loaded: bool = False,
    environment: Mapping[str, str] | None = None,
) -> LiveRun:
    """A run to be watched while it goes on: ``async with runner.start(file) as run: …``; see ``LiveRun``.

    ``inputs`` are values by name. ``models`` swaps models: an id for the default, or ids by alias; ``endpoints`` are
    addresses or names of model servers, ``simulate`` a script of the simulator in their place. ``answers`` are choices
    by step; ``yes`` says yes to every other question. ``run_dir`` is the folder of run folders. ``keep_loaded``: models
    that the run loads stay loaded. ``environment`` stands for that of the process. Nothing is shown on the terminal.

    Of a ``Workflow`` the file is run, as it is by now.
    """
    request = RunRequest(
        file=file.file if isinstance(file, Workflow) else os.fspath(file),
        bound=dict(inputs or {}),
        models=_swaps(models),
        endpoints=_several(endpoints),
        config=_text(config),
        simulate=_text(simulate),
        answers=tuple(f"{step}={choice}" for step, choice in (answers or {}).items()),
        yes=yes,
        keep_loaded=keep_loaded,
        run_dir=os.fspath(run_dir),
    )
    return LiveRun(request, environment)


async def run(
    file: File | Workflow,
    inputs: Mapping[str, Any] | None = None,
    *,
    models: str | Sequence[str] | Mapping[str, str] = (),
    endpoints: str | Sequence[str] = (),
    answers: Mapping[str, str] | None = None,
    yes: bool = False,
    config: File | None = None,
    simulate: File | None = None,
    run_dir: File = RUNS,
    keep_loaded: bool = False,
    environment: Mapping[str, str] | None = None,
    on_event: Callable[[Entry], None] | None = None,
) -> Run:
    """Run a workflow to its end; arguments as those of ``start``. Many may go on at once.

    ``on_event`` hears every entry of the journal after it was written. Cancelling ends the run and all that it has
    started. What fails while it runs is told by the ``Run``; what keeps it from starting is raised.

    Raises:
        UsageError: the file is not there, or an input, an option or an answer is wrong.
        WorkflowError: the file is at fault; ``diagnostics`` has every finding.
        CannotServeError: a model, a tool, a command or a secret is missing; with all findings at once.
        OutsideError: no model server answers.
        HistoryError: the journal could not be written.
    """
    live = start(
        file, inputs, models=models, endpoints=endpoints, answers=answers, yes=yes, config=config, simulate=simulate,
        run_dir=run_dir, keep_loaded=keep_loaded, environment=environment,
    )  # fmt: skip
    return await live.alone(on_event)


def run_sync(
    file: File | Workflow,
    inputs: Mapping[str, Any] | None = None,
    *,
    models: str | Sequence[str] | Mapping[str, str] = (),
    endpoints: str | Sequence[str] = (),
    answers: Mapping[str, str] | None = None,
    yes: bool = False,
    config: File | None = None,
    simulate: File | None = None,
    run_dir: File = RUNS,
    keep_loaded: bool = False,
    environment: Mapping[str, str] | None = None,
    on_event: Callable[[Entry], None] | None = None,
) -> Run:
    """The same as ``run``, for programs without an event loop. Ctrl-C ends the run, then raises as ever.

    Raises:
        UsageError: it is called inside of a running event loop; or as ``run``.
        BridgeError: as ``run``.
    """
    _refuse_in_loop("run_sync", "await runner.run(…)")
    return asyncio.run(
        run(
            file, inputs, models=models, endpoints=endpoints, answers=answers, yes=yes, config=config,
            simulate=simulate, run_dir=run_dir, keep_loaded=keep_loaded, environment=environment, on_event=on_event,
        )
    )  # fmt: skip


def _refuse_in_loop(name: str, instead: str) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(f"`{name}` was called inside of a running event loop", hint=f"write `{instead}` there")


def _swaps(models: str | Sequence[str] | Mapping[str, str]) -> tuple[str, ...]:
    if isinstance(models, Mapping):
        return tuple(f"{alias}={model}" for alias, model in models.items())
    return _several(models)


def _several(texts: str | Sequence[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _text(path: File | None) -> str | None:
    return None if path is None else os.fspath(path)
