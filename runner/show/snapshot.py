"""A picture of a run to compare with: what every run with the same answers has, and nothing else.

What is in it is chosen by what it is: statuses, outputs, errors, models, calls with their arguments, warnings. Times,
tokens, ids, addresses and the run folder are never asked for. Where one of these stands within a text (an output that
names its run), the caller says which text it is (``stand_ins``), and its name stands there instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
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
from runner.words.noun import noun

_SHORT = 140
"""Characters of arguments that stand on the line of their call."""
_CUT = 4_000
"""Characters of one text; of a longer one what is left out is known by its length and a fingerprint."""


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


def _step(unit: str, name: str, step: Mapping[str, Any], acts: Mapping[str, list[_Act]]) -> Iterator[str]:
    """A step or an item; what lies below it is indented."""
    items = step.get("items")
    count = "" if items is None else f", {len(items)} item" + "s" * (len(items) != 1)
    yield f"{name}: {step['status']}{count}"
    body = [f"reason: {inline(step['reason'])}"] if step["reason"] else []
    body += [f"model: {inline(step['model'])}"] if step["model"] else []
    body += _error(step)
    body += _did(acts.get(unit, ()))
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


def _listed(name: str, texts: Iterable[str]) -> Iterator[str]:
    texts = list(texts)
    if texts:
        yield f"{name}:"
        yield from (f"  - {inline(text)}" for text in texts)


def _did(acts: Iterable[_Act]) -> Iterator[str]:
    """What a unit did, one thing after the other; arguments that are long stand below their call."""
    acts = list(acts)
    if acts:
        yield "did:"
    for act in acts:
        short = "" if act.arguments is None else f" {inline(act.arguments)}"
        fits = len(short) <= _SHORT and "\\n" not in short
        yield f"  - {act.said}{short if fits else ''}{act.end}"
        if not fits:
            yield from (f"      {line}" if line else "" for line in block("with", _cut(act.arguments)))


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _CUT:
        left_out = value[_CUT // 2 : -_CUT // 2]
        known = sha256(left_out.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return f"{value[: _CUT // 2]}\n… {len(left_out):,} characters ({known}) …\n{value[-_CUT // 2 :]}"
    if isinstance(value, Mapping):
        return {key: _cut(part) for key, part in value.items()}
    return [_cut(part) for part in value] if isinstance(value, list | tuple) else value


# --- what a unit did, from its events -----------------------------------------------------------------------------


@noun
class _Act:
    """``said`` and ``end`` stand on one line, ``arguments`` between them or below."""

    said: str
    arguments: Any = None
    end: str = ""


def _acts(entries: Iterable[Entry], known: Mapping[str, str]) -> dict[str, list[_Act]]:
    """For each unit, in order: tool calls with their arguments, commands, answers of people, falls and repetitions."""
    acts: dict[str, list[_Act]] = {}
    places: dict[tuple[str, str], int] = {}
    for entry in entries:
        event: Any = entry.event
        unit, said = unit_of(event), _WORDS.get(type(event))
        if unit is None:
            continue
        own = acts.setdefault(unit, [])
        if isinstance(event, ToolReturned):
            place = places.pop((unit, event.call), None)
            if place is not None and event.is_error:
                own[place] = replace(own[place], end=" → error")
        elif said is not None:
            places |= {(unit, event.call): len(own)} if isinstance(event, ToolCalled) else {}
            own.append(said(event, known))
    return acts


def _of_call(event: ToolCalled, known: Mapping[str, str]) -> _Act:
    return _Act(said=f"{event.server}.{event.tool}", arguments=replaced(event.arguments, known))


def _of_command(event: CommandRan, known: Mapping[str, str]) -> _Act:
    said = "checked by command" if event.expectation else "command"
    return _Act(said=said, arguments=replaced(list(event.argv), known), end=f" → exit code {event.exit_code}")


def _of_fall(event: ModelFellBack, _: Mapping[str, str]) -> _Act:
    return _Act(said=f"fell back from {event.model} to {event.to_model} after {event.kind}")


_WORDS: Mapping[type, Callable[[Any, Mapping[str, str]], _Act]] = {
    ToolCalled: _of_call,
    CommandRan: _of_command,
    ApprovalAnswered: lambda event, _: _Act(said=f"answered {inline(event.choice)}"),
    StepRetried: lambda event, _: _Act(said=f"tried again after {event.kind}"),
    StepRepeated: lambda event, _: _Act(said=f"round {event.number}"),
    ModelFellBack: _of_fall,
}
"""What each fact reads like; all others say nothing that a run is known by."""
