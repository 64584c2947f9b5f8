"""Markdown as the reference pages have it: tables, JSON that fits the page, docstrings as prose."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

WIDTH: Final = 110
_RAISES: Final = "Raises:"
_ONE_LINE_RAISES: Final = re.compile(r"^Raises: (?=[A-Z])")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, an empty one after it; nothing if it has no rows. Columns without a word are left out."""
    cells = [[_cell(text) for text in row] for row in rows]
    if not cells:
        return
    kept = [column for column in range(len(header)) if any(row[column] for row in cells)]
    for row in (header, ["---"] * len(header), *cells):
        yield f"| {' | '.join(row[column] for column in kept)} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def json_block(value: Any) -> Iterator[str]:
    """The lines of a fenced block, an empty one after it."""
    yield "```json"
    yield fitted(value)
    yield "```\n"


def fitted(value: Any, indent: int = 0, before: int = 0) -> str:
    """JSON that is broken only where a line would be too long; ``before`` characters stand on its line already."""
    flat = json.dumps(value, ensure_ascii=False)
    inner = indent + 2
    if indent + before + len(flat) <= WIDTH or not value:
        return flat
    if isinstance(value, Mapping):
        names = {key: json.dumps(key, ensure_ascii=False) for key in value}
        parts = [f"{names[key]}: {fitted(one, inner, len(names[key]) + 3)}" for key, one in value.items()]
    elif isinstance(value, list):
        parts = [fitted(one, inner, 1) for one in value]
    else:
        return flat
    open_, close = ("{", "}") if isinstance(value, Mapping) else ("[", "]")
    lines = ",\n".join(f"{' ' * inner}{part}" for part in parts)
    return f"{open_}\n{lines}\n{' ' * indent}{close}"


def prose(docstring: str | None) -> Iterator[str]:
    """The paragraphs of a docstring, an empty line after each; what it raises becomes a list."""
    told, _, raised = _ONE_LINE_RAISES.sub(f"{_RAISES}\n    ", inspect.cleandoc(docstring or "")).partition(_RAISES)
    for paragraph in re.split(r"\n\s*\n", told.strip()):
        if paragraph:
            yield f"{plain(paragraph)}\n"
    if raised.strip():
        yield f"{_RAISES}\n"
        for name, why in _errors(raised):
            yield f"- `{name}`: {plain(why)}"
        yield ""


def plain(text: str) -> str:
    """One line of Markdown out of text as docstrings have it."""
    return " ".join(text.split()).replace("``", "`")


def _errors(raised: str) -> Iterator[tuple[str, str]]:
    """``(name, why)``; a line that goes on is further to the right."""
    text = inspect.cleandoc(f"\n{raised.strip(chr(10))}")
    for one in re.split(r"\n(?=\S)", text):
        name, _, why = one.partition(":")
        yield name, why
