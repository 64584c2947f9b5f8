"""The context guard: no request is sent that the model has no room for, and no silently cut prompt is believed.

LM Studio cuts the middle out of a prompt that is up to twice too long, and answers as if nothing had happened
(measured on 0.4 by third parties), so the size is judged before and the count of the server after each request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from runner.chat.messages import ChatAnswer, Message, ToolSpec, Usage
from runner.chat.trim import Estimator, Trimmed, calibrated, calibration, trim
from runner.words.errors import ContextError

LEAST_RESERVE: Final = 256
USUAL_RESERVE: Final = 2048
"""Tokens kept free for the answer where the file names no ``max_tokens``, if they are a quarter of the context."""
DOUBT: Final = 0.1
"""The part of an estimate that is added to it; what the server counted itself is not doubted."""
REFILL: Final = 0.7
"""A trim makes the conversation this much of what would fit, so that the next ones come seldom: each costs the server's
cache of the prompt."""
SHRUNK: Final = 0.9
"""A prompt that grew and is counted at less than this of what it was before was cut."""
MOST_CHARACTERS: Final = 7
"""No vocabulary has tokens that are longer than this on average over a whole text, runs of one character aside."""
ENOUGH: Final = 1_500
"""Characters below which nothing is concluded from that."""
_RUN = re.compile(r"(.)\1{2,}", re.DOTALL)


class ContextGuard:
    """The sizes of one conversation with one model; ``max_tokens`` is the file's, None if it names none."""

    def __init__(self, max_tokens: int | None) -> None:
        self._max_tokens = max_tokens
        self._ratio = 1.0
        self._estimator = Estimator()
        self._counted: tuple[int, int, tuple[str, ...]] | None = None

    def reserve(self, context: int | None) -> int:
        """Tokens to keep free for the answer."""
        if self._max_tokens is not None and self._max_tokens > 0:
            return self._max_tokens
        return USUAL_RESERVE if context is None else max(LEAST_RESERVE, min(USUAL_RESERVE, context // 4))

    def tokens(self, history: Sequence[Message], tools: Sequence[ToolSpec]) -> int:
        """What the request will take: as the server counted its beginning, and estimated from there."""
        known = self._known(history, tools)
        if known is None:
            return calibrated(self._estimator.estimate(history, tools), self._ratio)
        messages, counted = known
        return counted + calibrated(self._estimator.estimate(history, start=messages), self._ratio)

    def over(self, history: Sequence[Message], tools: Sequence[ToolSpec], context: int | None) -> int:
        """By how many tokens the request should be shorter; 0 if it fits."""
        if context is None:
            return 0
        tokens, known = self.tokens(history, tools), self._known(history, tools)
        doubtful = tokens - (known[1] if known is not None else 0)
        room = context - self.reserve(context)
        if tokens + doubtful * DOUBT <= room:
            return 0
        return max(1, round(tokens + doubtful * DOUBT - room * REFILL))

    def trimmed(self, history: Sequence[Message], over: int) -> Trimmed | None:
        """The history with its oldest tool results shortened, None if there is nothing to shorten."""
        cut = trim(history, tokens_over=over, ratio=self._ratio)
        if cut is not None:
            self._counted = None
        return cut

    def forget(self) -> None:
        """Another model, or another form of the request: what was counted counts no more."""
        self._counted = None

    def answered(
        self,
        history: Sequence[Message],
        tools: Sequence[ToolSpec],
        answer: ChatAnswer,
        context: int | None,
        *,
        may_cut: bool = True,
    ) -> None:
        """Learn from what the server counted. ``may_cut``: it is of a kind that cuts prompts, and counts them right.

        Raises:
            ContextError: the count shows that the prompt was cut before the model saw it.
        """
        usage = answer.usage
        if usage.prompt_tokens <= 0:  # some servers count nothing
            return
        messages, counted = self._known(history, tools) or (0, 0)
        if context is not None and usage.prompt_tokens >= context:
            raise _cut(f"it fills the whole context of {context:,} tokens", usage, context)
        shrunk = usage.prompt_tokens < counted * SHRUNK
        if may_cut and shrunk:
            raise _cut(f"it had {counted:,} tokens one turn earlier", usage, context)
        bound = max(ENOUGH, (usage.prompt_tokens - counted) * MOST_CHARACTERS)
        characters = _characters(history[messages:], bound) if may_cut else 0
        if characters > bound:
            new = " that are new" if counted else ""
            raise _cut(f"it has {characters:,} characters{new}", usage, context)
        if shrunk:  # a server that counts only what it has read anew: what it says is of no use here
            self._counted = None
            return
        self._ratio = calibration(self._estimator.estimate(history, tools), usage.prompt_tokens)
        self._counted = len(history), usage.prompt_tokens, _names(tools)

    def _known(self, history: Sequence[Message], tools: Sequence[ToolSpec]) -> tuple[int, int] | None:
        """How many messages of this history the server has counted, and their tokens."""
        if self._counted is None or self._counted[2] != _names(tools) or self._counted[0] > len(history):
            return None
        return self._counted[:2]


def _characters(messages: Sequence[Message], bound: int) -> int:
    """Characters that no tokens can be spared on: runs of one are counted as two. 0 if all are not over ``bound``."""
    if sum(len(message.content) for message in messages) <= bound:
        return 0  # most talks: nothing has to be searched
    return sum(len(_RUN.sub(r"\1\1", message.content)) for message in messages)


def _names(tools: Sequence[ToolSpec]) -> tuple[str, ...]:
    return tuple(tool.name for tool in tools)


def _cut(why: str, usage: Usage, context: int | None) -> ContextError:
    return ContextError(
        f"the server cut the prompt without a word: it counts {usage.prompt_tokens:,} tokens, and {why}",
        hint="give the model more context (`load: {context_length: …}`), or the step less to read",
        n_prompt_tokens=usage.prompt_tokens,
        n_ctx=context,
    )
