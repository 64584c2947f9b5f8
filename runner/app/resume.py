"""``bridge-run resume RUN``: a run that paused, failed, was interrupted or killed goes on; what is done stays done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import chdir, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner import __version__
from runner.app.console import tell
from runner.app.files import one_file
from runner.app.find_run import find_run
from runner.app.request import ResumeRequest, RunRequest
from runner.app.run.answers import parse_answers
from runner.app.run.earlier import Earlier
from runner.app.run.run import run_workflow
from runner.edges.left_behind import end_left_behind
from runner.edges.run_folder import RESULT, RUNS, RunFolder
from runner.record.events import ApprovalAnswered, RunFinished, RunStarted
from runner.record.parts import unit_of
from runner.record.seeds import Seeds, seeds_of
from runner.record.wire import Entry, read_journal
from runner.words.errors import HistoryError, UsageError
from runner.workflow.digest import digest_of
from runner.workflow.load import load
from runner.workflow.model import CallWork, Workflow


def resume_run(request: ResumeRequest) -> int:
    """Go on with a run and report; the exit code.

    Raises:
        UsageError: there is no such run, it cannot go on, its file has changed, or an answer is wrong.
        HistoryError: its journal cannot be read or written, or the run is still going on.
        BridgeError: as ``run_workflow``.
    """
    path = find_run(request.run, request.run_dir).resolve()
    folder = RunFolder.reopen(path)
    kept_here = path.parent == Path(RUNS).resolve()
    try:
        entries = _entries(folder)
        started = _begun(entries, folder)
        _refuse_done(entries, path)
        _end_left_behind(path)
        place = _place_of(started)
        with nullcontext() if place is None else chdir(place):
            return _go_on(replace(request, run_dir=RUNS if kept_here else str(path.parent)), folder, entries, started)
    finally:
        folder.close()


def _end_left_behind(path: Path) -> None:
    """What is started again would else be at work twice."""
    left = end_left_behind(path)
    if left:
        tell(f"ended what the run had left at work when it was killed: {', '.join(left)}")


def _go_on(request: ResumeRequest, folder: RunFolder, entries: Sequence[Entry], started: RunStarted) -> int:
    workflow = load(one_file(started.file)).workflow
    if not request.changed:
        _refuse_changed(started, workflow, entries[0].run)
    _refuse_masked(started.inputs, workflow)
    seeds = seeds_of(entries, workflow)
    _refuse_second_answers(parse_answers(request.answers, workflow), entries, workflow, seeds)
    earlier = Earlier(run=entries[0].run, folder=folder, entries=tuple(entries), seeds=seeds)
    asked = _as_run(request, started)
    if asked.locked is not None:
        from runner.app.lock.guard import run_locked

        return run_locked(asked, earlier)
    return run_workflow(asked, earlier)


def _as_run(request: ResumeRequest, started: RunStarted) -> RunRequest:
    """The request that the run began with, as far as it shapes the run."""
    options = started.options
    return RunRequest(
        file=started.file,
        bound=started.inputs,
        models=tuple(options.get("models", ())),
        endpoints=tuple(options.get("endpoints", ())),
        config=options.get("config"),
        simulate=options.get("simulate"),
        keep_loaded=bool(options.get("keep_loaded", False)),
        locked=options.get("locked"),
        answers=request.answers,
        yes=request.yes,
        output=request.output,
        quiet=request.quiet,
        run_dir=request.run_dir,
        colour=request.colour,
        watch=request.watch,
        watchers=request.watchers,
    )


def _entries(folder: RunFolder) -> list[Entry]:
    """The whole journal.

    Raises:
        HistoryError: it is damaged, or of a version that writes otherwise.
    """
    try:
        return list(read_journal(folder.journal.lines()))
    except HistoryError as error:
        version = _version(folder)
        if version in ("", __version__):
            raise
        message = f"the journal of this run was written by bridge-run {version}, and this is {__version__}"
        hint = f"go on with it in version {version}, or start a new run"
        raise HistoryError(f"{message}: {error.message}", hint=hint) from error


def _version(folder: RunFolder) -> str:
    """The latest version that says it wrote the journal."""
    found = ""
    for line in folder.journal.lines():
        try:
            found = json.loads(line).get("version") or found
        except (ValueError, AttributeError):
            continue
    return str(found)


def _begun(entries: Sequence[Entry], folder: RunFolder) -> RunStarted:
    first = entries[0].event if entries else None
    if not isinstance(first, RunStarted):
        raise UsageError(f"the run in `{folder.path}` ended before it began", hint="start a new run")
    if "replay" in first.options:
        again = f"`bridge-run {first.file} --replay` runs it from the beginning, at once"
        raise UsageError("what was replayed from a recording is not resumed", hint=again)
    return first


def _refuse_done(entries: Sequence[Entry], path: Path) -> None:
    """A run that was resumed counts as it stands after the last time. One whose result could not be kept, as the disk
    was full, gives it now.
    """
    last = entries[-1].event
    if isinstance(last, RunFinished) and last.status == "succeeded" and (path / RESULT).exists():
        raise UsageError(
            f"the run `{entries[0].run}` has succeeded: there is nothing left to do", hint="start a new run"
        )


def _place_of(started: RunStarted) -> Path | None:
    """The folder in which the run began, where its paths count from; None if that is here, or not on this machine."""
    place = started.options.get("folder")
    if place is None or not Path(place).is_dir() or Path(place) == Path.cwd():
        return None
    return Path(place)


def _refuse_changed(started: RunStarted, workflow: Workflow, run: str) -> None:
    digest = started.options.get("digest")
    if digest is not None and digest != digest_of(workflow):
        raise UsageError(
            f"`{started.file}`, or a file that it calls, has changed since the run `{run}` began",
            hint="`--changed` goes on all the same: what is done stays done, the rest is done as the file says now",
        )


def _refuse_masked(inputs: Mapping[str, Any], workflow: Workflow) -> None:
    """The journal has no secrets, so it does not have the values of such inputs."""
    secrets = {name for file in workflow.family for name in file.secrets}
    for name, value in inputs.items():
        hidden = next((secret for secret in secrets if f"[secret {secret}]" in json.dumps(value)), None)
        if hidden is not None:
            message = f"the input `{name}` held the secret `{hidden}`, which is in no record"
            raise UsageError(f"{message}: the run cannot go on", hint="start a new run")


def _refuse_second_answers(
    given: Mapping[str, str], entries: Sequence[Entry], workflow: Workflow, seeds: Seeds
) -> None:
    """What was answered and stays is not answered again."""
    answered = {unit_of(entry.event): entry.event for entry in entries if isinstance(entry.event, ApprovalAnswered)}
    for unit, choice in given.items():
        before = answered.get(unit)
        if before is not None and before.choice != choice and _stays(unit, workflow, seeds):
            raise UsageError(
                f"`--answer {unit}={choice}`: it was answered `{before.choice}` before, and that stays",
                hint="start a new run to answer otherwise",
            )


def _stays(unit: str, workflow: Workflow, seeds: Seeds) -> bool:
    """Whether the answers to a question are all given; what is repeated may ask again."""
    done, above = frozenset(seeds.units), ""
    for segment in unit.split("/"):
        name = segment.partition("[")[0]
        step = workflow.step(name)
        if not done.isdisjoint((above + name, above + segment)):
            return True
        if step.repeat is not None:
            return False
        if isinstance(step.work, CallWork):
            workflow = step.work.callee
        above += f"{segment}/"
    return unit in seeds.answers
