"""The step kind ``task``: a model works on a prompt with tools until its answer is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.chat.messages import Usage
from runner.execute.conversation import Conversation, Prompt
from runner.execute.expectation import missed
from runner.execute.models import Waiting
from runner.execute.tool_round import OfferedTool
from runner.execute.worker import Outcome
from runner.execute.world import World
from runner.plan.grants import granted, offer_names
from runner.plan.plan import ModelChoice, PlannedStep
from runner.record.events import ModelFellBack
from runner.words.errors import BridgeError, CircuitOpenError, LLMError, ModelMemoryError, ToolServerError
from runner.words.templates import render_text
from runner.workflow.model import TaskWork

_ANOTHER_ANSWER = ("invalid_output", "expectation", "limit")
"""Kinds that judge an answer: repeating them means asking anew, not going on."""
_NO_FALLBACK = ("auth", "limit")
"""A refused token is for a person to mend, and a limit is the file's own."""
CRASHES = 2
"""How often a prompt whose model crashed is tried again."""


class TaskWorker:
    """One task step at work."""

    extras: Mapping[str, Any] = {}

    def __init__(self, world: World, planned: PlannedStep, choice: ModelChoice, waiting: Waiting) -> None:
        self._world = world
        self._step = planned.step
        self._choice = choice
        self._fallbacks = list(choice.fallbacks)
        self._waiting = waiting
        self._crashes = 0
        self._attempt = 0
        self._conversation = Conversation(
            world, planned.step, choice, render_prompt(planned, world), offered_tools(planned, world)
        )
        self._refused = False
        self._at_its_least = False

    @property
    def usage(self) -> Usage:
        """Tokens of the whole conversation."""
        return self._conversation.usage

    @property
    def model(self) -> str:
        """The model that the conversation is with."""
        return self._choice.model

    async def attempt(self, number: int) -> Outcome:
        """Go on with the conversation; after a refused answer, begin it anew."""
        self._attempt = number
        if self._refused:
            self._conversation.start_over()
            self._refused = False

        async def check(output: Any) -> str | None:
            return await missed(self._world, self._step.id, number, self._step.expect, output)

        self._at_its_least = False
        try:
            models, more = self._world.models, bool(self._fallbacks)
            async with models.lease(self._choice, self._waiting, has_fallback=more) as lease:
                try:
                    return Outcome(output=await self._conversation.run(number, check, lease))
                finally:
                    self._at_its_least = lease.at_its_least
        except BridgeError as error:
            self._refused = error.kind in _ANOTHER_ANSWER
            self._crashes += error.kind == "crash"
            raise

    def repeatable(self, error: BridgeError) -> bool:
        """A broken request always, because the history goes on.

        What is used up for good comes back by no repetition: tokens, and a tool server whose first death the model was
        told of and whose second one ended the talk. A prompt that crashes its model does so again, and so does one for
        which a model has too little memory that cannot do with less; and while a fallback is there, nobody waits for a
        model that has no memory or is left alone.
        """
        if isinstance(error, ToolServerError) or self._conversation.out_of_tokens:
            return False
        if error.kind == "crash":
            return self._crashes <= CRASHES
        if isinstance(error, ModelMemoryError | CircuitOpenError):
            return not self._fallbacks and not self._at_its_least
        return True

    def fall_back(self, error: BridgeError) -> bool:
        """Go on with the next model, after an error that more attempts would not mend; False if there is none."""
        worth = isinstance(error, LLMError) or error.kind in self._step.retry.on
        if not self._fallbacks or not worth or error.kind in _NO_FALLBACK or self._conversation.out_of_tokens:
            return False
        old, self._choice = self._choice, self._fallbacks.pop(0)
        self._crashes = 0
        self._conversation.switch(self._choice)
        self._world.journal.append(
            ModelFellBack(
                step=self._step.id, attempt=self._attempt, model=old.model, endpoint=old.endpoint,
                to_model=self._choice.model, to_endpoint=self._choice.endpoint, kind=error.kind, message=error.message,
            )
        )  # fmt: skip
        return True


def render_prompt(planned: PlannedStep, world: World) -> Prompt:
    """The step's texts with their templates filled in.

    Raises:
        TemplateError: a template met data that it cannot render.
        StepError: a picture cannot be read.
    """
    work = planned.step.work
    assert isinstance(work, TaskWork)
    names = world.names()
    system = None if work.system is None else render_text(work.system, names)
    images = tuple(world.read_image(render_text(path, names)) for path in work.images)
    return Prompt(task=render_text(work.task, names), system=system, images=images)


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
