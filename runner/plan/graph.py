"""The order of the work: what waits for what, and a sequence in which the steps could run one by one."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import TopologicalSorter
from heapq import heappop, heappush

from runner.workflow.model import Step


def run_order(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps so that each comes after all it waits for; of those that may come next, the first of the file.

    A file that is already in such an order keeps it.

    Raises:
        graphlib.CycleError: they wait for each other in a circle (``load`` lets no such file through).
    """
    position = {step.id: index for index, step in enumerate(steps)}
    sorter = TopologicalSorter({position[step.id]: [position[need] for need in step.needs] for step in steps})
    sorter.prepare()
    ready: list[int] = []
    order: list[Step] = []
    while sorter.is_active():
        for index in sorter.get_ready():
            heappush(ready, index)
        first = heappop(ready)
        order.append(steps[first])
        sorter.done(first)
    return tuple(order)
