"""How two runs differ, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.show.cell import fit, harmless, one_line
from runner.show.ink import Ink
from runner.show.run_diff import Call, CallChange, Change, Picture, Unit
from runner.show.snapshot_value import inline
from runner.words.units import show_seconds

_WIDE = 120
"""Cells of arguments and of a value that is shown whole."""
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def run_diff_text(before: Picture, after: Picture, changes: Sequence[Change], *, colour: bool = False) -> str:
    """Both runs in a line each, what differs, and a closing line that counts it."""
    ink = Ink(colour)
    blocks = ["\n".join(_heads(before, after))]
    blocks += ["\n".join(_block(change, ink)) for change in changes]
    return "\n\n".join([*blocks, _closing(before, after, changes)]) + "\n"


def _heads(before: Picture, after: Picture) -> Iterator[str]:
    runs = (("-", before), ("+", after))
    room = max(len(picture.run) for _, picture in runs)
    for sign, picture in runs:
        facts = f"{picture.facts['workflow']} {picture.facts['status']}"
        spent = f"{show_seconds(picture.seconds)}, {picture.tokens:,} tokens"
        yield f"{sign} {harmless(picture.run):{room}}  {harmless(facts)}, {spent}"


def _block(change: Change, ink: Ink) -> Iterator[str]:
    what = harmless(change.unit) or "the run"
    if change.how != "changed":
        unit = change.after or change.before
        assert unit is not None, "it is in one of the runs"
        only = "only in the second run" if change.how == "added" else "only in the first run"
        yield f"{_SIGNS[change.how]} {ink.bold(what)}: {only}, {unit.facts['status']}"
        yield from (f"    {_SIGNS[change.how]} {_call(call)}" for call in unit.calls)
        return
    yield f"~ {ink.bold(what)}{_cost(change.before, change.after)}"
    for name, (old, new) in change.facts.items():
        lines = change.words.get(name, ())
        if not lines:
            yield f"    {name}: {_value(old)} → {_value(new)}"
        elif len(lines) == 1:
            yield f"    {name}{_words(lines[0])}"
        else:
            yield f"    {name}:"
            yield from (f"      {harmless(line)}" for line in lines)
    for call in change.calls:
        yield from _call_lines(call)


def _words(line: str) -> str:
    """``: …`` for a value that differs as a whole, ``.path: …`` for a part of it."""
    place, _, words = harmless(line).partition(": ")
    return f": {words}" if place == "the value" else f"{'' if place.startswith('[') else '.'}{place}: {words}"


def _cost(before: Unit | None, after: Unit | None) -> str:
    if before is None or after is None or before.tokens == after.tokens:
        return ""
    return f"  {before.tokens:,} → {after.tokens:,} tokens"


def _call_lines(change: CallChange) -> Iterator[str]:
    old, new = change.before, change.after
    if old is None or new is None:
        call = new or old
        assert call is not None, "one of them is there"
        yield f"    {_SIGNS[change.how]} {_call(call)}"
        return
    ends = ""
    if old.failed != new.failed:
        ends = f"  {'failed' if old.failed else 'succeeded'} → {'failed' if new.failed else 'succeeded'}"
    yield f"    ~ {harmless(old.name)}{ends}"
    yield from (f"        {harmless(line)}" for line in change.words)


def _call(call: Call) -> str:
    end = "  failed" if call.failed else ""
    return f"{harmless(call.name)} {fit(one_line(inline(call.arguments)), _WIDE)}{end}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping) and {"kind", "message"} <= set(value):
        value = f"{value['kind']} ({value['message']})"
    return "none" if value is None else fit(one_line(inline(value)), _WIDE)


def _closing(before: Picture, after: Picture, changes: Sequence[Change]) -> str:
    spent = f"tokens {_step(before.tokens, after.tokens)}, {_seconds(before.seconds, after.seconds)}"
    units = sum(bool(change.unit) for change in changes)
    together = len(dict.fromkeys((*before.units, *after.units)))
    if not changes:
        return f"nothing differs in {_counted(together)}; {spent}"
    return f"{units} of {_counted(together)} {'differs' if units == 1 else 'differ'}; {spent}"


def _counted(number: int) -> str:
    return "1 step" if number == 1 else f"{number} steps"


def _step(old: int, new: int) -> str:
    return f"{old:,}" if old == new else f"{old:,} → {new:,} ({new - old:+,})"


def _seconds(old: float, new: float) -> str:
    return f"time {show_seconds(old)} → {show_seconds(new)}"


def run_diff_json(before: Picture, after: Picture, changes: Sequence[Change], exit_code: int) -> dict[str, Any]:
    """``{before, after, changes, exit_code}``.

    A run is ``{run, workflow, status, tokens, seconds}``. A change is ``{step, how, facts, calls, tokens, seconds}``;
    ``step`` is null for the run as a whole; ``facts`` are ``{name: {before, after, words}}``, ``calls`` are ``{how,
    before, after, words}`` with ``{name, arguments, failed}`` each.
    """
    return {
        "before": _run_json(before),
        "after": _run_json(after),
        "changes": [_change_json(change) for change in changes],
        "exit_code": int(exit_code),
    }


def _run_json(picture: Picture) -> dict[str, Any]:
    facts = {name: picture.facts[name] for name in ("workflow", "status")}
    return {"run": picture.run, **facts, "tokens": picture.tokens, "seconds": picture.seconds}


def _change_json(change: Change) -> dict[str, Any]:
    facts = {
        name: {"before": old, "after": new, "words": list(change.words.get(name, ()))}
        for name, (old, new) in change.facts.items()
    }
    units = {"before": change.before, "after": change.after}
    return {
        "step": change.unit or None,
        "how": change.how,
        "facts": facts,
        "calls": [_call_change_json(call) for call in change.calls],
        "tokens": {name: None if unit is None else unit.tokens for name, unit in units.items()},
        "seconds": {name: None if unit is None else unit.seconds for name, unit in units.items()},
    }


def _call_change_json(change: CallChange) -> dict[str, Any]:
    calls = {"before": change.before, "after": change.after}
    return {"how": change.how, **{name: _call_json(call) for name, call in calls.items()}, "words": list(change.words)}


def _call_json(call: Call | None) -> dict[str, Any] | None:
    return None if call is None else {"name": call.name, "arguments": call.arguments, "failed": call.failed}
