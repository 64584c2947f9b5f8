"""Places in a text: lines and columns as an editor shows them."""

from __future__ import annotations

from typing import NamedTuple

Path = tuple[str | int, ...]
"""The way from the top of a document to a value: ``("steps", 3, "task")``."""


class Span(NamedTuple):
    """A stretch of text. Lines and columns count from 1, in code points; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


def point(line: int, column: int) -> Span:
    """The span of one character."""
    return Span(line, column, line, column + 1)


def show_path(path: Path) -> str:
    """``("steps", 3, "task")`` as a person writes it: ``steps[3].task``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
