"""Text as a terminal shows it: how many cells it takes, and what must not reach the screen as it is."""

from __future__ import annotations

import re
import unicodedata

# Control characters (ESC begins the sequences that move cursors, set titles, fill clipboards), marks that turn the
# direction of text around, line separators, and halves of surrogate pairs, which no output can encode.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def harmless(text: str) -> str:
    """The text with nothing in it that could command a terminal; newlines and tabs stay."""
    return _HARMFUL.sub(_picture, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The text on one line, harmless, with every stretch of white space as one space."""
    return harmless(" ".join(text.split()))


def width(text: str) -> int:
    """How many cells the text takes; East Asian wide characters take two, combining ones none."""
    return len(text) if text.isascii() else sum(map(char_width, text))


def char_width(char: str) -> int:
    """The cells of one character: 0, 1 or 2."""
    if char.isascii():
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def fit(text: str, cells: int) -> str:
    """The text cut to at most so many cells, ``…`` where something is missing."""
    if width(text) <= cells:
        return text
    kept, used = [], 0
    for char in text:
        used += char_width(char)
        if used > cells - 1:
            break
        kept.append(char)
    return ("".join(kept) + "…")[: max(cells, 0)]


def fit_tail(text: str, cells: int) -> str:
    """The end of the text in at most so many cells, ``…`` where the beginning is missing."""
    return text if width(text) <= cells else fit(text[: -cells - 2 : -1], cells)[::-1]


def pad(text: str, cells: int) -> str:
    """The text with spaces behind it, so that it takes at least so many cells."""
    return text + " " * (cells - width(text))


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)  # the pictures of control characters: ␀ … ␛ …
    return "␡" if code == 0x7F else "�"
