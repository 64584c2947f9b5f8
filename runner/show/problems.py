"""Findings and errors as people read them: where, the words of the file, what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from runner.show.cell import harmless
from runner.show.excerpt import Mark, draw, split_lines
from runner.show.ink import Ink
from runner.words.diagnostics import Diagnostic, in_file_order
from runner.words.errors import BridgeError, ModelNotFoundError, ToolServerError, WorkflowError
from runner.words.spans import Span

Source = Callable[[str], str | None]
"""Gives the text of a file, as it was when it was judged; None if it cannot be read."""

_MODELS_SHOWN = 8


def render(diagnostics: Iterable[Diagnostic], source: Source, *, colour: bool = False, width: int = 100) -> str:
    """All findings in file order, a blank line between, and a closing line that counts them; empty for none.

    The first two lines of each hold level, code, message and ``file:line:column``.
    """
    found = in_file_order(diagnostics)
    ink = Ink(colour)
    texts: dict[str, list[str] | None] = {}
    blocks = []
    for finding in found:
        if finding.file not in texts:
            text = source(finding.file)
            texts[finding.file] = None if text is None else split_lines(text)
        blocks.append(_block(finding, texts[finding.file], ink, width))
    return "\n\n".join([*blocks, _count(found, ink)]) + "\n" if found else ""


def count(diagnostics: Iterable[Diagnostic]) -> str:
    """``2 errors, 1 warning``; ``no problems`` for none."""
    levels = [finding.level for finding in diagnostics]
    parts = []
    for level in ("error", "warning"):
        number = levels.count(level)
        if number:
            parts.append(f"{number:,} {level}" + "s" * (number > 1))
    return ", ".join(parts) or "no problems"


def render_error(error: BridgeError, *, colour: bool = False) -> str:
    """An error that has no place in a file: its message, what is known beside it, what to do."""
    if isinstance(error, WorkflowError):
        return render(error.diagnostics, lambda _: None, colour=colour)
    ink = Ink(colour)
    first, *rest = harmless(error.message).split("\n")
    rows = [ink.error("error") + ink.bold(f": {first}"), *(f"  {row}".rstrip() for row in rest)]
    rows += _beside(error, ink)
    if error.hint:
        rows += _remark("help", error.hint, 1, ink)
    return "\n".join(rows) + "\n"


def _count(found: Sequence[Diagnostic], ink: Ink) -> str:
    level = "error" if any(finding.level == "error" for finding in found) else "warning"
    return ink.level(level, count(found))


def _block(finding: Diagnostic, lines: Sequence[str] | None, ink: Ink, width: int) -> str:
    first, *rest = harmless(finding.message).split("\n")
    head = ink.level(finding.level, f"{finding.level}[{finding.code}]") + ink.bold(f": {first}")
    place = harmless(finding.file).replace("\n", "␊")
    indent = 1
    picture: list[str] = []
    if finding.span is not None:
        place += f":{finding.span.line}:{finding.span.column}"
        if lines is not None:
            indent, picture = draw(lines, _marks(finding, finding.span, ink), ink.frame, width)
    rows = [head, " " * indent + ink.frame("-->") + f" {place}", *picture]
    remarks = [_remark("note", "\n".join(rest), indent, ink)] if rest else []
    remarks += [_remark("note", note.message, indent, ink) for note in finding.notes if note.span is None]
    remarks += [_remark("help", finding.help, indent, ink)] if finding.help else []
    if remarks and picture:
        rows.append(" " * indent + " " + ink.frame("|"))
    return "\n".join(row for part in (rows, *remarks) for row in part)


def _marks(finding: Diagnostic, main: Span, ink: Ink) -> list[Mark]:
    def paint(text: str) -> str:
        return ink.level(finding.level, text)

    marks = [Mark(span=main, sign="^", paint=paint)]
    for note in finding.notes:
        if note.span is not None:
            words = harmless(note.message).replace("\n", " ")
            marks.append(Mark(span=note.span, sign="-", paint=ink.frame, words=words))
    return marks


def _remark(kind: str, text: str, indent: int, ink: Ink) -> list[str]:
    first, *rest = harmless(text).split("\n")
    hang = " " * (indent + len(kind) + 5)
    return [
        " " * indent + " " + ink.frame("=") + " " + ink.bold(kind) + f": {first}",
        *((hang + row).rstrip() for row in rest),
    ]


def _beside(error: BridgeError, ink: Ink) -> list[str]:
    """What some errors know beyond their message."""
    if isinstance(error, ModelNotFoundError):
        return _models(error, ink)
    if isinstance(error, ToolServerError) and error.stderr.strip():
        tail = harmless(error.stderr.rstrip()).split("\n")
        said = f"the last lines that `{harmless(error.server)}` wrote to stderr"
        return [*_remark("note", said, 1, ink), *(f"  {ink.frame('|')} {row}".rstrip() for row in tail)]
    return []


def _models(error: ModelNotFoundError, ink: Ink) -> list[str]:
    if not error.available_models:
        return _remark("note", "no server has any model", 1, ink)
    shown = [f"`{name}`" for name in error.available_models[:_MODELS_SHOWN]]
    more = len(error.available_models) - len(shown)
    rows = _remark("note", "there are " + ", ".join(shown) + (f" and {more} more" if more else ""), 1, ink)
    if error.nearest and not error.hint:
        rows += _remark("help", "did you mean " + " or ".join(f"`{name}`" for name in error.nearest) + "?", 1, ink)
    return rows
