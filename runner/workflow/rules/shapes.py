"""Rules about what a value can have: BR208, BR229."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from runner.words.diagnostics import Diagnostic
from runner.words.inspection import Constant
from runner.words.spans import show_path
from runner.workflow.rules.expression_type import mapped_attribute, shown
from runner.workflow.rules.kinds import item_of
from runner.workflow.rules.places import Place
from runner.workflow.rules.schema_path import Answer, follow
from runner.workflow.rules.typing import Parts, types_of
from runner.workflow.rules.view import StepView, Use, View

_OF_LISTS = frozenset(("count", "first", "join", "last", "length", "max", "min", "sort", "sum", "unique"))
"""Filters that people of other tools write behind a dot."""


class Reach(NamedTuple):
    """How far a path can be followed into the value that its first parts name; ``known`` is how many these are."""

    use: Use
    known: int
    answer: Answer

    @property
    def shown(self) -> str:
        """The path as far as it leads."""
        return show_path(self.use.path[: self.known + self.answer.depth])


def br208_impossible_reference(view: View) -> Iterable[Diagnostic]:
    """A path that the value can never have: of a step's answer, an input, an item, a row …"""
    for reach in _reaches(view):
        if reach.answer.verdict == "no":
            near = reach.answer.near
            hint = f"did you mean `{near}`?" if near else _way_out(view, reach)
            message = f"`{reach.shown}` {reach.answer.reason}"
            yield view.finding("BR208", message, view.use_span(reach.use), help=hint)
    for place, whole, at, answer in _maps(view):
        if answer.verdict == "no":
            hint = f"did you mean `{answer.near}`?" if answer.near else None
            span = view.inner_span(place.path, at.offset, at.length)
            yield view.finding("BR208", f"{whole} {answer.reason}", span, help=hint)


def br229_unlikely_reference(view: View) -> Iterable[Diagnostic]:
    """A path that the schema neither names nor forbids, but that is very like one it names."""
    for reach in _reaches(view):
        if reach.answer.verdict == "maybe" and reach.answer.near:
            name = reach.use.path[reach.known + reach.answer.depth]
            message = f"the schema of `{reach.shown}` does not name `{name}`"
            hint = f"did you mean `{reach.answer.near}`?"
            yield view.finding("BR229", message, view.use_span(reach.use), help=hint, level="warning")


def _reaches(view: View) -> tuple[Reach, ...]:
    """Every use of a part of a value; both rules go through them."""
    if Reach not in view.memo:
        view.memo[Reach] = tuple(_follow_all(view))
    return view.memo[Reach]  # type: ignore[no-any-return]  # put there just now, or before


def _follow_all(view: View) -> Iterator[Reach]:
    types = types_of(view)
    known: dict[tuple[int, Parts], Answer] = {}
    for use in view.uses:
        if len(use.path) < 2:
            continue
        schema, start = types.base(use.place, use.path)
        rest = use.path[start:]
        if not rest or not schema:
            continue
        key = (id(schema), rest)
        if key not in known:
            known[key] = follow(schema, rest)
        yield Reach(use, start, known[key])


def _maps(view: View) -> Iterator[tuple[Place, str, Constant, Answer]]:
    """Every ``map(attribute='a.b')``: what it is that may lack a part, and whether it does."""
    types = types_of(view)
    for place in view.places:
        for one in place.inspection.maps:
            path = mapped_attribute(one)
            at = dict(one.named).get("attribute")
            if path is None or not isinstance(at, Constant) or any(key == "default" for key, _ in one.named):
                continue
            answer = follow(item_of(types.of(place, one.inner)), path)
            part = f"`{show_path(path[: answer.depth])}` of an item" if answer.depth else "an item"
            yield place, f"{part} of {shown(one.inner) or 'this list'}", at, answer


def _way_out(view: View, reach: Reach) -> str | None:
    path = reach.use.path
    step = view.by_id.get(str(path[1])) if path[0] == "steps" and path[2:3] == ("output",) else None
    if reach.answer.kinds == {"array"}:
        return _out_of_a_list(reach, step)
    return json_wanted(step) if step is not None and "string" in reach.answer.kinds else None


def _out_of_a_list(reach: Reach, step: StepView | None) -> str:
    rest = reach.use.path[reach.known + reach.answer.depth :]
    if len(rest) == 1 and rest[0] in _OF_LISTS:
        return f"write `{reach.shown} | {rest[0]}`"
    if step is not None and "matrix" in step.data and reach.answer.depth == 0 and rest[0] != "matrix":
        rest = ("output", *rest)
    attribute = ".".join(map(str, rest))
    return f"take it of all items with `{reach.shown} | map(attribute='{attribute}')`, or go through them by `for_each`"


def json_wanted(step: StepView) -> str | None:
    """What to do where a step answers with text and something else is wanted."""
    if "output" in step.data or step.kind not in {"task", "run"}:
        return None
    answers = "JSON" if step.kind == "run" else "fields"
    return f"give step `{step.id}` an `output` schema, so that it answers with {answers}"
