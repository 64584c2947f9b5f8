"""One run for a test, played behind painted walls, and the picture of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.app.cases.read import Case
from runner.app.rehearsal.run import RehearsalStage, prepare_rehearsal
from runner.app.request import RunRequest
from runner.record.wire import Entry, read_journal
from runner.rehearse.rehearsal.prompter import Prompter
from runner.rehearse.replay.tape import Tape
from runner.rehearse.scripted import NO_STUBS, Stubs, read_stubs, stubs_at
from runner.show.snapshot import snapshot
from runner.words.errors import BridgeError, StepError, UsageError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.workflow.document import parse_document
from runner.workflow.load import load
from runner.workflow.model import Workflow

ReadStubs = Callable[[Workflow], Stubs]
"""The stubs for a workflow; raises ``WorkflowError`` where they do not fit it."""


@noun
class CasePlayed:
    """What came of a run: its result (``result.json``), its journal, its snapshot.

    ``used`` are the names of the stubs that were asked for; ``missing`` the steps for which nothing could be made up.
    Of a replay ``mismatches`` are the units that asked something else than was recorded, with what differs; ``unused``
    says what of the recording nobody asked for, empty for nothing.
    """

    workflow: Workflow
    result: Mapping[str, Any]
    entries: tuple[Entry, ...]
    picture: str
    used: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()
    mismatches: tuple[tuple[str, StepError], ...] = ()
    unused: str = ""


def play(case: Case, environment: Mapping[str, str]) -> CasePlayed:
    """Run the case once. The checkout is only read.

    Raises:
        WorkflowError: the workflow, the stubs or the recording are at fault.
        UsageError: an input or an answer is wrong, or a file is not there.
    """
    if not Path(case.workflow).is_file():
        hint = "`workflow` is relative to the test file"
        raise UsageError(f"there is no workflow file `{case.workflow}`", hint=hint)
    return play_workflow(
        case.workflow,
        case.inputs,
        environment,
        answers=case.answers,
        stubs=lambda workflow: _stubs(case, workflow),
        recording=case.recording,
    )


def play_workflow(
    file: str,
    inputs: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    answers: Mapping[str, str],
    stubs: ReadStubs,
    recording: str | None = None,
) -> CasePlayed:
    """Run a workflow once, with stubs or from a recording.

    Raises:
        WorkflowError: as ``play``.
        UsageError: as ``play``.
    """
    given = tuple(f"{name}={choice}" for name, choice in answers.items())
    with tempfile.TemporaryDirectory(prefix="bridge-run-test-") as folder:
        request = RunRequest(file=file, bound=inputs, answers=given, quiet=True, run_dir=folder)
        if recording is not None:
            return _replayed(request, recording, environment)
        prepared = prepare_rehearsal(request)
        prompter = Prompter(prepared.workflow, stubs(prepared.workflow))
        stage = RehearsalStage(prepared, prompter, Path(folder), environment, answers=given, asks=True)
        played = stage.play()
        return CasePlayed(
            workflow=prepared.workflow,
            result=played.result,
            entries=played.entries,
            picture=_picture(played.entries, folder),
            used=frozenset(prompter.used),
            missing=tuple(prompter.missing),
        )


def _picture(entries: tuple[Entry, ...], folder: str) -> str:
    """The snapshot of a run whose records are below ``folder``."""
    return snapshot(entries, stand_ins={folder: "RUNS", os.getcwd(): "PROJECT"})  # noqa: PTH109  a text


def unused_stubs(case: Case, played: CasePlayed) -> tuple[tuple[str, int], ...]:
    """The stubs that the case itself writes and that nobody asked for, with their lines."""
    if not case.own_stubs or isinstance(case.stubs[-1], str):
        return ()
    own = stubs_at(case.document, case.stubs[-1], played.workflow)
    return tuple((name, stub.span.line) for name, stub in own.of.items() if name not in played.used)


def _stubs(case: Case, workflow: Workflow) -> Stubs:
    """All stubs of the case; those that are written later win."""
    made = NO_STUBS
    for source in case.stubs:
        more = read_stubs(source, workflow) if isinstance(source, str) else stubs_at(case.document, source, workflow)
        made = replace(made, of={**made.of, **more.of})
    return made


def given_stubs(stubs: Mapping[str, Any] | str | None) -> ReadStubs:
    """Stubs as a program gives them: a mapping, or the path of a file."""
    if stubs is None:
        return lambda _: NO_STUBS
    if isinstance(stubs, str):
        return lambda workflow: read_stubs(stubs, workflow)
    document = parse_document(json.dumps(stubs), "stubs") if stubs else None
    return lambda workflow: NO_STUBS if document is None else stubs_at(document, (), workflow)


def _replayed(request: RunRequest, recording: str, environment: Mapping[str, str]) -> CasePlayed:
    """The run as its recording has it; the inputs of the recording hold unless others are given."""
    from runner.app.recording.story import left_over, replay_run  # most cases have stubs

    reported: list[tuple[Mapping[str, Any], str]] = []
    mismatches: list[tuple[str, StepError]] = []
    unused: list[str] = []

    def report(outcome: Mapping[str, Any], place: str, *_: Any, **__: Any) -> None:
        reported.append((json.loads(json.dumps(outcome)), place))

    def judge(tape: Tape, outcome: Mapping[str, Any]) -> int:
        mismatches.extend(tape.mismatches)
        left = left_over(tape, outcome)
        unused.extend([tape.shown_unused(left)] if left else [])
        return 0

    asked = replace(request, replay="all", recording=recording, bound=request.bound or None)
    code = 0
    try:
        code = replay_run(asked, environment, report, judge)
    except BridgeError:
        if not reported:
            raise
    if code == Exit.INTERRUPTED:
        raise KeyboardInterrupt
    result, place = reported[0]
    entries = tuple(read_journal(Path(place).read_bytes().splitlines(keepends=True)))
    return CasePlayed(
        workflow=load(request.file).workflow,
        result=result,
        entries=entries,
        picture=_picture(entries, request.run_dir),
        mismatches=tuple(mismatches),
        unused="".join(unused),
    )
