"""Which faults a workflow survives, as a table for people and as data for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from runner.show.cell import fit, one_line
from runner.show.table import table
from runner.words.noun import noun
from runner.words.units import show_seconds

Verdict = Literal["survived", "failed", "changed", "hung", "not met"]
"""``changed``: it ended well, with other outputs than without a fault: a wrong answer that nobody noticed.

``not met``: the fault found nothing to strike; the run went well all the same, and proves nothing.
"""

_MESSAGE = 200
"""Cells of an error's message in the table."""


@noun
class Rehearsal:
    """One run against one fault.

    ``struck``: how often the fault struck. ``attempts``: of the step that needed most, 0 = no step began. ``happened``
    says in words what was done about it; ``kind`` and ``message`` are those of the failure. ``seconds``: from start to
    end of the process; ``exit_code`` None = it was ended, because it hung.
    """

    fault: str
    verdict: Verdict
    seconds: float
    struck: int = 0
    attempts: int = 0
    happened: tuple[str, ...] = ()
    kind: str | None = None
    message: str | None = None
    exit_code: int | None = None


def faults_text(rehearsals: Sequence[Rehearsal], width: int = 100) -> str:
    """The table, a line a fault, and the sum below it; ends with a newline."""
    head = ("FAULT", "RESULT", "WHAT HAPPENED", "TIME")
    rows = [(one.fault, _result(one), _story(one), show_seconds(one.seconds)) for one in rehearsals]
    return "\n".join((*table(head, rows, width), "", _sum(rehearsals))) + "\n"


def faults_json(rehearsals: Sequence[Rehearsal], file: str, exit_code: int) -> dict[str, Any]:
    """``{file, exit_code, faults: [{fault, verdict, struck, attempts, happened, error, seconds, exit_code}]}``."""
    return {"file": file, "exit_code": exit_code, "faults": [_json(one) for one in rehearsals]}


def _json(one: Rehearsal) -> dict[str, Any]:
    error = None if one.kind is None else {"kind": one.kind, "message": one.message}
    return {
        "fault": one.fault,
        "verdict": one.verdict,
        "struck": one.struck,
        "attempts": one.attempts,
        "happened": list(one.happened),
        "error": error,
        "seconds": round(one.seconds, 3),
        "exit_code": one.exit_code,
    }


def _result(one: Rehearsal) -> str:
    return f"failed: {one.kind}" if one.verdict == "failed" and one.kind else one.verdict


def _story(one: Rehearsal) -> str:
    parts = list(one.happened)
    if one.message is not None:
        parts.append(fit(one_line(one.message), _MESSAGE))
    return "; ".join(parts) or ("nothing to strike" if one.verdict == "not met" else "as if nothing had been")


def _sum(rehearsals: Sequence[Rehearsal]) -> str:
    counts = dict.fromkeys(get_args(Verdict), 0)
    for one in rehearsals:
        counts[one.verdict] += 1
    said = [f"{count} {verdict}" for verdict, count in counts.items() if count or verdict == "survived"]
    return f"{len(rehearsals)} fault{'s' * (len(rehearsals) != 1)}: {', '.join(said)}"
