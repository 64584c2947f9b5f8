"""Where a character of a text stands: line and column as an editor counts them."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate

from runner.words.spans import Span

_BREAK = re.compile(r"\r\n|\n|\r")


class LineTable:
    """The line starts of one text. Lines end at LF, CRLF or a lone CR, as in YAML and in editors."""

    __slots__ = ("_starts", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        if "\r" in text:
            self._starts = [0, *(found.end() for found in _BREAK.finditer(text))]
        else:
            lengths = (len(line) + 1 for line in text.split("\n")[:-1])
            self._starts = list(accumulate(lengths, initial=0))

    def place(self, index: int) -> tuple[int, int]:
        """Line and column, from 1, of the character at ``index``."""
        line = bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1

    def span(self, start: int, end: int) -> Span:
        """The stretch from ``start`` to before ``end``, at least one column wide, never past the last character."""
        if start >= len(self._text):
            start = len(self._text.rstrip())
            end = start
        line, column = self.place(start)
        if end <= start:
            return Span(line, column, line, column + 1)
        last_line, last_column = self.place(end - 1)
        return Span(line, column, last_line, last_column + 1)
