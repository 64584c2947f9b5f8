"""The time of one step: its own timeout, which stands still while it waits for its model, and the time of the run."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext

import anyio

from runner.execute.turns import Turn
from runner.execute.world import World
from runner.plan.plan import PlannedStep
from runner.words.errors import StepError
from runner.words.units import show_seconds


class StepTime:
    """Begins when it is made. Waiting for a model to be loaded, or for another one to make room, is not the step's
    fault and does not count against it; against the run it does.
    """

    def __init__(self, world: World, planned: PlannedStep, turn: Turn | None = None) -> None:
        """``turn`` is the one that the step has, if it needs one."""
        self._turn = turn
        self._world = world
        self._planned = planned
        self._own = math.inf if planned.step.timeout is None else world.clock.monotonic() + planned.step.timeout
        self._scope: anyio.CancelScope | None = None

    def deadline(self) -> float:
        """The monotonic second at which it is over."""
        return min(self._own, self._run)

    @property
    def left(self) -> float:
        """Seconds until then."""
        return self.deadline() - self._world.clock.monotonic()

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """What happens in here is cancelled when the time is over, and goes on behind it."""
        with anyio.CancelScope(deadline=anyio.current_time() + self.left) as scope:
            self._scope = scope
            yield

    @asynccontextmanager
    async def standing_still(self) -> AsyncIterator[None]:
        """The step's own time does not pass in here, and others have its place."""
        clock, began = self._world.clock, self._world.clock.monotonic()
        own, self._own = self._own, math.inf
        self._reschedule()
        try:
            async with self._turn.aside() if self._turn is not None else nullcontext():
                yield
        finally:
            self._own = own + clock.monotonic() - began
            self._reschedule()

    def over(self) -> StepError:
        """The error of a step whose time is over."""
        if self._own <= self._run:
            whose = f"the step's timeout of {show_seconds(self._planned.step.timeout or 0)}"
            ways = None if self._planned.model else "give the step a longer `timeout`"
        else:
            whose = f"the run's time limit of {show_seconds(self._world.limits.time or 0)}"
            ways = "raise `time` in the `limits` of the workflow, if the work needs more"
        return StepError("timeout", f"{whose} is over", hint=ways)

    @property
    def _run(self) -> float:
        return math.inf if self._world.deadline is None else self._world.deadline

    def _reschedule(self) -> None:
        if self._scope is not None:
            self._scope.deadline = anyio.current_time() + self.left
