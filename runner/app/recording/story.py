"""``bridge-run FILE --record`` and ``--replay``: a run that is written down, and one that needs nothing but that."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from runner.app.again import record_command
from runner.app.console import tell
from runner.app.prepare import Prepared, models_named, prepare
from runner.app.recording.file import read_recording, recording_path
from runner.app.recording.place import refuse_bad_place
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
from runner.app.recording.writing import Writes, tell_mismatches
from runner.app.request import RunRequest
from runner.app.run.answers import parse_answers
from runner.app.run.report import Report, report_run
from runner.app.run.run import run_behind
from runner.app.run.walls import real_servers, real_walls, with_stand_ins, without_needs
from runner.app.run.workspace import environment_of
from runner.app.run.world import all_secrets
from runner.app.surroundings import FATAL, TOLERATED
from runner.edges.config.endpoints import tokens_of
from runner.record.cassette.cassette import Cassette, Exchange, Header, Kind
from runner.record.cassette.mask import Mask
from runner.record.parts import covers, units_of, without_indices
from runner.rehearse.replay.tape import Tape
from runner.rehearse.replay.time import give_way
from runner.words.diagnostics import has_errors
from runner.words.errors import CannotServeError, UsageError
from runner.words.exits import Exit
from runner.words.recording_error import RecordingError
from runner.words.suggest import did_you_mean
from runner.workflow.digest import digest_of
from runner.workflow.model import TaskWork, Workflow

Environment = Mapping[str, str]
_REPLAYED: Mapping[str | None, frozenset[Kind]] = {
    "models": frozenset(("catalogue", "chat", "answer")),
    "tools": frozenset(("server", "call", "command", "changed", "kept", "answer")),
}
"""What a replay of a part takes from the recording."""
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
    _refuse_errors(prepared)
    _refuse_foreign(old, prepared.workflow)
    refuse_bad_place(path, prepared.workflow.name, named=request.recording is not None)
    chosen = _chosen(request, prepared.workflow)
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
            tape = _tape(old, mask, request, prepared)
            walls = switched(walls, tape, chosen)
        after = Writes(
            path=path,
            request=asked,
            typed=request,
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
        tape = _tape(cassette, mask, request, prepared)
        walls = replace(real, told_id=told)
        if asked.replay == "all":
            walls = replace(walls, give_way=lambda: give_way(lambda: tape.to_come))
        if asked.replay != "tools":
            walls = with_replayed_models(walls, tape, cassette)
            command = record_command(_short(request), (), cassette.header.inputs)
            setting = replace(walls.setting, recorded_by=command)
            walls = replace(walls, setting=setting, model_answers=tape.answers)
        walls = with_replayed_tools(walls, tape) if asked.replay != "models" else working_in(mask, walls)
        walls = with_replayed_answers(walls, tape, parse_answers(asked.answers, prepared.workflow))
        walls = replace(walls, after=partial(judge or _judge(asked), tape))
        return run_behind(walls, asked, prepared, with_values, report=report)


def as_recorded(request: RunRequest, header: Header) -> RunRequest:
    """The request with the inputs and models of the recording, where it names none."""
    return replace(request, bound={**header.inputs, **(request.bound or {})}, models=request.models or header.models)


@contextmanager
def _prepared(asked: RunRequest, environment: Environment, cassette: Cassette) -> Any:
    """What is to be run, and walls of which the recording replaces some."""
    models_are_real, tools_are_real = asked.replay == "tools", asked.replay == "models"
    level = FATAL if tools_are_real else TOLERATED
    prepared = prepare(asked, environment, unset_secret=level, configures=models_are_real)
    _refuse_foreign(cassette, prepared.workflow)
    if not tools_are_real:
        prepared = without_needs(replace(prepared, workflow=replace(prepared.workflow, workspace="here")))
    _refuse_errors(prepared)
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
    """``request`` as it was typed: a command that a message names repeats it."""
    changed = cassette.header.digest != digest_of(prepared.workflow)
    return Tape(
        cassette,
        mask,
        lambda units: record_command(_short(request), units, cassette.header.inputs),
        changed=changed,
        bounds=_bounds(prepared.workflow),
        contexts=_contexts(prepared.workflow),
        timed=request.replay == "models",
        jumps=request.replay == "all",
    )


def _short(request: RunRequest) -> RunRequest:
    """The request; it does not name the place where the recording lies anyway."""
    beside = replace(request, recording=None)
    return beside if recording_path(request) == recording_path(beside) else request


def _bounds(workflow: Workflow) -> frozenset[int]:
    """Every ``max_tokens`` that the files name."""
    samplings: list[Mapping[str, Any]] = []
    for file in workflow.family:
        samplings += [file.default_sampling, *(model.sampling for model in file.models.values())]
        samplings += [step.work.sampling for step in file.steps if isinstance(step.work, TaskWork)]
    return frozenset(most for sampling in samplings if isinstance(most := sampling.get("max_tokens"), int))


def _refuse_errors(prepared: Prepared) -> None:
    if has_errors(prepared.surroundings.findings):
        raise CannotServeError((*prepared.warnings, *prepared.surroundings.findings))


def _contexts(workflow: Workflow) -> frozenset[int]:
    """Every ``context_length`` that the files name."""
    loads = (model.load for file in workflow.family for model in file.models.values())
    return frozenset(length for load in loads if isinstance(length := load.get("context_length"), int))


def _refuse_foreign(cassette: Cassette | None, workflow: Workflow) -> None:
    if cassette is not None and cassette.header.workflow != workflow.name:
        wrong = f"it was recorded from the workflow `{cassette.header.workflow}`, and `{workflow.file}` is another one"
        hint = f"name the right one by `--recording`, or record `{workflow.name}` anew with `--record`"
        raise RecordingError(cassette.file, 1, f"{wrong}: `{workflow.name}`", hint=hint)


def _chosen(request: RunRequest, workflow: Workflow) -> Chosen:
    """Whether a unit is recorded anew: it is named, or answered by the command line.

    Raises:
        UsageError: there is no such step.
    """
    known = list(units_of(workflow))
    for name in request.steps:
        step = without_indices(name)
        if step not in known:
            first = step.partition("/")[0]
            lacks, near = (first, known) if first not in known else (step, [one for one in known if one != first])
            top = ", ".join(f"`{one.id}`" for one in workflow.steps)
            hint = did_you_mean(lacks, near) or f"the steps are {top}"
            raise UsageError(f"`--step {name}`: `{workflow.file}` has no step `{lacks}`", hint=hint)
    names = (*request.steps, *parse_answers(request.answers, workflow))
    return lambda unit: any(covers(name, unit) for name in names)


def left_over(tape: Tape, outcome: Mapping[str, Any], part: str | None = None) -> tuple[Exchange, ...]:
    """What a replay of everything, or of a part, did not use of it, where that is a fault: it came to its end, and
    asked nothing else.
    """
    if outcome["status"] not in ("succeeded", "failed") or tape.mismatches:
        return ()
    return tuple(one for one in tape.unused() if part not in _REPLAYED or one.kind in _REPLAYED[part])


def _judge(request: RunRequest) -> Judge:
    """Says at the end what of the recording was not used."""

    def after(tape: Tape, outcome: Mapping[str, Any]) -> int:
        if tape.mismatches:
            tell_mismatches(tape)
            return int(Exit.STEP_FAILED)  # also where a step tolerates its failure
        unused = left_over(tape, outcome, request.replay)
        if not unused:
            return 0
        if not request.quiet or request.strict:
            tell(f"{'error' if request.strict else 'warning'}: {tape.shown_unused(unused)}")
        return int(Exit.STEP_FAILED) if request.strict else 0

    return after
