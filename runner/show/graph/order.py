"""In which order the steps of a drawn graph stand below each other, and which of many alike are drawn as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush

from runner.show.graph.graph import Box, Diagram, Line

_MOST_NAMES = 12
_ALIKE = 4
"""So many alike are drawn as one."""


def file_order(view: Diagram) -> tuple[str, ...]:
    """Each box after all it waits for, otherwise as in the file."""
    place = {box.key: index for index, box in enumerate(view.boxes)}
    readers, waits = _tied(view)
    ready = [place[key] for key, count in waits.items() if count == 0]
    heapify(ready)
    order: list[str] = []
    while ready:
        key = view.boxes[heappop(ready)].key
        order.append(key)
        for reader in readers[key]:
            waits[reader] -= 1
            if waits[reader] == 0:
                heappush(ready, place[reader])
    return tuple(order)


def narrow_order(view: Diagram) -> tuple[str, ...]:
    """Each box after all it waits for, so that what was begun is finished first; otherwise as in the file."""
    readers, waits = _tied(view)
    needs: dict[str, list[str]] = {box.key: [] for box in view.boxes}
    for line in view.lines:
        needs[line.target].append(line.source)
    left = {key: len(those) for key, those in readers.items()}
    ready = [box.key for box in view.boxes if waits[box.key] == 0]
    order: list[str] = []
    newest = {box.key: -1 for box in view.boxes}
    while ready:
        key = min(ready, key=_opened(needs, left, newest))
        ready.remove(key)
        for need in needs[key]:
            left[need] -= 1
        for reader in readers[key]:
            newest[reader] = len(order)
            waits[reader] -= 1
            if waits[reader] == 0:
                ready.append(reader)
        order.append(key)
    return tuple(order)


def _opened(
    needs: dict[str, list[str]], left: dict[str, int], newest: dict[str, int]
) -> Callable[[str], tuple[int, int]]:
    """How many rails more there are after a step, and how long ago the last that it waits for was drawn."""
    return lambda key: ((left[key] > 0) - sum(left[need] == 1 for need in needs[key]), -newest[key])


def _tied(view: Diagram) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Who waits for each box, and for how many boxes each of them waits."""
    readers: dict[str, list[str]] = {box.key: [] for box in view.boxes}
    waits = dict.fromkeys(readers, 0)
    for line in view.lines:
        readers[line.source].append(line.target)
        waits[line.target] += 1
    return readers, waits


def folded(view: Diagram) -> Diagram:
    """The diagram with boxes that differ in nothing but their name and text drawn as one."""
    into: dict[str, list[Line]] = {box.key: [] for box in view.boxes}
    out: dict[str, list[Line]] = {box.key: [] for box in view.boxes}
    for line in view.lines:
        into[line.target].append(line)
        out[line.source].append(line)
    groups: dict[object, list[Box]] = {}
    for box in view.boxes:
        waits = tuple((line.source, line.kinds) for line in into[box.key])
        serves = tuple((line.target, line.kinds) for line in out[box.key])
        alone = box.key if box.inner is not None else ""
        alike = (box.kind, box.model, box.notes, box.cleans_up, waits, serves, alone)
        groups.setdefault(alike, []).append(box)
    stands_for = {box.key: group for group in groups.values() if len(group) >= _ALIKE for box in group}
    hidden = {key for key, group in stands_for.items() if key != group[0].key}
    return replace(
        view,
        boxes=tuple(_as_one(box, stands_for.get(box.key, ())) for box in view.boxes if box.key not in hidden),
        lines=tuple(line for line in view.lines if line.source not in hidden and line.target not in hidden),
    )


def _as_one(box: Box, group: Sequence[Box]) -> Box:
    if not group:
        return box
    names = [one.id for one in group]
    listed = names if len(names) <= _MOST_NAMES else (*names[: _MOST_NAMES - 1], "…", names[-1])
    words = f"{len(names)} steps alike: {', '.join(listed)}"
    return replace(box, id=f"{names[0]} and {len(names) - 1} more", title=words, subject="")
