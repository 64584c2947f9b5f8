"""What was expected of a run, and what came: each miss with the line of the expectation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from runner.record.events import ToolCalled
from runner.record.parts import unit_of
from runner.record.wire import Entry
from runner.words.noun import noun
from runner.words.schemas import complaints
from runner.words.spans import Path, show_path

_SHOWN = 400
"""Characters of a value that are shown of it."""


@noun
class Miss:
    """One expectation that does not hold; ``at`` is the way to it in the test file, texts are for people."""

    at: Path
    what: str
    expected: str
    got: str


def misses(
    expect: Mapping[str, Any], at: Path, result: Mapping[str, Any], entries: Iterable[Entry]
) -> tuple[Miss, ...]:
    """All that the result of a run (``result.json``) misses of what stands at ``at``, in the order of the file."""
    judges: Mapping[str, Callable[[], Iterable[Miss]]] = {
        "status": lambda: _same(expect["status"], result["status"], (*at, "status"), "status"),
        "exit_code": lambda: _same(expect["exit_code"], result["exit_code"], (*at, "exit_code"), "exit code"),
        "outputs": lambda: _within(expect["outputs"], result["outputs"], (*at, "outputs"), "outputs"),
        "outputs_schema": lambda: _fits(
            expect["outputs_schema"], result["outputs"], (*at, "outputs_schema"), "outputs"
        ),
        "steps": lambda: _steps(expect["steps"], result, (*at, "steps")),
        "calls": lambda: _calls(expect["calls"], calls_made(result, entries), (*at, "calls")),
        "warnings": lambda: _warnings(expect["warnings"], result, (*at, "warnings")),
    }
    return tuple(miss for key in expect for miss in judges[key]())


def _same(expected: Any, got: Any, at: Path, what: str) -> Iterator[Miss]:
    if not _equal(expected, got):
        yield Miss(at=at, what=what, expected=show(expected), got=show(got))


def _equal(one: Any, other: Any) -> bool:
    """As JSON has it: true is not 1, and 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _within(expected: Any, got: Any, at: Path, what: str) -> Iterator[Miss]:
    """Whether a value holds what is expected of it: of mappings the named keys, of lists every item."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for key, part in expected.items():
            if key in got:
                yield from _within(part, got[key], (*at, key), f"{what}.{key}")
            else:
                known = ", ".join(f"`{name}`" for name in got) or "nothing"
                yield Miss(at=(*at, key), what=f"{what}.{key}", expected=show(part), got=f"no such key, only {known}")
    elif isinstance(expected, list) and isinstance(got, list):
        if len(expected) != len(got):
            lengths = (f"{len(expected)} items: {show(expected)}", f"{len(got)} items: {show(got)}")
            yield Miss(at=at, what=what, expected=lengths[0], got=lengths[1])
            return
        for index, (part, other) in enumerate(zip(expected, got, strict=True)):
            yield from _within(part, other, (*at, index), f"{what}[{index}]")
    else:
        yield from _same(expected, got, at, what)


def _fits(schema: Any, got: Any, at: Path, what: str) -> Iterator[Miss]:
    for complaint in complaints(schema, got):
        where = f"{what}.{show_path(complaint.path)}" if complaint.path else what
        yield Miss(at=at, what=where, expected="what the schema says", got=f"{complaint.message} in {show(got)}")


def _steps(expected: Mapping[str, Any], result: Mapping[str, Any], at: Path) -> Iterator[Miss]:
    for name, wanted in expected.items():
        step = _find(result, name)
        if step is None:
            known = ", ".join(f"`{one}`" for one in result["steps"])
            yield Miss(at=(*at, name), what=f"step {name}", expected="a step of that name", got=f"the steps {known}")
        else:
            yield from _step(wanted, step, (*at, name), name)


def _step(wanted: Mapping[str, Any], step: Mapping[str, Any], at: Path, name: str) -> Iterator[Miss]:
    items = step.get("items")
    for key, expected in wanted.items():
        place, what = (*at, key), f"{name}.{key}"
        if key == "output":
            yield from _within(expected, step["output"], place, what)
        elif key == "output_schema":
            yield from _fits(expected, step["output"], place, f"{name}.output")
        elif key == "error":
            yield from _error(expected, step["error"], place, what)
        elif key == "items":
            yield from _same(expected, None if items is None else len(items), place, what)
        else:
            yield from _same(expected, step[key], place, what)


def _error(expected: Any, got: Mapping[str, str] | None, at: Path, what: str) -> Iterator[Miss]:
    if expected is None or got is None:
        yield from _same(expected, got, at, what)
        return
    wanted = {"kind": expected} if isinstance(expected, str) else expected
    if "kind" in wanted:
        yield from _same(wanted["kind"], got["kind"], at, f"{what}.kind")
    if wanted.get("message", "") not in got["message"]:
        yield Miss(at=at, what=f"{what}.message", expected=f"… {wanted['message']} …", got=got["message"])


def _find(result: Mapping[str, Any], unit: str) -> Mapping[str, Any] | None:
    """The step of a path, with items by index: ``call[2]/draft``."""
    steps: Any = result["steps"]
    found: Any = None
    for part in unit.split("/"):
        name, _, index = part.partition("[")
        found = (steps or {}).get(name)
        if found is not None and index:
            items = found.get("items") or []
            number = index.removesuffix("]")
            found = items[int(number)] if number.isdigit() and int(number) < len(items) else None
        if found is None:
            return None
        steps = found.get("steps")
    return found if isinstance(found, Mapping) else None


def calls_made(result: Mapping[str, Any], entries: Iterable[Entry]) -> list[ToolCalled]:
    """The tool calls, in the order of the steps in the file and of their items."""
    by_unit: dict[str, list[ToolCalled]] = {}
    for entry in entries:
        if isinstance(entry.event, ToolCalled):
            by_unit.setdefault(unit_of(entry.event) or "", []).append(entry.event)
    order = {name: number for number, name in enumerate(_units(result["steps"], ""))}
    return [call for unit in sorted(by_unit, key=lambda unit: order.get(unit, len(order))) for call in by_unit[unit]]


def _units(steps: Mapping[str, Any], before: str) -> Iterator[str]:
    for name, step in steps.items():
        yield before + name
        yield from _units(step.get("steps") or {}, f"{before}{name}/")
        for index, item in enumerate(step.get("items") or ()):
            yield f"{before}{name}[{index}]"
            yield from _units(item.get("steps") or {}, f"{before}{name}[{index}]/")


def _calls(expected: Sequence[Any], made: Sequence[ToolCalled], at: Path) -> Iterator[Miss]:
    names = [f"{call.server}.{call.tool}" for call in made]
    wanted = [{"tool": one} if isinstance(one, str) else one for one in expected]
    if [one["tool"] for one in wanted] != names:
        yield Miss(at=at, what="calls", expected=show([one["tool"] for one in wanted]), got=show(names))
        return
    for index, (one, call) in enumerate(zip(wanted, made, strict=True)):
        yield from _within(one.get("arguments", {}), call.arguments, (*at, index, "arguments"), f"calls[{index}]")


def _warnings(expected: Sequence[str], result: Mapping[str, Any], at: Path) -> Iterator[Miss]:
    said = [*result["warnings"], *_warnings_of(result["steps"].values())]
    for index, text in enumerate(expected):
        if not any(text in warning for warning in said):
            yield Miss(at=(*at, index), what="a warning", expected=f"… {text} …", got=show(said))


def _warnings_of(steps: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Those of the steps, of their items and of what lies below them."""
    for step in steps:
        yield from step["warnings"]
        yield from _warnings_of(step.get("items") or ())
        yield from _warnings_of((step.get("steps") or {}).values())


def show(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"
