"""The order of a recording's lines: that of the file, whatever ran first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from runner.record.cassette.cassette import KINDS, Exchange
from runner.workflow.model import CallWork, Workflow

_SEGMENT = re.compile(r"([^\[\]]+)(?:\[([0-9]+)\])?")
_LAST = 1_000_000
"""Stands for a step that the file does not have any more."""


def in_order(exchanges: Iterable[Exchange], workflow: Workflow) -> tuple[Exchange, ...]:
    """What the run as a whole asked comes first, by kind and content, equal loads once; then unit by unit, each as it
    asked.
    """
    run: list[Exchange] = []
    units: dict[str, list[Exchange]] = {}
    for one in exchanges:
        (units.setdefault(one.unit, []) if one.unit else run).append(one)
    named = sorted(units, key=lambda unit: tuple(_rank(unit, workflow)))
    return (*sorted(_once(run), key=_mark), *(one for unit in named for one in units[unit]))


def _rank(unit: str, workflow: Workflow | None) -> Iterator[tuple[int, str, int]]:
    """Step by step of the path: its number in its file, its name, the item's number."""
    for segment in unit.split("/"):
        match = _SEGMENT.fullmatch(segment)
        name, item = (match[1], int(match[2] or -1)) if match else (segment, -1)
        steps = [] if workflow is None else [step.id for step in workflow.steps]
        yield (steps.index(name) if name in steps else _LAST, name, item)
        work = workflow.step(name).work if workflow is not None and name in steps else None
        workflow = work.callee if isinstance(work, CallWork) else None


def _once(run: Sequence[Exchange]) -> Iterator[Exchange]:
    """A load that gave the same each time it was asked is one line: how often depends on the schedule."""
    given: dict[str, list[Exchange]] = {}
    for one in run:
        given.setdefault(_key(one), []).append(one)
    for same in given.values():
        alike = same[0].kind in ("load", "unload") and all(one.answer == same[0].answer for one in same)
        yield from same[:1] if alike else same


def _mark(one: Exchange) -> tuple[int, str]:
    return KINDS.index(one.kind), _text(one.request)


def _key(one: Exchange) -> str:
    return f"{one.kind} {_text(one.request)}"


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)
