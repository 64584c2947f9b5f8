"""Which steps may run at the same time, as far as their order alone says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runner.plan.plan import PlannedStep


def at_once(some: Sequence[PlannedStep], steps: Sequence[PlannedStep]) -> Iterator[tuple[PlannedStep, ...]]:
    """Groups of two or more of ``some`` of which none waits for another.

    ``steps`` are all of the plan, in its order. A group has the steps that are equally far from the beginning: those
    surely do not wait for each other, though others might run beside them too.
    """
    far = _distances(steps)
    groups: dict[int, list[PlannedStep]] = {}
    for step in some:
        groups.setdefault(far[step.step.id], []).append(step)
    yield from (tuple(group) for group in groups.values() if len(group) > 1)


def _distances(steps: Sequence[PlannedStep]) -> Mapping[str, int]:
    """How many steps at least come one after the other before each."""
    far: dict[str, int] = {}
    for step in steps:
        far[step.step.id] = 1 + max((far[need] for need in step.waits_for if need in far), default=-1)
    return far
