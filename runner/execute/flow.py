"""One workflow file at work: which of its steps starts when, and what its ends mean for the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import anyio
from anyio.abc import TaskGroup

from runner.execute.fan_out_step import run_fan_out
from runner.execute.hall import FlowEnd, Hall, Paused, Unit
from runner.execute.halt import Halt
from runner.execute.join import unmet
from runner.execute.step import run_unit
from runner.execute.turns import Cap, Strand
from runner.execute.world import World
from runner.plan.agenda import Group
from runner.plan.plan import Plan, PlannedStep
from runner.record.events import StepFinished
from runner.words.errors import root_cause


class Flow:
    """Runs the steps of one plan. A failing step stops only what depends on it, unless the file says ``fail_fast``.

    ``groups`` stands before the ids of its steps in the agenda, ``order`` is its own place among those of its kind.
    """

    def __init__(
        self,
        hall: Hall,
        world: World,
        plan: Plan,
        *,
        halt: Halt,
        groups: Group,
        order: tuple[int, ...],
        cap: Cap | None,
    ) -> None:
        self._hall = hall
        self._world = world
        self._plan = plan
        self._halt = halt
        self._groups = groups
        self._order = order
        self._cap = cap
        self._planned: dict[str, PlannedStep] = {p.step.id: p for p in plan.steps}
        self._dependents: dict[str, list[str]] = {p.step.id: [] for p in plan.steps}
        self._waits = {p.step.id: len(set(p.waits_for)) for p in plan.steps}
        for planned in plan.steps:
            for need in set(planned.waits_for):
                self._dependents[need].append(planned.step.id)
        self._position = {step.id: number for number, step in enumerate(plan.workflow.steps)}
        self._working = 0
        self._finished: dict[str, StepFinished] = {}
        self._seeded: set[str] = set()
        self._over = anyio.Event()

    async def run(self, strand: Strand) -> FlowEnd:
        """How its steps have ended; ``strand`` is the line of work that waits for them.

        Every step has an end that is journalled, also when this is cancelled from outside; then the cancellation is
        passed on. Only steps that wait for an answer, and those that wait for them, have none.

        Raises:
            HistoryError: the journal cannot be written.
        """
        try:
            async with anyio.create_task_group() as group:
                self._start(group, [p.step.id for p in self._plan.steps if not self._waits[p.step.id]], strand)
                if not self._over.is_set():
                    strand.settle()
                    await self._over.wait()
        except BaseExceptionGroup as failures:
            raise root_cause(failures) from failures
        except anyio.get_cancelled_exc_class():
            self._end_rest("the run was interrupted")
            raise
        waiting = tuple(step.id for step in self._plan.workflow.steps if step.id not in self._finished)
        in_order = {step.id: self._finished[step.id] for step in self._plan.workflow.steps if step.id in self._finished}
        return FlowEnd(finished=in_order, paused=waiting)

    def _start(self, group: TaskGroup, ready: Iterable[str], strand: Strand) -> None:
        """Start what may start, in file order; what is decided at once makes more ready."""
        queue = sorted(ready, key=self._position.__getitem__)
        while queue:
            planned = self._planned[queue.pop(0)]
            end = self._decided(planned)
            if end is not None:
                queue = sorted([*queue, *self._end(end)], key=self._position.__getitem__)
                continue
            self._working += 1
            group.start_soon(self._one, group, planned, self._hall.turns.strand(), strand)
        if not self._working:
            strand.stir()
            self._over.set()

    def _decided(self, planned: PlannedStep) -> StepFinished | None:
        """The end of a step that needs no work: it was done before, is called off, or its join cannot hold."""
        step = planned.step
        seed = self._hall.seeds.take(self._world.before + step.id)
        if seed is not None:
            self._hall.work.over(self._groups + step.id, whole=True)
            self._seeded.add(step.id)
            return replace(seed, step=step.id)
        end = None
        called_off = self._halt.reason_for(step)
        if called_off is not None:
            end = StepFinished(step=step.id, status="cancelled", reason=called_off)
        else:
            why = unmet(step.join, (self._finished[need] for need in planned.waits_for))
            if why is not None:
                end = StepFinished(step=step.id, status="skipped", reason=why.reason, failed_above=why.failed_above)
        if end is not None:
            self._hall.work.over(self._groups + step.id, whole=True)
        return end

    async def _one(self, group: TaskGroup, planned: PlannedStep, own: Strand, above: Strand) -> None:
        try:
            end = await self._worked(planned, own)
        except Paused:
            end = None
            self._set_aside(planned.step.id)
        self._working -= 1
        ready = [] if end is None else self._end(end)
        # Made durable beside the next steps, not before them: a sync takes as long as three steps without a model.
        group.start_soon(self._world.journal.sync)
        if end is not None and self._plan.workflow.limits.fail_fast and end.status == "failed" and not end.tolerated:
            self._halt.call(f"`{end.step}` failed and the run fails fast")
        self._start(group, ready, above)
        own.settle()

    async def _worked(self, planned: PlannedStep, strand: Strand) -> StepFinished:
        unit = Unit(
            planned=planned,
            group=self._groups + planned.step.id,
            order=self._order,
            cap=self._cap,
            halt=self._halt,
            strand=strand,
        )
        if planned.step.fan_out is not None:
            return await run_fan_out(self._hall, self._world, unit, planned.step.fan_out)
        world = self._world.for_item(planned.step.id, None, {})
        return await run_unit(self._hall, world, unit, judge_when=True)

    def _set_aside(self, paused: str) -> None:
        """What waits for the paused step has no work in this session: no model is kept for it."""
        later = list(self._dependents[paused])
        for step_id in later:
            later += (one for one in self._dependents[step_id] if one not in later)
            self._hall.work.over(self._groups + step_id, whole=True)

    def _end(self, end: StepFinished) -> list[str]:
        """Note the end of a step; the steps that are ready now."""
        self._finished[end.step] = end
        self._world.results[end.step] = readable(end)
        if end.step not in self._seeded:
            self._world.for_item(end.step, None, {}).journal.append(end)
        ready = []
        for dependent in self._dependents[end.step]:
            self._waits[dependent] -= 1
            if self._waits[dependent] == 0:
                ready.append(dependent)
        return ready

    def _end_rest(self, reason: str) -> None:
        for step in self._plan.workflow.steps:
            if step.id not in self._finished:
                self._end(StepFinished(step=step.id, status="cancelled", reason=reason))


def readable(end: StepFinished) -> dict[str, Any]:
    """What templates may read of a finished step."""
    error = end.error and {"kind": end.error["kind"], "message": end.error["message"]}
    return {"output": end.output, "status": end.status, "error": error, "artifacts": [], **end.extras}
