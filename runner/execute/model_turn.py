"""One turn of a model in a conversation: asked in a form that its server takes, and at a size that fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runner.chat.form import FULL, Form, describe, shaped, simpler
from runner.chat.messages import ChatAnswer, ChatRequest, Message, OnDelta, ToolSpec
from runner.execute.context_guard import ContextGuard
from runner.execute.lease import Lease
from runner.execute.place import Recorder
from runner.plan.plan import ModelChoice
from runner.record.events import HistoryTrimmed, RequestDegraded
from runner.words.errors import ContextError, LLMError
from runner.words.noun import noun
from runner.workflow.model import Step, TaskWork

TRIMS = 3
"""How often one turn may make the conversation shorter because the server says that it does not fit."""
HARDER = 0.5
"""The part of the prompt that is to go when the server found it too long, whatever was estimated."""


@noun
class Turn:
    """Where in a run the question stands."""

    attempt: int
    round: int


class ModelTurns:
    """Puts the questions of one conversation; remembers which form the server takes, and what it counted.

    ``history`` is the conversation so far; a trim rewrites it in place, nothing else does, and tells ``on_trim``.
    """

    def __init__(
        self,
        step: Step,
        choice: ModelChoice,
        journal: Recorder,
        history: list[Message],
        *,
        on_trim: Callable[[], None],
    ) -> None:
        assert isinstance(step.work, TaskWork)
        self._step = step
        self._may_trim = step.work.context == "trim"
        self._journal = journal
        self._history = history
        self._on_trim = on_trim
        self._form = FULL
        self.switch(choice)

    def switch(self, choice: ModelChoice) -> None:
        """Go on with another model: forms and counts begin anew."""
        self._choice = choice
        self._form = FULL
        wanted = choice.sampling.get("max_tokens")
        self._guard = ContextGuard(wanted if isinstance(wanted, int) else None)

    async def ask(
        self,
        lease: Lease,
        turn: Turn,
        on_delta: OnDelta,
        *,
        tools: tuple[ToolSpec, ...],
        schema: Mapping[str, Any] | None,
    ) -> ChatAnswer:
        """The answer to the conversation so far.

        Raises:
            LLMError: the request failed, by class, in every form that may answer the complaint.
        """
        trims, alone = 0, False
        while True:
            self._make_room(lease, turn, tools)
            try:
                return await self._put(lease, on_delta, tools, schema, alone=alone)
            except ContextError as error:
                if error.pool and not alone and lease.shares_context:
                    alone = True  # others filled the context that all share: once more, with nobody beside
                    continue
                if error.n_ctx:
                    lease.learned_context(error.n_ctx)
                trims += 1
                if trims > TRIMS or not self._shorten(turn, lease, tools, self._too_much(tools)):
                    raise
            except LLMError as error:
                self._degrade(error, turn, tools, schema)

    async def _put(
        self,
        lease: Lease,
        on_delta: OnDelta,
        tools: tuple[ToolSpec, ...],
        schema: Mapping[str, Any] | None,
        *,
        alone: bool,
    ) -> ChatAnswer:
        tokens = self._guard.tokens(self._history, tools)
        reserve = self._guard.reserve(lease.context_length)
        request = shaped(self._request(tools, schema, self._most(lease, tokens)), self._form)
        answer = await lease.ask(request, on_delta, prompt_tokens=tokens, reserve=reserve, alone=alone)
        self._guard.answered(
            self._history, tools, answer, lease.context_length, may_cut=lease.shares_context
        )  # only LM Studio is known to cut, and all of its instances share their context
        return answer

    def _request(
        self, tools: tuple[ToolSpec, ...], schema: Mapping[str, Any] | None, most: int | None = None
    ) -> ChatRequest:
        sampling = self._choice.sampling
        if most is not None and sampling.get("max_tokens") is None:
            sampling = {**sampling, "max_tokens": most}
        return ChatRequest(
            model=self._choice.model,
            messages=tuple(self._history),
            answers_as=self._choice.answers_as,
            tools=tools,
            schema=schema,
            sampling=sampling,
        )

    def _most(self, lease: Lease, tokens: int) -> int | None:
        """A bound of the answer where the file names none, for servers that else forget the beginning to write on."""
        if not lease.shares_context or lease.context_length is None:
            return None
        return max(lease.context_length - tokens, self._guard.reserve(lease.context_length))

    def _make_room(self, lease: Lease, turn: Turn, tools: tuple[ToolSpec, ...]) -> None:
        """Shorten the conversation if it comes near the context.

        Raises:
            ContextError: it is too long, and may not or cannot be shortened.
        """
        context = lease.context_length
        over = self._guard.over(self._history, tools, context)
        if not over or self._shorten(turn, lease, tools, over):
            return
        tokens, reserve = self._guard.tokens(self._history, tools), self._guard.reserve(context)
        assert context is not None, "what has no bound is not over it"
        if tokens + reserve <= context:  # within the margin of doubt: let the server judge
            return
        allowed = "" if self._may_trim else ", and `context: fail` forbids to shorten it"
        raise ContextError(
            f"the conversation needs about {tokens:,} tokens and {reserve:,} for the answer, and "
            f"`{self._choice.model}` has a context of {context:,}{allowed}",
            hint="give the model more context (`load: {context_length: …}`), or the step less to read",
            n_prompt_tokens=tokens,
            n_ctx=context,
        )

    def _too_much(self, tools: tuple[ToolSpec, ...]) -> int:
        return round(self._guard.tokens(self._history, tools) * HARDER)

    def _shorten(self, turn: Turn, lease: Lease, tools: tuple[ToolSpec, ...], over: int) -> bool:
        before = self._guard.tokens(self._history, tools)
        cut = self._guard.trimmed(self._history, over) if self._may_trim else None
        if cut is None:
            return False
        self._history[:] = cut.history
        self._on_trim()
        self._journal.append(
            HistoryTrimmed(
                step=self._step.id, attempt=turn.attempt, round=turn.round, results=cut.results,
                characters=cut.characters, tokens=before, context_length=lease.context_length,
            )
        )  # fmt: skip
        return True

    def _degrade(
        self, error: LLMError, turn: Turn, tools: tuple[ToolSpec, ...], schema: Mapping[str, Any] | None
    ) -> None:
        """Take the next simpler form, if the complaint has one.

        Raises:
            LLMError: it has none.
        """
        form: Form | None = simpler(self._form, error, self._request(tools, schema))
        if form is None:
            raise error
        self._form = form
        self._guard.forget()
        self._journal.append(
            RequestDegraded(
                step=self._step.id, attempt=turn.attempt, round=turn.round, form=describe(form), message=error.message
            )
        )
