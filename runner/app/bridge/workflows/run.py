"""A run of a workflow file for a host: what it wishes in, what became of it out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, cast

from runner.app.bridge.autonomous.autonomous import resolved_model
from runner.app.bridge.autonomous.progress import in_words
from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.models.desk import model_desk
from runner.app.bridge.workflows.said import in_arguments
from runner.app.find_run import resume_command
from runner.app.in_process import run_in_process
from runner.app.request import RunRequest
from runner.app.run.story import RunEnd
from runner.chat.offer import Progress
from runner.edges.run_folder import JOURNAL
from runner.plan.wanted import DEFAULT
from runner.record.events import StepFinished, StepStarted
from runner.record.wire import Entry
from runner.show.result_view import closing_text, outputs_text
from runner.words.errors import (
    FAILURE_KINDS,
    BridgeError,
    FailureKind,
    LLMError,
    OutsideError,
    UsageError,
    WorkflowError,
)
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.workflow.load import load


@noun
class Wish:
    """A run as a host wants it. ``inputs`` by name; ``model`` None is what the file says, ``models`` are alias → id;
    ``answers`` are id of the step → choice.
    """

    file: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)


class RunFailedError(BridgeError):
    """A run ended without success; ``run``, ``status``, ``outputs``, ``steps`` and ``folder`` as of one that did."""

    exit_code = Exit.STEP_FAILED
    facts = ("run", "workflow", "status", "outputs", "steps", "folder")

    def __init__(self, kind: FailureKind, message: str, told: Mapping[str, Any], *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        for name in self.facts:
            setattr(self, name, told[name])


async def run_file(house: BridgeHouse, wish: Wish, progress: Progress) -> Mapping[str, Any]:
    """Run it: ``{run, workflow, status, outputs, steps, folder, questions, hint, changes, warnings, text}``.

    A run that paused is no failure: ``questions`` say what it waits for, and ``hint`` how to answer.

    Raises:
        ModelNotFoundError: no server has a model that was wished for; nothing was started.
        RunFailedError: a step failed, or the run was ended.
        BridgeError: as ``run_in_process``.
    """
    request = RunRequest(
        file=wish.file,
        bound=wish.inputs,
        models=await _models(house, wish),
        endpoints=house.settings.endpoints,
        config=house.settings.config,
        default_model=await default_model(house),
        answers=tuple(f"{name}={choice}" for name, choice in wish.answers.items()),
        run_dir=house.settings.run_dir,
    )
    loaded = await asyncio.to_thread(load, wish.file)
    teller = _Teller(progress, len(loaded.workflow.steps))
    warnings: list[str] = []
    try:
        end = await run_in_process(
            request,
            house.environment,
            loaded=loaded,
            listener=teller.entry,
            warn=lambda findings: warnings.extend(f"{one.code}: {one.message}" for one in findings),
            watchers=house.watchers,
        )
    except (UsageError, WorkflowError) as error:
        raise in_arguments(error) from error
    finally:
        await teller.close()
    return _told(end, warnings, house.settings.run_dir)


async def default_model(house: BridgeHouse) -> str | None:
    """The model for steps that name none, if calls have loaded others beside it; None: a run finds it by itself."""
    desk = model_desk(house)
    if not any(resident.ours for _, resident in desk.models.residents()):
        return None
    try:
        found = await desk.default()
    except (LLMError, OutsideError):  # which is for the run to tell
        return None
    return None if found is None else found.model


async def _models(house: BridgeHouse, wish: Wish) -> tuple[str, ...]:
    """As ``--model`` takes them; each was found. ``default`` is what the file or the configuration says."""
    given = {"": wish.model, **wish.models}
    found = []
    for alias, name in given.items():
        if name is None or name.strip().casefold() in ("", DEFAULT):
            continue
        model = await resolved_model(house, name)
        found.append(f"{alias}={model}" if alias else model)
    return tuple(found)


def _told(end: RunEnd, warnings: list[str], run_dir: str) -> Mapping[str, Any]:
    outcome = end.outcome
    resume = resume_command(outcome["run"], run_dir)  # what is open is not answered behind the back of a person
    text = closing_text(outcome, journal=f"{end.folder}/{JOURNAL}", resume=resume)
    told = {
        "run": outcome["run"],
        "workflow": outcome["workflow"],
        "file": outcome["file"],
        "status": outcome["status"],
        "outputs": outcome["outputs"],
        "steps": {name: {key: step.get(key) for key in _OF_A_STEP} for name, step in outcome["steps"].items()},
        "seconds": outcome["seconds"],
        "folder": end.folder,
        "questions": outcome["questions"],
        "changes": end.changes,
        "warnings": warnings,
        "hint": None,
        "text": text,
    }
    if outcome["status"] == "paused":
        answers = ", ".join(f"`{one['id']}`: one of {', '.join(one['choices'])}" for one in outcome["questions"])
        hint = f"ask a person, who goes on with `{resume}`; or run it anew with `answers` ({answers})"
        return {**told, "hint": hint}
    if outcome["status"] != "succeeded":
        raise _failure(outcome, told)
    return {**told, "text": outputs_text(outcome) or text}


def _failure(outcome: Mapping[str, Any], told: Mapping[str, Any]) -> RunFailedError:
    errors = [(name, step["error"]) for name, step in outcome["steps"].items() if step["error"] is not None]
    name, error = errors[0] if errors else ("", outcome["error"] or {"kind": "cancelled", "message": "it was ended"})
    where = f": step `{name}`: {error['message']}" if name else f": {error['message']}"
    kind = error["kind"] if error["kind"] in FAILURE_KINDS else "bug"
    message = f"the workflow `{outcome['workflow']}` {outcome['status']}{where}"
    hint = f"what happened is in {told['folder']}/{JOURNAL}"
    return RunFailedError(cast(FailureKind, kind), message, told, hint=hint)


class _Teller:
    """Tells a host how far a run is, in the order of the journal; a host that is slow stops no run."""

    def __init__(self, progress: Progress, steps: int) -> None:
        self._progress = progress
        self._steps = steps
        self._done = 0
        self._waiting: asyncio.Queue[tuple[int, str] | None] = asyncio.Queue()
        self._telling = asyncio.create_task(self._tell(), name="tell how far a run is")

    def entry(self, entry: Entry) -> None:
        """Of the journal."""
        event = entry.event
        if isinstance(event, StepFinished) and "/" not in event.step and event.item is None:
            self._done += 1
            self._waiting.put_nowait((self._done, f"step `{event.step}` {event.status}"))
        elif isinstance(event, StepStarted):
            of_item = "" if event.item is None else f"[{event.item}]"
            self._waiting.put_nowait((self._done, f"step `{event.step}{of_item}` has begun"))
        elif (words := in_words(entry)) is not None:
            step = getattr(event, "step", None)
            self._waiting.put_nowait((self._done, f"step `{step}`: {words}" if step else words))

    async def _tell(self) -> None:
        while (told := await self._waiting.get()) is not None:
            await self._progress(float(told[0]), float(self._steps), told[1])

    async def close(self) -> None:
        """All that it heard is told."""
        self._waiting.put_nowait(None)
        await asyncio.wait((self._telling,))


_OF_A_STEP: Final = ("status", "model", "attempts", "seconds", "usage", "error")
_TEXT: Final = {"type": "string"}
RUN_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["run", "workflow", "status", "outputs", "steps", "folder", "questions", "hint"],
    "properties": {
        "run": {**_TEXT, "description": "Id of the run."},
        "workflow": _TEXT,
        "file": _TEXT,
        "status": {"enum": ["succeeded", "paused"]},
        "outputs": {"type": "object", "description": "Name of each output → its value."},
        "steps": {"type": "object", "description": "Id of each step → status, model, attempts, seconds, error."},
        "seconds": {"type": "number"},
        "folder": {**_TEXT, "description": "Where its journal and result are kept."},
        "questions": {"type": "array", "items": {"type": "object"}, "description": "What a paused run waits for."},
        "changes": {"type": ["string", "null"], "description": "What became of its workspace."},
        "warnings": {"type": "array", "items": _TEXT},
        "hint": {"type": ["string", "null"], "description": "What to do next."},
        "text": _TEXT,
    },
}
