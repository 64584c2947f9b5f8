"""Rules about lists and matrices that are written out: BR240."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

from runner.words.complaint import listed, quoted
from runner.words.diagnostics import Diagnostic
from runner.words.spans import Path
from runner.words.suggest import did_you_mean
from runner.workflow.fan_out import Matrix
from runner.workflow.rules.view import StepView, View

_MOST_ROWS = 10_000


def br240_rows(view: View) -> Iterable[Diagnostic]:
    """A list without items; a matrix without rows or with too many; rows to add or leave out that do not fit."""
    for step in view.steps:
        if step.data.get("for_each") == []:
            span = view.value_span((*step.path, "for_each"))
            message = "this list is empty: the step never does anything"
            yield view.finding("BR240", message, span, help="fill it, or delete the step", level="warning")
        if "matrix" in step.data:
            yield from _matrix(view, step, step.data["matrix"])


def _matrix(view: View, step: StepView, written: Mapping[str, Any]) -> Iterable[Diagnostic]:
    path: Path = (*step.path, "matrix")
    axes = {name: tuple(values) for name, values in written.items() if name not in ("include", "exclude")}
    included, excluded = written.get("include", ()), written.get("exclude", ())
    for index, pattern in enumerate(excluded):
        yield from _exclusion(view, (*path, "exclude", index), pattern, axes)
    names = list(axes) or list(dict.fromkeys(name for row in included for name in row))
    for index, row in enumerate(included):
        yield from _inclusion(view, (*path, "include", index), row, names)
    size = prod(map(len, axes.values())) + len(included)
    if size > _MOST_ROWS:
        message = f"this matrix has {size:,} rows, and {_MOST_ROWS:,} are the most"
        yield view.finding("BR240", message, view.key_span(path), help="take out values that nobody needs to combine")
    elif not Matrix(axes=axes, include=tuple(included), exclude=tuple(excluded)).rows:
        message = "this matrix has no rows: the step would never do anything"
        hint = "`exclude` takes all of them away" if axes else "give it names with lists of values"
        yield view.finding("BR240", message, view.key_span(path), help=hint)


def _exclusion(
    view: View, path: Path, pattern: Mapping[str, Any], axes: Mapping[str, tuple[Any, ...]]
) -> Iterable[Diagnostic]:
    for name, value in pattern.items():
        if name not in axes:
            message, span = f"no row has a `{name}`, so this leaves none out", view.key_span((*path, name))
            hint = did_you_mean(name, axes) or f"the rows have {listed(map(quoted, axes), 'and')}"
        elif value not in axes[name]:
            message, span = f"no row has this `{name}`, so this leaves none out", view.value_span((*path, name))
            words = [one for one in axes[name] if isinstance(one, str)]
            near = did_you_mean(value, words) if isinstance(value, str) else None
            hint = near or f"`{name}` is {listed(map(quoted, axes[name][:8]))}"
        else:
            continue
        yield view.finding("BR240", message, span, help=hint, level="warning")


def _inclusion(view: View, path: Path, row: Mapping[str, Any], names: list[str]) -> Iterable[Diagnostic]:
    unknown = [name for name in row if name not in names]
    for name in names:
        if name not in row:
            near = next((one for one in unknown if did_you_mean(one, [name])), None)
            span = view.value_span(path) if near is None else view.key_span((*path, near))
            hint = f"did you mean `{name}`?" if near else f"add `{name}: …`: templates read it in every row"
            yield view.finding("BR240", f"this row has no `{name}`, which the other rows have", span, help=hint)
