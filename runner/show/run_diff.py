"""Two runs beside each other: which steps went otherwise, word by word, and what that cost.

Times, tokens and ids are shown and are no difference: no two runs with models have the same.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from runner.record.cassette.diff import differences
from runner.record.events import CommandRan, RunStarted, ToolCalled, ToolReturned
from runner.record.parts import unit_of
from runner.record.state import fold, result
from runner.record.wire import Entry
from runner.show.snapshot_value import replaced
from runner.words.noun import noun

_FACTS = ("status", "model", "error", "output", "reason")


@noun
class Call:
    """One call of a tool (``server.tool``), or a command (``command``, its argv in ``arguments``)."""

    name: str
    arguments: Any
    failed: bool = False


@noun
class Unit:
    """A step, an item of one, or a step of a called workflow, as far as runs are compared by it."""

    facts: Mapping[str, Any]
    calls: tuple[Call, ...]
    tokens: int
    seconds: float


@noun
class Picture:
    """A run: its id, facts (workflow, status, exit code, inputs, error, outputs), units in order, tokens, seconds."""

    run: str
    facts: Mapping[str, Any]
    units: Mapping[str, Unit]
    tokens: int
    seconds: float


@noun
class CallChange:
    """``how`` a call is otherwise; ``words`` say where its arguments differ, one line a place."""

    how: str
    before: Call | None
    after: Call | None
    words: tuple[str, ...] = ()


@noun
class Change:
    """What differs of a unit. ``facts`` maps each fact that does to its values, ``words`` to where they differ.

    ``how``: ``added`` and ``removed`` units are in one of the runs alone.
    """

    unit: str
    how: str
    facts: Mapping[str, tuple[Any, Any]]
    words: Mapping[str, tuple[str, ...]]
    calls: tuple[CallChange, ...] = ()
    before: Unit | None = None
    after: Unit | None = None


def picture(entries: Sequence[Entry]) -> Picture:
    """What a journal says of its run; where a text names the run, `RUN` stands instead."""
    state = fold(entries)
    known = {state.run: "RUN"} if state.run else {}
    made = replaced(result(state), known)
    started = next((entry.event for entry in entries if isinstance(entry.event, RunStarted)), None)
    calls = _calls(entries, known)
    facts = {name: made[name] for name in ("workflow", "status", "exit_code", "error", "outputs")}
    return Picture(
        run=state.run,
        facts={**facts, "inputs": replaced(dict(started.inputs), known) if started else {}},
        units={name: _unit(step, calls.get(name, ())) for name, step in _units(made["steps"])},
        tokens=sum(_tokens(step) for step in made["steps"].values()),
        seconds=made["seconds"],
    )


def _unit(step: Mapping[str, Any], calls: Iterable[Call]) -> Unit:
    facts = {name: step[name] for name in _FACTS}
    if step.get("items") is not None or step.get("steps") is not None:
        facts["output"] = None  # it is the sum of its parts, and they are compared
    return Unit(facts=facts, calls=tuple(calls), tokens=_tokens(step), seconds=step["seconds"])


def _tokens(step: Mapping[str, Any]) -> int:
    usage = step["usage"]
    return int(usage["prompt_tokens"]) + int(usage["completion_tokens"])


def _units(steps: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, step in steps.items():
        yield name, step
        for index, item in enumerate(step.get("items") or ()):
            yield from _units({f"{name}[{index}]": item})
        yield from _units({f"{name}/{inner}": below for inner, below in (step.get("steps") or {}).items()})


def _calls(entries: Iterable[Entry], known: Mapping[str, str]) -> Mapping[str, list[Call]]:
    found: dict[str, list[Call]] = defaultdict(list)
    places: dict[tuple[str, str], int] = {}
    for entry in entries:
        event, unit = entry.event, unit_of(entry.event)
        if unit is None:
            continue
        if isinstance(event, ToolCalled):
            places[unit, event.call] = len(found[unit])
            found[unit].append(Call(name=f"{event.server}.{event.tool}", arguments=replaced(event.arguments, known)))
        elif isinstance(event, CommandRan):
            argv = replaced(list(event.argv), known)
            found[unit].append(Call(name="command", arguments=argv, failed=event.exit_code != 0))
        elif isinstance(event, ToolReturned) and event.is_error:
            place = places.get((unit, event.call))
            if place is not None:
                call = found[unit][place]
                found[unit][place] = Call(name=call.name, arguments=call.arguments, failed=True)
    return found


# --- what differs ---------------------------------------------------------------------------------------------------


def run_changes(before: Picture, after: Picture) -> tuple[Change, ...]:
    """What differs, the run as a whole first (its ``unit`` is empty), then unit by unit; empty for runs alike."""
    whole = _change("", before.facts, after.facts)
    names = dict.fromkeys((*before.units, *after.units))
    found = [whole, *(_unit_change(name, before.units.get(name), after.units.get(name)) for name in names)]
    return tuple(change for change in found if change is not None)


def _unit_change(name: str, before: Unit | None, after: Unit | None) -> Change | None:
    if before is None or after is None:
        how = "added" if before is None else "removed"
        return Change(unit=name, how=how, facts={}, words={}, before=before, after=after)
    calls = tuple(_call_changes(before.calls, after.calls))
    found = _change(name, before.facts, after.facts)
    if found is None and not calls:
        return None
    facts, words = (found.facts, found.words) if found is not None else ({}, {})
    return Change(unit=name, how="changed", facts=facts, words=words, calls=calls, before=before, after=after)


def _change(unit: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Change | None:
    facts = {name: (before[name], after[name]) for name in before if before[name] != after[name]}
    if not facts:
        return None
    words = {name: differences(*values) for name, values in facts.items() if name in ("output", "outputs", "inputs")}
    return Change(unit=unit, how="changed", facts=facts, words=words)


def _call_changes(before: Sequence[Call], after: Sequence[Call]) -> Iterator[CallChange]:
    """Calls that came, went, or are the same tool with other arguments, in their order."""
    matcher = SequenceMatcher(None, [_key(call) for call in before], [_key(call) for call in after], autojunk=False)
    for how, a, b, c, d in matcher.get_opcodes():
        if how == "equal":
            continue
        old, new = list(before[a:b]), list(after[c:d])
        for call in old:
            same = next((one for one in new if one.name == call.name), None)
            if same is None:
                yield CallChange(how="removed", before=call, after=None)
                continue
            new.remove(same)
            yield CallChange(how="changed", before=call, after=same, words=differences(call.arguments, same.arguments))
        yield from (CallChange(how="added", before=None, after=call) for call in new)


def _key(call: Call) -> str:
    return json.dumps([call.name, call.arguments, call.failed], sort_keys=True, ensure_ascii=False)
