"""One conversation of one step: ask, answer, call tools, answer back; until the work is accepted.

A conversation outlives the attempts of its step: after a failed request the next attempt goes on with the history it
has, so a tool call is never made twice because a server stumbled.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from runner.chat.messages import ChatAnswer, Delta, Image, Message, ToolSpec, Usage
from runner.chat.tool_schema import offered_schema
from runner.chat.trim import CHARACTERS_A_TOKEN
from runner.execute.lease import Lease
from runner.execute.model_turn import ModelTurns, Turn
from runner.execute.refusal import (
    CUT_CALL,
    LOOPED,
    NO_TOOLS,
    UNREAD_CALL,
    Refusal,
    not_expected,
    not_fitting,
    read_answer,
)
from runner.execute.tool_round import CallMemory, OfferedTool, ToolRound
from runner.execute.world import World
from runner.plan.plan import ModelChoice
from runner.record.events import AnswerRefused, ModelAnswered, ModelAsked, StepWarned
from runner.words.errors import StepError
from runner.words.noun import noun
from runner.workflow.model import Effect, Step, TaskWork

CIRCLING = 6
"""After this many identical calls in a row the model gets its last turn, without tools."""

Check = Callable[[Any], Awaitable[str | None]]
"""Judges finished work; None = accepted, else words for the model."""


@noun
class Prompt:
    """What a conversation starts from, rendered."""

    task: str
    system: str | None = None
    images: tuple[Image, ...] = ()


class Conversation:
    """The state of one step's talk with its model."""

    def __init__(
        self, world: World, step: Step, choice: ModelChoice, prompt: Prompt, offered: Mapping[str, OfferedTool]
    ) -> None:
        assert isinstance(step.work, TaskWork)
        self._world = world
        self._step = step
        self._choice = choice
        self._offered = offered
        self._specs = tuple(
            ToolSpec(o.name, o.tool.description, offered_schema(o.tool.input_schema)) for o in offered.values()
        )
        self._memory = CallMemory()
        self._tool_round = ToolRound(world, step, offered, self._memory)
        self._opening = _opening(prompt, step.output_schema)
        self._history = list(self._opening)
        self._turns = ModelTurns(step, choice, world.journal, self._history, on_trim=self._memory.forget_answers)
        self._told = 0
        self._rounds = 0
        self._repairs_left = step.repair
        self._display_works = True
        self.usage = Usage()

    @property
    def effect(self) -> Effect:
        """The gravest that its calls may have done to the world."""
        return self._memory.effect

    @property
    def out_of_tokens(self) -> bool:
        """Whether no further request is allowed, now and ever."""
        return self._tokens_gone() is not None

    def start_over(self) -> None:
        """Begin anew after a refused answer: rounds, calls and repairs count from zero, tokens do not.

        The talk itself is forgotten only if its calls changed nothing: a model must know what it has done.
        """
        self._repairs_left = self._step.repair
        self._rounds = 0
        self._memory.start_over()
        if self.effect == "none":
            self._history[:] = self._opening
            self._told = 0

    def switch(self, choice: ModelChoice) -> None:
        """Go on with another model, which is given the whole talk: what was done is not done again."""
        self._choice = choice
        self._turns.switch(choice)
        self._memory.start_over()

    async def run(self, attempt: int, check: Check, lease: Lease) -> Any:
        """The accepted answer: text, or the JSON value that fits the step's ``output``.

        ``lease`` is a hold on the model that the conversation goes on with.

        Raises:
            StepError: kinds ``invalid_output``, ``expectation``, ``limit``, ``tool_server``.
            LLMError: the request failed; running again goes on where it stopped.
        """
        while True:
            last = self._is_last_turn()
            tools = () if last else self._specs
            answer = await self._ask(attempt, tools, lease)
            if answer.tool_calls and tools:
                await self._use_tools(answer, attempt, lease)
                continue
            output, refusal = await self._judge(answer, check, last=last)
            if refusal is not None:
                self._refuse(answer, attempt, refusal, last=last)
                continue
            if last:
                self._warn(f"it reached {self._which_limit()} and answered without tools")
            return output

    def _is_last_turn(self) -> bool:
        """The last allowed round offers no tools, so that the model must answer."""
        if not self._specs:
            return False
        out_of_rounds = self._rounds + 1 >= self._step.limits.rounds
        return out_of_rounds or self._tool_round.exhausted or self._memory.repeats >= CIRCLING

    async def _ask(self, attempt: int, tools: tuple[ToolSpec, ...], lease: Lease) -> ChatAnswer:
        self._refuse_without_tokens()
        number = self._rounds + 1
        self._journal_question(attempt, number, tools)
        started = self._world.clock.monotonic()
        turn = Turn(attempt=attempt, round=number)
        answer = await self._turns.ask(lease, turn, self._on_delta, tools=tools, schema=self._step.output_schema)
        self._rounds = number
        self._journal_answer(answer, attempt, number, self._world.clock.monotonic() - started)
        self._count(answer)
        return answer

    def _on_delta(self, delta: Delta) -> None:
        """Show a piece; a display that fails is left alone from then on, it must not cost the answer."""
        if self._display_works:
            try:
                self._world.on_delta(self._step.id, delta)
            except Exception:  # whatever a display does, the run goes on
                self._display_works = False

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
                first_token_seconds=answer.first_token_seconds, recovered=answer.recovered, looped=answer.looped,
            )
        )  # fmt: skip

    def _count(self, answer: ChatAnswer) -> None:
        """Add up tokens, by our own estimate where the server counts none.

        Raises:
            StepError: kind ``limit``: this answer went over the step's or the run's tokens.
        """
        usage = answer.usage if answer.usage.total else _estimate(self._history, answer)
        self.usage = self.usage + usage
        self._world.purse.spend_tokens(usage.total)
        for whose, limit, spent in self._token_budgets():
            if spent > limit:
                raise StepError("limit", f"the {whose} used {spent:,} tokens, its limit is {limit:,}")

    def _refuse_without_tokens(self) -> None:
        """Raises: StepError, kind ``limit``: there are no tokens left to ask with."""
        gone = self._tokens_gone()
        if gone is not None:
            raise StepError("limit", gone)

    def _tokens_gone(self) -> str | None:
        for whose, limit, spent in self._token_budgets():
            if spent >= limit:
                return f"the {whose} has used up its limit of {limit:,} tokens"
        return None

    def _token_budgets(self) -> list[tuple[str, int, int]]:
        """Whose, how many, how many of them are spent."""
        purses = self._world.purse.chain
        budgets = (
            ("step", self._step.limits.tokens, self.usage.total),
            *((purse.whose, purse.most_tokens, purse.tokens) for purse in purses),
        )
        return [(whose, limit, spent) for whose, limit, spent in budgets if limit is not None]

    async def _use_tools(self, answer: ChatAnswer, attempt: int, lease: Lease) -> None:
        self._tool_round.fit_into(lease.context_length)
        messages = await self._tool_round.make(answer.tool_calls, attempt=attempt, round_number=self._rounds)
        self._history.append(Message("assistant", answer.content, answer.tool_calls))
        self._history.extend(messages)

    async def _judge(self, answer: ChatAnswer, check: Check, *, last: bool) -> tuple[Any, Refusal | None]:
        """The output, or why the answer is not accepted."""
        if answer.looped:
            return None, LOOPED
        if answer.cut_call:
            return None, CUT_CALL
        if answer.tool_calls:
            return None, NO_TOOLS
        if self._specs and self._is_unread_call(answer.content):
            return None, NO_TOOLS if last else UNREAD_CALL
        output: Any = answer.content
        if self._step.output_schema is not None:
            try:
                output = read_answer(answer.content, self._step.output_schema)
            except ValueError as error:
                return None, not_fitting(answer, str(error))
        elif answer.finish_reason == "length":
            self._warn("the answer was cut off by max_tokens or the end of the context; it is used as far as it came")
        missed = await check(output)
        return output, None if missed is None else not_expected(missed)

    def _is_unread_call(self, content: str) -> bool:
        """Whether a model tried to call something, and what came of it is text: that is not its answer."""
        if content[:1] not in "<[`" and not content.startswith("to="):
            return False
        from runner.chat.markup import begins_as_call  # patterns that most runs never need

        return begins_as_call(content)

    def _which_limit(self) -> str:
        if self._memory.repeats >= CIRCLING:
            return f"{self._memory.repeats} identical calls in a row"
        if self._rounds >= self._step.limits.rounds:
            return f"its limit of {self._step.limits.rounds} rounds"
        return "its limit of tool calls"

    def _refuse(self, answer: ChatAnswer, attempt: int, refusal: Refusal, *, last: bool) -> None:
        """Ask again with the words, if the budget and the rounds allow it.

        Raises:
            StepError: of the refusal's kind; ``limit`` where a limit leaves no other turn.
        """
        if not last and self._repairs_left <= 0:
            raise StepError(refusal.kind, refusal.reason)
        if last or self._rounds >= self._step.limits.rounds:
            raise StepError("limit", f"it reached {self._which_limit()} without an accepted answer: {refusal.reason}")
        self._repairs_left -= 1
        left = self._repairs_left
        self._world.journal.append(
            AnswerRefused(step=self._step.id, attempt=attempt, kind=refusal.kind, message=refusal.reason, left=left)
        )
        self._history.append(Message("assistant", answer.content or "…"))
        self._history.append(Message("user", refusal.words))

    def _warn(self, words: str) -> None:
        self._world.journal.append(StepWarned(step=self._step.id, message=words))


def _opening(prompt: Prompt, schema: Mapping[str, Any] | None) -> tuple[Message, ...]:
    """What is the same for all items of a step stands first: a server that knows the beginning reads only the rest."""
    task = prompt.task
    if schema is not None:
        shape = json.dumps(schema, ensure_ascii=False)
        task = (
            f"Your answer will be one JSON value that fits this JSON Schema:\n{shape}\n\n{task.rstrip()}\n\n"
            "Answer with that JSON value and nothing else."
        )
    user = Message("user", task, images=prompt.images)
    return (user,) if not prompt.system else (Message("system", prompt.system), user)


def _wire(message: Message) -> dict[str, Any]:
    """A message as the journal keeps it."""
    kept: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        kept["tool_calls"] = [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in message.tool_calls]
    if message.tool_call_id is not None:
        kept["tool_call_id"] = message.tool_call_id
    if message.images:
        kept["images"] = [_image_facts(image) for image in message.images]
    return kept


def _image_facts(image: Image) -> dict[str, Any]:
    """What the journal keeps of a picture: enough to know it by, not the picture."""
    return {"path": image.path, "media_type": image.media_type, "size": image.size, "sha256": image.sha256}


def _estimate(history: list[Message], answer: ChatAnswer) -> Usage:
    prompt = sum(len(m.content) for m in history)
    written = len(answer.content) + len(answer.reasoning) + sum(len(c.arguments) for c in answer.tool_calls)
    return Usage(round(prompt / CHARACTERS_A_TOKEN), round(written / CHARACTERS_A_TOKEN))
