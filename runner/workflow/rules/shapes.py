"""Rules about what a step's answer can have: BR208, BR229."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runner.words.diagnostics import Diagnostic
from runner.words.spans import show_path
from runner.workflow.rules.schema_path import Answer, follow
from runner.workflow.rules.view import StepView, Use, View

_TEXT = {"type": "string"}


def br208_impossible_reference(view: View) -> Iterable[Diagnostic]:
    """A path that the answer of the step can never have."""
    for use, step, answer in _answers(view):
        if answer.verdict == "no":
            start = show_path(use.path[: 3 + answer.depth])
            hint = f"did you mean `{answer.near}`?" if answer.near else _way_out(step)
            yield view.finding("BR208", f"`{start}` {answer.reason}", view.use_span(use), help=hint)


def br229_unlikely_reference(view: View) -> Iterable[Diagnostic]:
    """A path that the schema neither names nor forbids, but that is very like one it names."""
    for use, _, answer in _answers(view):
        if answer.verdict == "maybe" and answer.near:
            start = show_path(use.path[: 3 + answer.depth])
            message = f"the schema of `{start}` does not name `{use.path[3 + answer.depth]}`"
            hint = f"did you mean `{answer.near}`?"
            yield view.finding("BR229", message, view.use_span(use), help=hint, level="warning")


def _answers(view: View) -> Iterable[tuple[Use, StepView, Answer]]:
    schemas: dict[int, Any] = {}
    known: dict[tuple[str | int, ...], Answer] = {}
    for use in view.uses:
        if len(use.path) < 4 or use.path[0] != "steps" or use.path[2] != "output":
            continue
        step = view.by_id.get(str(use.path[1]))
        if step is None:
            continue
        if step.index not in schemas:
            schemas[step.index] = _answer_schema(view, step)
        if use.path not in known:
            known[use.path] = follow(schemas[step.index], use.path[3:])
        yield use, step, known[use.path]


def _answer_schema(view: View, step: StepView) -> Any:
    """The schema of what the step answers; ``{}`` where nothing is known."""
    if any(key in step.data for key in ("for_each", "matrix", "repeat")) or step.kind not in {"task", "run"}:
        return view.output_schema(step) or {} if step.kind == "tool" else {}
    if "output" not in step.data:
        return _TEXT
    schema = view.output_schema(step)
    return {} if schema is None else schema


def _way_out(step: StepView) -> str | None:
    if "output" in step.data or step.kind not in {"task", "run"}:
        return None
    answers = "JSON" if step.kind == "run" else "fields"
    return f"give step `{step.id}` an `output` schema, so that it answers with {answers}"
