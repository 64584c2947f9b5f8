"""The step kind ``task``: a model works on a prompt with tools until its answer is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.chat.messages import Usage
from runner.execute.conversation import Conversation, Prompt
from runner.execute.expectation import missed
from runner.execute.tool_round import OfferedTool
from runner.execute.worker import Outcome
from runner.execute.world import World
from runner.plan.grants import granted, offer_names
from runner.plan.plan import ModelChoice, PlannedStep
from runner.words.errors import BridgeError, ToolServerError
from runner.words.templates import render_text
from runner.workflow.model import TaskWork

_ANOTHER_ANSWER = ("invalid_output", "expectation", "limit")
"""Kinds that judge an answer: repeating them means asking anew, not going on."""


class TaskWorker:
    """One task step at work."""

    extras: Mapping[str, Any] = {}

    def __init__(self, world: World, planned: PlannedStep, choice: ModelChoice) -> None:
        self._world = world
        self._step = planned.step
        self._conversation = Conversation(
            world, planned.step, choice, render_prompt(planned, world), offered_tools(planned, world)
        )
        self._refused = False

    @property
    def usage(self) -> Usage:
        """Tokens of the whole conversation."""
        return self._conversation.usage

    async def attempt(self, number: int) -> Outcome:
        """Go on with the conversation; after a refused answer, begin it anew."""
        if self._refused:
            self._conversation.start_over()
            self._refused = False

        async def check(output: Any) -> str | None:
            return await missed(self._world, self._step.id, number, self._step.expect, output)

        try:
            return Outcome(output=await self._conversation.run(number, check))
        except BridgeError as error:
            self._refused = error.kind in _ANOTHER_ANSWER
            raise

    def repeatable(self, error: BridgeError) -> bool:
        """A broken request always, because the history goes on.

        What is used up for good comes back by no repetition: tokens, and a tool server whose first death the model was
        told of and whose second one ended the talk.
        """
        return not isinstance(error, ToolServerError) and not self._conversation.out_of_tokens


def render_prompt(planned: PlannedStep, world: World) -> Prompt:
    """The step's texts with their templates filled in.

    Raises:
        TemplateError: a template met data that it cannot render.
    """
    work = planned.step.work
    assert isinstance(work, TaskWork)
    names = world.names()
    system = None if work.system is None else render_text(work.system, names)
    return Prompt(task=render_text(work.task, names), system=system)


def offered_tools(planned: PlannedStep, world: World) -> dict[str, OfferedTool]:
    """The tools that the step's model may use, by the names it sees, in a stable order."""
    tools = {
        (grant.server, tool.name): tool
        for grant in planned.grants
        for tool in granted(world.tools.tools(grant.server), grant, world.servers[grant.server])
    }
    return {
        name: OfferedTool(name=name, server=server, tool=tools[server, tool])
        for name, (server, tool) in offer_names(tools).items()
    }
