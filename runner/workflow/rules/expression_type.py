"""What is known of the value of an expression, from what is known of the paths in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runner.words.inspection import (
    Choice,
    Comparison,
    Constant,
    Expression,
    Filtered,
    ListOf,
    MappingOf,
    Reference,
    Sort,
)
from runner.words.spans import show_path
from runner.workflow.rules import kinds

Schema = Mapping[str, Any]
PathType = Callable[[tuple[str | int, ...]], Schema]
"""The schema of what stands at a path."""

_TEXTS = "capitalize center format indent join lower replace string title tojson trim truncate upper urlencode wordwrap"
_BY_NAME: Mapping[str, Schema] = {
    **dict.fromkeys(_TEXTS.split(), kinds.TEXT),
    **dict.fromkeys(("count", "int", "length", "wordcount"), kinds.INTEGER),
    **dict.fromkeys(("abs", "float", "round"), kinds.NUMBER),
    **dict.fromkeys(("dictsort", "groupby", "items"), kinds.list_of(kinds.ANYTHING)),
}
"""Filters that always give the same kind."""
_ONE = frozenset(("first", "last", "max", "min"))
_SAME_ITEMS = frozenset(("list", "reject", "rejectattr", "select", "selectattr", "sort", "unique"))


def expression_type(expression: Expression, path_type: PathType) -> Schema:
    """The JSON Schema of what an expression works out; ``{}`` where nothing is known."""
    if isinstance(expression, Reference):
        return path_type(expression.path)
    if isinstance(expression, Constant):
        return kinds.literal(expression.value)
    if isinstance(expression, Comparison):
        return kinds.BOOLEAN
    if isinstance(expression, Sort):
        return {"boolean": kinds.BOOLEAN, "string": kinds.TEXT}.get(expression.kind, kinds.ANYTHING)
    return _composed(expression, lambda one: expression_type(one, path_type))


def shown(expression: Expression) -> str | None:
    """An expression as it is written, in backticks, if it is a path with filters at most."""
    text = _plain(expression)
    return None if text is None else f"`{text}`"


def _plain(expression: Expression) -> str | None:
    if isinstance(expression, Reference):
        return show_path(expression.path)
    if isinstance(expression, Filtered) and not expression.arguments and not expression.named:
        inner = _plain(expression.inner)
        return None if inner is None else f"{inner} | {expression.name}"
    return None


def _composed(expression: Filtered | Choice | ListOf | MappingOf, of: Callable[[Expression], Schema]) -> Schema:
    if isinstance(expression, Filtered):
        return _filtered(expression, of)
    if isinstance(expression, Choice):
        return kinds.union(map(of, expression.options))
    if isinstance(expression, ListOf):
        return kinds.list_of(kinds.union(map(of, expression.items)))
    return kinds.object_of({key: of(value) for key, value in expression.items})


def _filtered(expression: Filtered, of: Callable[[Expression], Schema]) -> Schema:
    name = expression.name
    if name in _BY_NAME:
        return _BY_NAME[name]
    inner = of(expression.inner)
    if name in {"default", "d"}:
        given = [*expression.arguments, *(value for key, value in expression.named if key == "default_value")]
        return kinds.union((inner, of(given[0]) if given else kinds.literal("")))
    if name in _ONE:
        return kinds.item_of(inner)
    if name in _SAME_ITEMS:
        return kinds.list_of(kinds.item_of(inner))
    if name == "reverse":
        return kinds.ANYTHING if "string" in kinds.kinds(inner) else kinds.list_of(kinds.item_of(inner))
    return _mapped(expression, inner) if name == "map" else kinds.ANYTHING


def _mapped(expression: Filtered, inner: Schema) -> Schema:
    attribute = mapped_attribute(expression)
    if attribute is None:
        return kinds.list_of(kinds.ANYTHING)
    values = [kinds.part(kinds.item_of(inner), attribute)]
    values += [kinds.ANYTHING for key, _ in expression.named if key == "default"]
    return kinds.list_of(kinds.union(values))


def mapped_attribute(expression: Filtered) -> tuple[str | int, ...] | None:
    """The path that ``map(attribute='a.b')`` takes of every item; None if it is another one."""
    named = dict(expression.named)
    value = named.get("attribute")
    if not isinstance(value, Constant) or not isinstance(value.value, str):
        return None
    return tuple(int(part) if part.isdigit() else part for part in value.value.split("."))
