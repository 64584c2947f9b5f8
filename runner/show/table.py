"""Columns of text that fit a width, for pipes and logs as much as for terminals."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runner.show.cell import char_width, pad, width

_GAP = 2
_LEAST = 8


def table(head: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[str]:
    """The rows under their head, columns padded; the widest columns wrap until all fit into ``room`` cells."""
    every = [head, *rows]
    widths = [max(width(row[column]) for row in every) for column in range(len(head))]
    words = [max(width(word) for row in every for word in _words(row[column])) for column in range(len(head))]
    room -= _GAP * (len(head) - 1)
    _shrink(widths, words, room)  # names of models and tools stay whole as long as there is any other way
    _shrink(widths, [_LEAST] * len(head), room)
    return [line for row in every for line in _lines(row, widths)]


def full_table(head: Sequence[str], rows: Sequence[Sequence[str]], room: int, first: int = 1) -> list[str]:
    """A table without the columns in which no row says anything but ``-``; the ``first`` ones always stay."""
    used = [column for column in range(len(head)) if column < first or any(row[column] != "-" for row in rows)]
    return table([head[column] for column in used], [[row[column] for column in used] for row in rows], room)


def _words(text: str) -> list[str]:
    """The words, the first with the spaces before it."""
    return re.findall(r"^\s*\S+|\S+", text) or [""]


def _shrink(widths: list[int], least: Sequence[int], room: int) -> None:
    """Take from the widest column, cell by cell, as long as one has more than its least."""
    while sum(widths) > room:
        spare = [number for number, cells in enumerate(widths) if cells > least[number]]
        if not spare:
            return
        widths[max(spare, key=widths.__getitem__)] -= 1


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    cells = [wrap(text, room) for text, room in zip(row, widths, strict=True)]
    height = max(len(cell) for cell in cells)
    lines = [[cell[number] if number < len(cell) else "" for cell in cells] for number in range(height)]
    return [(" " * _GAP).join(map(pad, line, widths)).rstrip() for line in lines]


def wrap(text: str, room: int) -> list[str]:
    """The text in lines of at most ``room`` cells, broken at spaces, else after ``/ - _ .``, else anywhere.

    Spaces before the text stay.
    """
    lines = [""]
    for word in re.findall(r"\s*\S+\s*", text):
        if width(lines[-1]) + width(word.rstrip()) <= room:
            lines[-1] += word
            continue
        for part in _parts(word, room):
            if width(lines[-1]) + width(part.rstrip()) > room and lines[-1]:
                lines.append("")
            lines[-1] += part
    return [line.rstrip() for line in lines]


def _parts(word: str, room: int) -> list[str]:
    """The word if it fits on a line of its own, else pieces of it."""
    if width(word.rstrip()) <= room:
        return ["", word]
    return [piece for part in re.findall(r"[^/\-_.]+[/\-_.]*|[/\-_.]+", word) for piece in _pieces(part, room)]


def _pieces(part: str, room: int) -> list[str]:
    pieces, used = [""], 0
    for char in part:
        if used + char_width(char) > room:
            pieces.append("")
            used = 0
        pieces[-1] += char
        used += char_width(char)
    return pieces
