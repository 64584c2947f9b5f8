"""Fixes of comments: ``# bridge: allow …`` that allows nothing any more."""

from __future__ import annotations

import re
from collections.abc import Collection

from runner.words.diagnostics import Edit
from runner.words.edits import text_at
from runner.words.spans import Span

_ALLOW = re.compile(
    r"(?P<head>#[ \t]*bridge:[ \t]*allow[ \t]+)(?P<codes>[A-Za-z]{2}[0-9]+(?:[,\s]+[A-Za-z]{2}[0-9]+)*)"
)


def without_codes(text: str, span: Span, codes: Collection[str]) -> Edit | None:
    """What takes these codes out of the comment at ``span``; the whole comment if no other is left in it.

    A comment that stands alone goes with its line. None if it does not read as expected.
    """
    comment = text_at(text, span)
    found = _ALLOW.match(comment)
    if found is None:
        return None
    kept = [code for code in re.split(r"[,\s]+", found["codes"]) if code.upper() not in codes]
    if kept:
        return Edit(span=span, text=f"{found['head']}{', '.join(kept)}{comment[found.end() :]}")
    before = text_at(text, Span(span.line, 1, span.line, span.column))
    if not before.strip():
        return Edit(span=Span(span.line, 1, span.line + 1, 1), text="")
    return Edit(span=Span(span.line, len(before.rstrip()) + 1, span.end_line, span.end_column), text="")
