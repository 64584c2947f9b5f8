"""``bridge-run FILE --rehearse``: the workflow run through again and again, until it went every way that it can go."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from runner.app.console import say, tell
from runner.app.rehearsal.run import Played, RehearsalStage, prepare_rehearsal
from runner.app.request import RunRequest
from runner.record.events import RunFinished, StepFinished
from runner.record.parts import unit_of, without_indices
from runner.rehearse.rehearsal.goals import Goal, goals_of, goals_seen
from runner.rehearse.rehearsal.prompter import INJECTED, Prompter
from runner.rehearse.rehearsal.search import Part, Search
from runner.rehearse.scripted import NO_STUBS, Reply, read_stubs
from runner.rehearse.scripted_text import stub_text
from runner.show.rehearsal_view import Fault, RehearsalReport, SeenStep, rehearsal_json, rehearsal_text
from runner.words.errors import UsageError
from runner.words.exits import Exit
from runner.workflow.model import CallWork

MOST_WALKS: Final = 400
A_GOAL: Final = 48
"""Walks that may be spent on one goal."""
_FAULTS: Final = ("request", "bug", "tool")
"""Kinds that are the workflow's own fault whatever was answered: templates, arguments, inputs of called files."""
_STUBS_ENDING: Final = ".stubs.yaml"


def rehearse(request: RunRequest) -> int:
    """Rehearse the file of a request, say what was seen, and give the exit code.

    Raises:
        WorkflowError: the file or the stubs are at fault.
        UsageError: an input or a file's name is wrong.
    """
    prepared = prepare_rehearsal(request)
    known = NO_STUBS if request.stubs is None else read_stubs(request.stubs, prepared.workflow)
    prompter = Prompter(prepared.workflow, known)
    given = [text.partition("=")[0].strip() for text in request.inputs]
    with tempfile.TemporaryDirectory(prefix="bridge-run-rehearsal-") as folder:
        stage = RehearsalStage(prepared, prompter, Path(folder), os.environ)
        walks = _Walks(stage, prompter, Search(prepared.workflow, prompter, given))
        report = walks.report(prepared.workflow.file, goals_of(prepared.workflow))
    code = Exit.OK if report.good else Exit.STEP_FAILED
    if request.format == "json":
        say(json.dumps(rehearsal_json(report, int(code)), ensure_ascii=False, indent=2))
    else:
        say(rehearsal_text(report))
    return code


def init_stubs(request: RunRequest) -> int:
    """Write a stub file beside the workflow, with one entry for each step that answers; the exit code.

    Raises:
        WorkflowError: the file is at fault.
        UsageError: there is such a file already, or it cannot be written.
    """
    prepared = prepare_rehearsal(request)
    prompter = Prompter(prepared.workflow)
    target = Path(prepared.workflow.file).with_suffix("")
    path = target.with_name(target.name + _STUBS_ENDING)
    answers = {
        name: (step, next(iter(prompter.options(name)), None))
        for name, step in prompter.steps.items()
        if not isinstance(step.work, CallWork)
    }
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(stub_text(prepared.workflow.file, answers))
    except FileExistsError:
        raise UsageError(f"there is a file `{path}` already", hint="delete it first, or edit it by hand") from None
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror or error}") from error
    tell(f"wrote {path}: {len(answers)} stub" + "s" * (len(answers) != 1))
    return Exit.OK


class _Walks:
    """All walks of one rehearsal, and what they have shown together."""

    def __init__(self, stage: RehearsalStage, prompter: Prompter, search: Search) -> None:
        self._stage = stage
        self._prompter = prompter
        self._search = search
        self._seen: dict[Goal, Part] = {}
        self._tried: set[str] = set()
        self._faults: dict[tuple[str, str, str], Fault] = {}
        self._why: dict[str, str] = {}
        self._walks = 0

    def report(self, file: str, goals: tuple[Goal, ...]) -> RehearsalReport:
        """Walk until every goal is seen or given up."""
        self._walk(Part())
        for goal in sorted(goals, key=lambda goal: goal.way == "least"):  # when it is known who reads what is left out
            if goal not in self._seen:
                self._look_for(goal)
        prompter = self._prompter
        unused = sorted((stub.span.line, name) for name, stub in prompter.stubs.of.items() if name not in prompter.used)
        return RehearsalReport(
            file=file,
            walks=self._walks,
            steps=tuple(self._step(path, goals) for path in prompter.steps),
            faults=tuple(self._faults.values()),
            missing=tuple(prompter.missing),
            unused=tuple((name, line) for line, name in unused),
            stub_file=prompter.stubs.file,
        )

    def _step(self, path: str, goals: tuple[Goal, ...]) -> SeenStep:
        ran = any(goal.path == path and goal.way == "runs" for goal in self._seen)
        ways = tuple((goal.label, goal in self._seen) for goal in goals if goal.path == path and goal.way != "runs")
        empty = Goal(path=path, way="no items") in self._seen
        why = "" if ran else self._why.get(path, "its list never has an item" if empty else "no walk came to it")
        return SeenStep(path=path, kind=self._prompter.steps[path].kind, ran=ran, ways=ways, why=why)

    def _look_for(self, goal: Goal) -> None:
        """Walk where the goal may show; from the usual answers on, then from those that led to its step before."""
        if goal.way == "least":
            self._walk_least(goal)
            return
        led = self._seen.get(Goal(path=goal.path, way="runs"))
        bases = [Part(), *([led] if led is not None and (led.cues or led.inputs) else []), *self._above(goal.path)]
        most = min(self._walks + A_GOAL, MOST_WALKS)
        for part in islice(self._search.guesses(goal, bases), A_GOAL * 4):
            if goal in self._seen or self._walks >= most:
                return
            self._walk(part)

    def _walk_least(self, goal: Goal) -> None:
        """Walk with only what is required wherever a step that may read the answer came to work."""
        step = self._prompter.steps[goal.path]
        before = goal.path.removesuffix(step.id)
        readers = [
            path for path, one in self._prompter.steps.items() if step.id in one.needs and path == before + one.id
        ]
        led = (self._seen.get(Goal(path=path, way="runs")) for path in (goal.path, *readers))
        bases = {repr(part): part for part in led if part is not None}
        for base in bases.values():
            for part in self._search.guesses(goal, [base]):
                if self._walks < MOST_WALKS and self._walk(part):
                    self._seen.setdefault(goal, part)

    def _above(self, path: str) -> Iterator[Part]:
        """What led to the steps that this one waits for."""
        step = self._prompter.steps[path]
        before = path.removesuffix(step.id)
        for need in step.needs:
            part = self._seen.get(Goal(path=before + need, way="runs"))
            if part is not None and (part.cues or part.inputs):
                yield part

    def _walk(self, part: Part) -> bool:
        """Walk once, unless just so was walked before."""
        key = repr(part)
        if key in self._tried:
            return False
        self._tried.add(key)
        self._walks += 1
        played = self._stage.play(part)
        for goal in goals_seen(played.entries):
            self._seen.setdefault(goal, part)
        self._note_faults(played, part)
        return True

    def _note_faults(self, played: Played, part: Part) -> None:
        for entry in played.entries:
            event = entry.event
            if isinstance(event, StepFinished):
                path = without_indices(unit_of(event) or "")
                if event.status == "skipped":
                    self._why.setdefault(path, self._reason(path, event.reason or "it was skipped"))
                elif event.error is not None and self._is_fault(event, event.error, part):
                    self._note(path, event.error["kind"], event.error["message"], part)
            elif isinstance(event, RunFinished) and event.error is not None:
                self._note("outputs", event.error["kind"], event.error["message"], part)

    def _note(self, path: str, kind: str, message: str, part: Part) -> None:
        inner = any(known.startswith(f"{path}/") for known, _, _ in self._faults)
        if not inner:  # what fails below a call is told there
            self._faults.setdefault(
                (path, kind, message), Fault(path=path, kind=kind, message=message, part=_words(part))
            )

    def _is_fault(self, event: StepFinished, error: Mapping[str, Any], part: Part) -> bool:
        if event.status not in ("failed", "recovered"):
            return False
        message, path = error["message"], without_indices(unit_of(event) or "")
        whole = event.item is None and self._prompter.steps[path].fan_out is not None
        if INJECTED in message or path in self._prompter.missing or (whole and event.attempts):
            return False
        asked = {reply.message for stub in self._prompter.stubs.of.values() for reply in stub.replies if reply.fails}
        if any(words in message for words in asked):
            return False
        return error["kind"] in _FAULTS or not (part.cues or part.inputs)

    def _reason(self, path: str, reason: str) -> str:
        when = self._prompter.steps[path].when
        return f"{reason}: `{when}`" if when is not None and "`when`" in reason else reason


def _words(part: Part) -> str:
    """What was other than usual in a walk."""
    said = [f"`{path}` answers {_shown(replies)}" for path, replies in part.cues.items()]
    said += [f"the input `{name}` is {_json(value)}" for name, value in part.inputs.items()]
    return f"when {' and '.join(said)}" if said else ""


def _shown(replies: Iterable[Reply]) -> str:
    return ", then ".join("with a failure" if one.fails else _json(one.value) for one in replies)


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:119] + "…"
