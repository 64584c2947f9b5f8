"""Edits of a text: what they make of it, all else kept byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from runner.words.diagnostics import Edit, Fix
from runner.words.spans import Span

_BREAK = re.compile(r"\r\n|\n|\r")


def apart(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    """Those of the fixes that can be made together, in file order: of two that touch each other the first."""
    chosen: list[Fix] = []
    taken: list[Span] = []
    for fix in sorted(dict.fromkeys(fixes), key=lambda fix: [edit.span for edit in fix.edits]):
        if not any(_touch(edit.span, span) for edit in fix.edits for span in taken):
            chosen.append(fix)
            taken += [edit.span for edit in fix.edits]
    return tuple(chosen)


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with the edits made, from its end to its beginning; they must not touch each other.

    Lines end at LF, CRLF or CR; what lies behind the last line is its end.
    """
    starts = _line_starts(text)
    for edit in sorted(edits, key=lambda edit: edit.span, reverse=True):
        start, end = _offsets(text, starts, edit.span)
        text = text[:start] + edit.text + text[end:]
    return text


def text_at(text: str, span: Span) -> str:
    """What stands there."""
    start, end = _offsets(text, _line_starts(text), span)
    return text[start:end]


def _line_starts(text: str) -> list[int]:
    return [0, *(found.end() for found in _BREAK.finditer(text))]


def _offsets(text: str, starts: Sequence[int], span: Span) -> tuple[int, int]:
    def offset(line: int, column: int) -> int:
        return min(starts[line - 1] + column - 1, len(text)) if line <= len(starts) else len(text)

    return offset(span.line, span.column), offset(span.end_line, span.end_column)


def _touch(one: Span, other: Span) -> bool:
    """Whether they share a character, or one inserts where the other is."""
    if one[:2] == other[:2]:
        return True
    return one[:2] < other[2:] and other[:2] < one[2:]
