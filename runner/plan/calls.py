"""What a called workflow is known to be given before anything runs, and the rows of a matrix that differ in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from runner.plan.wanted import Names
from runner.words.errors import TemplateError
from runner.words.noun import noun
from runner.words.templates import evaluate, has_template, inspect_expression, inspect_template, render
from runner.workflow.fan_out import ForEach, Matrix
from runner.workflow.model import CallWork, Step, TaskWork, Workflow

_EARLY = ("inputs", "matrix", "run")
"""Names whose values are known before the first step starts; that of ``run`` only then, so no model depends on it."""


@noun
class Given:
    """The inputs of a called workflow as far as they are known. ``late`` are those that a step has to answer first."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    late: frozenset[str] = frozenset()


def given_to(work: CallWork, names: Names) -> Given:
    """What the call gives, defaults of the called file among it; what is not known yet is left out."""
    known = {name: one.default for name, one in work.callee.inputs.items() if not one.required}
    late: set[str] = set()
    for name, value in work.given.items():
        known.pop(name, None)
        if set(_roots(value)) - set(_EARLY):
            late.add(name)
            continue
        try:
            known[name] = render(value, names.known)
        except TemplateError:
            continue  # an input that this check was not given
    return Given(inputs=known, late=frozenset(late))


def known_items(step: Step, names: Names) -> int | None:
    """The number of items of a ``for_each`` over what is known before anything runs; None for all else."""
    over = step.fan_out.over if step.fan_out is not None else None
    if not isinstance(over, ForEach) or not isinstance(over.items, str):
        return None
    if {str(reference.path[0]) for reference in inspect_expression(over.items).references} != {"inputs"}:
        return None
    try:
        found = evaluate(over.items, names.known)
    except TemplateError:
        return None  # an input that was not given
    return len(found) if isinstance(found, list | tuple) else None


def rows_of(step: Step) -> tuple[Mapping[str, Any], ...]:
    """The rows of a step whose model, or what it hands to a workflow, depends on them; else none."""
    if step.fan_out is None or not isinstance(step.fan_out.over, Matrix) or "matrix" not in _early_roots(step):
        return ()
    return step.fan_out.over.rows


def for_row(names: Names, row: Mapping[str, Any] | None) -> Names:
    """The names with those of a row of a matrix."""
    return names if row is None else replace(names, matrix=row)


def for_callee(names: Names, work: CallWork) -> Names:
    """The names as the called file has them: its own models, the swaps of this run, what it is given."""
    given = given_to(work, names)
    return replace(names, workflow=work.callee, inputs=given.inputs, late=given.late, matrix=None)


def every_name(workflow: Workflow, names: Names) -> Iterator[str]:
    """Every name under which a step of the file, or of one that it calls, would take a model."""
    for step in workflow.steps:
        for row in rows_of(step) or (None,):
            here = for_row(names, row)
            if isinstance(step.work, TaskWork):
                yield from (wish.name for wish in here.wanted_by(step, step.work) if wish.name is not None)
            elif isinstance(step.work, CallWork):
                yield from every_name(step.work.callee, for_callee(here, step.work))


def _early_roots(step: Step) -> set[str]:
    """The names that the model of a step, or what it hands over, reads."""
    if isinstance(step.work, TaskWork):
        return set(_roots(step.work.model))
    return set(_roots(step.work.given)) if isinstance(step.work, CallWork) else set()


def _roots(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if has_template(value):
            yield from (str(reference.path[0]) for reference in inspect_template(value).references)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _roots(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _roots(item)
