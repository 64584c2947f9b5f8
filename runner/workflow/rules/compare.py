"""Rules about comparisons that come out the same whatever happens: BR243, BR244."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from runner.words.complaint import describe, listed, quoted
from runner.words.diagnostics import Diagnostic
from runner.words.inspection import Comparison, Constant, Expression, ListOf, Reference
from runner.words.suggest import did_you_mean
from runner.workflow.rules import kinds
from runner.workflow.rules.expression_type import shown
from runner.workflow.rules.places import Place
from runner.workflow.rules.typing import STATUSES, types_of
from runner.workflow.rules.view import StepView, View

_MOST_SHOWN = 8


class _Side(NamedTuple):
    """One side of a comparison: what it is, and the schema of its value."""

    expression: Expression
    schema: Any

    @property
    def shown(self) -> str:
        return shown(self.expression) or "this"


def br243_idle_comparison(view: View) -> Iterable[Diagnostic]:
    """A comparison with what a value can never be, or of what cannot be compared."""
    for place in view.places:
        for comparison in place.inspection.comparisons:
            left = _Side(comparison.left, types_of(view).of(place, comparison.left))
            right = _Side(comparison.right, types_of(view).of(place, comparison.right))
            if comparison.operator in {"eq", "ne"}:
                found = _equal(left, right)
            elif comparison.operator in {"in", "notin"}:
                found = _within(left, right)
            else:
                found = _ordered(left, right)
            for at, message, hint in found:
                where = at if isinstance(at, Constant) else comparison
                span = view.inner_span(place.path, where.offset, where.length)
                yield view.finding("BR243", message, span, help=hint)


_Found = Iterator[tuple[Expression | None, str, str | None]]
"""The constant that is at fault, if it is one; the message, and what to do."""


def _equal(left: _Side, right: _Side) -> _Found:
    if kinds.can_be_equal(left.schema, right.schema) or _is_null(left) or _is_null(right):
        return
    if isinstance(right.expression, Constant):
        yield right.expression, *_never(left, left.schema, right.expression.value)
    elif isinstance(left.expression, Constant):
        yield left.expression, *_never(right, right.schema, left.expression.value)
    else:
        both = f"{left.shown} is {_words(left.schema)} and {right.shown} is {_words(right.schema)}"
        yield None, f"{both}: they are never equal", None


def _is_null(side: _Side) -> bool:
    """Whatever did not succeed is null: to ask for it is never idle."""
    return kinds.kinds(side.schema) == {"null"}


def _words(schema: Any) -> str:
    values = kinds.known_values(schema)
    return kinds.kind_words(schema) if values is None else _values(values)


def _values(values: Sequence[Any]) -> str:
    some = [quoted(value) for value in values[:_MOST_SHOWN]]
    return f"{', '.join(some)}, …" if len(values) > _MOST_SHOWN else listed(some)


def _never(side: _Side, schema: Any, value: Any, verbs: tuple[str, str] = ("is", "is never")) -> tuple[str, str | None]:
    """Message and hint about a value that ``schema`` rules out."""
    values = kinds.known_values(schema)
    shown_value = quoted(value) if isinstance(value, str) else describe(value)
    if values is not None and "boolean" not in kinds.kinds(schema):
        words = [one for one in values if isinstance(one, str)]
        near = did_you_mean(value, words) if isinstance(value, str) else None
        return f"{side.shown} {verbs[1]} {shown_value}", near or f"it {verbs[0]} {_values(values)}"
    message = f"{side.shown} {verbs[0]} {kinds.kind_words(schema)}, never {describe(value)}"
    return message, _other_spelling(kinds.kinds(schema), value)


def _other_spelling(found: kinds.Kinds, value: Any) -> str | None:
    """For a number or boolean in quotes, and for one that lacks them."""
    if isinstance(value, str):
        plain = value.lower() in {"true", "false"} if "boolean" in found else value.lstrip("-").isdigit()
        return f"write `{value.lower()}`, without quotes" if plain and found & kinds.NUMBERS else None
    is_plain = isinstance(value, bool | int | float)
    return f"put it in quotes: `'{str(value).lower()}'`" if is_plain and "string" in found else None


def _within(left: _Side, right: _Side) -> _Found:
    if isinstance(right.expression, ListOf):
        constants = (item for item in right.expression.items if isinstance(item, Constant) and item.value is not None)
        for item in constants:
            if not kinds.can_be_equal(left.schema, {"const": item.value}):
                yield item, *_never(left, left.schema, item.value)
    elif kinds.kinds(right.schema) <= {"array", "null"} and isinstance(left.expression, Constant):
        inside = kinds.list_items(right.schema)
        if not kinds.can_be_equal(inside, left.schema):
            yield left.expression, *_never(right, inside, left.expression.value, ("holds", "never holds"))
    elif kinds.kinds(right.schema) <= kinds.NUMBERS:
        yield None, f"{right.shown} is {kinds.kind_words(right.schema)}: nothing can be in it", None


def _ordered(left: _Side, right: _Side) -> _Found:
    sides = [kinds.comparable(kinds.kinds(side.schema)) - {"null", "object"} for side in (left, right)]
    if sides[0] & sides[1]:
        return
    message = f"{_what(left)} is compared with {_what(right)}: there is no order between them"
    yield None, message, _order_hint(left, right)


def _what(side: _Side) -> str:
    if isinstance(side.expression, Constant):
        return describe(side.expression.value)
    words = kinds.kind_words(side.schema)
    return f"{side.shown} ({words})" if shown(side.expression) else words


def _order_hint(left: _Side, right: _Side) -> str | None:
    for one, other in ((left, right), (right, left)):
        if kinds.kinds(other.schema) <= kinds.NUMBERS and isinstance(one.expression, Constant):
            return _other_spelling(kinds.kinds(other.schema), one.expression.value)
        if kinds.kinds(other.schema) <= kinds.NUMBERS and shown(one.expression):
            if kinds.kinds(one.schema) <= {"array", "object", "null"}:
                return f"count it: `{one.shown.strip('`')} | length`"
            if isinstance(one.expression, Reference):
                return f"make a number of it: `{one.shown.strip('`')} | int`"
    return None


def br244_impossible_status(view: View) -> Iterable[Diagnostic]:
    """A status that a step cannot have when this one runs, as its ``join`` is."""
    for place in view.places:
        if place.step is None or not place.inspection.comparisons:
            continue
        reader = view.steps[place.step]
        for comparison in place.inspection.comparisons:
            asked = _asked_status(view, comparison)
            if asked is not None and _is_idle(comparison, asked[1], _possible(reader, asked[0])):
                yield _idle_status(view, place, comparison, asked[0], asked[1])


def _asked_status(view: View, comparison: Comparison) -> tuple[StepView, tuple[str, ...]] | None:
    """The step whose status is compared, and the legal ones with which it is."""
    left, right = comparison.left, comparison.right
    if isinstance(left, Constant) and isinstance(right, Reference):
        left, right = right, left
    if not isinstance(left, Reference) or left.path[:1] != ("steps",) or left.path[2:] != ("status",):
        return None
    items = right.items if isinstance(right, ListOf) else (right,)
    words = tuple(str(item.value) for item in items if isinstance(item, Constant))
    step = view.by_id.get(str(left.path[1]))
    if step is None or len(words) < len(items) or not words or not set(words) <= set(STATUSES):
        return None  # BR207 and BR243 tell of what does not exist
    return step, words


def _possible(reader: StepView, step: StepView) -> frozenset[str]:
    """The statuses that a step may have when one that waits for it runs."""
    join = reader.data.get("join", "all_succeeded")
    if join not in {"all_succeeded", "none_failed"}:
        return frozenset(STATUSES)
    on_error = step.data.get("on_error")
    found = {"succeeded"} | ({"recovered"} if isinstance(on_error, dict) else set())
    found |= {"failed"} if on_error == "continue" else set()
    return frozenset(found | ({"skipped"} if join == "none_failed" else set()))


def _is_idle(comparison: Comparison, asked: tuple[str, ...], possible: frozenset[str]) -> bool:
    """Whether it never holds."""
    if comparison.operator in {"eq", "in"}:
        return possible.isdisjoint(asked)
    return comparison.operator in {"ne", "notin"} and possible <= set(asked)


def _idle_status(
    view: View, place: Place, comparison: Comparison, step: StepView, asked: tuple[str, ...]
) -> Diagnostic:
    reader = view.steps[place.step or 0]
    join = reader.data.get("join", "all_succeeded")
    is_what = listed(map(quoted, asked)) if comparison.operator in {"eq", "in"} else f"other than {quoted(asked[0])}"
    message = (
        f"`steps.{step.id}.status` is never {is_what} here: step `{reader.id}` runs only if what it needs succeeded"
    )
    if join == "none_failed":
        message += " or was skipped"
    hint = f"give step `{reader.id}` the key `join: all_finished`"
    span = view.inner_span(place.path, comparison.offset, comparison.length)
    return view.finding("BR244", message, span, help=hint, level="warning")
