"""The step kind ``workflow``: another file, carried out with inputs of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runner.chat.messages import Usage
from runner.execute.expectation import missed
from runner.execute.hall import CalledOff, FlowEnd, Hall, Paused, Unit
from runner.execute.outputs import workflow_outputs
from runner.execute.place import unit_key
from runner.execute.purse import Purse
from runner.execute.worker import Outcome
from runner.execute.world import World
from runner.plan.plan import Plan
from runner.words.errors import BridgeError, StepError
from runner.words.schemas import complaints
from runner.words.spans import show_path
from runner.words.templates import render
from runner.workflow.model import CallWork, Workflow


class CallWorker:
    """One call at work."""

    extras: Mapping[str, Any] = {}
    model = None

    def __init__(self, hall: Hall, world: World, unit: Unit) -> None:
        work, plan = unit.planned.step.work, unit.planned.callee
        assert isinstance(work, CallWork)
        assert plan is not None, "a plan has a plan for every call"
        self._hall = hall
        self._world = world
        self._unit = unit
        self._work = work
        self._plan: Plan = plan
        self._inputs = _inputs(work, world)
        self.usage = Usage()

    async def attempt(self, number: int) -> Outcome:
        """Carry out the called file.

        Raises:
            StepError: a step of it failed, with the kind of that failure.
            Paused: a step of it waits for an answer.
            CalledOff: it was stopped.
        """
        callee, world = self._plan.workflow, self._world
        async with world.tool_house.of_callee(callee, self._inputs, world.journal) as tools:
            inner = replace(self._inside(), tools=tools)
            if self._unit.strand.has_followed:
                self._hall.work.again(self._unit.group)
            self._unit.strand.has_followed = True
            end = await self._hall.follow(self._hall, inner, self._plan, self._unit)
        self.usage = self.usage + end.usage
        if self._unit.halt.reason_for(self._unit.planned.step) is not None:
            raise CalledOff
        if end.paused:
            raise Paused
        output = self._output(inner, end)
        words = await missed(world, self._unit.planned.step.id, number, self._unit.planned.step.expect, output)
        if words is not None:
            raise StepError("expectation", words, hint="correct the called workflow, or what is expected of it")
        return Outcome(output=output)

    def repeatable(self, error: BridgeError) -> bool:
        """Its steps have been repeated already: the whole is only for kinds that ``retry.on`` names."""
        return error.kind in self._unit.planned.step.retry.on

    def fall_back(self, error: BridgeError) -> bool:  # noqa: ARG002 - the protocol of workers
        """There is nothing else that could do it."""
        return False

    def _inside(self) -> World:
        """The world as the called file sees it: its own names, the bounds of the run, and its own within them."""
        world, callee = self._world, self._plan.workflow
        whole = world.whole or world
        own = callee.limits
        deadlines = [world.deadline, None if own.time is None else world.clock.monotonic() + own.time]
        deadline = min((one for one in deadlines if one is not None), default=None)
        purse = Purse(
            whose=f"workflow `{callee.name}`",
            most_tokens=own.tokens,
            most_tool_calls=own.tool_calls,
            above=world.purse,
        )
        return replace(
            world,
            workflow=callee,
            inputs=self._inputs,
            servers=callee.servers,
            limits=own if own.time is not None else replace(own, time=world.limits.time),
            deadline=deadline,
            purse=purse,
            results={},
            item_names={},
            journal=whole.journal,
            artifacts=whole.artifacts,
            on_delta=whole.on_delta,
            before=unit_key(world.before + self._unit.planned.step.id, self._unit.item) + "/",
        )

    def _output(self, inner: World, end: FlowEnd) -> dict[str, Any]:
        """What the file gives.

        Raises:
            StepError: one of its steps failed.
        """
        if end.failed:
            first = end.failed[0]
            error = first.error or {}
            others = f" ({len(end.failed)} of its steps failed)" if len(end.failed) > 1 else ""
            message = f"`{first.step}` of {self._work.file} failed{others}: {error.get('message', '')}"
            raise StepError(_kind(error), message, hint=error.get("hint"))
        return workflow_outputs(inner, self._plan.workflow, end.finished)


def _kind(error: Mapping[str, str]) -> Any:
    return error.get("kind", "bug")


def _inputs(work: CallWork, world: World) -> dict[str, Any]:
    """The values of the called file's inputs.

    Raises:
        StepError: kind ``request``: one does not fit.
        TemplateError: one cannot be made.
    """
    given = {name: render(value, world.names()) for name, value in work.given.items()}
    values = {name: given.get(name, declared.default) for name, declared in work.callee.inputs.items()}
    for name, value in values.items():
        _refuse_misfit(work.callee, name, value)
    return values


def _refuse_misfit(callee: Workflow, name: str, value: Any) -> None:
    found = complaints(callee.inputs[name].schema, value)
    if found:
        where = f" at `{show_path(found[0].path)}`" if found[0].path else ""
        message = f"the input `{name}` of {callee.file} does not fit{where}: {found[0].message}"
        raise StepError("request", message, hint="correct `with` of the step, or the input")
