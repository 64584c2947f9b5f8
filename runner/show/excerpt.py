"""A piece of a file with marks under the words that matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from runner.show.cell import char_width, harmless
from runner.words.noun import noun
from runner.words.spans import Span

_TAB = 4
_WHOLE = 4  # a stretch of more lines than this is shown by its first two lines and its last


@noun
class Mark:
    """A place to underline with ``sign`` and to explain in ``words``; ``paint`` colours the underline."""

    span: Span
    sign: str
    paint: Callable[[str], str]
    words: str = ""


def split_lines(text: str) -> list[str]:
    """The lines as YAML counts them: it also breaks at NEL and the Unicode separators (YAML 1.1, section 4.2)."""
    return re.split("\r\n|[\n\r\x85\u2028\u2029]", text.removeprefix("\ufeff"))


def draw(lines: Sequence[str], marks: Sequence[Mark], frame: Callable[[str], str], room: int) -> tuple[int, list[str]]:
    """How wide the line numbers are, and the marked lines behind them.

    The first mark is the main one and may stretch over several lines.

    ``room`` is the width of the whole picture in cells; longer lines show the part around their mark.
    """
    main = _trimmed(marks[0], lines)
    many = main.span.end_line > main.span.line
    underlines = [_on_one_line(mark, lines) for mark in (marks[1:] if many else (main, *marks[1:]))]
    shown = sorted({mark.span.line for mark in underlines} | set(_stretch(main.span)))
    digits = len(str(shown[-1]))
    picture = _Picture(lines=lines, frame=frame, digits=digits, room=max(room - digits - (5 if many else 3), 20))
    rows = [picture.gutter("").rstrip()]
    for before, number in zip([None, *shown], shown, strict=False):
        if before is not None and number > before + 1:
            rows.append(frame("..."))
        rows += picture.rows(number, main if many else None, [m for m in underlines if m.span.line == number])
    return digits, rows


@noun
class _Picture:
    lines: Sequence[str]
    frame: Callable[[str], str]
    digits: int
    room: int

    def gutter(self, number: int | str) -> str:
        return self.frame(f"{number:>{self.digits}} |") + " "

    def rows(self, number: int, stretch: Mark | None, underlines: Sequence[Mark]) -> Iterator[str]:
        """A line of the file, and below it its underlines."""
        text = _line(self.lines, number)
        first = underlines[0].span if underlines else Span(number, 1, number, 2)
        drawn = _draw_line(text, first, self.room)
        yield (self.gutter(number) + _side(number, stretch, number) + drawn.text).rstrip()
        for mark in underlines:
            start, end = drawn.cell(mark.span.column), drawn.cell(mark.span.end_column)
            line = mark.paint((mark.sign * max(end - start, 1) + " " + mark.words).rstrip())
            yield self.gutter("") + _side(number + 1, stretch, number) + " " * start + line
        if stretch is not None and number == stretch.span.end_line:
            end = drawn.cell(stretch.span.end_column) - 1
            yield self.gutter("") + stretch.paint("|" + "_" * (end + 1) + stretch.sign)


@noun
class _Drawn:
    """A line as it is drawn; ``cells[i]`` is where the column ``first + i`` (from 0) begins."""

    text: str
    cells: Sequence[int]
    first: int

    def cell(self, column: int) -> int:
        return self.cells[min(max(column - 1 - self.first, 0), len(self.cells) - 1)]


def _draw_line(text: str, focus: Span, room: int) -> _Drawn:
    first = max(focus.column - 1 - 2 * room, 0)
    glyphs, cells = _glyphs(text[first : first + 6 * room])
    if cells[-1] <= room and first == 0:
        return _Drawn(text="".join(glyphs), cells=cells, first=0)
    index = min(focus.column - 1 - first, len(cells) - 1)
    end = cells[min(focus.end_column - 1 - first, len(cells) - 1)]
    start = 0 if end < room and first == 0 else max(cells[index] - room // 3, 0)
    more_before, more_after = start > 0 or first > 0, cells[-1] - start > room
    low, high = start + more_before, start + room - more_after
    visible = [g for g, at, to in zip(glyphs, cells, cells[1:], strict=False) if at >= low and to <= high]
    # A wide character cut in half at the left edge leaves a cell, which the sign of the cut takes too.
    lead = next((at for at in cells if at >= low), low) - start
    drawn = "…".ljust(lead, " ") * more_before + "".join(visible) + "…" * more_after
    return _Drawn(text=drawn, cells=[min(max(at - start, lead), room) for at in cells], first=first)


def _glyphs(text: str) -> tuple[list[str], list[int]]:
    """What each character is drawn as, and the cell where each begins (one more: where the text ends)."""
    glyphs, cells, at = [], [0], 0
    for char in text:
        glyph = " " * (_TAB - at % _TAB) if char == "\t" else harmless(char)
        at += len(glyph) if char == "\t" else char_width(glyph)
        glyphs.append(glyph)
        cells.append(at)
    return glyphs, cells


def _side(number: int, stretch: Mark | None, of_line: int) -> str:
    """The bar that runs beside a stretch of lines."""
    if stretch is None:
        return ""
    if number == of_line == stretch.span.line:
        return stretch.paint("/") + " "
    return stretch.paint("|") + " " if stretch.span.line <= of_line <= stretch.span.end_line else "  "


def _stretch(span: Span) -> range | tuple[int, ...]:
    if span.end_line - span.line < _WHOLE:
        return range(span.line, span.end_line + 1)
    return span.line, span.line + 1, span.end_line


def _line(lines: Sequence[str], number: int) -> str:
    return lines[number - 1] if number <= len(lines) else ""


def _trimmed(mark: Mark, lines: Sequence[str]) -> Mark:
    """Without the blank end that a block of YAML has: it reaches to the next word of the file."""
    line, column, end_line, end_column = mark.span
    while end_line > line and not _line(lines, end_line)[: end_column - 1].strip():
        end_line -= 1
        end_column = len(_line(lines, end_line).rstrip()) + 1
    return _within(mark, Span(line, column, end_line, end_column), lines)


def _on_one_line(mark: Mark, lines: Sequence[str]) -> Mark:
    line, column, end_line, end_column = mark.span
    if end_line > line:
        end_column = len(_line(lines, line).rstrip()) + 1
    return _within(mark, Span(line, column, line, end_column), lines)


def _within(mark: Mark, span: Span, lines: Sequence[str]) -> Mark:
    """The mark at a place that can be drawn: in its line or right behind it, one character wide at least."""
    line, column, end_line, end_column = span
    column = min(column, len(_line(lines, line)) + 1)
    least = column + 1 if end_line == line else 1
    return replace(mark, span=Span(line, column, end_line, max(end_column, least)))
