"""A question as a person at the terminal sees it, and what is meant by the line that comes back."""

from __future__ import annotations

from collections.abc import Sequence

from runner.show.cell import harmless, one_line, width
from runner.show.ink import Ink
from runner.words.noun import noun
from runner.words.units import show_seconds

_WIDTH = 78
"""So many cells of choices stand on one line."""


@noun
class Choice:
    """What a line says: the choice ``made``, or None and a ``complaint`` that says what to write."""

    made: str | None = None
    complaint: str = ""


def choice_of(line: str, choices: Sequence[str], default: str | None) -> Choice:
    """A choice by its word, its number (from 1), or the beginning of its word; an empty line is the default."""
    said = line.strip()
    if not said:
        return Choice(made=default, complaint="" if default is not None else f"please write {_wanted(choices)}")
    for fits in (_same, _same_word):
        if found := [choice for choice in choices if fits(said, choice)]:
            return _one_of(said, found)
    if _numbered(choices) and said.isascii() and said.isdigit() and 1 <= int(said) <= len(choices):
        return Choice(made=choices[int(said) - 1])
    if found := [choice for choice in choices if choice.casefold().startswith(said.casefold())]:
        return _one_of(said, found)
    return Choice(complaint=f"`{one_line(said)}` is none of the choices; write {_wanted(choices)}")


def opening(unit: str, text: str, choices: Sequence[str], default: str | None, ink: Ink) -> str:
    """The question, and its choices with their numbers."""
    first, *rest = harmless(text).rstrip().split("\n")
    rows = [f"{ink.warning('?')} {ink.bold(one_line(unit))}: {first}", *(f"  {row}".rstrip() for row in rest)]
    shown = [_shown(number, choice, default, choices) for number, choice in enumerate(choices, 1)]
    one_row = "  ".join(shown)
    rows += [f"  {one_row}"] if width(one_row) <= _WIDTH else [f"  {choice}" for choice in shown]
    return "\n" + "\n".join(rows) + "\n"


def prompt(choices: Sequence[str], default: str | None, patience: float | None, ink: Ink) -> str:
    """What stands before the cursor; ``patience`` in seconds is how long somebody is waited for."""
    then = [] if default is None else [f"Enter is {one_line(default)}"]
    if patience is not None:
        nobody = "the run pauses" if default is None else f"{one_line(default)} holds"
        then.append(f"after {show_seconds(patience)} {nobody}")
    more = ink.faint(f" ({', '.join(then)})") if then else ""
    return f"  number or word{more}: " if _numbered(choices) else f"  word{more}: "


def remark(text: str, ink: Ink) -> str:
    """A line about what was written, or what was not."""
    return f"  {ink.warning(one_line(text))}\n"


def _same(said: str, choice: str) -> bool:
    return said == choice.strip()


def _same_word(said: str, choice: str) -> bool:
    return said.casefold() == choice.strip().casefold()


def _one_of(said: str, found: Sequence[str]) -> Choice:
    if len(found) == 1:
        return Choice(made=found[0])
    return Choice(complaint=f"`{one_line(said)}` may be {_either(found)}; write more of it")


def _numbered(choices: Sequence[str]) -> bool:
    """Whether choices have numbers: not where a choice is a number itself, lest `2` mean another one than it says."""
    return not any(choice.strip().isdigit() for choice in choices)


def _wanted(choices: Sequence[str]) -> str:
    words = _either(choices)
    return f"a number from 1 to {len(choices)}, or {words}" if _numbered(choices) else words


def _either(words: Sequence[str]) -> str:
    quoted = [f"`{one_line(word)}`" for word in words]
    return " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def _shown(number: int, choice: str, default: str | None, choices: Sequence[str]) -> str:
    mark = " (default)" if choice == default else ""
    return f"{number} {one_line(choice)}{mark}" if _numbered(choices) else f"{one_line(choice)}{mark}"
