"""Workflows from Python: what ``import runner`` gives. Every path counts from the folder of the process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runner.app import arguments
from runner.app.api.ear import Ear
from runner.app.api.live import LiveRun
from runner.app.api.run import Run, run_of
from runner.app.check import check as checking
from runner.app.in_process import run_in_process
from runner.app.request import CheckRequest, RunRequest
from runner.edges.run_folder import RUNS
from runner.record.journal import Entry
from runner.words.diagnostics import Diagnostic
from runner.words.errors import OutsideError
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

    return load_file(one_file(arguments.path("path", path))).workflow


def check(
    paths: File | Sequence[File] = (),
    *,
    models: str | Sequence[str] | Mapping[str, str] | None = None,
    endpoints: str | Sequence[str] | None = None,
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
        arguments.refuse_in_loop("check", "await asyncio.to_thread(runner.check, …)")
    request = CheckRequest(
        paths=arguments.paths("paths", paths),
        models=_swaps(models),
        endpoints=arguments.texts("endpoints", endpoints),
        config=arguments.path_or_none("config", config),
        simulate=arguments.path_or_none("simulate", simulate),
        offline=offline,
        tools=tools,
        strict=strict,
    )
    report = checking.check(request, arguments.environment_or_ours(environment))
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
    models: str | Sequence[str] | Mapping[str, str] | None = None,
    endpoints: str | Sequence[str] | None = None,
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
    request = _request(
        file, inputs, models=models, endpoints=endpoints, answers=answers, yes=yes, config=config, simulate=simulate,
        run_dir=run_dir, keep_loaded=keep_loaded,
    )  # fmt: skip
    return LiveRun(request, arguments.environment_or_ours(environment))


async def run(
    file: File | Workflow,
    inputs: Mapping[str, Any] | None = None,
    *,
    models: str | Sequence[str] | Mapping[str, str] | None = None,
    endpoints: str | Sequence[str] | None = None,
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
        CannotServeError: a model, a tool, a command or a secret is missing; with all findings at once. Of a model its
            cause is a ``ModelNotFoundError``, which has ``available_models``.
        OutsideError: no model server answers.
        HistoryError: the journal could not be written.
    """
    arguments.need_asyncio("run")
    request = _request(
        file, inputs, models=models, endpoints=endpoints, answers=answers, yes=yes, config=config, simulate=simulate,
        run_dir=run_dir, keep_loaded=keep_loaded,
    )  # fmt: skip
    ear = Ear(on_event)
    end = await run_in_process(request, arguments.environment_or_ours(environment), listener=ear.hear)
    return run_of(end.outcome, end.folder, end.changes, warnings=ear.complaints)


def run_sync(
    file: File | Workflow,
    inputs: Mapping[str, Any] | None = None,
    *,
    models: str | Sequence[str] | Mapping[str, str] | None = None,
    endpoints: str | Sequence[str] | None = None,
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
    arguments.refuse_in_loop("run_sync", "await runner.run(…)")
    return asyncio.run(
        run(
            file, inputs, models=models, endpoints=endpoints, answers=answers, yes=yes, config=config,
            simulate=simulate, run_dir=run_dir, keep_loaded=keep_loaded, environment=environment, on_event=on_event,
        )
    )  # fmt: skip


def _request(
    file: File | Workflow,
    inputs: Mapping[str, Any] | None,
    *,
    models: str | Sequence[str] | Mapping[str, str] | None,
    endpoints: str | Sequence[str] | None,
    answers: Mapping[str, str] | None,
    yes: bool,
    config: File | None,
    simulate: File | None,
    run_dir: File,
    keep_loaded: bool,
) -> RunRequest:
    chosen = arguments.texts_by_name("answers", answers)
    return RunRequest(
        file=file.file if isinstance(file, Workflow) else arguments.path("file", file),
        bound=arguments.mapping("inputs", inputs),
        models=_swaps(models),
        endpoints=arguments.texts("endpoints", endpoints),
        config=arguments.path_or_none("config", config),
        simulate=arguments.path_or_none("simulate", simulate),
        answers=tuple(f"{step}={choice}" for step, choice in chosen.items()),
        yes=yes,
        keep_loaded=keep_loaded,
        run_dir=arguments.path("run_dir", run_dir),
    )


def _swaps(models: object) -> tuple[str, ...]:
    if isinstance(models, Mapping):
        return tuple(f"{alias}={model}" for alias, model in arguments.texts_by_name("models", models).items())
    return arguments.texts("models", models)
