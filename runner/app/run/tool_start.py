"""The tool servers of a run: built from the file, started all at once, confirmed before the first step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from runner.chat.toolbox import ServerFacts, ToolBox
from runner.plan.finding import finding
from runner.plan.grants import missing_tools
from runner.plan.tool_room import ToolRoom
from runner.record.events import Event, ToolServerStarted
from runner.words.diagnostics import Diagnostic, has_errors, in_file_order
from runner.words.errors import ToolServerError, ToolsMissingError, ToolsUnreachableError
from runner.words.noun import noun
from runner.workflow.model import Workflow

CLOSE_WITHIN = 15.0
"""Seconds for all servers together to end by themselves."""


@noun
class Household:
    """A workflow file and the tool servers that its steps may use, by name; two files may share one."""

    workflow: Workflow
    boxes: Mapping[str, ToolBox]


class ToolStart:
    """The starting of all servers that the steps of a run may use; ``begin`` returns at once.

    ``mask`` takes secrets out of what a server wrote before it ended.
    """

    def __init__(self, households: Sequence[Household], mask: Callable[[str], str]) -> None:
        self._mask = mask
        self._households = households
        self._boxes = {id(box): box for household in households for box in household.boxes.values()}
        self._starts: dict[int, asyncio.Task[ServerFacts]] = {}

    def begin(self) -> None:
        """Start them all, side by side."""
        for number, box in self._boxes.items():
            self._starts[number] = asyncio.create_task(box.start(), name=f"start {box.name}")

    async def confirm(self, tell: Callable[[Event], Any]) -> tuple[Diagnostic, ...]:
        """Wait for all of them and check that they offer every tool that a step names; returns the warnings.

        Raises:
            ToolsUnreachableError: servers did not start; with one finding each (BR403).
            ToolsMissingError: a tool that a step names is not offered (BR402).
        """
        outcomes = await asyncio.gather(*self._starts.values(), return_exceptions=True)
        ended = dict(zip(self._starts, outcomes, strict=True))
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, ToolServerError):
                raise outcome
        failed = [
            self._not_started(household.workflow, name, error)
            for household in self._households
            for name, box in household.boxes.items()
            if isinstance(error := ended[id(box)], ToolServerError)
        ]
        for number, outcome in ended.items():
            if isinstance(outcome, ServerFacts):
                tell(started(self._boxes[number], outcome))
        if failed:
            raise ToolsUnreachableError(in_file_order(failed))
        offered = ((home.workflow, {name: box.tools for name, box in home.boxes.items()}) for home in self._households)
        findings = in_file_order(found for workflow, tools in offered for found in missing_tools(workflow, tools))
        if has_errors(findings):
            raise ToolsMissingError(findings)
        return findings

    @property
    def room(self) -> ToolRoom:
        """What the tools take, once they are confirmed."""
        homes = self._households
        return ToolRoom((home.workflow, name, box.tools) for home in homes for name, box in home.boxes.items())

    async def close(self) -> None:
        """End all servers, side by side; bounded, and not stopped by a cancellation."""
        for start in self._starts.values():
            start.cancel()
        ends = [asyncio.create_task(box.close()) for box in self._boxes.values()]
        waiting = [*ends, *self._starts.values()]
        if waiting:
            await asyncio.wait(waiting, timeout=CLOSE_WITHIN)
            await asyncio.gather(*(task for task in waiting if task.done()), return_exceptions=True)

    def _not_started(self, workflow: Workflow, name: str, error: ToolServerError) -> Diagnostic:
        hint = None if error.hint is None else self._mask(error.hint)
        return finding(workflow, "BR403", ("mcp_servers", name), self._mask(error.message), help=hint)


def started(box: ToolBox, facts: ServerFacts) -> ToolServerStarted:
    """The fact that a server is up."""
    return ToolServerStarted(
        server=box.name,
        tools=len(box.tools),
        seconds=facts.seconds,
        version=facts.version,
        protocol=facts.protocol,
    )


def servers_used(workflow: Workflow, done: Collection[str] = ()) -> tuple[str, ...]:
    """The servers that at least one step may use that is not ``done``, in file order; the others are not started."""
    used: set[str] = set()
    for step in workflow.steps:
        if step.id in done:
            continue
        used.update(getattr(step.work, "servers", ()))
        server = getattr(step.work, "server", None)
        if server is not None:
            used.add(server)
    return tuple(name for name in workflow.servers if name in used)
