"""``bridge-run FILE --record`` and ``--replay``: a run that is written down, and one that needs nothing but that."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from runner import __version__
from runner.app.console import tell
from runner.app.prepare import Prepared, models_named, prepare
from runner.app.recording.file import kept_models, merged, read_recording, recording_path, save_recording
from runner.app.recording.recorder import Recorder
from runner.app.recording.walls import (
    Chosen,
    painted,
    recorded,
    switched,
    with_replayed_answers,
    with_replayed_models,
    with_replayed_tools,
    working_in,
)
from runner.app.request import RunRequest
from runner.app.run.answers import parse_answers
from runner.app.run.report import Report, report_run
from runner.app.run.run import run_behind
from runner.app.run.walls import real_servers, real_walls, with_stand_ins, without_needs
from runner.app.run.workspace import environment_of
from runner.app.run.world import all_secrets
from runner.app.surroundings import FATAL, TOLERATED
from runner.edges.config.endpoints import tokens_of
from runner.record.cassette.cassette import Cassette, Exchange, Header
from runner.record.cassette.mask import Mask
from runner.record.cassette.order import in_order
from runner.rehearse.replay.tape import Tape, record_command
from runner.words.diagnostics import has_errors
from runner.words.errors import CannotServeError, UsageError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.words.recording_error import RecordingError
from runner.words.suggest import did_you_mean
from runner.workflow.digest import digest_of
from runner.workflow.model import TaskWork, Workflow

Environment = Mapping[str, str]
Judge = Callable[[Tape, Mapping[str, Any]], int]
"""Looks at the tape of a replay that has ended, and its outcome; gives an exit code as ``Walls.after``."""


def record_run(request: RunRequest, environment: Environment | None = None, report: Report = report_run) -> int:
    """Run the file of a request and write down what passes; with ``steps`` those alone, the others are replayed.

    Raises:
        RecordingError: the recording that is to be changed cannot be read.
        UsageError: there is none, or no such step.
        BridgeError: as ``run.run_workflow``; the recording cannot be written.
    """
    ours = dict(os.environ if environment is None else environment)
    path = recording_path(request)
    old = read_recording(path, request) if request.steps else None
    asked = request if old is None else as_recorded(request, old.header)
    prepared = prepare(asked, ours, unset_secret=FATAL)
    if has_errors(prepared.surroundings.findings):
        raise CannotServeError((*prepared.warnings, *prepared.surroundings.findings))
    if old is not None:
        _refuse_foreign(old, prepared.workflow)
    chosen = _chosen(request.steps, prepared.workflow)
    with real_servers(asked, prepared, ours) as endpoints:
        walls = real_walls(
            endpoints,
            prepared,
            environment_of(prepared.workflow, ours),
            named=models_named(prepared, prepared.config),
            measures=asked.simulate is None and old is None,
        )
        tokens = tokens_of(ours, prepared.config) if endpoints else {}
        # The steps that are replayed beside those that are recorded know the run by the name that it had then.
        told = walls.run_id if old is None or old.header.run is None else old.header.run
        began = walls.clock.now() if old is None or old.header.began is None else old.header.began
        mask = Mask(all_secrets(prepared.workflow, ours) | tokens, str(Path.cwd()), told)
        recorder = Recorder(mask, _bounds(prepared.workflow))
        walls = recorded(replace(walls, told_id=told), recorder)
        tape = None
        if old is not None:
            tape = _tape(old, mask, asked, prepared)
            walls = switched(walls, tape, chosen)
        after = _Writes(
            path=path,
            request=asked,
            prepared=prepared,
            recorder=recorder,
            old=old,
            chosen=chosen,
            tape=tape,
            simulated=walls.setting.simulated,
            run=told,
            began=began,
        )
        return run_behind(replace(walls, after=after), asked, prepared, ours, report=report)


def replay_run(
    request: RunRequest,
    environment: Environment | None = None,
    report: Report = report_run,
    judge: Judge | None = None,
) -> int:
    """Run the file of a request from its recording, or a part of it (``request.replay``); the exit code.

    ``judge`` None tells what is wrong, and fails the run for it as ``request.strict`` wants.

    Raises:
        RecordingError: the recording cannot be read, or is of another workflow.
        UsageError: there is none.
        BridgeError: as ``run.run_workflow``.
    """
    ours = dict(os.environ if environment is None else environment)
    path = recording_path(request)
    cassette = read_recording(path, request)
    asked = as_recorded(request, cassette.header)
    with _prepared(asked, ours, cassette) as (prepared, real):
        told = cassette.header.run or f"00000000-000000-{prepared.workflow.name}-0000"
        with_values = with_stand_ins(ours, prepared.workflow)
        mask = Mask(all_secrets(prepared.workflow, with_values), str(Path.cwd()), told)
        tape = _tape(cassette, mask, asked, prepared)
        walls = replace(real, told_id=told)
        if asked.replay != "tools":
            walls = with_replayed_models(walls, tape, cassette)
        walls = with_replayed_tools(walls, tape) if asked.replay != "models" else working_in(mask, walls)
        walls = with_replayed_answers(walls, tape, parse_answers(asked.answers, prepared.workflow))
        walls = replace(walls, after=partial(judge or _judge(asked), tape))
        return run_behind(walls, asked, prepared, with_values, report=report)


def as_recorded(request: RunRequest, header: Header) -> RunRequest:
    """The request with the inputs and models of the recording, where it names none."""
    bound = request.bound if request.bound is not None else header.inputs
    return replace(request, bound=bound, models=request.models or header.models)


@contextmanager
def _prepared(asked: RunRequest, environment: Environment, cassette: Cassette) -> Any:
    """What is to be run, and walls of which the recording replaces some."""
    models_are_real, tools_are_real = asked.replay == "tools", asked.replay == "models"
    level = FATAL if tools_are_real else TOLERATED
    prepared = prepare(asked, environment, unset_secret=level, configures=models_are_real)
    _refuse_foreign(cassette, prepared.workflow)
    if not tools_are_real:
        prepared = without_needs(replace(prepared, workflow=replace(prepared.workflow, workspace="here")))
    if has_errors(prepared.surroundings.findings):
        raise CannotServeError((*prepared.warnings, *prepared.surroundings.findings))
    if asked.replay == "all":
        yield prepared, painted(prepared.workflow, cassette.header.began)
        return
    servers = real_servers(asked, prepared, environment) if models_are_real else _nothing()
    with servers as endpoints:
        walls = real_walls(
            endpoints,
            prepared,
            environment_of(replace(prepared.workflow, workspace="copy"), environment),
            named=models_named(prepared, prepared.config),
            measures=False,
        )
        says_where = ("workspace",) in prepared.workflow.spans
        yield prepared, replace(walls, scratch=tools_are_real and not says_where)


@contextmanager
def _nothing() -> Any:
    yield ()


def _tape(cassette: Cassette, mask: Mask, request: RunRequest, prepared: Prepared) -> Tape:
    changed = cassette.header.digest != digest_of(prepared.workflow)
    return Tape(
        cassette,
        mask,
        lambda unit: record_command(request.file, request.recording, unit),
        changed=changed,
        bounds=_bounds(prepared.workflow),
        contexts=_contexts(prepared.workflow),
        jumps=request.replay == "all",
    )


def _bounds(workflow: Workflow) -> frozenset[int]:
    """Every ``max_tokens`` that the files name."""
    samplings: list[Mapping[str, Any]] = []
    for file in workflow.family:
        samplings += [file.default_sampling, *(model.sampling for model in file.models.values())]
        samplings += [step.work.sampling for step in file.steps if isinstance(step.work, TaskWork)]
    return frozenset(most for sampling in samplings if isinstance(most := sampling.get("max_tokens"), int))


def _contexts(workflow: Workflow) -> frozenset[int]:
    """Every ``context_length`` that the files name."""
    loads = (model.load for file in workflow.family for model in file.models.values())
    return frozenset(length for load in loads if isinstance(length := load.get("context_length"), int))


def _refuse_foreign(cassette: Cassette, workflow: Workflow) -> None:
    if cassette.header.workflow != workflow.name:
        wrong = f"it was recorded from the workflow `{cassette.header.workflow}`, and `{workflow.file}` is another one"
        hint = f"name the right one by `--recording`, or record `{workflow.name}` anew with `--record`"
        raise RecordingError(cassette.file, 1, f"{wrong}: `{workflow.name}`", hint=hint)


def _chosen(steps: Sequence[str], workflow: Workflow) -> Chosen:
    """Whether a unit belongs to one of these.

    Raises:
        UsageError: there is no such step.
    """
    known = [step.id for step in workflow.steps]
    for name in steps:
        first = name.partition("/")[0].partition("[")[0]
        if first not in known:
            hint = did_you_mean(first, known) or f"the steps are {', '.join(f'`{one}`' for one in known)}"
            raise UsageError(f"`--step {name}`: `{workflow.file}` has no step `{first}`", hint=hint)
    return lambda unit: any(unit == name or unit.startswith((f"{name}/", f"{name}[")) for name in steps)


def left_over(tape: Tape, outcome: Mapping[str, Any]) -> tuple[Exchange, ...]:
    """What a replay of everything did not use, where that is a fault: it came to its end, and asked nothing else."""
    return tape.unused() if outcome["status"] in ("succeeded", "failed") and not tape.mismatches else ()


def _judge(request: RunRequest) -> Judge:
    """Says at the end what of the recording was not used."""

    def after(tape: Tape, outcome: Mapping[str, Any]) -> int:
        if tape.mismatches:
            return int(Exit.STEP_FAILED)  # also where a step tolerates its failure
        unused = left_over(tape, outcome) if request.replay == "all" else ()
        if not unused:
            return 0
        if not request.quiet or request.strict:
            tell(f"{'error' if request.strict else 'warning'}: {tape.shown_unused(unused)}")
        return int(Exit.STEP_FAILED) if request.strict else 0

    return after


@noun
class _Writes:
    """Writes the recording when the run has ended; ``old`` and ``tape`` where a part of one is recorded anew.

    ``run`` and ``began`` as in ``Header``.
    """

    path: Path
    request: RunRequest
    prepared: Prepared
    recorder: Recorder
    old: Cassette | None
    chosen: Chosen
    tape: Tape | None
    simulated: bool
    run: str
    began: float

    def __call__(self, outcome: Mapping[str, Any]) -> int:
        """Raises: HistoryError: it cannot be written."""
        if outcome["status"] == "cancelled":
            tell(f"nothing was recorded in {self.path}: the run was interrupted")
            return 0
        workflow, config = self.prepared.workflow, self.prepared.config
        exchanges = kept_models(self.recorder.exchanges, models_named(self.prepared, config))
        if self.old is not None:
            exchanges, missed = merged(self.old.exchanges, exchanges, self.chosen)
            for unit in missed:
                tell(f"warning: `{unit}` was not reached; what was recorded of it stays")
        header = Header(
            workflow=workflow.name,
            digest=digest_of(workflow),
            bridge_run=__version__,
            inputs=self.recorder.mask.hidden(dict(self.prepared.inputs)),
            models=self.request.models,
            default_model=config.default_model,
            simulated=self.simulated,
            run=self.run,
            began=self.began,
        )
        cassette = Cassette(header=header, exchanges=in_order(exchanges, workflow), file=str(self.path))
        save_recording(self.path, cassette)
        if not self.request.quiet:
            count = len(cassette.exchanges)
            tell(f"recorded: {self.path} ({count} exchange{'s' * (count != 1)})")
        return int(Exit.STEP_FAILED) if self.tape is not None and self.tape.mismatches else 0
