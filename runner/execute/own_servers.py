"""Tool servers that a step has for itself (``isolate``)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from runner.execute.world import World
from runner.workflow.model import Step, TaskWork, ToolWork


@asynccontextmanager
async def with_own_servers(world: World, step: Step) -> AsyncIterator[World]:
    """The world in which isolated servers of the step are processes of its own, which end with it.

    Raises:
        StepError: kind ``tool_server``: one does not start.
    """
    isolated = [name for name in _servers(step) if world.servers[name].isolate]
    if not isolated:
        yield world
        return
    async with world.tool_house.own(world.workflow, isolated, world.inputs, world.journal) as own:
        yield replace(world, tools=world.tools.beside(own))


def _servers(step: Step) -> tuple[str, ...]:
    if isinstance(step.work, TaskWork):
        return step.work.servers
    return (step.work.server,) if isinstance(step.work, ToolWork) else ()
