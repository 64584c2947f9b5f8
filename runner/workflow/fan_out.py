"""A step that runs many times: once for each item of a list, for each row of a matrix, or until it is good enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.words.noun import noun

Json = Any
"""A plain JSON value."""


@noun
class ForEach:
    """The step runs once for each item of a list, which is written out or the value of an expression.

    ``name`` is the item's name in templates.
    """

    items: str | tuple[Json, ...]
    name: str = "item"


@noun
class Matrix:
    """The step runs once for each row: the product of ``axes``, less ``exclude``, and ``include``."""

    axes: Mapping[str, tuple[Json, ...]]
    include: tuple[Mapping[str, Json], ...] = ()
    exclude: tuple[Mapping[str, Json], ...] = ()

    @property
    def rows(self) -> tuple[Mapping[str, Json], ...]:
        """All rows in order. A row is excluded if it has all the values of one of ``exclude``."""
        product: list[dict[str, Json]] = [{}] if self.axes else []
        for name, values in self.axes.items():
            product = [{**row, name: value} for row in product for value in values]
        kept = [row for row in product if not any(_has(row, pattern) for pattern in self.exclude)]
        return (*kept, *self.include)


def _has(row: Mapping[str, Json], pattern: Mapping[str, Json]) -> bool:
    return all(name in row and row[name] == value for name, value in pattern.items())


@noun
class FanOut:
    """A step that runs many times. ``max_parallel`` None = as many as the run allows; ``in_order`` (``order: items``):
    an item passes through whole before a later one begins a stage of its own; ``fail_fast``: the first failed item
    stops the others.
    """

    over: ForEach | Matrix
    max_parallel: int | None = None
    fail_fast: bool = False
    in_order: bool = False


@noun
class Repeat:
    """The work is done again until the expression ``until`` holds, at most ``most`` times."""

    until: str
    most: int
