"""A model held by a step: the one way to ask it, through its circuit breaker, its slots and its time limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from runner.chat.backend import Backend
from runner.chat.messages import ChatAnswer, ChatRequest, Delta, OnDelta
from runner.execute.breaker import Breaker
from runner.execute.clock import Clock
from runner.execute.patience import Patience
from runner.execute.resident import Resident
from runner.plan.plan import ModelChoice
from runner.words.errors import FailureKind, LLMConnectionError, LLMError, ModelMemoryError

Result = TypeVar("Result")

VANISHED: frozenset[FailureKind] = frozenset(("model_not_found", "wrong_model"))
"""Kinds after which the model may not be where it was."""
_NOT_THERE = ("is not loaded", "could not be loaded")
"""What ``edges.model_server.errors`` says when the server has unloaded it; such an error has the kind ``server``."""


class Spoil(Protocol):
    """Says that a model is not what it was."""

    def __call__(self, resident: Resident, *, crashed: bool) -> None:
        """``crashed``: it must be loaded anew even if the server still lists it."""


class Lighten(Protocol):
    """Says that a model has too little memory to work."""

    def __call__(self, resident: Resident) -> bool:
        """Whether it will be loaded anew with less context."""


class Lease:
    """One step's hold on one model; only ``Models.lease`` makes one."""

    def __init__(
        self,
        choice: ModelChoice,
        resident: Resident,
        backend: Backend,
        *,
        has_fallback: bool,
        breaker: Breaker,
        patience: Patience,
        clock: Clock,
        spoil: Spoil,
        lighten: Lighten,
        warmed: Callable[[Resident], None],
        renew: Callable[[Resident], Awaitable[Resident]],
    ) -> None:
        self.choice = choice
        self._resident = resident
        self._backend = backend
        self._has_fallback = has_fallback
        self._breaker = breaker
        self._patience = patience
        self._clock = clock
        self._spoil = spoil
        self._lighten = lighten
        self._warmed = warmed
        self._renew = renew
        self.at_its_least = False
        """Whether it ran out of memory at work, and cannot be loaded with less: the same again would fail the same."""

    @property
    def resident(self) -> Resident:
        """What it holds right now; another one after the first was spoiled."""
        return self._resident

    @property
    def context_length(self) -> int | None:
        """What one request may use, in tokens: prompt and answer together; None if nobody knows."""
        return self._resident.context_length

    @property
    def shares_context(self) -> bool:
        """Whether other requests use the same context at the same time."""
        return self._resident.shared_context

    def learned_context(self, tokens: int) -> None:
        """The server named the context itself: believe it, if it is smaller than what was thought."""
        self._resident.learned_context(tokens)

    async def ask(
        self, request: ChatRequest, on_delta: OnDelta, *, prompt_tokens: int, reserve: int, alone: bool = False
    ) -> ChatAnswer:
        """Ask, when a slot is free; ``prompt_tokens`` and ``reserve`` (for the answer) are estimates.

        Raises:
            CircuitOpenError: the model failed too often of late.
            LLMError: the request failed, by class.
        """
        return await self._in_a_slot(
            lambda: self._put(request, on_delta, prompt_tokens), prompt_tokens + reserve, alone=alone
        )

    async def do(self, work: Callable[[Resident], Awaitable[Result]], *, tokens: int) -> Result:
        """What ``work`` makes of the model, when a slot is free: a request other than a chat, of so many tokens.

        Raises:
            CircuitOpenError: the model failed too often of late.
            LLMError: the request failed, by class.
        """
        return await self._in_a_slot(lambda: self._guarded(lambda: work(self._resident)), tokens, alone=False)

    async def _in_a_slot(self, put: Callable[[], Awaitable[Result]], tokens: int, *, alone: bool) -> Result:
        looked = False
        while True:
            if self._resident.spoiled:  # by another step: asked by name, the server would load the model in its own way
                self._resident = await self._renew(self._resident)
            resident = self._resident
            async with resident.slots.hold(tokens, alone=alone):
                if resident.spoiled:  # while this waited for its slot
                    continue
                try:
                    return await put()
                except LLMError as error:
                    if looked or not self._may_be_found(error):
                        raise
                    looked = True

    def _may_be_found(self, error: LLMError) -> bool:
        """Whether the model is to be looked for, and loaded if it is not there.

        LM Studio unloads what was idle for its time. A request to an instance that is gone is then answered by the one
        other model that is loaded, or refused as naming none.
        """
        return error.kind in VANISHED and self.choice.manages

    async def _put(self, request: ChatRequest, on_delta: OnDelta, prompt_tokens: int) -> ChatAnswer:
        """Raises: LLMError."""
        watch = _Watch(on_delta, self._clock)
        answer = await self._guarded(lambda: self._backend.chat(self._addressed(request, prompt_tokens), watch))
        self._learn(answer, watch, prompt_tokens)
        return answer

    async def _guarded(self, ask: Callable[[], Awaitable[Result]]) -> Result:
        """Ask through the breaker, and draw the conclusions from what becomes of it."""
        call = self._breaker.admit() if self._has_fallback else await self._breaker.admitted()
        try:
            answer = await ask()
        except LLMError as error:
            self._failed(error, call)
            raise
        except BaseException:
            self._breaker.gave_up(call)
            raise
        self._breaker.succeeded()
        self._warmed(self._resident)
        return answer

    def _addressed(self, request: ChatRequest, prompt_tokens: int) -> ChatRequest:
        """The request to the very instance, with the limits that were learned."""
        limits = self._patience.limits(prompt_tokens)
        loads = self.choice.loads_on_demand and self._resident.instance is None
        return replace(
            request,
            model=self._resident.address,
            answers_as=self.choice.answers_as | self._resident.names,
            ttl=self.choice.ttl if loads else None,
            first_byte_timeout=None if loads else limits.first,
            idle_timeout=limits.idle,
        )

    def _failed(self, error: LLMError, call: object) -> None:
        self._breaker.failed(error, call)
        if error.kind == "timeout":
            self._patience.timed_out()
        if isinstance(error, ModelMemoryError):
            loading = self.choice.loads_on_demand and self._resident.instance is None
            self.at_its_least = not loading and not self._lighten(self._resident)
        crashed = error.kind == "crash"
        if crashed or error.kind in VANISHED or isinstance(error, LLMConnectionError) or _is_gone(error):
            self._spoil(self._resident, crashed=crashed)

    def _learn(self, answer: ChatAnswer, watch: _Watch, prompt_tokens: int) -> None:
        if watch.first is not None:
            tokens = answer.usage.prompt_tokens or prompt_tokens
            self._patience.answered(first=watch.first, gap=watch.gap, prompt_tokens=tokens)


class _Watch:
    """Hands pieces on, and measures the wait for the first and the longest silence after it."""

    __slots__ = ("_clock", "_last", "_on_delta", "first", "gap")

    def __init__(self, on_delta: OnDelta, clock: Clock) -> None:
        self._on_delta = on_delta
        self._clock = clock
        self._last = clock.monotonic()
        self.first: float | None = None
        self.gap = 0.0

    def __call__(self, delta: Delta) -> Any:
        now = self._clock.monotonic()
        if self.first is None:
            self.first = now - self._last
        elif now - self._last > self.gap:
            self.gap = now - self._last
        self._last = now
        self._on_delta(delta)


def _is_gone(error: LLMError) -> bool:
    return error.kind == "server" and any(words in error.message for words in _NOT_THERE)
