"""Where a key stands in a TOML file. ``tomllib`` keeps no places, so the lines are searched for it.

What the search does not find (a key within an inline table, a table named in another way) has the place of the table
around it, or none. Lines that may hold what must not be shown have none either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from runner.words.diagnostics import Diagnostic
from runner.words.spans import Path, Span

_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_PRIVATE = re.compile(r"\b(?:token|api_token|api_key|password)[\"']?\s*=|://[^/\s\"']*@", re.IGNORECASE)


def syntax_fault(said: str, text: str, file: str) -> Diagnostic:
    """What ``tomllib`` complains of, as a finding; ``said`` ends with the place in its words."""
    match = _AT.search(said)
    lines = text.split("\n")
    end = len(text.rstrip().split("\n"))
    line, column = (int(match[1]), int(match[2])) if match and match[1] else (end, 1)
    width = len(lines[line - 1]) if line <= len(lines) else 0
    span: Span | None = Span(line, min(column, width + 1), line, max(width + 1, column + 1))
    message = f"this is no TOML: {_AT.sub('', said)}"
    if line <= len(lines) and _PRIVATE.search(lines[line - 1]):
        span, message = None, f"{message} (line {line})"
    ways = "texts stand in quotes, each key is written once: https://toml.io shows how"
    return Diagnostic(code="BR501", message=message, file=file, span=span, help=ways)


def key_span(text: str, path: Path) -> Span | None:
    """Where the key at ``path`` stands, else the header of its table."""
    lines = text.split("\n")
    around = None
    for number, start, end, here in _keys(lines):
        if here == path:
            return None if _PRIVATE.search(lines[number - 1]) else Span(number, start + 1, number, end + 1)
        if here == path[: len(here)] and here and around is None and len(here) >= len(path) - 1:
            around = Span(number, start + 1, number, end + 1)
    return around


def line_of(text: str, path: Path) -> int | None:
    """The line of the key at ``path``, where the words of that line must not be shown."""
    return next((number for number, _, _, here in _keys(text.split("\n")) if here == path), None)


def _keys(lines: Sequence[str]) -> Iterator[tuple[int, int, int, Path]]:
    """Every header and key: its line, its columns from 0, and its path."""
    table: Path = ()
    for number, line in enumerate(lines, 1):
        header = _HEADER.match(line)
        if header is not None:
            table = _parts(header[1])
            yield number, header.start(1), header.end(1), table
            continue
        key = _KEY.match(line)
        if key is not None:
            yield number, key.start(1), key.end(1), (*table, *_parts(key[1]))


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
