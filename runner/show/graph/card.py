"""What a box of the drawn graph holds: its lines of text, broken so that they fit, and the size that comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from runner.show.graph.graph import Box, Diagram
from runner.show.graph.layout import Layout, Size, lay_out
from runner.show.graph.measure import flow, text_width
from runner.words.noun import noun

Style = Literal["kind", "id", "title", "subject", "model", "note"]
FONT: Mapping[Style, float] = {"kind": 10.5, "id": 14.0, "title": 12.5, "subject": 12.0, "model": 12.0, "note": 11.0}
"""Sizes of the fonts, in pixels."""
BOLD: frozenset[Style] = frozenset(("kind", "id"))
ROOM = 230.0
"""The widest text."""
PAD_X, PAD_Y = 16.0, 12.0
DOT = 14.0
"""What the mark of a model takes in front of its name."""
FRAME = 20.0
"""Between the edge of a called workflow and what is in it."""
POINT = 14.0
"""How far the points of a question reach to both sides."""
STACK = 5.0
"""How far the cards behind a step that runs many times stand out."""
_LEAST_WIDTH = 112.0
_LEADING = 1.36
_MOST_LINES: Mapping[Style, int] = {"id": 3, "title": 2, "subject": 2, "model": 2, "note": 3}


@noun
class Word:
    """A line of text: ``y`` is its base line below the top of the card, ``x`` its left end from the card's left."""

    style: Style
    text: str
    x: float
    y: float


@noun
class Card:
    """A box with its text. ``inside`` is the drawing of the workflow that it calls, ``origin`` where that begins."""

    box: Box
    size: Size
    words: tuple[Word, ...]
    inside: Sheet | None = None
    origin: tuple[float, float] = (0.0, 0.0)


@noun
class Sheet:
    """A workflow laid out: a card for each of its boxes."""

    view: Diagram
    cards: Mapping[str, Card]
    layout: Layout


def sheet(view: Diagram) -> Sheet:
    """Lay out a workflow, those that it calls first."""
    cards = {box.key: _card(box) for box in view.boxes}
    pairs = [(line.source, line.target) for line in view.lines]
    return Sheet(view=view, cards=cards, layout=lay_out({key: card.size for key, card in cards.items()}, pairs))


def _card(box: Box) -> Card:
    inside = sheet(box.inner) if box.inner is not None else None
    room = ROOM if inside is None else max(ROOM, inside.layout.size.width)
    left = PAD_X + (POINT if box.kind == "approve" else 0)
    words: list[Word] = []
    y, widest = PAD_Y, 0.0
    for style, text in _texts(box):
        indent = DOT if style == "model" else 0.0
        bold = style in BOLD
        for line in flow(text, FONT[style], room - indent, _MOST_LINES.get(style, 1), bold=bold):
            y += FONT[style] * _LEADING
            words.append(Word(style=style, text=line, x=left + indent, y=y - FONT[style] * 0.36))
            widest = max(widest, indent + text_width(line, FONT[style], bold=bold))
            indent = DOT if style == "model" else 0.0
    width, height = max(widest + 2 * left, _LEAST_WIDTH), y + PAD_Y
    if inside is None:
        back = STACK * 2 if box.many else 0.0
        return Card(box=box, size=Size(width=width + back, height=height + back), words=tuple(words))
    width = max(width, inside.layout.size.width + 2 * FRAME)
    origin = ((width - inside.layout.size.width) / 2, height + 4)
    size = Size(width=width, height=origin[1] + inside.layout.size.height + FRAME)
    return Card(box=box, size=size, words=tuple(words), inside=inside, origin=origin)


def _texts(box: Box) -> Iterator[tuple[Style, str]]:
    """The lines of a card from top to bottom."""
    signs = {"approve": "ASKS A PERSON", "workflow": "WORKFLOW", "task": "TASK", "tool": "TOOL", "run": "RUN"}
    yield "kind", signs[box.kind] + (" · CLEAN-UP" if box.cleans_up else "")
    yield "id", box.id
    if box.title:
        yield "title", box.title
    if box.subject:
        yield "subject", box.subject
    if box.model is not None:
        yield "model", box.model.label
    for note in box.notes:
        yield "note", note
