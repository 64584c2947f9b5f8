"""Looking: what is in a folder, what stands in a file."""

from __future__ import annotations

from pathlib import Path

from runner.edges.files.confine import Confined, refusal, show
from runner.edges.files.glob import compile_glob
from runner.edges.files.text import decode
from runner.edges.files.walk import Entry, walk
from runner.words.units import show_bytes

DEPTH = 3  # levels that list shows unless it is asked for others
DEEPEST = 50
ENTRIES = 2_000  # that one list shows


def list_folder(room: Confined, path: str, depth: int | None, glob: str | None) -> str:
    """One line for each entry, by its path below the root; a folder ends with a slash, a file tells its size.

    With ``glob`` only matching files, at any depth unless ``depth`` says otherwise.
    """
    parts = room.locate(path)
    if parts and not room.is_folder(parts) and Path(room.root, *parts).exists():
        raise refusal(f"`{show(parts)}` is a file, not a folder; use read to see what is in it")
    pattern = compile_glob(glob) if glob else None
    levels = min(depth or (DEEPEST if glob else DEPTH), DEEPEST)
    prefix = f"{show(parts)}/" if parts else ""
    lines: list[str] = []
    for entry in walk(room, parts, depth=levels):
        if pattern is not None and (entry.is_folder or not pattern.fullmatch(entry.path)):
            continue
        if len(lines) == ENTRIES:
            lines.append(f"[more than {ENTRIES:,} entries: list a folder below, or give a glob]")
            break
        lines.append(prefix + _line(entry))
    return "\n".join(lines) or ("[no file matches]" if glob else "[empty folder]")


def _line(entry: Entry) -> str:
    return f"{entry.path}/" if entry.is_folder else f"{entry.path} ({show_bytes(entry.size)})"


def read_file(room: Confined, path: str, start: int | None, end: int | None) -> str:
    """The whole text as it is, or the lines from ``start`` to ``end`` (from 1, both included) under a header."""
    parts = room.locate(path)
    data, _ = room.read_bytes(parts)
    text = decode(data, show(parts)).text
    if start is None and end is None:
        return text
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    first, last = start or 1, min(end if end is not None else len(lines), len(lines))
    if first < 1 or (end is not None and end < first):
        raise refusal(f"lines {first} to {end} make no range; lines count from 1, and `end` is included")
    if first > len(lines):
        raise refusal(f"{show(parts)} has {len(lines)} lines, so there is no line {first}")
    return "\n".join((f"[{show(parts)}, lines {first}-{last} of {len(lines)}]", *lines[first - 1 : last]))
