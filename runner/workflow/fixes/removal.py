"""Taking a key or an item out of a file, and nothing else."""

from __future__ import annotations

import re

from runner.words.diagnostics import Edit
from runner.words.edits import text_at
from runner.words.spans import Path, Span
from runner.workflow.document import Document
from runner.workflow.node import MappingNode, SequenceNode, descend

_REST = re.compile(r"[ \t]*(?:#.*)?")


def removal(document: Document, path: Path) -> Edit | None:
    """What takes the value at ``path`` out, with its key; its holder too if nothing else is in it.

    The path leads through no alias. In a block whole lines go, with what is said behind them; on one line the comma
    goes too. None where it shares its lines with something else.
    """
    holder = descend(document.root, path[:-1])
    assert isinstance(holder, MappingNode | SequenceNode), "nobody goes through an alias"
    names: list[str | int] = [*(holder.values if isinstance(holder, MappingNode) else range(len(holder.items)))]
    if len(names) == 1:
        return removal(document, path[:-1]) if len(path) > 1 else None
    if not holder.flow:
        return _lines(document, path)
    spans = [_whole(document, (*path[:-1], name)) for name in names]
    number = names.index(path[-1])
    if len({line for span in spans for line in (span.line, span.end_line)}) > 1:
        return None
    if number + 1 < len(spans):
        return Edit(span=Span(*spans[number][:2], *spans[number + 1][:2]), text="")
    return Edit(span=Span(*spans[number - 1][2:], *spans[number][2:]), text="")


def _whole(document: Document, path: Path) -> Span:
    """From the key to the end of the value."""
    return Span(*document.key_span(path)[:2], *document.span(path)[2:])


def _lines(document: Document, path: Path) -> Edit | None:
    span = _whole(document, path)
    before = text_at(document.text, Span(span.line, 1, span.line, span.column))
    after = text_at(document.text, Span(span.end_line, span.end_column, span.end_line + 1, 1)).rstrip("\r\n")
    dash = "-" if isinstance(path[-1], int) else ""
    if before.strip() != dash or not _REST.fullmatch(after):
        return None
    return Edit(span=Span(span.line, 1, span.end_line + 1, 1), text="")
