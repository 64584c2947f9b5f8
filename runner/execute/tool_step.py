"""The step kind ``tool``: one tool call, no model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runner.chat.messages import Usage
from runner.chat.toolbox import Tool, ToolResult
from runner.execute.expectation import missed
from runner.execute.refusal import read_answer
from runner.execute.spill import keep_blobs, shorten
from runner.execute.worker import Outcome
from runner.execute.world import World
from runner.record.events import ToolCalled, ToolReturned
from runner.words.errors import BridgeError, StepError, ToolServerError
from runner.words.schemas import complaints
from runner.words.spans import show_path
from runner.words.templates import render
from runner.workflow.model import Effect, Step, ToolWork

_JOURNALLED = 20_000
"""Characters of a result that stand in the journal; the step's output is always whole."""
_SAID = 2_000
"""Characters of a tool's complaint that stand in the message of the failed step."""


class ToolWorker:
    """One tool step at work."""

    extras: Mapping[str, Any] = {}
    usage = Usage()
    model = None

    def __init__(self, world: World, step: Step) -> None:
        assert isinstance(step.work, ToolWork)
        self._world = world
        self._step = step
        self._work = step.work
        self._arguments: dict[str, Any] = render(dict(step.work.arguments), world.names())
        self._called = False
        self._effect: Effect = "unsafe"

    async def attempt(self, number: int) -> Outcome:
        """Call the tool and check what it gave."""
        tool = self._tool()
        self._effect = tool.effect
        self._check_arguments(tool)
        result = await self._call(number)
        if result.is_error:
            said = result.text.strip()[:_SAID] or "it did not say why"
            raise StepError("tool", f"{self._work.server}.{tool.name} failed: {said}")
        output = self._output(result)
        words = await missed(self._world, self._step.id, number, self._step.expect, output)
        if words is not None:
            raise StepError("expectation", words, hint="correct the arguments of the call, or what is expected of it")
        return Outcome(output=output)

    def repeatable(self, error: BridgeError) -> bool:
        """Only if the call cannot have changed something, or its tool may be called twice; a dead server is no use."""
        if isinstance(error, ToolServerError) and not error.revived:
            return False
        return not self._called or (self._step.effects or self._effect) != "unsafe"

    def fall_back(self, error: BridgeError) -> bool:  # noqa: ARG002 - the protocol of workers
        """There is nothing else that could do it."""
        return False

    def _tool(self) -> Tool:
        for tool in self._world.tools.tools(self._work.server):
            if tool.name == self._work.tool:
                return tool
        raise StepError("tool", f"the server `{self._work.server}` has no tool `{self._work.tool}` any more")

    def _check_arguments(self, tool: Tool) -> None:
        found = complaints(tool.input_schema, self._arguments)
        if found:
            lines = "; ".join(f"{show_path(c.path) or 'arguments'}: {c.message}" for c in found)
            raise StepError("tool", f"the arguments do not fit {self._work.server}.{tool.name}: {lines}")

    async def _call(self, number: int) -> ToolResult:
        world, call = self._world, f"{self._step.id}-{number}"
        where: dict[str, Any] = {
            "step": self._step.id,
            "attempt": number,
            "call": call,
            "server": self._work.server,
            "tool": self._work.tool,
        }
        self._count()
        world.journal.append(ToolCalled(**where, arguments=self._arguments))
        started = world.clock.monotonic()
        self._called = True
        result = await world.tools.call(self._work.server, self._work.tool, self._arguments)
        whole = keep_blobs(result, world.artifacts, self._step.id, call)
        text, artifact = shorten(whole, _JOURNALLED, world.artifacts, self._step.id, f"{call}.txt")
        world.journal.append(
            ToolReturned(
                **where, text=text, is_error=result.is_error, seconds=world.clock.monotonic() - started,
                characters=len(whole), artifact=artifact,
            )
        )  # fmt: skip
        return result

    def _count(self) -> None:
        """Raises: StepError, kind ``limit``: the run has made all the tool calls it may make."""
        out = self._world.purse.out_of_tool_calls
        if out is not None:
            raise StepError("limit", f"the {out.whose} has made its limit of {out.most_tool_calls} tool calls")
        self._world.purse.spend_tool_call()

    def _output(self, result: ToolResult) -> Any:
        """Structured content, else text; parsed and judged where the step has an ``output`` schema."""
        schema = self._step.output_schema
        if schema is None:
            return result.structured if result.has_structured else result.text
        text = json.dumps(result.structured) if result.has_structured else result.text
        try:
            return read_answer(text, schema)
        except ValueError as error:
            wrong = f"{self._work.server}.{self._work.tool}: {error}"
            raise StepError("invalid_output", wrong, hint="correct the arguments, or the `output` schema") from error
