"""Which step waits for which, and why: it is written down, a template reads the other's result, or a ``when`` does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from runner.words.noun import noun
from runner.words.templates import has_template, inspect_expression, inspect_template
from runner.workflow.fan_out import ForEach
from runner.workflow.model import ApproveWork, CallWork, RunWork, Step, TaskWork, ToolWork

EdgeKind = Literal["written", "inferred", "when"]
"""``written``: it stands under ``needs``. ``inferred``: a template, or an expression other than ``when``, reads it.
``when``: the condition reads it.
"""


@noun
class Edge:
    """``target`` waits for ``source``, both ids of steps; ``kinds`` are all reasons, in the order of ``EdgeKind``."""

    source: str
    target: str
    kinds: tuple[EdgeKind, ...]

    @property
    def kind(self) -> EdgeKind:
        """The first of its reasons: what is written, before what is read, before what only decides."""
        return self.kinds[0]


def edges_of(step: Step) -> tuple[Edge, ...]:
    """One edge for each step that this one waits for, in the order of ``step.needs``."""
    conditions = _read([step.when] if step.when is not None else [], ())
    reading = _read(_expressions(step), _templates(step))
    kinds = {need: _kinds(step, need, reading, conditions) for need in step.needs}
    return tuple(Edge(source=need, target=step.id, kinds=why) for need, why in kinds.items())


def edges(steps: Iterable[Step]) -> tuple[Edge, ...]:
    """All edges between the steps, in their order."""
    return tuple(edge for step in steps for edge in edges_of(step))


def _kinds(step: Step, need: str, reading: frozenset[str], conditions: frozenset[str]) -> tuple[EdgeKind, ...]:
    kinds: list[EdgeKind] = ["written"] if need in step.written_needs else []
    if need in reading:
        kinds.append("inferred")
    if need in conditions:
        kinds.append("when")
    return tuple(kinds) or ("inferred",)


def _read(expressions: Iterable[str], texts: Iterable[Any]) -> frozenset[str]:
    """The ids of the steps whose results are read."""
    inspections = [inspect_expression(source) for source in expressions if not has_template(source)]
    inspections += [inspect_template(source) for text in texts for source in _strings(text)]
    paths = (reference.path for inspection in inspections for reference in inspection.references)
    return frozenset(str(path[1]) for path in paths if len(path) > 1 and path[0] == "steps")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, Sequence):
        for part in value:
            yield from _strings(part)


def _expressions(step: Step) -> Iterator[str]:
    """The bare expressions of a step, but for its ``when``."""
    over = step.fan_out.over if step.fan_out is not None else None
    if isinstance(over, ForEach) and isinstance(over.items, str):
        yield over.items
    if step.repeat is not None:
        yield step.repeat.until
    for check in step.expect:
        if check.that is not None:
            yield check.that


def _templates(step: Step) -> Iterator[Any]:
    """What may hold templates, also inside lists and mappings."""
    yield from _of_work(step.work)
    yield (step.on_error.output, step.artifacts)
    if step.fan_out is not None:
        over = step.fan_out.over
        yield over.items if isinstance(over, ForEach) else (over.axes, over.include, over.exclude)
    for check in step.expect:
        yield (check.message, check.run)


def _of_work(work: TaskWork | ToolWork | RunWork | CallWork | ApproveWork) -> tuple[Any, ...]:
    match work:
        case TaskWork():
            return (work.task, work.system, work.images)
        case ToolWork():
            return (work.arguments,)
        case RunWork():
            return (work.argv, work.shell, work.stdin, work.cwd, work.env)
        case CallWork():
            return (work.given,)
    return (work.question,)
