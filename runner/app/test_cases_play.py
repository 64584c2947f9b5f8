"""One case played: the run that it describes, behind painted walls, and the picture of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from runner.app.rehearsal_run import RehearsalStage, prepare_rehearsal
from runner.app.request import RunRequest
from runner.app.test_cases_read import Case
from runner.record.wire import Entry
from runner.rehearse.rehearsal_prompter import Prompter
from runner.rehearse.scripted import NO_STUBS, Stubs, read_stubs, stubs_at
from runner.show.snapshot import snapshot
from runner.words.errors import UsageError
from runner.words.noun import noun
from runner.workflow.model import Workflow


@noun
class CasePlayed:
    """What came of a case. ``unused`` are its own stubs that nobody asked for, with their lines."""

    result: Mapping[str, Any]
    entries: tuple[Entry, ...]
    picture: str
    unused: tuple[tuple[str, int], ...] = ()
    missing: tuple[str, ...] = field(default_factory=tuple)


def play(case: Case, folder: Path, environment: Mapping[str, str]) -> CasePlayed:
    """Run the case once; ``folder`` is a scratch folder for its record. The checkout is only read.

    Raises:
        WorkflowError: the workflow, the stubs or the recording are at fault.
        UsageError: an input or an answer is wrong, or a file is not there.
    """
    if not Path(case.workflow).is_file():
        raise UsageError(f"there is no workflow file `{case.workflow}`", hint="`workflow` is relative to the test file")
    if case.recording is not None:
        return _replayed(case, folder, environment)
    prepared = prepare_rehearsal(RunRequest(file=case.workflow, bound=case.inputs))
    stubs = _stubs(case, prepared.workflow)
    prompter = Prompter(prepared.workflow, stubs)
    answers = tuple(f"{name}={choice}" for name, choice in case.answers.items())
    stage = RehearsalStage(prepared, prompter, folder, environment, answers=answers, asks=True)
    played = stage.play()
    own = stubs_at(case.document, case.stubs[-1], prepared.workflow) if _has_own(case) else NO_STUBS
    return CasePlayed(
        result=played.result,
        entries=played.entries,
        picture=picture_of(played.entries, folder),
        unused=tuple((name, stub.span.line) for name, stub in own.of.items() if name not in prompter.used),
        missing=tuple(prompter.missing),
    )


def picture_of(entries: tuple[Entry, ...], folder: Path) -> str:
    """The snapshot of a run whose records are below ``folder``."""
    return snapshot(entries, stand_ins={str(folder): "RUNS", os.getcwd(): "PROJECT"})  # noqa: PTH109  a text


def _has_own(case: Case) -> bool:
    return case.own_stubs and isinstance(case.stubs[-1], tuple)


def _stubs(case: Case, workflow: Workflow) -> Stubs:
    """All stubs of the case; those that are written later win."""
    made = NO_STUBS
    for source in case.stubs:
        more = read_stubs(source, workflow) if isinstance(source, str) else stubs_at(case.document, source, workflow)
        made = replace(more, of={**made.of, **more.of})
    return made


def _replayed(case: Case, folder: Path, environment: Mapping[str, str]) -> CasePlayed:  # noqa: ARG001  TODO replay
    raise UsageError(f"`{case.recording}`: recordings cannot be replayed in tests yet")
