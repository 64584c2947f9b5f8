"""Endless repetition, noticed while an answer streams.

A model that has lost its way writes one piece again and again until a limit ends it, which may take an hour. What an
honest answer repeats is either shorter (a long list) or made of signs alone (a table, a matrix of zeros), which may go
on for longer.
"""

from __future__ import annotations

import re
from typing import Final

_LONGEST_UNIT: Final = 400
_TIMES: Final = 30
_CHARACTERS: Final = 3_000
_SIGNS: Final = 12_000
"""Characters of a unit without words: digits, dashes, one letter alone, the literals of JSON."""
_BLANK: Final = 2_000
_STEP: Final = 512
"""A look at the end of the text is taken after so many characters."""
_KEPT: Final = _LONGEST_UNIT + max(_SIGNS, _TIMES * _LONGEST_UNIT)
_PROBE: Final = 48
_LITERALS = re.compile(r"true|false|null|None|True|False|NaN")
_TORN = re.compile(r"\A[A-Za-z]+|[A-Za-z]+\Z")
"""Words at the ends of a unit, which may begin in the middle of one."""


class RepetitionWatch:
    """Watches one text that comes in pieces; keeps no more of it than the end, about 12,000 characters."""

    __slots__ = ("_at", "_fresh", "_pieces", "_seen", "_tail", "unit")

    def __init__(self) -> None:
        self._tail = ""
        self._pieces: list[str] = []
        self._fresh = 0
        self._seen = 0
        self._at = 0
        self.unit = 0
        """Length of the piece that is repeated without end, in characters; 0 while there is none."""

    def feed(self, text: str) -> bool:
        """Take the next piece; whether the text by now repeats itself without end."""
        self._pieces.append(text)
        self._fresh += len(text)
        if self._fresh >= _STEP and not self.unit:
            self._look()
        return self.unit > 0

    def cut(self, text: str) -> str:
        """``text``, all that was fed, up to the second of the repetitions."""
        return without_repetition(text[: self._at], self.unit) if self.unit else text

    def _look(self) -> None:
        text = self._tail + "".join(self._pieces)
        first = len(text) - self._fresh + _STEP
        for end in (*range(first, len(text), _KEPT // 4), len(text)):
            self.unit = endless_unit(text[max(0, end - _KEPT) : end])
            if self.unit:
                self._at = self._seen - len(self._tail) + end
                break
        self._seen += self._fresh
        self._tail, self._pieces, self._fresh = text[-_KEPT:], [], 0


def endless_unit(text: str) -> int:
    """Length of the shortest piece that the end of ``text`` repeats beyond all honesty; 0 if there is none."""
    blank = text[-_BLANK:]
    if len(blank) == _BLANK and blank.isspace():
        return 1
    if len(text) < _CHARACTERS:
        return 0
    probe = text[-_PROBE:]
    at = len(text) - _PROBE
    nearest = at - _LONGEST_UNIT
    while (at := text.rfind(probe, max(0, nearest), at + _PROBE - 1)) >= 0:
        unit = len(text) - _PROBE - at
        if text[-_CHARACTERS:-unit] == text[unit - _CHARACTERS :]:
            needed = _needed(text[-unit:])  # if it is too much for this unit, so it is for every longer one
            return unit if len(text) >= needed and text[-needed:-unit] == text[unit - needed :] else 0
    return 0


def without_repetition(text: str, unit: int) -> str:
    """The text up to the second of the repetitions with which it ends; ``unit`` is the length of one."""
    start = len(text) - unit
    while start > 0 and text[start - 1] == text[start - 1 + unit]:
        start -= 1
    return text[: start + 2 * unit]


def _needed(unit: str) -> int:
    """Over how many characters a unit must be repeated to count."""
    words = _LITERALS.sub("", _TORN.sub("", unit * 4))
    plain = len(set(unit)) == 1 or not (unit.isalpha() or any(map(str.isalpha, words)))
    return _SIGNS if plain else max(_CHARACTERS, _TIMES * len(unit))
