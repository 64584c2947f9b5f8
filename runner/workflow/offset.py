"""From a character of a decoded scalar back to its place in the YAML text: folding, escapes and indents undone.

Each ``_…`` reader re-reads the source of one style and yields, for every character of the value, the character and
the offset where it came from. The result is compared with the value: a reader that went wrong is not believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s+|#[^\r\n]*)*)*")
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_WHITE = re.compile(r"[ \t]*")
_GAP = re.compile(r"[ \t]*(?:\r\n|[\n\r\x85\u2028\u2029])[ \t]*(?:(?:\r\n|[\n\r\x85\u2028\u2029])[ \t]*)*")
_HEAD = re.compile(r"[|>][-+0-9]*[ \t]*(?:#[^\r\n\x85\u2028\u2029]*)?(?:\r\n|[\n\r\x85\u2028\u2029])?")
_CODE = {"x": 2, "u": 4, "U": 8}

Piece = tuple[str, int]
"""A character of the value and the offset of its source."""


def source_offsets(text: str, start: int, end: int, value: str) -> list[int] | None:
    """Offsets into ``text`` of every character of ``value``, and of what follows the last.

    ``start`` and ``end`` bound the scalar as the parser saw it. None when the source does not spell the value.
    """
    found = _PROPERTIES.match(text, start, end)
    begin = found.end() if found else start
    if text.startswith(value, begin) and begin + len(value) == end:
        return list(range(begin, end + 1))
    for pieces in _readings(text, begin, end):
        held = "".join(character for character, _ in pieces)
        if held.startswith(value):
            offsets = [offset for _, offset in pieces[: len(value)]]
            return [*offsets, pieces[len(value)][1] if len(pieces) > len(value) else end]
    return None


def bare_source(text: str, start: int, end: int) -> str:
    """The source of a scalar without its anchor and tag."""
    found = _PROPERTIES.match(text, start, end)
    return text[found.end() if found else start : end]


def _readings(text: str, begin: int, end: int) -> Iterator[list[Piece]]:
    """The likeliest reading first; others only where the indent of a block can be told in several ways."""
    style = text[begin : begin + 1]
    if style in {"|", ">"}:
        head = _HEAD.match(text, begin, end)
        first = head.end() if head else begin
        for indent in _indents(text, first, end):
            yield list(_block(text, first, end, indent, literal=style == "|"))
    elif style == '"':
        yield [*_double(text, begin + 1, end - 1), ("", end - 1)]
    elif style == "'":
        yield [*_single(text, begin + 1, end - 1), ("", end - 1)]
    else:
        yield list(_plain(text, begin, end))


def _fold(text: str, gap: re.Match[str], *, escaped: bool = False) -> Iterator[Piece]:
    """The line breaks of a gap in a flow scalar: one is a space, each further one stays a break."""
    breaks = [(_normal(found.group()), found.start()) for found in _BREAK.finditer(text, gap.start(), gap.end())]
    first, rest = breaks[0], breaks[1:]
    if escaped:
        yield from rest
    elif first[0] != "\n":
        yield from breaks
    elif rest:
        yield from rest
    else:
        yield " ", first[1]


def _normal(line_break: str) -> str:
    return line_break if line_break in "\u2028\u2029" else "\n"


def _plain(text: str, at: int, end: int) -> Iterator[Piece]:
    while at < end:
        gap = _GAP.match(text, at, end)
        if gap:
            yield from _fold(text, gap)
            at = gap.end()
        else:
            yield text[at], at
            at += 1


def _single(text: str, at: int, end: int) -> Iterator[Piece]:
    while at < end:
        gap = _GAP.match(text, at, end)
        if gap:
            yield from _fold(text, gap)
            at = gap.end()
        else:
            yield text[at], at
            at += 2 if text.startswith("''", at) else 1


def _double(text: str, at: int, end: int) -> Iterator[Piece]:
    while at < end:
        gap = _GAP.match(text, at, end)
        if gap:
            yield from _fold(text, gap)
            at = gap.end()
        elif text[at] != "\\":
            yield text[at], at
            at += 1
        elif gap := _GAP.match(text, at + 1, end):
            if not _BREAK.match(text, at + 1):
                return
            yield from _fold(text, gap, escaped=True)
            at = gap.end()
        else:
            letter = text[at + 1 : at + 2]
            width = 2 + _CODE.get(letter, 0)
            yield _unescaped(text[at + 1 : at + width]), at
            at += width


_ESCAPES = dict(
    zip(
        '0abt\tnvfre "/\\N_LP',
        '\0\a\b\t\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029',
        strict=True,
    )
)


def _unescaped(code: str) -> str:
    if code[0] in _CODE:
        return chr(int(code[1:], 16))
    return _ESCAPES.get(code, code)


def _indents(text: str, first: int, end: int) -> Iterator[int]:
    """Possible indents of a block: that of its first line with content, then all smaller ones."""
    likely = 0
    for found in re.finditer(r"( *)([^ \r\n\x85\u2028\u2029])?[^\r\n\x85\u2028\u2029]*", text[first:end]):
        likely = max(likely, len(found[1]))
        if found[2]:
            likely = len(found[1])
            break
    yield from range(likely, -1, -1)


def _block(text: str, at: int, end: int, indent: int, *, literal: bool) -> Iterator[Piece]:
    """All of a block scalar, with every line break at its end: chomping only shortens it."""
    pending: list[Piece] = []  # the break after the last line with content, then those of blank lines
    after_blank = True  # the last line with content began with white space: its breaks are kept
    content_seen = False
    while at < end:
        spaces = 0
        while spaces < indent and text.startswith(" ", at + spaces):
            spaces += 1
        line_start = at + spaces
        found = _BREAK.search(text, line_start, end)
        line_end = found.start() if found else end
        if line_start < line_end:
            blank = text[line_start] in " \t"
            yield from _joined(pending, keep=literal or blank or after_blank or not content_seen)
            yield from zip(text[line_start:line_end], range(line_start, line_end), strict=True)
            pending, after_blank, content_seen = [], blank, True
        if found:
            pending.append((_normal(found.group()), found.start()))
        at = found.end() if found else end
    yield from pending


def _joined(pending: list[Piece], *, keep: bool) -> Iterator[Piece]:
    if keep or not pending or pending[0][0] != "\n":
        yield from pending
    elif len(pending) == 1:
        yield " ", pending[0][1]
    else:
        yield from pending[1:]
