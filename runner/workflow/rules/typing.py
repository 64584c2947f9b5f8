"""What is known of a value before anything runs: its JSON Schema, as far as the file says.

``{}`` is what nothing is known of. A null that stands in for the output of a step that did not succeed is part of a
schema only where the step lets the run go on with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runner.words.complaint import Complaint
from runner.words.errors import FAILURE_KINDS
from runner.words.inspection import Expression
from runner.words.schemas import check_schema
from runner.words.templates import has_template, inspect_expression, template_value
from runner.workflow.rules import kinds
from runner.workflow.rules.expression_type import expression_type
from runner.workflow.rules.order import needs_of
from runner.workflow.rules.places import Place
from runner.workflow.rules.view import StepView, View

Parts = tuple[str | int, ...]

STATUSES = ("succeeded", "failed", "skipped", "cancelled", "recovered")

_ERROR: Mapping[str, Any] = {
    "type": "object",
    "properties": {"kind": {"enum": list(FAILURE_KINDS)}, "message": kinds.TEXT},
    "additionalProperties": False,
}
_LOOP: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("index", "index0", "length"), kinds.INTEGER),
        **dict.fromkeys(("first", "last"), kinds.BOOLEAN),
    },
    "additionalProperties": False,
}
_OF_A_STEP: Mapping[str, Any] = {
    "status": {"enum": list(STATUSES)},
    "error": kinds.union((_ERROR, kinds.NULL)),
    "artifacts": kinds.list_of(kinds.TEXT),
    "exit_code": kinds.INTEGER,
    "stderr": kinds.TEXT,
}


def output_schemas(view: View) -> Mapping[str, Any]:
    """The JSON Schema of each output that a caller of this file may read; ``{}`` where nothing is known."""
    types = types_of(view)
    outputs = view.document.data.get("outputs")
    if isinstance(outputs, dict):
        places = {place.path: place for place in view.places if place.role == "outputs"}
        return {name: written_schema(types, places, ("outputs", name), value) for name, value in outputs.items()}
    used = {needed for needs in needs_of(view).values() for needed in needs}
    return {name: kinds.inlined(types.output(step)) for name, step in view.by_id.items() if name not in used}


def written_schema(types: Types, places: Mapping[Any, Place], path: Parts, value: Any) -> Mapping[str, Any]:
    """The schema of a value with templates in it; each template is a place, found by its path."""
    if isinstance(value, dict):
        return kinds.object_of({key: written_schema(types, places, (*path, key), item) for key, item in value.items()})
    if isinstance(value, list):
        return {
            "type": "array",
            "prefixItems": [written_schema(types, places, (*path, index), item) for index, item in enumerate(value)],
            "items": False,
        }
    return types.of_place(places[path]) if path in places else {"const": value}


def types_of(view: View) -> Types:
    """The types of a file's values, worked out once for all rules."""
    if Types not in view.memo:
        view.memo[Types] = Types(view)
    return view.memo[Types]  # type: ignore[no-any-return]  # put there just now, or before


class Types:
    """The schemas of the values of one file; each is worked out when it is first asked for."""

    __slots__ = ("_faults", "_known", "_view")

    def __init__(self, view: View) -> None:
        self._view = view
        self._known: dict[object, Any] = {}
        self._faults: dict[int, tuple[tuple[Complaint, ...], Any]] = {}

    def faults(self, schema: Any) -> tuple[Complaint, ...]:
        """What keeps a schema of the file from being one. It is judged once, so give the very object."""
        if id(schema) not in self._faults:
            self._faults[id(schema)] = (check_schema(schema), schema)  # it stays alive, and keeps its identity
        return self._faults[id(schema)][0]

    def input(self, name: str) -> Any:
        """The schema of an input, legal or not."""
        return self._once(("input", name), lambda: _without_default(self._view.section("inputs")[name]))

    def answer(self, step: StepView) -> Any:
        """What the work of a step gives when it succeeds; in a fan-out, that of one item."""
        return self._once(("answer", step.index), lambda: self._answer(step))

    def output(self, step: StepView) -> Any:
        """What others read as the output of a step."""
        return self._once(("output", step.index), lambda: self._output(step))

    def item(self, step: StepView) -> Mapping[str, Any]:
        """An item of the list that a step goes through."""
        return self._once(("item", step.index), lambda: self._item(step))  # type: ignore[no-any-return]  # a schema

    def row(self, step: StepView) -> Mapping[str, Any]:
        """A row of the matrix of a step."""
        return self._once(("row", step.index), lambda: _row(step))  # type: ignore[no-any-return]  # a schema

    def base(self, place: Place, path: Parts) -> tuple[Any, int]:
        """The schema of what a path begins with, and how many of its parts that are."""
        root = path[0]
        if root not in place.names:
            return kinds.ANYTHING, len(path)
        if root == "inputs" and len(path) > 1 and path[1] in self._view.section("inputs"):
            schema = self.input(str(path[1]))
            return kinds.ANYTHING if self.faults(schema) else schema, 2
        if root == "steps" and len(path) > 2 and str(path[1]) in self._view.by_id:
            step = self._view.by_id[str(path[1])]
            return self.output(step) if path[2] == "output" else _OF_A_STEP.get(str(path[2]), kinds.ANYTHING), 3
        if root in {"run", "secrets"}:
            return kinds.TEXT if len(path) == 2 else kinds.ANYTHING, len(path)
        return (kinds.ANYTHING, len(path)) if place.step is None else self._local(place, root, len(path))

    def _local(self, place: Place, root: str | int, length: int) -> tuple[Any, int]:
        step = self._view.steps[place.step or 0]
        if root == step.item_name:
            return self.item(step), 1
        if root == "matrix":
            return self.row(step), 1
        if root == "previous":
            return self._once(("previous", step.index), lambda: _or_null(self.answer(step))), 1
        fixed = {"loop": _LOOP, "error": _ERROR, "output": self.answer(step)}
        return (fixed[str(root)], 1) if root in fixed else (kinds.ANYTHING, length)

    def of_path(self, place: Place, path: Parts) -> Mapping[str, Any]:
        """The schema of what stands at a path; ``{}`` as well if nothing can."""
        schema, start = self.base(place, path)
        return kinds.part(self._inlined(schema), path[start:])

    def of(self, place: Place, expression: Expression) -> Mapping[str, Any]:
        """The schema of what an expression works out in a place."""
        try:
            return expression_type(expression, lambda path: self.of_path(place, path))
        except RecursionError:  # nested nearly too deeply to be read
            return kinds.ANYTHING

    def of_place(self, place: Place) -> Mapping[str, Any]:
        """The schema of what the template or expression of a place works out."""
        value = template_value(place.source, bare=place.bare)
        if value is not None:
            return self.of(place, value)
        return kinds.ANYTHING if place.bare or place.inspection.problems else kinds.TEXT

    # --- worked out once ------------------------------------------------------------------------------------------

    def _once(self, key: object, work: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = kinds.ANYTHING  # what a step that waits for itself learns from itself
            self._known[key] = work()
        return self._known[key]

    def _inlined(self, schema: Any) -> Any:
        key = ("inlined", id(schema))
        if key not in self._known:
            self._known[key] = (kinds.inlined(schema), schema)  # likewise
        return self._known[key][0]

    def _answer(self, step: StepView) -> Any:
        if step.kind == "workflow":
            callee = self._view.callees.get(step.index)
            return kinds.ANYTHING if callee is None else kinds.object_of(callee.output_schemas)
        if step.kind == "approve":
            choices = step.data.get("choices", ("yes", "no"))
            return {"enum": list(choices)}
        if "output" not in step.data:
            return kinds.ANYTHING if step.kind == "tool" else kinds.TEXT
        schema = self._view.output_schema(step)
        return kinds.ANYTHING if schema is None or self.faults(schema) else schema

    def _output(self, step: StepView) -> Any:
        one = self.answer(step)
        stand_in = step.data.get("on_error")
        others: list[Any] = []
        if isinstance(stand_in, dict):
            others.append(self._stand_in(step, stand_in["output"]))
        if stand_in == "continue" or self._may_skip_items(step):
            others.append(kinds.NULL)
        if others:
            one = kinds.union((self._inlined(one), *others))
        if not step.fans_out:
            return one
        one = self._inlined(one)
        return kinds.list_of(
            one if "for_each" in step.data else kinds.object_of({"matrix": self.row(step), "output": one})
        )

    def _stand_in(self, step: StepView, value: Any) -> Mapping[str, Any]:
        path = (*step.path, "on_error", "output")
        places = {place.path: place for place in self._view.places_of(step) if place.path[: len(path)] == path}
        return written_schema(self, places, path, value)

    def _may_skip_items(self, step: StepView) -> bool:
        """Whether ``when`` is judged item by item."""
        when = step.data.get("when")
        if not step.fans_out or not isinstance(when, str) or has_template(when):
            return False
        return any(reference.path[0] in _of_an_item(step) for reference in inspect_expression(when).references)

    def _item(self, step: StepView) -> Mapping[str, Any]:
        items = step.data.get("for_each")
        if isinstance(items, list):
            return kinds.union(map(kinds.literal, items))
        place = next((one for one in self._view.places_of(step) if one.path == (*step.path, "for_each")), None)
        return kinds.ANYTHING if place is None else kinds.list_items(self.of_place(place))


def _of_an_item(step: StepView) -> tuple[str | None, ...]:
    return (step.item_name, "matrix", "loop")


def _row(step: StepView) -> Mapping[str, Any]:
    """Every key of some row, with the values that it may have there."""
    written: Mapping[str, Any] = step.data.get("matrix", {})
    values = {name: list(some) for name, some in written.items() if name not in ("include", "exclude")}
    for row in written.get("include", ()):
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return kinds.object_of({name: kinds.union(map(kinds.literal, some)) for name, some in values.items()})


def _or_null(schema: Any) -> Mapping[str, Any]:
    return kinds.union((kinds.inlined(schema), kinds.NULL))


def _without_default(declared: Any) -> Any:
    return {key: value for key, value in declared.items() if key != "default"} if isinstance(declared, dict) else {}
