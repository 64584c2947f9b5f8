"""Workflow files in a few lines, and what the rules find in them."""

from __future__ import annotations

from pathlib import Path

from runner.words.errors import WorkflowError
from runner.workflow.load import Loaded, load


def findings(folder: Path, body: str) -> list[str]:
    """``code line:column message | help`` of each finding of a file with this body."""
    try:
        found = loaded(folder, body).warnings
    except WorkflowError as error:
        found = error.diagnostics
    lines = []
    for one in found:
        place = f"{one.span.line}:{one.span.column}" if one.span else "-"
        notes = "".join(f" ({note.message} {note.span.line})" for note in one.notes if note.span)
        lines.append(f"{one.code} {place} {one.message}{f' | {one.help}' if one.help else ''}{notes}")
    return lines


def loaded(folder: Path, body: str) -> Loaded:
    """The file with this body, read: its first step's lines begin at line 5."""
    file = folder / "x.yaml"
    file.write_text(f"version: 1\nname: x\n{body}", encoding="utf-8")
    return load(str(file))


def steps(*bodies: str) -> str:
    """Steps a, b, c … with these lines each."""
    text = "steps:\n"
    for name, body in zip("abcdefghijkl", bodies, strict=False):
        text += f"  - id: {name}\n" + "".join(f"    {line}\n" for line in body.splitlines())
    return text
