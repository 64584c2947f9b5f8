"""Answers that a fault took or spoilt: a client that asks again is to get what it would have got.

A script tells its turns by the conversation, and a client that complains about a spoilt answer has changed that. So
the spoilt answer and what was said about it are looked past when the next turn is picked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from runner.rehearse.simulator.answer import Answer
from runner.rehearse.simulator.match import Conversation, text_of

_BEGINNING = 60
"""Characters by which a spoilt text is known again: a client may have shortened the rest."""


class Again:
    """What was lost so far."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._texts: set[str] = set()
        self._lost: Counter[tuple[str, int]] = Counter()

    def lose(self, model: str, index: int) -> None:
        """An answer of the turn at ``index`` did not arrive as it was meant."""
        self._lost[(model, index)] += 1

    def spoil(self, answer: Answer) -> None:
        """This is what arrived of one; a client may keep it whole, or its text without its calls."""
        self._ids.update(call.id for call in answer.calls if call.id)
        self._texts.add(answer.content[:_BEGINNING])

    def used(self, model: str, played: Mapping[int, int]) -> Mapping[int, int]:
        """How often each turn was played for good."""
        if not self._lost:
            return played
        return {index: count - self._lost[(model, index)] for index, count in played.items()}

    def seen(self, conversation: Conversation) -> Conversation:
        """The conversation as it would be if nothing had been spoilt."""
        if not (self._ids or self._texts):
            return conversation
        return replace(conversation, messages=list(self._sound(conversation)))

    def _sound(self, conversation: Conversation) -> Iterator[Mapping[str, Any]]:
        """The messages without spoilt answers and without what was said about them."""
        spoilt = False
        for message in conversation.messages:
            if message.get("role") == "assistant":
                spoilt = self._is_spoilt(message)
            if not spoilt:
                yield message

    def _is_spoilt(self, message: Mapping[str, Any]) -> bool:
        calls = message.get("tool_calls")
        if isinstance(calls, list) and calls:
            return any(isinstance(call, dict) and call.get("id") in self._ids for call in calls)
        return text_of(message)[:_BEGINNING] in self._texts
