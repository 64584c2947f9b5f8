"""The desk: who offers all tools of the bridge, judges what they are given, and tells what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from runner.app.bridge.desk_arguments import fitting
from runner.app.bridge.errors import ToolNotFoundError, failed, lacks_model
from runner.app.bridge.heartbeat import EVERY, heartbeat
from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.tasks import Task
from runner.app.bridge.tasks_tools import answer_of, task_tools
from runner.app.bridge.tool import Tool
from runner.chat.offer import Answered, Offer, Progress
from runner.words.errors import BridgeError, LLMError, UsageError

WAIT: Final = 50.0
"""Seconds that a call of long work takes at most, if it is not told otherwise: hosts lose patience after 60."""
MOST_WAIT: Final = 86_400
_WORKING: Mapping[str, Any] = {
    "type": "object",
    "required": ["status", "task_id", "hint"],
    "properties": {
        "status": {"const": "working"},
        "task_id": {"type": "string"},
        "tool": {"type": "string"},
        "message": {"type": "string"},
        "hint": {"type": "string"},
    },
}


class MoreTools(Protocol):
    """The tools that come and go."""

    def __call__(self) -> Awaitable[Sequence[Tool]]:
        """All there are now; quick, for it is asked at every call."""


class BridgeDesk:
    """A ``Desk`` over tools that do not change and ``more`` that do; of two with one name the first counts.

    Long work is a task: a call waits for it at most ``wait`` seconds (its own argument ``wait``), then it answers with
    the id of the task, and the work goes on. A call that is cancelled before ends it. ``beat`` is the time between two
    signs of life, in seconds.
    """

    def __init__(
        self,
        house: BridgeHouse,
        tools: Sequence[Tool],
        *,
        more: MoreTools | None = None,
        wait: float = WAIT,
        beat: float = EVERY,
    ) -> None:
        self.house = house
        self.wait = wait
        self._beat = beat
        self._fixed = {tool.offer.name: tool for tool in tools}
        self._own = {tool.offer.name: tool for tool in task_tools(self)}
        self._more = more

    async def offers(self) -> tuple[Offer, ...]:
        """All tools: the fixed ones in their order, those of tasks, then the others by name."""
        tools = await self._tools()
        own = [tool.offer for tool in self._own.values()]
        names = [*self._fixed, *(name for name in sorted(tools) if name not in self._fixed)]
        shown = [self._shown(tools[name]) for name in names]
        return (*shown[: len(self._fixed)], *own, *shown[len(self._fixed) :])

    async def call(self, name: str, arguments: Mapping[str, Any], progress: Progress) -> Answered:
        """Answer a call; what goes wrong is an answer with ``is_error``. Cancelling it ends what it has started."""
        try:
            async with heartbeat(progress, self._beat) as tell:
                own = self._own.get(name)
                if own is not None:
                    return await own.answer(fitting(own.offer, arguments), tell)
                tool = await self.find(name)
                given = fitting(self._shown(tool), arguments)
                return await (self._long(tool, given, tell) if tool.long else self._work(tool, given, tell))
        except Exception as error:  # the end of the family and of bugs: a host gets no traceback
            return failed(error)

    async def find(self, name: str) -> Tool:
        """The tool of that name, whose work is to be done.

        Raises:
            ToolNotFoundError: there is none.
            UsageError: it is about tasks itself.
        """
        if name in self._own:
            raise UsageError(f"`{name}` is about tasks, so there is no task of it", hint=f"call `{name}` itself")
        tools = await self._tools()
        if name not in tools:
            raise ToolNotFoundError(name, sorted((*tools, *self._own)))
        return tools[name]

    def begin(self, tool: Tool, arguments: Mapping[str, Any]) -> Task:
        """Begin long work as a task; the arguments fit it.

        Raises:
            TooManyTasksError: too many are at work.
        """
        return self.house.tasks.begin(tool.offer.name, lambda progress: self._work(tool, arguments, progress))

    async def _tools(self) -> dict[str, Tool]:
        more = await self._more() if self._more is not None else ()
        taken = self._fixed.keys() | self._own.keys()
        return self._fixed | {tool.offer.name: tool for tool in more if tool.offer.name not in taken}

    def _shown(self, tool: Tool) -> Offer:
        """The offer as hosts see it: long work has ``wait``, and may answer that it goes on."""
        offer = tool.offer
        if not tool.long:
            return offer
        wait = {
            "type": "number",
            "minimum": 0,
            "maximum": MOST_WAIT,
            "default": self.wait,
            "description": (
                "Seconds to wait for the result. When the work takes longer, the answer is `status: working` with a "
                "`task_id`, and `task_result` gives the result later."
            ),
        }
        schema = offer.input_schema
        shown = {**schema, "properties": {**schema.get("properties", {}), "wait": wait}}
        output = None
        if offer.output_schema is not None:
            output = {"type": "object", "anyOf": [offer.output_schema, _WORKING]}
        return replace(offer, input_schema=shown, output_schema=output)

    async def _long(self, tool: Tool, arguments: Mapping[str, Any], tell: Progress) -> Answered:
        seconds = float(arguments["wait"])
        task = self.begin(tool, {name: value for name, value in arguments.items() if name != "wait"})
        with task.heard_by(tell):
            await tell(0.0, None, f"{task.id} has begun")
            try:
                await task.wait(seconds)
            except asyncio.CancelledError:
                await task.cancel()
                raise
        return answer_of(task)

    async def _work(self, tool: Tool, arguments: Mapping[str, Any], progress: Progress) -> Answered:
        try:
            structured = await tool.work(self.house, arguments, progress)
        except BridgeError as error:
            return failed(error, **await self._models_for(error))
        except Exception as error:
            return failed(error)
        text = structured.get("text")
        return Answered(structured=structured, text=text if isinstance(text, str) else None)

    async def _models_for(self, error: BridgeError) -> dict[str, Any]:
        if not lacks_model(error):
            return {}
        try:
            return {"available_models": list(await self.house.validator.available_models())}
        except LLMError:
            return {}
