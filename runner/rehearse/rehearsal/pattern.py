"""Texts that match a regular expression, for the common ones: literals, classes, groups, choices, repetitions."""

from __future__ import annotations

import re

_CLASSES = {"d": "7", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "t": "\t", "n": "\n"}
_QUANTIFIER = re.compile(r"\*\??|\+\??|\?\??|\{(\d*)(?:,\d*)?\}\??")
_GROUP = re.compile(r"\((?:\?:|\?P<\w+>|\?<\w+>|(?!\?))")


def texts_for(pattern: str) -> list[str]:
    """Some texts that the pattern is found in, the shortest way through it first; empty for what is too clever."""
    reader = _Reader(pattern)
    try:
        texts = reader.choice()
        if reader.rest:
            return []
        return [text for text in dict.fromkeys(texts) if re.search(pattern, text)][:8]
    except (_TooCleverError, re.error):
        return []


class _TooCleverError(ValueError):
    """A part of a pattern that is not understood here."""


class _Reader:
    """Reads a pattern from left to right; every method gives the texts for what it has read."""

    def __init__(self, pattern: str) -> None:
        self.rest = pattern

    def choice(self) -> list[str]:
        """``a|b``."""
        texts = self._sequence()
        while self.rest.startswith("|"):
            self.rest = self.rest[1:]
            texts += self._sequence()
        return texts

    def _sequence(self) -> list[str]:
        texts = [""]
        while self.rest and self.rest[0] not in "|)":
            parts = self._repeated(self._atom())
            texts = [text + part for text in texts for part in parts][:16]
        return texts

    def _repeated(self, parts: list[str]) -> list[str]:
        found = _QUANTIFIER.match(self.rest)
        if found is None:
            return parts
        self.rest = self.rest[found.end() :]
        if found[0][0] == "{":
            return [part * int(found[1] or 0) for part in parts]
        return parts if found[0][0] == "+" else [*parts, ""]

    def _atom(self) -> list[str]:
        sign = self.rest[0]
        group = _GROUP.match(self.rest)
        if group is not None:
            self.rest = self.rest[group.end() :]
            texts = self.choice()
            if not self.rest.startswith(")"):
                raise _TooCleverError
            self.rest = self.rest[1:]
            return texts
        if sign == "[":
            return self._class()
        self.rest = self.rest[1:]
        if sign in "^$":
            return [""]
        if sign == "\\" and self.rest:
            return [self._escaped()]
        if sign in "(*+?{":
            raise _TooCleverError
        return ["a" if sign == "." else sign]

    def _escaped(self) -> str:
        sign, self.rest = self.rest[0], self.rest[1:]
        if sign in "bBAZz":
            return ""
        if sign.isalnum() and sign not in _CLASSES:
            raise _TooCleverError
        return _CLASSES.get(sign, sign)

    def _class(self) -> list[str]:
        """``[…]``: a letter that it takes, tried out."""
        end = self.rest.find("]", 3 if self.rest[1:2] == "^" else 2)
        while end > 0 and self.rest[end - 1] == "\\" and self.rest[end - 2] != "\\":
            end = self.rest.find("]", end + 1)
        if end < 0:
            raise _TooCleverError
        written, self.rest = self.rest[: end + 1], self.rest[end + 1 :]
        letters = ("a", "A", "7", "1", "-", "_", ".", " ", *map(chr, range(33, 127)))
        fitting = [letter for letter in letters if re.fullmatch(written, letter)]
        if not fitting:
            raise _TooCleverError
        return fitting[:1]
