"""A picture of a run to compare with: what every run with the same answers has, and nothing else.

What is in it is chosen by what it is: statuses, outputs, errors, models, calls with their arguments, warnings. Times,
tokens, ids, addresses and the run folder are never asked for. Where one of these stands within a text (an output that
names its run), the caller says which text it is (``stand_ins``), and its name stands there instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from runner.record.events import (
    ApprovalAnswered,
    CommandRan,
    ModelFellBack,
    RunStarted,
    StepRepeated,
    StepRetried,
    ToolCalled,
    ToolReturned,
)
from runner.record.parts import unit_of
from runner.record.state import fold, result
from runner.record.wire import Entry
from runner.show.snapshot_value import block, inline, replaced

_CUT = 4_000
"""Characters of one text; a longer one says how long it is and what it ends with."""


def snapshot(entries: Iterable[Entry], *, stand_ins: Mapping[str, str] | None = None) -> str:
    """The picture of the run that these entries are of; ends with a newline.

    ``stand_ins`` maps texts that differ from run to run or from machine to machine (the run's id, the folder of the
    project, an address) to what is shown for them; of two that overlap the longer wins.
    """
    entries = list(entries)
    state = fold(entries)
    known = {**({state.run: "RUN"} if state.run else {}), **_addresses(entries), **(stand_ins or {})}
    outcome = replaced(result(state), known)
    acts = _acts(entries, known)
    lines = [f"workflow: {inline(outcome['workflow'])}"]
    lines.append(f"status: {outcome['status']}, exit code {outcome['exit_code']}")
    lines += _named("inputs", replaced(dict(state.inputs), known))
    lines += _error(outcome)
    lines += _listed("warnings", outcome["warnings"])
    for name, step in outcome["steps"].items():
        lines += ["", *_step(name, name, step, acts)]
    lines += ["", *_named("outputs", outcome["outputs"])]
    return "\n".join(lines).rstrip() + "\n"


def _addresses(entries: Iterable[Entry]) -> dict[str, str]:
    """Where models were asked: the same workflow finds its server elsewhere on every machine."""
    found: dict[str, str] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, RunStarted):
            found |= {model["endpoint"]: "ENDPOINT" for model in event.models.values()}
        elif isinstance(event, ModelFellBack):
            found |= {event.endpoint: "ENDPOINT", event.to_endpoint: "ENDPOINT"}
    return found


def _step(unit: str, name: str, step: Mapping[str, Any], acts: Mapping[str, list[str]]) -> Iterator[str]:
    """A step or an item; what lies below it is indented."""
    items = step.get("items")
    count = "" if items is None else f", {len(items)} item" + "s" * (len(items) != 1)
    yield f"{name}: {step['status']}{count}"
    body = [f"reason: {inline(step['reason'])}"] if step["reason"] else []
    body += [f"model: {inline(step['model'])}"] if step["model"] else []
    body += _error(step)
    body += _listed("did", acts.get(unit, ()), plain=True)
    body += _listed("warnings", step["warnings"])
    body += _listed("artifacts", step.get("artifacts", ()))
    if items is None and step.get("steps") is None:
        body += _named("output", step["output"])
    for index, item in enumerate(items or ()):
        body += _step(f"{unit}[{index}]", f"[{index}]", item, acts)
    for inner, below in (step.get("steps") or {}).items():
        body += _step(f"{unit}/{inner}", inner, below, acts)
    yield from (f"  {line}" if line else "" for line in body)


def _error(held: Mapping[str, Any]) -> Iterator[str]:
    error = held["error"]
    if error is not None:
        yield from _named(f"error ({error['kind']})", error["message"])


def _named(name: str, value: Any) -> list[str]:
    """``name: value``, the value below the name where it takes several lines; nothing for nothing."""
    if value is None or value in ({}, []):
        return [] if value is None or name == "inputs" else [f"{name}: {inline(value)}"]
    return block(name, _cut(value))


def _listed(name: str, texts: Iterable[str], *, plain: bool = False) -> Iterator[str]:
    texts = list(texts)
    if texts:
        yield f"{name}:"
        yield from (f"  - {text if plain else inline(text)}" for text in texts)


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _CUT:
        left_out = len(value) - _CUT
        return f"{value[: _CUT // 2]}\n… {left_out:,} characters …\n{value[-_CUT // 2 :]}"
    if isinstance(value, Mapping):
        return {key: _cut(part) for key, part in value.items()}
    return [_cut(part) for part in value] if isinstance(value, list | tuple) else value


# --- what a unit did, from its events -----------------------------------------------------------------------------


def _acts(entries: Iterable[Entry], known: Mapping[str, str]) -> dict[str, list[str]]:
    """For each unit, in order: tool calls with their arguments, commands, answers of people, falls and repetitions."""
    acts: dict[str, list[str]] = {}
    places: dict[tuple[str, str], int] = {}
    for entry in entries:
        event: Any = entry.event
        unit, said = unit_of(event), _WORDS.get(type(event))
        if unit is None:
            continue
        lines = acts.setdefault(unit, [])
        if isinstance(event, ToolReturned):
            place = places.pop((unit, event.call), None)
            if place is not None and event.is_error:
                lines[place] += " → error"
        elif said is not None:
            if isinstance(event, ToolCalled):
                places[unit, event.call] = len(lines)
            lines.append(said(event, known))
    return acts


def _of_command(event: CommandRan, known: Mapping[str, str]) -> str:
    checks = "checked by " if event.expectation else ""
    return f"{checks}command {inline(replaced(list(event.argv), known))} → exit code {event.exit_code}"


_WORDS: Mapping[type, Callable[[Any, Mapping[str, str]], str]] = {
    ToolCalled: lambda event, known: f"{event.server}.{event.tool} {inline(replaced(event.arguments, known))}",
    CommandRan: _of_command,
    ApprovalAnswered: lambda event, _: f"answered {inline(event.choice)}",
    StepRetried: lambda event, _: f"tried again after {event.kind}",
    StepRepeated: lambda event, _: f"round {event.number}",
    ModelFellBack: lambda event, _: f"fell back from {event.model} to {event.to_model} after {event.kind}",
}
"""What each fact reads like; all others say nothing that a run is known by."""
