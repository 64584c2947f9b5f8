"""The calls of one answer: looked up, checked, made side by side, answered in order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.chat.arguments import read_arguments
from runner.chat.messages import Message, ToolCall
from runner.chat.toolbox import Tool, ToolResult
from runner.execute.spill import keep_blobs, shorten
from runner.execute.world import World
from runner.record.events import ToolCalled, ToolReturned
from runner.words.errors import ToolServerError
from runner.words.suggest import nearest

SAME_CALL_ANSWERED = 3
"""How often the very same call with the very same result is made before it is refused with a word to the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTool:
    """A tool as the model knows it (``name``) and as its server knows it."""

    name: str
    server: str
    tool: Tool


@dataclass(slots=True)
class CallMemory:
    """What a conversation remembers of its calls, to notice a model that goes in circles."""

    made: int = 0
    effects: bool = False
    last: tuple[str, str] | None = None
    repeats: int = 0
    died: set[str] = field(default_factory=set)

    def note(self, key: str, text: str) -> None:
        """Remember one call and what it gave."""
        self.repeats = self.repeats + 1 if self.last == (key, text) else 1
        self.last = (key, text)

    def times_in_a_row(self, key: str) -> int:
        """How often this very call was made last, with the same result, with nothing between."""
        return self.repeats if self.last is not None and self.last[0] == key else 0


class ToolRound:
    """Makes the calls of one answer of one step."""

    def __init__(
        self, world: World, step: str, offered: Mapping[str, OfferedTool], memory: CallMemory, tool_result: int
    ) -> None:
        self._world = world
        self._step = step
        self._offered = offered
        self._memory = memory
        self._tool_result = tool_result

    async def make(
        self, calls: Sequence[ToolCall], *, attempt: int, round_number: int, allowed: int
    ) -> tuple[Message, ...]:
        """The ``tool`` messages that answer ``calls``, in their order; those past ``allowed`` are refused in words.

        Raises:
            ToolServerError: a server died for the second time.
        """
        import anyio

        answers: list[str] = [""] * len(calls)

        async def one(index: int, call: ToolCall) -> None:
            if index >= allowed:
                answers[index] = "ERROR: the limit of tool calls is reached; answer with what you have."
                return
            answers[index] = await self._answer(call, attempt, round_number)

        if len(calls) == 1:
            await one(0, calls[0])
        else:
            try:
                async with anyio.create_task_group() as group:
                    for index, call in enumerate(calls):
                        group.start_soon(one, index, call)
            except BaseExceptionGroup as failures:
                raise _first(failures) from failures
        return tuple(Message("tool", text, tool_call_id=call.id) for call, text in zip(calls, answers, strict=True))

    async def _answer(self, call: ToolCall, attempt: int, round_number: int) -> str:
        offered = self._offered.get(call.name) or self._meant(call.name)
        if offered is None:
            return self._refuse(call, attempt, round_number, self._unknown(call.name))
        try:
            arguments = read_arguments(call.arguments, offered.tool.input_schema)
        except ValueError as error:
            return self._refuse(call, attempt, round_number, str(error), offered)
        key = f"{offered.name} {json.dumps(arguments, sort_keys=True, ensure_ascii=False)}"
        if self._memory.times_in_a_row(key) >= SAME_CALL_ANSWERED:
            self._memory.repeats += 1
            words = "you made this very call before and got the same answer; use that answer, or do something else."
            return self._refuse(call, attempt, round_number, words, offered)
        text = await self._call(offered, arguments, call, attempt, round_number)
        self._memory.note(key, text)
        return text

    async def _call(
        self, offered: OfferedTool, arguments: dict[str, Any], call: ToolCall, attempt: int, round_number: int
    ) -> str:
        world, memory = self._world, self._memory
        memory.made += 1
        world.spent.tool_calls += 1
        memory.effects = memory.effects or offered.tool.effect != "none"
        world.journal.append(
            ToolCalled(
                step=self._step, attempt=attempt, round=round_number, call=call.id,
                server=offered.server, tool=offered.tool.name, arguments=arguments,
            )
        )  # fmt: skip
        started = world.clock.monotonic()
        try:
            result = await world.tools.call(offered.server, offered.tool.name, arguments)
        except ToolServerError as error:
            result = self._death(offered.server, error)
        return self._returned(offered, result, call, attempt, world.clock.monotonic() - started)

    def _death(self, server: str, error: ToolServerError) -> ToolResult:
        """The model is told once; the second death ends the step.

        Raises:
            ToolServerError: it died before in this conversation, or it is dead for good.
        """
        if server in self._memory.died or not self._world.tools.revived(server):
            raise error
        self._memory.died.add(server)
        words = f"the tool server `{server}` ended during this call ({error.message}); it was started again"
        return ToolResult(text=f"{words}. Whether the call had an effect is not known.", is_error=True)

    def _returned(self, offered: OfferedTool, result: ToolResult, call: ToolCall, attempt: int, seconds: float) -> str:
        world = self._world
        whole = keep_blobs(result, world.artifacts, self._step, call.id)
        if result.is_error:
            whole = f"ERROR: {whole or 'the tool failed without saying why'}"
        text, artifact = shorten(whole, self._tool_result, world.artifacts, self._step, f"{call.id}.txt")
        world.journal.append(
            ToolReturned(
                step=self._step, attempt=attempt, call=call.id, server=offered.server, tool=offered.tool.name,
                text=text, is_error=result.is_error, seconds=seconds, characters=len(whole), artifact=artifact,
            )
        )  # fmt: skip
        return text

    def _refuse(
        self, call: ToolCall, attempt: int, round_number: int, words: str, offered: OfferedTool | None = None
    ) -> str:
        """A call that is not made: the model reads why, and the journal shows it like a call that failed."""
        server, tool = (offered.server, offered.tool.name) if offered else ("", call.name)
        text = f"ERROR: {words}"
        self._memory.made += 1
        where: dict[str, Any] = {
            "step": self._step,
            "attempt": attempt,
            "call": call.id,
            "server": server,
            "tool": tool,
        }
        self._world.journal.append(ToolCalled(**where, round=round_number, arguments=_readable(call.arguments)))
        self._world.journal.append(ToolReturned(**where, text=text, is_error=True, seconds=0.0, characters=len(text)))
        return text

    def _meant(self, name: str) -> OfferedTool | None:
        """The one tool that a slightly wrong name means: other case, ``.`` or ``-`` for ``__``, no server before it."""
        folded = _fold(name)
        found = [
            o
            for o in self._offered.values()
            if folded in (_fold(o.name), _fold(o.tool.name), _fold(f"{o.server}.{o.tool.name}"))
        ]
        return found[0] if len(found) == 1 else None

    def _unknown(self, name: str) -> str:
        near = nearest(name, self._offered, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return f"there is no tool named {name}.{hint} The tools are: {', '.join(self._offered)}."


def _readable(arguments: str) -> Any:
    """The arguments of a call that is not made: as JSON if they are, else as they were written."""
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def _fold(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first real failure of a group."""
    failure: BaseException = failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
