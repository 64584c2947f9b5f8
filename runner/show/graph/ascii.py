"""The graph as lines of text: a step a row, with rails at its side, and in words what it waits for and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.plan.edges import EdgeKind
from runner.show.cell import fit, pad, width
from runner.show.graph.graph import Box, Diagram, Line, shown_models
from runner.show.graph.order import file_order, folded, narrow_order
from runner.show.graph.rails import NODE, Rails, Row, rails, run_together
from runner.show.ink import Ink
from runner.show.table import wrap

_FOLDED_FROM = 60
"""Steps of one file above which those that are alike stand in one row."""
_COMFORTABLE = 11
"""Cells of rails up to which the steps stand in the order of the file."""
_LEAST = 28
"""Cells that the words have in any case."""
_MOST_NAMES = 12
_ID = 24
_WORDS: dict[EdgeKind, str] = {"written": "needs", "inferred": "reads", "when": "decides by"}
_LEGEND: dict[EdgeKind, str] = {
    "written": "needs: as it is written",
    "inferred": "reads: uses the result",
    "when": "decides by: only `when` reads the result",
}
_PLAIN = str.maketrans({
    "●": "*", "◆": "?", "■": "#", "▶": "@", "│": "|", "─": "-", "┼": "+", "├": "+", "┤": "+", "┴": "+", "╰": "`",
    "╯": "'", "╮": ".", "▸": ">", "◂": "<", "╓": "+", "║": "!", "╙": "+", "×": "x", "·": "-", "…": "...",
})  # fmt: skip


def graph_text(view: Diagram, width: int = 80, *, colour: bool = False, plain: bool = False) -> str:
    """The drawing in lines of ``width`` cells; ``plain``: with nothing but ASCII in what is ours. Ends in a newline.

    Deeply nested calls may take more cells, for their words are not cut to nothing.
    """
    ink = Ink(colour)
    parts = [
        [ink.bold(_title(view))],
        list(_graph(view, width, ink)),
        [ink.faint(line) for line in _legend(view, width)],
    ]
    text = "\n\n".join("\n".join(line.rstrip() for line in part) for part in parts if part) + "\n"
    return text.translate(_PLAIN) if plain else text


def _title(view: Diagram) -> str:
    count = len(view.boxes)
    return f"{view.name}: {count} step{'s' * (count != 1)} ({view.file})"


def _graph(view: Diagram, room: int, ink: Ink) -> Iterator[str]:
    shown = folded(view) if len(view.boxes) > _FOLDED_FROM else view
    drawn = _drawn(shown)
    boxes = {box.key: box for box in shown.boxes}
    words = _Words(shown, drawn, room - drawn.width - 2)
    margin = drawn.width + 2
    above: Row | None = None
    for row in drawn.rows:
        box = boxes[row.key]
        if above is not None and run_together(above, row):
            yield above.tail
        lines = words.of(box)
        yield pad(row.head.replace(NODE, _glyph(box)), margin) + _painted(lines[0], box.id, ink)
        yield from row.links
        for line in lines[1:]:
            yield pad(row.tail, margin) + ink.faint(line)
        if box.inner is not None:
            for line in _inside(box.inner, room - margin - 2, ink):
                yield pad(row.tail, margin) + line
        above = None if box.inner is not None or len(lines) > 1 else row
    if drawn.missing:
        yield ""
        yield from wrap(_missing(drawn), room)


def _missing(drawn: Rails) -> str:
    count = len(drawn.missing)
    lines = "1 line is" if count == 1 else f"{count} lines are"
    return f"{lines} not drawn, for too many would run side by side; the words beside the steps name them all."


def _inside(view: Diagram, room: int, ink: Ink) -> Iterator[str]:
    yield f"╓ {ink.bold(_title(view))}"
    for line in _graph(view, room, ink):
        yield f"║ {line}"
    yield "╙"


def _drawn(view: Diagram) -> Rails:
    """In the order of the file, unless that takes much more room."""
    pairs = [(line.source, line.target) for line in view.lines]
    drawn = rails(file_order(view), pairs)
    if drawn.width <= _COMFORTABLE:
        return drawn
    other = rails(narrow_order(view), pairs)
    return min(drawn, other, key=lambda one: (len(one.missing), one.width))


def _glyph(box: Box) -> str:
    if box.kind == "approve":
        return "◆"
    if box.cleans_up:
        return "■"
    return "▶" if box.kind == "workflow" else NODE


def _painted(line: str, name: str, ink: Ink) -> str:
    return ink.bold(line[: len(name)]) + line[len(name) :]


class _Words:
    """What stands beside the rails."""

    def __init__(self, view: Diagram, drawn: Rails, room: int) -> None:
        self._room = max(room, _LEAST)
        self._names = {box.key: box.id for box in view.boxes}
        self._into: dict[str, list[Line]] = {}
        for line in view.lines:
            self._into.setdefault(line.target, []).append(line)
        self._missing = {target for _, target in drawn.missing}
        self._id = min(max(width(box.id) for box in view.boxes), _ID)
        self._kind = max(len(box.kind) for box in view.boxes)

    def of(self, box: Box) -> list[str]:
        """The lines beside a step: its name and work; then, below if need be, what else there is to say."""
        subject = box.model.label if box.model is not None else box.subject
        first = fit(f"{pad(box.id, self._id)}  {pad(box.kind, self._kind)}  {subject}".rstrip(), self._room)
        more = " · ".join(filter(None, (box.title, *self._waits(box.key), *box.notes)))
        if not more:
            return [first]
        if width(first) + width(more) + 3 <= self._room:
            return [f"{first}   {more}"]
        return [first, *(f"  {line}" for line in wrap(more, self._room - 2))]

    def _waits(self, key: str) -> Iterator[str]:
        lines = self._into.get(key, [])
        for kind, word in _WORDS.items():
            names = [self._names[line.source] for line in lines if line.kind == kind]
            if names:
                yield f"{word} {', '.join(self._cut(key, names))}"

    def _cut(self, key: str, names: list[str]) -> Iterable[str]:
        """All names where a rail is missing, else not so many that they hide the rest."""
        if len(names) <= _MOST_NAMES or key in self._missing:
            return names
        return (*names[: _MOST_NAMES - 2], f"and {len(names) - _MOST_NAMES + 2} more")


def _legend(view: Diagram, room: int) -> Iterator[str]:
    """What signs, words and names mean; each sort begins a line."""
    glyphs = {_glyph(box) for box in view.every_box}
    signs = {"◆": "asks a person", "■": "clean-up", "▶": "another workflow"}
    yield from _side_by_side((f"{sign} {meaning}" for sign, meaning in signs.items() if sign in glyphs), room)
    yield from _side_by_side((_LEGEND[kind] for kind in view.kinds), room)
    yield from _side_by_side((f"{names} = {model}" for model, names in shown_models(view).items() if names), room)


def _side_by_side(entries: Iterable[str], room: int) -> Iterator[str]:
    line = ""
    for entry in entries:
        if line and width(line) + 3 + width(entry) > room:
            yield line
            line = ""
        line = f"{line}   {entry}" if line else fit(entry, room)
    if line:
        yield line
