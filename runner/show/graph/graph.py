"""What is to be seen of a workflow's graph, whatever it is drawn with: boxes, lines, and called workflows inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from runner.plan.edges import EdgeKind, edges
from runner.show.cell import fit, one_line
from runner.words.json_text import as_text
from runner.words.noun import noun
from runner.workflow.fan_out import FanOut, ForEach
from runner.workflow.model import (
    ApproveWork,
    CallWork,
    OnError,
    RunWork,
    Step,
    StepKind,
    TaskWork,
    ToolWork,
    Workflow,
)

GraphFormat = Literal["ascii", "mermaid", "dot", "svg"]

_LONGEST = 100
"""Cells of an expression or a command; what is longer is cut."""
_NO_LETTERS = re.compile("[\ufffe\uffff]")  # no XML may hold them

MEANING: dict[EdgeKind, str] = {
    "written": "needs it",
    "inferred": "reads its result",
    "when": "only its condition reads it",
}
"""What a kind of line says of the step that it leads to."""


@noun
class Model:
    """The model of a task: ``label`` as it is written there, with what may stand in; ``id`` without that.

    ``alias`` is the name under ``models`` that ``id`` has there, empty if the step names the id itself.
    """

    label: str
    id: str
    alias: str = ""


@noun
class Box:
    """A step, every text on one line and harmless.

    ``key`` is its id with the calling steps before it (``review/diff``). ``subject`` is what it works with: a tool, a
    command, a file, a question. ``notes`` are what else decides about it: fan-out, condition, join, failure. ``many``:
    it runs more than once. ``inner`` is the workflow that it calls, None if that is not to be seen.
    """

    key: str
    id: str
    kind: StepKind
    title: str = ""
    subject: str = ""
    model: Model | None = None
    notes: tuple[str, ...] = ()
    cleans_up: bool = False
    many: bool = False
    inner: Diagram | None = None


@noun
class Line:
    """The box ``target`` waits for the box ``source``, both keys; ``kinds`` as in ``Edge``."""

    source: str
    target: str
    kinds: tuple[EdgeKind, ...]

    @property
    def kind(self) -> EdgeKind:
        """The one by which it is drawn."""
        return self.kinds[0]


@noun
class Diagram:
    """A workflow: boxes in the order of its file, and the lines between them."""

    name: str
    file: str
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]

    @property
    def every_box(self) -> Iterator[Box]:
        """The boxes, each before those inside it."""
        for box in self.boxes:
            yield box
            if box.inner is not None:
                yield from box.inner.every_box

    @property
    def every_line(self) -> Iterator[Line]:
        """The lines, also those inside boxes."""
        yield from self.lines
        for box in self.boxes:
            if box.inner is not None:
                yield from box.inner.every_line

    @property
    def kinds(self) -> tuple[EdgeKind, ...]:
        """The kinds of lines that are drawn."""
        there = {line.kind for line in self.every_line}
        return tuple(kind for kind in MEANING if kind in there)


def shown_models(view: Diagram) -> dict[str, str]:
    """The models of all tasks by id, in the order in which they are met, each with its aliases (``coder, writer``)."""
    aliases: dict[str, dict[str, None]] = {}
    for box in view.every_box:
        if box.model is not None:
            names = aliases.setdefault(box.model.id, {})
            if box.model.alias:
                names[box.model.alias] = None
    return {model: ", ".join(names) for model, names in aliases.items()}


def diagram(workflow: Workflow, depth: int | None = None) -> Diagram:
    """What is to be seen of a workflow; called ones down to ``depth`` below it, None = all."""
    return _diagram(workflow, depth, "")


def box_count(workflow: Workflow, depth: int | None = None) -> int:
    """How many boxes that would be. Calls can double them at every level, so they are counted first."""
    known: dict[tuple[int, int | None], int] = {}

    def count(one: Workflow, below: int | None) -> int:
        place = (id(one), below)
        if place not in known:
            callees = [step.work.callee for step in one.steps if isinstance(step.work, CallWork)] if below != 0 else []
            known[place] = len(one.steps) + sum(count(callee, _less(below)) for callee in callees)
        return known[place]

    return count(workflow, depth)


def _less(depth: int | None) -> int | None:
    return None if depth is None else depth - 1


def _diagram(workflow: Workflow, depth: int | None, prefix: str) -> Diagram:
    return Diagram(
        name=workflow.name,
        file=_clean(workflow.file),
        boxes=tuple(_box(workflow, step, depth, prefix) for step in workflow.steps),
        lines=tuple(
            Line(source=prefix + edge.source, target=prefix + edge.target, kinds=edge.kinds)
            for edge in edges(workflow.steps)
        ),
    )


def _box(workflow: Workflow, step: Step, depth: int | None, prefix: str) -> Box:
    key = prefix + step.id
    work = step.work
    seen = isinstance(work, CallWork) and depth != 0
    return Box(
        key=key,
        id=step.id,
        kind=step.kind,
        title=_clean(step.name or ""),
        subject=_clean(_subject(step)),
        model=_model(workflow, work) if isinstance(work, TaskWork) else None,
        notes=tuple(_clean(note) for note in _notes(step)),
        cleans_up=step.cleans_up,
        many=step.fan_out is not None or step.repeat is not None,
        inner=_diagram(work.callee, _less(depth), f"{key}/") if seen and isinstance(work, CallWork) else None,
    )


def _clean(text: str) -> str:
    return fit(_NO_LETTERS.sub("�", one_line(text)), _LONGEST)


def _model(workflow: Workflow, work: TaskWork) -> Model:
    """The first wish; with what may stand in for it in the label."""
    name = work.model or workflow.default_model
    if name is None:
        return Model(label="default model", id="default model")
    first, *others = (name,) if isinstance(name, str) else name
    wish = workflow.models.get(first)
    if wish is None:
        return Model(label=_clean(" or ".join((first, *others))), id=_clean(first))
    written = wish.id if wish.alias is None else wish.alias  # a model written out at the step has no name of its own
    return Model(label=_clean(" or ".join((written, *others))), id=_clean(wish.id), alias=_clean(wish.alias or ""))


def _subject(step: Step) -> str:
    match step.work:
        case ToolWork(server=server, tool=tool):
            return f"{server}.{tool}"
        case RunWork(argv=argv, shell=shell):
            return " ".join(argv) if shell is None else shell
        case CallWork(file=file):
            return file
        case ApproveWork(question=question):
            return question
        case _:
            return ""


def _notes(step: Step) -> Iterator[str]:
    if isinstance(step.work, ApproveWork):
        default = f", without an answer {step.work.default}" if step.work.default is not None else ""
        yield f"{' / '.join(step.work.choices)}{default}"
    if step.fan_out is not None:
        yield _fan_out(step.fan_out)
    if step.repeat is not None:
        yield f"again until {step.repeat.until}, at most {step.repeat.most} times"
    if step.when is not None:
        yield f"when {step.when}"
    if step.join not in ("all_succeeded", "all_finished"):
        yield f"join: {step.join}"
    if step.cleans_up:
        yield "clean-up: runs whatever happened"
    if step.on_error.do != "fail":
        yield _on_error(step.on_error)


def _fan_out(fan_out: FanOut) -> str:
    over = fan_out.over
    if isinstance(over, ForEach):
        many = f"items of {over.items}" if isinstance(over.items, str) else _counted(len(over.items), "item")
    else:
        many = _counted(len(over.rows), "row")
    at_once = f", {fan_out.max_parallel} at once" if fan_out.max_parallel is not None else ""
    return f"× {many}{at_once}{', one by one' if fan_out.in_order else ''}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _on_error(on_error: OnError) -> str:
    if on_error.do == "continue":
        return "if it fails: the run goes on"
    return f"if it fails: {as_text(on_error.output) or 'an empty output'} stands in"
