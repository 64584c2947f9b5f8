"""Which step starts when: as soon as all it waits for is over, in file order, so many at once as the run allows."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

import anyio
from anyio.abc import TaskGroup

from runner.execute.step import run_step
from runner.execute.world import World
from runner.plan.plan import Plan, PlannedStep
from runner.record.events import StepFinished
from runner.words.errors import root_cause


class Scheduler:
    """Runs the steps of one plan. A failing step stops only what depends on it, unless the run fails fast."""

    def __init__(self, world: World, plan: Plan) -> None:
        self._world = world
        self._plan = plan
        self._parallel = plan.workflow.limits.parallel
        self._fail_fast = plan.workflow.limits.fail_fast
        order = {step.id: number for number, step in enumerate(plan.workflow.steps)}
        self._planned: dict[str, PlannedStep] = {p.step.id: p for p in plan.steps}
        self._dependents: dict[str, list[str]] = {p.step.id: [] for p in plan.steps}
        self._waits = {p.step.id: len(set(p.waits_for)) for p in plan.steps}
        for planned in plan.steps:
            for need in set(planned.waits_for):
                self._dependents[need].append(planned.step.id)
        self._order = order
        self._ready: list[tuple[int, str]] = [(order[i], i) for i, n in self._waits.items() if n == 0]
        heapq.heapify(self._ready)
        self._running = 0
        self._stop_reason: str | None = None
        self.finished: dict[str, StepFinished] = {}

    async def run(self) -> Mapping[str, StepFinished]:
        """The ends of all steps, by id, in the order in which they ended.

        Every step has one, also when the run is cancelled from outside: then the cancellation is passed on after the
        ends are journalled.

        Raises:
            HistoryError: the journal cannot be written.
        """
        try:
            async with self._world.models.open(), anyio.create_task_group() as group:
                await self._start_ready(group)
        except BaseExceptionGroup as failures:
            raise root_cause(failures) from failures
        except anyio.get_cancelled_exc_class():
            self._end_rest("the run was interrupted")
            raise
        self._end_rest(self._stop_reason or "the run ended before it")
        return self.finished

    async def _start_ready(self, group: TaskGroup) -> None:
        """Start what may start; skips are decided at once and may make more ready."""
        while self._ready and self._running < self._parallel and self._stop_reason is None:
            _, step_id = heapq.heappop(self._ready)
            planned = self._planned[step_id]
            reason = self._unmet(planned)
            if reason is not None:
                self._end(StepFinished(step=step_id, status="skipped", reason=reason))
                continue
            self._running += 1
            group.start_soon(self._one, group, planned)

    async def _one(self, group: TaskGroup, planned: PlannedStep) -> None:
        finished = await run_step(self._world, planned)
        self._running -= 1
        self._end(finished)
        # Made durable beside the next steps, not before them: a sync takes as long as three steps without a model.
        group.start_soon(self._world.journal.sync)
        if self._fail_fast and finished.status == "failed" and not finished.tolerated:
            self._stop_reason = f"`{finished.step}` failed and the run fails fast"
            group.cancel_scope.cancel()
            return
        await self._start_ready(group)

    def _unmet(self, planned: PlannedStep) -> str | None:
        """Why the step's join no longer can hold, or None. The default join wants every need succeeded."""
        for need in planned.waits_for:
            ended = self.finished[need]
            if ended.status in ("succeeded", "recovered") or ended.tolerated:
                continue
            why = f" ({ended.reason})" if ended.reason else ""
            verb = {"failed": "failed", "skipped": "was skipped", "cancelled": "was cancelled"}[ended.status]
            return f"it needs `{need}`, which {verb}{why}"
        return None

    def _end(self, finished: StepFinished) -> None:
        world = self._world
        self.finished[finished.step] = finished
        world.results[finished.step] = _readable(finished)
        world.journal.append(finished)
        for dependent in self._dependents[finished.step]:
            self._waits[dependent] -= 1
            if self._waits[dependent] == 0:
                heapq.heappush(self._ready, (self._order[dependent], dependent))

    def _end_rest(self, reason: str) -> None:
        for step in self._plan.workflow.steps:
            if step.id not in self.finished:
                self._end(StepFinished(step=step.id, status="cancelled", reason=reason))


def _readable(finished: StepFinished) -> dict[str, Any]:
    """What templates may read of a finished step."""
    error = finished.error and {"kind": finished.error["kind"], "message": finished.error["message"]}
    return {"output": finished.output, "status": finished.status, "error": error, **finished.extras}
