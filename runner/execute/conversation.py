"""One conversation of one step: ask, answer, call tools, answer back; until the work is accepted.

A conversation outlives the attempts of its step: after a failed request the next attempt goes on with the history it
has, so a tool call is never made twice because a server stumbled.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.chat.backend import Backend
from runner.chat.extract import extract_json
from runner.chat.messages import ChatAnswer, ChatRequest, Delta, Message, ToolSpec, Usage
from runner.chat.tool_schema import offered_schema
from runner.execute.tool_round import CallMemory, OfferedTool, ToolRound
from runner.execute.world import World
from runner.plan.plan import ModelChoice
from runner.record.events import AnswerRefused, ModelAnswered, ModelAsked, StepWarned
from runner.words.errors import FailureKind, StepError
from runner.words.schemas import complaints
from runner.words.spans import show_path
from runner.workflow.model import Step, TaskWork

CIRCLING = 6
"""After this many identical calls in a row the model gets its last turn, without tools."""
CHARACTERS_PER_TOKEN = 3.5
"""For servers that count no tokens: a rough figure for English and code."""

Check = Callable[[Any], Awaitable[str | None]]
"""Judges finished work; None = accepted, else words for the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a conversation starts from, rendered."""

    task: str
    system: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an answer is not accepted: ``reason`` for a person, ``words`` for the model that is asked again."""

    kind: FailureKind
    reason: str
    words: str


class Conversation:
    """The state of one step's talk with its model."""

    def __init__(
        self, world: World, step: Step, choice: ModelChoice, prompt: Prompt, offered: Mapping[str, OfferedTool]
    ) -> None:
        assert isinstance(step.work, TaskWork)
        self._world = world
        self._step = step
        self._choice = choice
        self._backend: Backend = world.backends[choice.endpoint]
        self._offered = offered
        self._specs = tuple(
            ToolSpec(o.name, o.tool.description, offered_schema(o.tool.input_schema)) for o in offered.values()
        )
        self._memory = CallMemory()
        self._round_maker = ToolRound(world, step.id, offered, self._memory, step.limits.tool_result)
        self._opening = _opening(prompt, step.output_schema)
        self._history = list(self._opening)
        self._told = 0
        self._rounds = 0
        self._repairs_left = step.repair
        self.usage = Usage()

    @property
    def had_effects(self) -> bool:
        """Whether a tool was called that may have changed something."""
        return self._memory.effects

    def start_over(self) -> None:
        """Forget a refused answer before another attempt; what had effects is not forgotten, only the budget is new."""
        self._repairs_left = self._step.repair
        if not self.had_effects:
            self._history = list(self._opening)
            self._told = 0

    async def run(self, attempt: int, check: Check) -> Any:
        """The accepted answer: text, or the JSON value that fits the step's ``output``.

        Raises:
            StepError: kinds ``invalid_output``, ``expectation``, ``limit``, ``tool_server``.
            LLMError: the request failed; running again goes on where it stopped.
        """
        while True:
            last = self._is_last_turn()
            answer = await self._ask(attempt, with_tools=not last)
            if answer.tool_calls and not last:
                await self._use_tools(answer, attempt)
                continue
            output, refusal = await self._judge(answer, check, last=last)
            if refusal is None:
                return output
            self._refuse(answer, attempt, refusal, last=last)

    def _is_last_turn(self) -> bool:
        """The last allowed round offers no tools, so that the model must answer."""
        if not self._specs:
            return False
        limits, run_limit = self._step.limits, self._tool_calls_allowed()
        return self._rounds + 1 >= limits.rounds or run_limit <= 0 or self._memory.repeats >= CIRCLING

    def _tool_calls_allowed(self) -> int:
        allowed = self._step.limits.tool_calls - self._memory.made
        run_limit = self._world.limits.tool_calls
        return allowed if run_limit is None else min(allowed, run_limit - self._world.spent.tool_calls)

    async def _ask(self, attempt: int, *, with_tools: bool) -> ChatAnswer:
        if self._rounds >= self._step.limits.rounds:
            raise StepError("limit", f"no accepted answer within {self._step.limits.rounds} rounds")
        tools = self._specs if with_tools else ()
        request = ChatRequest(
            model=self._choice.model,
            messages=tuple(self._history),
            answers_as=self._choice.answers_as,
            tools=tools,
            schema=None if tools else self._step.output_schema,
            sampling=self._choice.sampling,
        )
        number = self._rounds + 1
        self._journal_question(attempt, number, tools)
        started = self._world.clock.monotonic()
        answer = await self._backend.chat(request, self._on_delta)
        self._rounds = number
        self._journal_answer(answer, attempt, number, self._world.clock.monotonic() - started)
        self._count(answer)
        return answer

    def _on_delta(self, delta: Delta) -> None:
        self._world.on_delta(self._step.id, delta)

    def _journal_question(self, attempt: int, number: int, tools: tuple[ToolSpec, ...]) -> None:
        new = tuple(_wire(m) for m in self._history[self._told :])
        self._told = len(self._history)
        self._world.journal.append(
            ModelAsked(
                step=self._step.id, attempt=attempt, round=number, model=self._choice.model,
                messages=new, tools=tuple(t.name for t in tools),
            )
        )  # fmt: skip

    def _journal_answer(self, answer: ChatAnswer, attempt: int, number: int, seconds: float) -> None:
        self._world.journal.append(
            ModelAnswered(
                step=self._step.id, attempt=attempt, round=number, model=answer.model, content=answer.content,
                reasoning=answer.reasoning, finish_reason=answer.finish_reason, usage=answer.usage, seconds=seconds,
                tool_calls=tuple({"id": c.id, "name": c.name, "arguments": c.arguments} for c in answer.tool_calls),
                first_token_seconds=answer.first_token_seconds,
            )
        )  # fmt: skip

    def _count(self, answer: ChatAnswer) -> None:
        """Add up tokens, by our own estimate where the server counts none.

        Raises:
            StepError: kind ``limit``: the step's or the run's tokens are used up.
        """
        usage = answer.usage if answer.usage.total else _estimate(self._history, answer)
        self.usage = self.usage + usage
        self._world.spent.tokens += usage.total
        for whose, limit, spent in (
            ("step", self._step.limits.tokens, self.usage.total),
            ("run", self._world.limits.tokens, self._world.spent.tokens),
        ):
            if limit is not None and spent > limit:
                raise StepError("limit", f"the {whose} used {spent:,} tokens, its limit is {limit:,}")

    async def _use_tools(self, answer: ChatAnswer, attempt: int) -> None:
        messages = await self._round_maker.make(
            answer.tool_calls,
            attempt=attempt,
            round_number=self._rounds,
            allowed=self._tool_calls_allowed(),
        )
        self._history.append(Message("assistant", answer.content, answer.tool_calls))
        self._history.extend(messages)

    async def _judge(self, answer: ChatAnswer, check: Check, *, last: bool) -> tuple[Any, Refusal | None]:
        """The output, or why the answer is not accepted."""
        if answer.cut_call:
            return None, Refusal(kind="limit", reason="a tool call was cut off by the limit of tokens", words=_CUT_CALL)
        if last and answer.tool_calls:
            return None, Refusal(kind="limit", reason="it called tools that were not offered any more", words=_NO_TOOLS)
        output: Any = answer.content
        if self._step.output_schema is not None:
            try:
                output = read_answer(answer.content, self._step.output_schema)
            except ValueError as error:
                return None, _not_fitting(answer, str(error))
        elif answer.finish_reason == "length":
            self._warn("the answer was cut off by max_tokens or the end of the context; it is used as far as it came")
        missed = await check(output)
        if missed is not None:
            return None, Refusal(kind="expectation", reason=missed, words=f"Your work is not accepted yet: {missed}")
        if last:
            self._warn(f"it reached {self._which_limit()} and answered without tools")
        return output, None

    def _which_limit(self) -> str:
        if self._memory.repeats >= CIRCLING:
            return f"{self._memory.repeats} identical calls in a row"
        if self._rounds >= self._step.limits.rounds:
            return f"its limit of {self._step.limits.rounds} rounds"
        return "its limit of tool calls"

    def _refuse(self, answer: ChatAnswer, attempt: int, refusal: Refusal, *, last: bool) -> None:
        """Ask again with the words, if the budget and the rounds allow it.

        Raises:
            StepError: of the refusal's kind; ``limit`` where a limit was what took the tools away.
        """
        if last and refusal.kind != "expectation" and self._rounds >= self._step.limits.rounds:
            raise StepError("limit", f"no accepted answer within {self._which_limit()}: {refusal.reason}")
        if self._repairs_left <= 0:
            raise StepError(refusal.kind, refusal.reason)
        self._repairs_left -= 1
        left = self._repairs_left
        self._world.journal.append(
            AnswerRefused(step=self._step.id, attempt=attempt, kind=refusal.kind, message=refusal.reason, left=left)
        )
        self._history.append(Message("assistant", answer.content or "…"))
        self._history.append(Message("user", refusal.words))

    def _warn(self, words: str) -> None:
        self._world.journal.append(StepWarned(step=self._step.id, message=words))


_CUT_CALL = (
    "Your last answer was cut off in the middle of a tool call, so nothing was called. "
    "Make the call again with shorter arguments, in several smaller calls if need be."
)
_NO_TOOLS = "No tools are left to call. Answer now with what you know."


def read_answer(text: str, schema: Mapping[str, Any]) -> Any:
    """The JSON value in ``text``, if it fits ``schema``.

    Raises:
        ValueError: no JSON, or it breaks the schema; in words for the model.
    """
    value = extract_json(text)
    found = complaints(schema, value)
    if found:
        lines = [f"- {show_path(c.path) or 'the answer'}: {c.message}" for c in found[:10]]
        raise ValueError("the answer does not fit the JSON Schema asked for:\n" + "\n".join(lines))
    return value


def _opening(prompt: Prompt, schema: Mapping[str, Any] | None) -> tuple[Message, ...]:
    task = prompt.task
    if schema is not None:
        shape = json.dumps(schema, ensure_ascii=False)
        task = f"{task.rstrip()}\n\nAnswer with one JSON value and nothing else. It must fit this JSON Schema:\n{shape}"
    user = Message("user", task)
    return (user,) if not prompt.system else (Message("system", prompt.system), user)


def _not_fitting(answer: ChatAnswer, reason: str) -> Refusal:
    if answer.finish_reason != "length":
        words = f"Your answer was not accepted: {reason}\nAnswer again."
    else:
        words = f"Your answer was cut off by the limit of tokens: {reason}\nAnswer again, much shorter."
    return Refusal(kind="invalid_output", reason=reason, words=words)


def _wire(message: Message) -> dict[str, Any]:
    """A message as the journal keeps it."""
    kept: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        kept["tool_calls"] = [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in message.tool_calls]
    if message.tool_call_id is not None:
        kept["tool_call_id"] = message.tool_call_id
    return kept


def _estimate(history: list[Message], answer: ChatAnswer) -> Usage:
    prompt = sum(len(m.content) for m in history)
    written = len(answer.content) + len(answer.reasoning) + sum(len(c.arguments) for c in answer.tool_calls)
    return Usage(round(prompt / CHARACTERS_PER_TOKEN), round(written / CHARACTERS_PER_TOKEN))
