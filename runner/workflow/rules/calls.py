"""Rules about calls of other workflows: BR241."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runner.words.complaint import listed, quoted
from runner.words.diagnostics import Diagnostic
from runner.words.schemas import complaints
from runner.words.spans import Path, show_path
from runner.words.suggest import did_you_mean
from runner.workflow.model import Input, Workflow
from runner.workflow.rules.fit import Misfit, misfit
from runner.workflow.rules.kinds import inlined
from runner.workflow.rules.shapes import json_wanted
from runner.workflow.rules.typing import types_of, written_schema
from runner.workflow.rules.view import StepView, View


def br241_inputs_of_a_call(view: View) -> Iterable[Diagnostic]:
    """``with`` is not what the called workflow takes."""
    for index, callee in view.callees.items():
        step = view.steps[index]
        given = step.data.get("with", {})
        for name, value in given.items():
            if name in callee.inputs:
                yield from _misfits(view, step, callee.inputs[name], value)
            else:
                yield _unknown(view, step, callee, name)
        absent = [one.name for one in callee.inputs.values() if one.required and one.name not in given]
        unknown = [name for name in given if name not in callee.inputs]
        if absent and not any(did_you_mean(name, absent) for name in unknown):  # a slip is told once
            yield _absent(view, step, absent)


def _unknown(view: View, step: StepView, callee: Workflow, name: str) -> Diagnostic:
    names = f"its inputs are {listed(map(quoted, callee.inputs), 'and')}" if callee.inputs else "it has no inputs"
    message = f"`{step.data['workflow']}` has no input `{name}`"
    hint = did_you_mean(name, callee.inputs) or names
    return view.finding("BR241", message, view.key_span((*step.path, "with", name)), help=hint)


def _absent(view: View, step: StepView, absent: list[str]) -> Diagnostic:
    shown = listed(map(quoted, absent), "and")
    message = f"`{step.data['workflow']}` needs the {'input' if len(absent) == 1 else 'inputs'} {shown}"
    span = view.key_span((*step.path, "with")) if "with" in step.data else view.value_span((*step.path, "workflow"))
    hint = f"add `with: {{{', '.join(f'{name}: …' for name in absent)}}}`"
    return view.finding("BR241", message, span, help=hint)


def _misfits(view: View, step: StepView, wanted: Input, value: Any) -> Iterable[Diagnostic]:
    path: Path = (*step.path, "with", wanted.name)
    places = {place.path: place for place in view.places_of(step) if place.path[: len(path)] == path}
    if places:
        known = misfit(written_schema(types_of(view), places, path, value), inlined(wanted.schema))
        found = [] if known is None else [known]
    else:
        found = [Misfit(path=one.path, message=one.message) for one in complaints(wanted.schema, value)]
    for one in found:
        at = (*path, *one.path) if view.document.has((*path, *one.path)) else path
        where = f" at `{show_path(one.path)}`" if one.path else ""
        callee = step.data["workflow"]
        message = f"this does not fit the input `{wanted.name}` of `{callee}`{where}: {one.message}"
        yield view.finding("BR241", message, view.value_span(at), help=_way_out(view, at))


def _way_out(view: View, at: Path) -> str | None:
    """If it is the text of a step that is given: that the step could answer with more."""
    uses = [use for use in view.uses if use.place.path == at]
    if len(uses) != 1 or uses[0].path[0] != "steps" or uses[0].path[2:] != ("output",):
        return None
    asked = view.by_id.get(str(uses[0].path[1]))
    return None if asked is None or asked.fans_out else json_wanted(asked)
