"""Rules about what a step's answer, or an input, can have: BR208, BR229."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from runner.words.diagnostics import Diagnostic
from runner.words.schemas import check_schema
from runner.words.spans import Path, show_path
from runner.workflow.rules.schema_path import Answer, follow
from runner.workflow.rules.view import StepView, Use, View

_TEXT = {"type": "string"}


def br208_impossible_reference(view: View) -> Iterable[Diagnostic]:
    """A path that the answer of the step, or the value of the input, can never have."""
    for use, start, answer, step in _answers(view):
        if answer.verdict == "no":
            path = show_path(use.path[: start + answer.depth])
            way_out = _way_out(step) if step is not None else None
            hint = f"did you mean `{answer.near}`?" if answer.near else way_out
            yield view.finding("BR208", f"`{path}` {answer.reason}", view.use_span(use), help=hint)


def br229_unlikely_reference(view: View) -> Iterable[Diagnostic]:
    """A path that the schema neither names nor forbids, but that is very like one it names."""
    for use, start, answer, _ in _answers(view):
        if answer.verdict == "maybe" and answer.near:
            path, name = show_path(use.path[: start + answer.depth]), use.path[start + answer.depth]
            message = f"the schema of `{path}` does not name `{name}`"
            hint = f"did you mean `{answer.near}`?"
            yield view.finding("BR229", message, view.use_span(use), help=hint, level="warning")


def _answers(view: View) -> Iterator[tuple[Use, int, Answer, StepView | None]]:
    """Every use of a part of an output or of an input: where the part begins, whether it can be, and whose it is."""
    schemas: dict[Path, Any] = {}
    known: dict[Path, Answer] = {}
    inputs = view.section("inputs")
    for use in view.uses:
        step = view.by_id.get(str(use.path[1])) if len(use.path) > 3 and use.path[0] == "steps" else None
        if step is not None and use.path[2] == "output":
            start = 3
        elif use.path[0] == "inputs" and len(use.path) > 2 and use.path[1] in inputs:
            start = 2
        else:
            continue
        whole = use.path[:start]
        if whole not in schemas:
            schemas[whole] = _input_schema(inputs[str(whole[1])]) if step is None else _answer_schema(view, step)
        if use.path not in known:
            known[use.path] = follow(schemas[whole], use.path[start:])
        yield use, start, known[use.path], step


def _answer_schema(view: View, step: StepView) -> Any:
    """The schema of what the step answers; ``{}`` where nothing is known."""
    if any(key in step.data for key in ("for_each", "matrix", "repeat")) or step.kind not in {"task", "run"}:
        return view.output_schema(step) or {} if step.kind == "tool" else {}
    if "output" not in step.data:
        return _TEXT
    schema = view.output_schema(step)
    return {} if schema is None else _legal(schema)


def _input_schema(declared: Any) -> Any:
    return _legal({key: value for key, value in declared.items() if key != "default"})


def _legal(schema: Any) -> Any:
    """The schema, if it is one; what is wrong with it is told by BR226, and no path can be followed into it."""
    return {} if check_schema(schema) else schema


def _way_out(step: StepView) -> str | None:
    if "output" in step.data or step.kind not in {"task", "run"}:
        return None
    answers = "JSON" if step.kind == "run" else "fields"
    return f"give step `{step.id}` an `output` schema, so that it answers with {answers}"
