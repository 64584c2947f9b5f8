"""The words when a run pauses: what it waits for, and the command that answers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from runner.show.cell import fit, harmless, one_line

_LISTED = 10
"""Of more open questions than this, the rest is counted."""
_SINGLE = 5
"""More questions than this are answered by the names of their steps: one name for all items of a fan-out."""
_LINES, _LINE = 12, 200
"""Of a question so many lines are shown, each at most so many cells; it is whole when it is asked."""


def paused_text(waiting: Sequence[Mapping[str, Any]], command: str) -> str:
    """Each open question with its choices, then the command that answers all of them, quoted for a shell.

    ``waiting`` are ``{id, question, choices, default}``; ``command`` is what goes on with the run:
    ``bridge-run resume RUN``. Ends without a newline; empty when nothing is open.
    """
    if not waiting:
        return ""
    rows = [row for question in waiting[:_LISTED] for row in _question(question)]
    left = len(waiting) - _LISTED
    if left > 0:
        rows.append(f"  and {left:,} more question" + "s" * (left != 1))
    answers = (f"--answer {shlex.quote(one_line(f'{name}=<{choices}>'))}" for name, choices in _answers(waiting))
    return "\n".join([*rows, "", "answer with:", f"  {command} {' '.join(answers)}"])


def _question(question: Mapping[str, Any]) -> Iterator[str]:
    lines = harmless(str(question["question"])).rstrip().split("\n")
    left = len(lines) - _LINES
    shown = [*lines[:_LINES], f"… {left:,} lines left out; the record has them …"] if left > 1 else lines
    first, *rest = (fit(line, _LINE) for line in shown)
    yield f"  {one_line(question['id'])}: {first}"
    yield from (f"    {row}".rstrip() for row in rest)
    default = question.get("default")
    holds = "no default" if default is None else f"default: {one_line(default)}"
    yield f"    {', '.join(map(one_line, question['choices']))} ({holds})"


def _answers(waiting: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    """Names and their choices, in the order of the questions."""
    names: dict[str, str] = {}
    for question in waiting:
        name = str(question["id"])
        if len(waiting) > _SINGLE:
            name = re.sub(r"\[[0-9]+\]", "", name)
        names.setdefault(name, "|".join(question["choices"]))
    return names.items()
