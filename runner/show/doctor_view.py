"""What a look at this machine has found: a line for each thing looked at, and what to do where it is not well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from runner.show.cell import harmless, one_line, pad
from runner.show.ink import Ink
from runner.show.table import wrap
from runner.words.exits import Exit
from runner.words.noun import noun

Health = Literal["ok", "warning", "problem"]
_NAMES = 34
"""Cells of the longest name that the others are lined up with."""
_LEVEL = len("warning")


@noun
class Check:
    """One thing that was looked at. ``group`` is the heading it stands under, ``text`` what was found.

    ``detail`` are further lines (what a process wrote before it ended); ``facts`` are for machines. ``exit`` is the
    exit code of a problem.
    """

    group: str
    name: str
    health: Health
    text: str
    help: str | None = None
    detail: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    exit: Exit = Exit.OK


def problem(group: str, name: str, text: str, *, exit: Exit, help: str | None = None, **more: Any) -> Check:
    """A check that found what keeps a workflow from running."""
    return Check(group=group, name=name, health="problem", text=text, help=help, exit=exit, **more)


def exit_code(checks: Iterable[Check]) -> Exit:
    """That of the worst problem: a file at fault, then something outside, then this machine; 0 without any."""
    codes = {check.exit for check in checks if check.health == "problem"}
    return next((code for code in (Exit.FILE, Exit.OUTSIDE, Exit.CANNOT_SERVE) if code in codes), Exit.OK)


def doctor_text(checks: Sequence[Check], *, colour: bool = False, width: int = 110) -> str:
    """The checks under their headings, in order, and a closing line that counts; ends with a newline."""
    ink = Ink(colour)
    blocks = []
    for group in dict.fromkeys(check.group for check in checks):
        own = [check for check in checks if check.group == group]
        names = min(max(len(one_line(check.name)) for check in own), _NAMES)
        blocks.append(
            "\n".join([ink.bold(group), *(line for check in own for line in _lines(check, names, width, ink))])
        )
    return "\n\n".join([*blocks, _closing(checks, ink)]) + "\n"


def doctor_json(checks: Sequence[Check]) -> dict[str, Any]:
    """``{checks: [{group, name, health, text, help, detail, facts}], exit_code}``, in the order of the text."""
    return {
        "checks": [
            {
                "group": check.group,
                "name": check.name,
                "health": check.health,
                "text": check.text,
                "help": check.help,
                "detail": list(check.detail),
                "facts": dict(check.facts),
            }
            for check in checks
        ],
        "exit_code": int(exit_code(checks)),
    }


def _lines(check: Check, names: int, width: int, ink: Ink) -> list[str]:
    paint = {"ok": ink.good, "warning": ink.warning, "problem": ink.error}[check.health]
    indent = " " * (_LEVEL + 4)
    name = one_line(check.name)
    beside = len(name) <= names
    room = width - _LEVEL - 4 - (names + 2 if beside else 0)
    first, *rest = wrap(one_line(check.text), max(room, 30))
    head = f"  {paint(pad(check.health, _LEVEL))}  "
    if beside:
        lines = [f"{head}{pad(name, names)}  {first}".rstrip(), *(f"{indent}{' ' * names}  {line}" for line in rest)]
    else:
        lines = [f"{head}{name}", *(f"{indent}  {line}" for line in (first, *rest))]
    lines += [f"{indent}{ink.faint('|')} {harmless(line)}".rstrip() for line in check.detail]
    if check.help:
        first, *rest = wrap(one_line(check.help), width - _LEVEL - 10)
        lines += [f"{indent}{ink.bold('help')}: {first}", *(f"{indent}      {line}" for line in rest)]
    return lines


def _closing(checks: Sequence[Check], ink: Ink) -> str:
    problems, warnings = (sum(check.health == health for check in checks) for health in ("problem", "warning"))
    said = [f"{number} {word}{'s' * (number != 1)}" for number, word in ((problems, "problem"), (warnings, "warning"))]
    if problems:
        return ink.error(", ".join(said if warnings else said[:1]))
    return ink.warning(said[1]) if warnings else ink.good("all is well")
