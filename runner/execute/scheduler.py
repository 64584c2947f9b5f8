"""A whole run: its plan carried out from the first step to the last clean-up, with the models it needs."""

from __future__ import annotations

import anyio
from anyio.abc import TaskGroup

from runner.execute.flow import Flow
from runner.execute.hall import FlowEnd, Hall, Unit
from runner.execute.halt import Halt
from runner.execute.questions import Answer, Answers, Question
from runner.execute.stays import Stays, Work
from runner.execute.turns import Cap, Turns
from runner.execute.world import World
from runner.plan.agenda import Agenda, Group
from runner.plan.plan import Plan, PlannedStep
from runner.record.seeds import Seeds
from runner.words.errors import root_cause
from runner.words.units import show_seconds
from runner.workflow.fan_out import ForEach

CLEAN_UP_SECONDS = 30.0
"""For the steps that clean up after a run that is called off; then they are called off, too."""


class Nobody:
    """Answers nothing."""

    async def answer(self, question: Question) -> Answer | None:  # noqa: ARG002 - the protocol of answers
        """None."""
        return None


class Scheduler:
    """Carries out one plan. ``seeds`` are the ends of units that earlier goes have done."""

    def __init__(
        self,
        world: World,
        plan: Plan,
        *,
        answers: Answers | None = None,
        seeds: Seeds | None = None,
    ) -> None:
        self._world = world
        self._plan = plan
        self._halt = Halt(fails_fast=plan.workflow.limits.fail_fast)
        self._group: TaskGroup | None = None
        self._stopped = anyio.Event()
        work = Work(plan)
        self._stays = Stays(plan, plan.forecast.agenda if plan.forecast is not None else Agenda(), work)
        turns = Turns(
            plan.workflow.limits.parallel, self._stays, world.clock, on_open=self._bring, is_there=self._is_there
        )
        self._hall = Hall(turns=turns, work=work, answers=answers or Nobody(), follow=_follow, seeds=seeds or Seeds())
        self._certain = frozenset(_certain(plan, ""))
        world.models.keep(self._stays.still_needed)

    def stop(self, reason: str) -> None:
        """Call off all work but that which cleans up, which has a bounded time from now on.

        A signal handler may call it, so it starts no task: outside of one, anyio finds its loop only where no `sniffio`
        is installed.
        """
        self._halt.call(reason)
        self._stopped.set()

    @property
    def cleans_up(self) -> bool:
        """Whether any step is there to clean up, so that the run is to be stopped and not cancelled."""
        return any(planned.step.cleans_up for planned in self._plan.family)

    async def run(self) -> FlowEnd:
        """How all steps have ended. Every step has an end, also when the run is cancelled from outside: then the
        cancellation is passed on after the ends are journalled. Only what waits for an answer has none.

        Raises:
            HistoryError: the journal cannot be written.
        """
        flow = Flow(self._hall, self._world, self._plan, halt=self._halt, groups="", order=(), cap=None)
        try:
            async with self._world.models.open(), anyio.create_task_group() as group:
                self._group = group
                group.start_soon(self._end_clean_up)
                end = await flow.run(self._hall.turns.strand())
                self._group = None
                group.cancel_scope.cancel()  # loads that nobody asked for yet, and the clock of the clean-up
        except BaseExceptionGroup as failures:
            raise root_cause(failures) from failures
        return end

    async def _end_clean_up(self) -> None:
        await self._stopped.wait()
        await self._world.clock.sleep(CLEAN_UP_SECONDS)
        self._halt.call_last(f"the clean-up was not over after {show_seconds(CLEAN_UP_SECONDS)}")

    def _is_there(self, stay: int) -> bool:
        choice = self._stays.wanted(stay)
        return choice is None or self._world.models.is_there(choice)

    def _bring(self, stay: int) -> None:
        """Load the model of a stay that has opened, beside what is at work, if it will be needed for sure."""
        choice = self._stays.wanted(stay)
        if choice is None or not choice.manages or self._group is None:
            return
        if not self._certain.isdisjoint(self._stays.waiting_groups(stay)):
            self._group.start_soon(self._world.models.prefetch, choice)


async def _follow(hall: Hall, world: World, plan: Plan, unit: Unit) -> FlowEnd:
    """Carry out a called file for the unit that calls it."""
    parallel = plan.workflow.limits.parallel
    cap = Cap(parallel, unit.cap) if parallel < hall.turns.parallel else unit.cap
    hasty = plan.workflow.limits.fail_fast
    with unit.halt.below(cleans_up=unit.planned.step.cleans_up, fails_fast=hasty) as halt:
        flow = Flow(hall, world, plan, halt=halt, groups=f"{unit.group}/", order=unit.order, cap=cap)
        return await flow.run(unit.strand)


def _certain(plan: Plan, before: Group) -> list[Group]:
    """Groups that will have work whatever the steps answer, as long as nothing fails."""
    found = []
    for planned in plan.steps:
        if not _surely(planned):
            continue
        own = before + planned.step.id
        for number, row in enumerate(planned.rows or (planned,)):
            group = f"{own}[{number}]" if planned.rows else own
            found.append(group)
            if row.callee is not None:
                found += _certain(row.callee, f"{group}/")
    return found


def _surely(planned: PlannedStep) -> bool:
    step, fan_out = planned.step, planned.step.fan_out
    may_be_empty = fan_out is not None and isinstance(fan_out.over, ForEach) and isinstance(fan_out.over.items, str)
    return step.when is None and step.join == "all_succeeded" and not may_be_empty
