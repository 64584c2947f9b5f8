"""The rails beside a list of steps, as ``git log --graph`` draws them: one row a step, what it waits for above it.

A rail belongs to one step. It comes out of a step and leads down to all that wait for it, or it leads into a step and
gathers those that only this one waits for: so thirty steps between two others need two rails and not thirty. Whatever
touches a rail belongs to it; a line that only crosses one is broken there, and does not touch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from runner.words.noun import noun

Pair = tuple[str, str]
"""A step, and one that waits for it."""
Rail = tuple[Literal["out of", "into"], str]
MOST = 12
"""Rails side by side; what finds no place is not drawn, and said to be missing."""


NODE = "●"


@noun
class Row:
    """One step: ``head`` stands beside it, ``links`` in lines of their own below, ``tail`` beside all further lines.

    The step is drawn as ``NODE``.
    """

    key: str
    head: str
    links: tuple[str, ...] = ()
    tail: str = ""

    @property
    def place(self) -> int:
        """The cell in which the step stands."""
        return self.head.index(NODE)


@noun
class Rails:
    """All rows, and the pairs that no rail connects. ``width`` is the widest picture, in cells."""

    rows: tuple[Row, ...]
    missing: frozenset[Pair] = frozenset()

    @property
    def width(self) -> int:
        """Cells of the widest picture."""
        return max((len(text) for row in self.rows for text in (row.head, *row.links, row.tail)), default=0)


def run_together(above: Row, below: Row) -> bool:
    """Whether two steps that a rail connects would stand on top of each other, with nothing to be seen of the rail."""
    return not above.links and above.place == below.place and above.tail[below.place : below.place + 1] == "│"


def rails(order: Sequence[str], pairs: Sequence[Pair]) -> Rails:
    """Draw the pairs beside the steps; in ``order`` each step comes after all it waits for."""
    drawing = _Drawing(_assigned(pairs))
    rows = tuple(drawing.row(key) for key in order)
    return Rails(rows=rows, missing=frozenset(drawing.missing))


def _assigned(pairs: Sequence[Pair]) -> dict[Pair, Rail]:
    """The rail of each pair."""
    readers: dict[str, int] = {}
    for source, _ in pairs:
        readers[source] = readers.get(source, 0) + 1
    only: dict[str, int] = {}
    for source, target in pairs:
        only[target] = only.get(target, 0) + (readers[source] == 1)
    return {
        (source, target): ("into", target) if readers[source] == 1 and only[target] > 1 else ("out of", source)
        for source, target in pairs
    }


@dataclass(slots=True)
class _Line:
    """One line of the picture while it is drawn: a cell for each column and one between two."""

    rails: Sequence[Rail | None]
    cells: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.cells = [" "] * (2 * MOST + 1)
        for column, rail in enumerate(self.rails):
            if rail is not None:
                self.cells[2 * column] = "│"

    def link(self, start: int, touched: Mapping[int, bool]) -> None:
        """A horizontal line from column ``start`` to all columns touched, which go on below (True) or end (False)."""
        for side in (-1, 1):
            columns = sorted((c for c in touched if (c - start) * side > 0), key=lambda c: abs(c - start))
            for cell in range(2 * start + side, 2 * columns[-1] if columns else 2 * start + side, side):
                self._pass(cell)
            for column in columns[:-1]:
                self.cells[2 * column] = "┼" if touched[column] else "┴"
            if columns:
                ends = {(-1, True): "├", (-1, False): "╰", (1, True): "┤", (1, False): "╯"}
                self.cells[2 * columns[-1]] = ends[side, touched[columns[-1]]]

    def _pass(self, cell: int) -> None:
        if self.cells[cell] == " ":
            self.cells[cell] = "─"

    def __str__(self) -> str:
        return "".join(self.cells).rstrip()


@dataclass(slots=True)
class _Drawing:
    """The rails that are open, column by column, while row after row is drawn."""

    rail_of: Mapping[Pair, Rail]
    missing: set[Pair] = field(default_factory=set)
    _open: list[Rail | None] = field(default_factory=lambda: [None] * MOST)
    _needs: dict[str, list[str]] = field(init=False)
    _readers: dict[str, list[str]] = field(init=False)
    _left: dict[Rail, int] = field(init=False)
    """Of each rail out of a step: how many that wait for it are still to come."""

    def __post_init__(self) -> None:
        self._needs, self._readers, self._left = {}, {}, {}
        for (source, target), rail in self.rail_of.items():
            self._needs.setdefault(target, []).append(source)
            self._readers.setdefault(source, []).append(target)
            self._left[rail] = self._left.get(rail, 0) + 1

    def row(self, key: str) -> Row:
        """The row of the next step."""
        inputs = self._inputs(key)
        column = self._place(inputs)
        line = _Line(self._open)
        line.link(column, {c: stays for c, stays in inputs.items() if c != column})
        self._point(line, column, inputs)
        line.cells[2 * column] = NODE
        for one, stays in inputs.items():
            if not stays:
                self._open[one] = None
        links = self._leave(key, column, line, inputs)
        return Row(key=key, head=str(line), links=links, tail=str(_Line(self._open)))

    def _inputs(self, key: str) -> dict[int, bool]:
        """The columns of the rails that lead to the step, and whether they go on below it."""
        found: dict[int, bool] = {}
        for source in self._needs.get(key, ()):
            rail = self.rail_of[source, key]
            if rail in self._open:
                self._left[rail] -= rail[0] == "out of"
                found[self._open.index(rail)] = rail[0] == "out of" and self._left[rail] > 0
            elif rail[0] == "out of":
                self.missing.add((source, key))
        return found

    def _place(self, inputs: Mapping[int, bool]) -> int:
        """Below a rail that ends here, else in the free column that is nearest to those that lead here."""
        ending = [column for column, stays in inputs.items() if not stays]
        if ending:
            return min(ending)
        free = [column for column, rail in enumerate(self._open) if rail is None]
        from_left = max(inputs, default=-1)
        return min(free, key=lambda column: (abs(column - from_left), column < from_left), default=MOST)

    def _point(self, line: _Line, column: int, inputs: Mapping[int, bool]) -> None:
        if any(one < column for one in inputs):
            line.cells[2 * column - 1] = "▸"
        if any(one > column for one in inputs):
            line.cells[2 * column + 1] = "◂"

    def _leave(self, key: str, column: int, line: _Line, inputs: Mapping[int, bool]) -> tuple[str, ...]:
        """Open the rail out of the step, or join the one that leads into its only reader; gives lines of their own."""
        readers = self._readers.get(key, [])
        if not readers:
            return ()
        rail = self.rail_of[key, readers[0]]
        if rail in self._open:
            return self._join(column, self._open.index(rail), line, inputs, opens=False)
        inherited = column in inputs
        beside = self._beside(column) if rail[0] == "into" and not inherited else None
        if beside is not None:
            links = self._join(column, beside, line, inputs, opens=True)
            self._open[beside] = rail
            return links
        if column == MOST:
            self.missing.update((key, reader) for reader in readers)
            return ()
        self._open[column] = rail
        return ()

    def _beside(self, column: int) -> int | None:
        """The next free column to the right."""
        return next((one for one in range(column + 1, MOST) if self._open[one] is None), None)

    def _join(
        self, column: int, target: int, line: _Line, inputs: Mapping[int, bool], *, opens: bool
    ) -> tuple[str, ...]:
        """A line from the step to a rail: beside the step, or below it where something comes from that side."""
        side = 1 if target > column else -1
        taken = any((one - column) * side > 0 for one in inputs)
        own = _Line(self._open) if taken else line
        own.link(column, {target: True})
        if opens:
            own.cells[2 * target] = "╮"
        if not taken:
            own.cells[2 * column] = NODE
            return ()
        own.cells[2 * column] = "╰" if side > 0 else "╯"
        return (str(own),)
