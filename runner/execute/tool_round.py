"""The calls of one answer: looked up, checked, made side by side, answered in order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.chat.arguments import read_arguments
from runner.chat.messages import Message, ToolCall
from runner.chat.toolbox import Tool, ToolResult
from runner.chat.trim import CHARACTERS_A_TOKEN
from runner.execute.spill import keep_blobs, shorten
from runner.execute.world import World
from runner.record.events import ToolCalled, ToolReturned
from runner.words.errors import ToolServerError, root_cause
from runner.words.json_text import read_json
from runner.words.noun import noun
from runner.words.suggest import nearest
from runner.workflow.model import Effect, Step

SAME_CALL_ANSWERED = 3
"""How often the very same call with the very same result is made before it is refused with a word to the model."""


@noun
class OfferedTool:
    """A tool as the model knows it (``name``) and as its server knows it."""

    name: str
    server: str
    tool: Tool


_GRAVITY: Mapping[Effect, int] = {"none": 0, "idempotent": 1, "unsafe": 2}


RESULT_PART = 0.25
"""The part of the context that one tool result may fill."""
LEAST_RESULT = 500


@dataclass(slots=True)
class CallMemory:
    """What a conversation remembers of its calls, to notice a model that goes in circles."""

    made: int = 0
    effect: Effect = "none"
    _calls: int = 0
    _last: tuple[str, str] | None = None
    _rounds: int = 0
    _last_round: tuple[tuple[str, str], ...] = ()

    @property
    def repeats(self) -> int:
        """How often the same call, or the same several at once, came in a row with the same results."""
        return max(self._calls, self._rounds)

    def count(self, effect: Effect) -> None:
        """A call is about to be made that may do this to the world."""
        self.made += 1
        self.effect = max(self.effect, effect, key=_GRAVITY.__getitem__)

    def note(self, answers: Sequence[Answered]) -> None:
        """Remember the calls of one answer and what they gave, in the order of the calls, whichever ended first."""
        for answered in answers:
            self._note_call(answered)
        marks = tuple(answered.mark for answered in answers)
        alike = len(marks) > 1 and self._last_round == marks
        self._rounds = self._rounds + 1 if alike else 1
        self._last_round = marks

    def _note_call(self, answered: Answered) -> None:
        same = self._last is not None and self._last[0] == answered.key
        if same and answered.again:
            self._calls += 1
            return
        self._calls = self._calls + 1 if self._last == answered.mark else 1
        self._last = answered.mark

    def times_in_a_row(self, key: str) -> int:
        """How often this very call was made last, with the same result, with nothing between."""
        return self._calls if self._last is not None and self._last[0] == key else 0

    def forget_answers(self) -> None:
        """Answers were shortened: the model may ask again for what it cannot see any more."""
        self._calls, self._last = 0, None
        self._rounds, self._last_round = 0, ()

    def start_over(self) -> None:
        """Count from zero; what was done to the world stays done."""
        self.made = 0
        self.forget_answers()


@noun
class Answered:
    """What one call gave: ``key`` is equal for identical calls, ``again`` if it was refused for being one more.

    ``whole`` is the text before it was cut: where it is kept differs from call to call, and must not count.
    """

    key: str
    text: str
    whole: str = ""
    again: bool = False

    @property
    def mark(self) -> tuple[str, str]:
        """What is equal for calls that got the same."""
        return self.key, self.whole or self.text


class ToolRound:
    """Makes the calls of one answer of one step."""

    def __init__(self, world: World, step: Step, offered: Mapping[str, OfferedTool], memory: CallMemory) -> None:
        self._world = world
        self._step = step.id
        self._effects = step.effects
        self._limits = step.limits
        self._offered = offered
        self._memory = memory
        self._longest = step.limits.tool_result

    def fit_into(self, context_length: int | None) -> None:
        """No result may take more than a part of the model's context, in tokens, whatever the file allows."""
        allowed = self._limits.tool_result
        if context_length is not None:
            allowed = min(allowed, max(LEAST_RESULT, int(context_length * RESULT_PART * CHARACTERS_A_TOKEN)))
        self._longest = allowed

    @property
    def exhausted(self) -> bool:
        """Whether the step's or the run's limit of tool calls is reached."""
        run_is_out = self._world.purse.out_of_tool_calls is not None
        return run_is_out or self._memory.made >= self._limits.tool_calls

    async def make(self, calls: Sequence[ToolCall], *, attempt: int, round_number: int) -> tuple[Message, ...]:
        """The ``tool`` messages that answer ``calls``, in their order; those past a limit are refused in words.

        Raises:
            ToolServerError: a server died for the second time.
        """
        import anyio

        answers: dict[int, Answered] = {}

        async def one(index: int, call: ToolCall) -> None:
            answers[index] = await self._answer(call, attempt, round_number)

        if len(calls) == 1:
            await one(0, calls[0])
        else:
            try:
                async with anyio.create_task_group() as group:
                    for index, call in enumerate(calls):
                        group.start_soon(one, index, call)
            except BaseExceptionGroup as failures:
                raise root_cause(failures) from failures
        self._memory.note([answers[index] for index in range(len(calls))])
        return tuple(Message("tool", answers[i].text, tool_call_id=call.id) for i, call in enumerate(calls))

    async def _answer(self, call: ToolCall, attempt: int, round_number: int) -> Answered:
        """Up to the call itself nothing is awaited: limits are judged in the order of the calls."""
        offered = self._offered.get(call.name) or self._meant(call.name)
        written = f"{call.name} {call.arguments}"
        if self.exhausted:
            words = "the limit of tool calls is reached; answer with what you have."
            return self._refuse(call, attempt, round_number, words, key=written, offered=offered)
        if offered is None:
            return self._refuse(call, attempt, round_number, self._unknown(call.name), key=written)
        try:
            arguments = read_arguments(call.arguments, offered.tool.input_schema)
        except ValueError as error:
            return self._refuse(call, attempt, round_number, str(error), key=written, offered=offered)
        key = f"{offered.name} {json.dumps(arguments, sort_keys=True, ensure_ascii=False)}"
        if self._memory.times_in_a_row(key) >= SAME_CALL_ANSWERED:
            return self._refuse(call, attempt, round_number, _SAME_CALL, key=key, offered=offered)
        text, whole = await self._call(offered, arguments, call, attempt, round_number)
        return Answered(key=key, text=text, whole=whole)

    async def _call(
        self, offered: OfferedTool, arguments: dict[str, Any], call: ToolCall, attempt: int, round_number: int
    ) -> tuple[str, str]:
        """Make the call; what the model reads of its result, and the whole.

        Raises:
            ToolServerError: the server died in it, and will not be started again.
        """
        world = self._world
        self._memory.count(self._effects or offered.tool.effect)
        world.purse.spend_tool_call()
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
            if not error.revived:
                raise
            result = ToolResult(text=_death(offered.server, error), is_error=True)
        return self._returned(offered, result, call, attempt, world.clock.monotonic() - started)

    def _returned(
        self, offered: OfferedTool, result: ToolResult, call: ToolCall, attempt: int, seconds: float
    ) -> tuple[str, str]:
        world = self._world
        whole = keep_blobs(result, world.artifacts, self._step, call.id)
        if result.is_error:
            whole = f"ERROR: {whole or 'the tool failed without saying why'}"
        text, artifact = shorten(whole, self._longest, world.artifacts, self._step, f"{call.id}.txt")
        world.journal.append(
            ToolReturned(
                step=self._step, attempt=attempt, call=call.id, server=offered.server, tool=offered.tool.name,
                text=text, is_error=result.is_error, seconds=seconds, characters=len(whole), artifact=artifact,
            )
        )  # fmt: skip
        return text, whole

    def _refuse(
        self,
        call: ToolCall,
        attempt: int,
        round_number: int,
        words: str,
        *,
        key: str,
        offered: OfferedTool | None = None,
    ) -> Answered:
        """A call that is not made: the model reads why, and the journal shows it like a call that failed."""
        server, tool = (offered.server, offered.tool.name) if offered else ("", call.name)
        text = f"ERROR: {words}"
        self._memory.count("none")
        where: dict[str, Any] = {
            "step": self._step,
            "attempt": attempt,
            "call": call.id,
            "server": server,
            "tool": tool,
        }
        self._world.journal.append(ToolCalled(**where, round=round_number, arguments=_readable(call.arguments)))
        self._world.journal.append(ToolReturned(**where, text=text, is_error=True, seconds=0.0, characters=len(text)))
        return Answered(key=key, text=text, again=words is _SAME_CALL)

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


_SAME_CALL = "you made this very call before and got the same answer; use that answer, or do something else."


def _death(server: str, error: ToolServerError) -> str:
    ended = f"the tool server `{server}` ended during this call ({error.message})"
    return f"{ended}; it was started again. Whether the call had an effect is not known."


def _readable(arguments: str) -> Any:
    """The arguments of a call that is not made: as JSON if they are, else as they were written."""
    try:
        return read_json(arguments)
    except ValueError:
        return arguments


def _fold(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
