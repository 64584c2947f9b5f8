"""How wide text is before anybody draws it: reckoned for the widest of the common sans-serif fonts, so that it fits."""

from __future__ import annotations

import re
import unicodedata

_WIDTHS: dict[str, float] = {
    **dict.fromkeys("ijl'|", 0.32),
    **dict.fromkeys("tfrI.,:;/\\!()[]- `", 0.41),
    **dict.fromkeys('scz_*"?', 0.57),
    **dict.fromkeys("abdeghknopquvxyJ0123456789$·{}L", 0.65),
    **dict.fromkeys("ABCEFKPRSTVXYZ", 0.72),
    **dict.fromkeys("wDGHNOQU#&+<=>^~×", 0.85),
    **dict.fromkeys("mMW%@…", 1.02),
}
"""Parts of the size of the font; DejaVu Sans and Verdana, rounded up."""
_BOLD = 1.14
_NARROW, _WIDE, _PICTURE = 1.1, 1.15, 1.45


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a text in pixels, in a font of ``size`` pixels."""
    return sum(map(_char, text)) * size * (_BOLD if bold else 1)


def is_certain(text: str) -> bool:
    """Whether the width holds in every font; of other scripts nobody knows it."""
    return all(char in _WIDTHS for char in text)


def flow(text: str, size: float, room: float, most: int, *, bold: bool = False) -> list[str]:
    """The text in at most so many lines of ``room`` pixels, ``…`` where something is missing."""
    lines = [""]
    for piece in _pieces(text, size, room, bold=bold):
        if lines[-1] and text_width((lines[-1] + piece).rstrip(), size, bold=bold) > room:
            lines.append("")
        lines[-1] += piece
    lines = [line.strip() for line in lines]
    if len(lines) > most:
        lines = [*lines[: most - 1], _cut(lines[most - 1] + "…", size, room, bold=bold)]
    return lines


def _pieces(text: str, size: float, room: float, *, bold: bool) -> list[str]:
    """Words with the space behind them; one that is too long in parts."""
    pieces: list[str] = []
    for word in re.findall(r"\S+\s*", text):
        if text_width(word.rstrip(), size, bold=bold) <= room:
            pieces.append(word)
            continue
        for part in re.findall(r"[^/\-_.]+[/\-_.]*\s*|[/\-_.]+\s*", word):
            pieces += [part] if text_width(part, size, bold=bold) <= room else list(part)
    return pieces


def _cut(text: str, size: float, room: float, *, bold: bool) -> str:
    while len(text) > 1 and text_width(text, size, bold=bold) > room:
        text = text[:-2] + "…"
    return text


def _char(char: str) -> float:
    known = _WIDTHS.get(char)
    if known is not None:
        return known
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    if unicodedata.category(char) == "So":
        return _PICTURE
    return _WIDE if unicodedata.east_asian_width(char) in "WF" else _NARROW
