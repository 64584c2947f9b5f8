"""The steps of a plan one under the other: what a step calls stands below it, as do the rows of its matrix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from runner.plan.plan import Plan, PlannedStep
from runner.show.cell import fit, one_line
from runner.words.json_text import as_text
from runner.words.noun import noun
from runner.workflow.fan_out import FanOut, ForEach, Matrix, Repeat
from runner.workflow.model import Step

_INDEX = re.compile(r"\[([0-9]+)\]")
_ROW = 24
"""Cells of the values of a row of a matrix."""
_JOINS: Mapping[str, str] = {
    "none_failed": "if none of them failed",
    "any_succeeded": "if one of them succeeded",
    "all_finished": "always: clean-up",
}


@noun
class Line:
    """A step, or one row of its matrix; ``number`` is its place (``3.1``), ``unit`` its name in the run.

    ``label`` is its name below the step that it belongs to. ``has_rows``: its models and what it calls stand with its
    rows. ``like`` is the index of an earlier row that is answered by the very same models; what such a row calls is
    ``hidden``, for it stands with the earlier one.
    """

    number: str
    unit: str
    label: str
    depth: int
    planned: PlannedStep
    plan: Plan
    has_rows: bool = False
    is_row: bool = False
    like: int | None = None
    hidden: bool = False

    @property
    def step(self) -> Step:
        """The step as the file has it."""
        return self.planned.step

    @property
    def group(self) -> str:
        """Its name in the run without the rows and items on the way to it: the same for all of them."""
        return _INDEX.sub("", self.unit)

    @property
    def named(self) -> PlannedStep:
        """What it was tied to, under its name in the run."""
        return replace(self.planned, step=replace(self.step, id=self.unit), rows=())


def lines_of(plan: Plan, above: Line | None = None) -> Iterator[Line]:
    """Every step, in the order in which they could run one by one, each followed by what it calls.

    ``above`` is the step that calls them.
    """
    number, before = ("", "") if above is None else (f"{above.number}.", f"{above.unit}/")
    for place, planned in enumerate(plan.steps, 1):
        mine = f"{number}{place}"
        line = Line(
            number=mine,
            unit=before + planned.step.id,
            label=planned.step.id,
            depth=0 if above is None else above.depth + 1,
            planned=planned,
            plan=plan,
            has_rows=bool(planned.rows),
            hidden=above is not None and (above.hidden or above.like is not None),
        )
        yield line
        if planned.rows:
            yield from _rows(line)
        elif planned.callee is not None:
            yield from lines_of(planned.callee, line)


def _rows(line: Line) -> Iterator[Line]:
    over = line.step.fan_out.over if line.step.fan_out else None
    assert isinstance(over, Matrix), "only the rows of a matrix are planned one by one"
    seen: dict[tuple[object, ...], int] = {}
    for index, (values, row) in enumerate(zip(over.rows, line.planned.rows, strict=True)):
        first = seen.setdefault(_models(row), index)
        one = replace(
            line,
            number=f"{line.number}[{index}]",
            unit=f"{line.unit}[{index}]",
            label=f"[{index}] {_values(values)}",
            depth=line.depth + 1,
            planned=row,
            has_rows=False,
            is_row=True,
            like=first if first < index else None,
        )
        yield one
        if row.callee is not None:
            yield from lines_of(row.callee, one)


def _models(row: PlannedStep) -> tuple[object, ...]:
    """What answers a row and all that it calls."""
    below = () if row.callee is None else row.callee.family
    return tuple((one.wanted_model, one.model and (one.model.model, one.model.endpoint)) for one in (row, *below))


def _values(row: Mapping[str, Any]) -> str:
    return fit(one_line(", ".join(f"{name}: {as_text(value)}" for name, value in row.items())), _ROW)


def compact(units: Iterable[str]) -> list[str]:
    """The names, those that differ in one row only as one: ``probe[0-2, 4]/draft``."""
    found: dict[tuple[str, str], list[int]] = {}
    for unit in units:
        index = _INDEX.search(unit)
        key = (unit, "") if index is None else (unit[: index.start()], unit[index.end() :])
        found.setdefault(key, []).extend([] if index is None else [int(index[1])])
    return [f"{before}[{_ranges(indexes)}]{after}" if indexes else before for (before, after), indexes in found.items()]


def _ranges(numbers: Iterable[int]) -> str:
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][-1] == number - 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)


def times(step: Step) -> str:
    """How often a step runs: ``× 6 rows, 2 at a time``; ``-`` for once."""
    said = []
    if step.fan_out is not None:
        said.append(_fan_out(step.fan_out))
    if step.repeat is not None:
        said.append(_repeat(step.repeat))
    return one_line("; each ".join(said)) or "-"


def _fan_out(fan_out: FanOut) -> str:
    over = fan_out.over
    if isinstance(over, Matrix):
        said = f"× {len(over.rows):,} row" + "s" * (len(over.rows) != 1)
    elif isinstance(over, ForEach) and not isinstance(over.items, str):
        said = f"× {len(over.items):,} item" + "s" * (len(over.items) != 1)
    else:
        said = f"for each of {over.items}"
    if fan_out.max_parallel is not None:
        said += f", {fan_out.max_parallel:,} at a time"
    if fan_out.in_order:
        said += ", each whole before the next"
    return said + (", until one fails" if fan_out.fail_fast else "")


def _repeat(repeat: Repeat) -> str:
    return f"until {repeat.until}, at most {repeat.most:,} rounds"


def join(step: Step) -> str:
    """When it starts, where it is not after all that it waits for succeeded; else ``-``."""
    return _JOINS.get(step.join, "-")
