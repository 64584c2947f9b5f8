"""The tool servers of a run: built from the file, started all at once, confirmed before the first step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from runner.chat.toolbox import ServerFacts, Tool, ToolBox
from runner.plan.finding import finding
from runner.plan.grants import missing_tools
from runner.record.events import Event, ToolServerStarted
from runner.words.diagnostics import Diagnostic, has_errors, in_file_order
from runner.words.errors import ToolServerError, ToolsMissingError, ToolsUnreachableError
from runner.workflow.model import Workflow

CLOSE_WITHIN = 15.0
"""Seconds for all servers together to end by themselves."""


class ToolStart:
    """The starting of all servers that the steps of a run may use; ``begin`` returns at once.

    ``mask`` takes secrets out of what a server wrote before it ended.
    """

    def __init__(self, workflow: Workflow, boxes: Mapping[str, ToolBox], mask: Callable[[str], str]) -> None:
        self._mask = mask
        self.boxes = boxes
        self._workflow = workflow
        self._starts: dict[str, asyncio.Task[ServerFacts]] = {}

    def begin(self) -> None:
        """Start them all, side by side."""
        for name, box in self.boxes.items():
            self._starts[name] = asyncio.create_task(box.start(), name=f"start {name}")

    async def confirm(self, tell: Callable[[Event], Any]) -> tuple[Diagnostic, ...]:
        """Wait for all of them and check that they offer every tool that a step names; returns the warnings.

        Raises:
            ToolsUnreachableError: servers did not start; with one finding each (BR403).
            ToolsMissingError: a tool that a step names is not offered (BR402).
        """
        outcomes = await asyncio.gather(*self._starts.values(), return_exceptions=True)
        failed: list[Diagnostic] = []
        for name, outcome in zip(self._starts, outcomes, strict=True):
            if isinstance(outcome, ToolServerError):
                failed.append(self._not_started(name, outcome))
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                tell(self._started(name, outcome))
        if failed:
            raise ToolsUnreachableError(in_file_order(failed))
        offered: dict[str, tuple[Tool, ...]] = {name: box.tools for name, box in self.boxes.items()}
        findings = in_file_order(missing_tools(self._workflow, offered))
        if has_errors(findings):
            raise ToolsMissingError(findings)
        return findings

    async def close(self) -> None:
        """End all servers, side by side; bounded, and not stopped by a cancellation."""
        for start in self._starts.values():
            start.cancel()
        ends = [asyncio.create_task(box.close()) for box in self.boxes.values()]
        waiting = [*ends, *self._starts.values()]
        if waiting:
            await asyncio.wait(waiting, timeout=CLOSE_WITHIN)
            await asyncio.gather(*(task for task in waiting if task.done()), return_exceptions=True)

    def _started(self, name: str, facts: ServerFacts) -> ToolServerStarted:
        return ToolServerStarted(
            server=name,
            tools=len(self.boxes[name].tools),
            seconds=facts.seconds,
            version=facts.version,
            protocol=facts.protocol,
        )

    def _not_started(self, name: str, error: ToolServerError) -> Diagnostic:
        hint = None if error.hint is None else self._mask(error.hint)
        return finding(self._workflow, "BR403", ("mcp_servers", name), self._mask(error.message), help=hint)


def servers_used(workflow: Workflow) -> tuple[str, ...]:
    """The servers that at least one step may use, in file order; the others are not started."""
    used: set[str] = set()
    for step in workflow.steps:
        used.update(getattr(step.work, "servers", ()))
        server = getattr(step.work, "server", None)
        if server is not None:
            used.add(server)
    return tuple(name for name in workflow.servers if name in used)
