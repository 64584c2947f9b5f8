"""JSON as models write it by hand: trailing commas, bare keys, other quotes, brackets that are never closed."""

from __future__ import annotations

import re
from typing import Any, Final

from runner.words.json_text import DECODER, read_json

_SPACE = re.compile(r"[\s,]*")
_QUOTES = re.compile(r"""<\|"\|>|["']""")
_WORD = re.compile(r"""[^\s,:{}\[\]"'<]{1,200}""")
_ESCAPED = re.compile(r"""\\(?:u([0-9a-fA-F]{4})|(.))""", re.DOTALL)
_ESCAPES: Final = {
    "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "'": "'", "/": "/", "\\": "\\",
}  # fmt: skip
_LITERALS: Final = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_MAX_DEPTH: Final = 64


class UnfinishedError(ValueError):
    """The text ends before the value does."""


def read_loose(text: str, start: int = 0, *, quotes: str = '"', close: bool = False) -> tuple[Any, int]:
    """The value that begins at ``start``, and where it ends: JSON if it is, else what it was meant to be.

    ``quotes`` are those that begin a text: ``"`` or ``'`` (the ``<|"|>`` of Gemma always is one). ``close``: what is
    still open at the end of the text is closed there, but for a text in quotes.

    Raises:
        UnfinishedError: the text ends first.
        ValueError: it can be read in no way.
    """
    try:
        return DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return _LooseReader(text, quotes, close=close).value(start, 0)


class _LooseReader:
    """Reads values at places of one text; every method returns what it read and where that ends."""

    def __init__(self, text: str, quotes: str, *, close: bool) -> None:
        self._text = text
        self._quotes = (*quotes, '<|"|>')
        self._close = close

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        at = self._skip(at)
        if depth > _MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        if self._text.startswith("{", at):
            return self._object(at + 1, depth)
        if self._text.startswith("[", at):
            return self._list(at + 1, depth)
        return self._quoted(at) or self._word(at)

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        while not self._ends(at := self._skip(at), "}"):
            key, at = self._quoted(at) or self._bare(at)
            at = self._skip(at)
            if not self._text.startswith(":", at):
                raise self._wrong(at)
            found[key], at = self.value(at + 1, depth + 1)
        return found, at + 1

    def _list(self, at: int, depth: int) -> tuple[list[Any], int]:
        found = []
        while not self._ends(at := self._skip(at), "]"):
            one, at = self.value(at, depth + 1)
            found.append(one)
        return found, at + 1

    def _ends(self, at: int, bracket: str) -> bool:
        if at < len(self._text):
            return self._text[at] == bracket
        if self._close:
            return True
        raise UnfinishedError("it ends in the middle")

    def _quoted(self, at: int) -> tuple[str, int] | None:
        mark = _QUOTES.match(self._text, at)
        if mark is None or mark[0] not in self._quotes:
            return None
        end = self._text.find(mark[0], mark.end())
        while end > 0 and len(mark[0]) == 1 and self._is_escaped(end, mark.end()):
            end = self._text.find(mark[0], end + 1)
        if end < 0:
            raise UnfinishedError("it ends within quotes")
        inner = self._text[mark.end() : end]
        return (_unescape(inner) if len(mark[0]) == 1 else inner), end + len(mark[0])

    def _is_escaped(self, at: int, start: int) -> bool:
        slashes = 0
        while at - slashes > start and self._text[at - slashes - 1] == "\\":
            slashes += 1
        return slashes % 2 == 1

    def _bare(self, at: int) -> tuple[str, int]:
        word = _WORD.match(self._text, at)
        if word is None:
            raise self._wrong(at)
        return word[0], word.end()

    def _word(self, at: int) -> tuple[Any, int]:
        word, end = self._bare(at)
        return (_LITERALS[word] if word in _LITERALS else read_json(word)), end

    def _skip(self, at: int) -> int:
        space = _SPACE.match(self._text, at)
        return space.end() if space else at

    def _wrong(self, at: int) -> ValueError:
        return ValueError("it is no JSON") if at < len(self._text) else UnfinishedError("it ends in the middle")


def _unescape(text: str) -> str:
    return _ESCAPED.sub(_escape, text) if "\\" in text else text


def _escape(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else _ESCAPES.get(match[2], match[0])
