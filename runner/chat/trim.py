"""Room in a conversation: how many tokens it takes, and which old tool results can be shortened.

No server tells how many tokens a text has before it is asked, so that is estimated; the caller learns from the counts
of the answers how far off the estimate is for its model, as a ratio.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from runner.chat.messages import Message, ToolSpec
from runner.words.json_text import write_json
from runner.words.noun import noun

CHARACTERS_A_TOKEN: Final = 3.5
"""Characters of English prose or code in a token."""
_OTHER_A_TOKEN: Final = 2.0
"""Characters of Cyrillic, Greek, Arabic… in a token."""
_WIDE: Final = "[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U0001f000-\U0003ffff]+"
"""Chinese, Japanese, Korean and pictures: about a token each. Compiled when first met: most runs never need it."""
_IMAGE: Final = 800
_MESSAGE: Final = 6
"""Tokens of the template around one message."""
_CALL: Final = 12
_TOOL: Final = 16

_OLD_HEAD: Final = 400
_OLD_TAIL: Final = 200
"""Characters that are kept of an old result."""
_LEAST_RECENT: Final = 1_200
"""Characters of a recent result that are kept in any case."""
_NOTE_ROOM: Final = 160
"""Characters, more than a note has: shortening by less gains nothing."""
_NOTE: Final = (
    r"\n\[… ([\d,]{1,20}) characters of this result were left out to save room;"
    r" call the tool again if you need them …\]\n"
)


@noun
class Trimmed:
    """A history with ``results`` tool results shortened by ``characters`` in all, about ``tokens``."""

    history: tuple[Message, ...]
    results: int
    characters: int
    tokens: int


def estimate(messages: Iterable[Message], tools: Iterable[ToolSpec] = ()) -> int:
    """About how many tokens a request takes, before any calibration."""
    return math.ceil(sum(map(_message_tokens, messages)) + sum(map(_tool_tokens, tools)))


class Estimator:
    """``estimate`` for a conversation that grows: what it has measured once and finds again in its place is not
    measured again, else each round would cost as much as all before it.
    """

    __slots__ = ("_messages", "_offered", "_tools")

    def __init__(self) -> None:
        self._messages: list[tuple[Message, float]] = []
        self._tools: Sequence[ToolSpec] = ()
        self._offered = 0.0

    def estimate(self, history: Sequence[Message], tools: Sequence[ToolSpec] = (), *, start: int = 0) -> int:
        """About how many tokens the ``history`` takes from its message ``start`` on, and the tools."""
        self._measure(history)
        if tools and tools is not self._tools:
            self._tools, self._offered = tools, sum(map(_tool_tokens, tools))
        spoken = sum(tokens for _, tokens in self._messages[start:])
        return math.ceil(spoken + (self._offered if tools else 0))

    def _measure(self, history: Sequence[Message]) -> None:
        known = self._messages
        del known[len(history) :]
        for number, message in enumerate(history):
            if number == len(known):
                known.append((message, _message_tokens(message)))
            elif known[number][0] is not message:
                known[number] = message, _message_tokens(message)


def calibration(estimated: int, counted: int) -> float:
    """The ratio to multiply estimates with, learned from one request that a server counted; within 0.5 to 3.

    A count of zero says nothing (some servers send it) and gives 1.
    """
    if estimated <= 0 or counted <= 0:
        return 1.0
    return min(3.0, max(0.5, counted / estimated))


def calibrated(tokens: int, ratio: float) -> int:
    """An estimate corrected by a ratio from ``calibration``."""
    return math.ceil(tokens * ratio)


def trim(history: Sequence[Message], *, tokens_over: int, keep_last: int = 2, ratio: float = 1.0) -> Trimmed | None:
    """The history, shortened by about ``tokens_over`` tokens, or as near to it as can be; None if nothing is left.

    Old tool results go first, the oldest of them before others, to a short head and tail. The last ``keep_last``
    results are touched only if that is not enough, and lose no more than is needed. Nothing else is touched. The same
    history is always shortened in the same way, and what was shortened once is never made longer. ``ratio`` is that
    of ``calibration``.
    """
    room = _Room(list(history), tokens_over / ratio)
    results = [number for number, message in enumerate(history) if message.role == "tool"]
    recent = len(results) - max(0, keep_last)
    for number in results[: max(0, recent)]:
        room.shorten(number, _OLD_HEAD + _OLD_TAIL)
    for number in results[max(0, recent) :]:
        room.shorten(number, room.affordable(number))
    if not room.shortened:
        return None
    return Trimmed(
        history=tuple(room.history),
        results=room.shortened,
        characters=room.characters,
        tokens=math.ceil(room.freed * ratio),
    )


class _Room:
    """The history while it is shortened, until ``wanted`` tokens are free."""

    def __init__(self, history: list[Message], wanted: float) -> None:
        self.history = history
        self.shortened = 0
        self.characters = 0
        self.freed = 0.0
        self._wanted = wanted

    def affordable(self, number: int) -> int:
        """How many characters of a recent result may stay."""
        text = self.history[number].content
        missing = (self._wanted - self.freed) * len(text) / max(1.0, _tokens(text))
        return max(_LEAST_RECENT, len(text) - math.ceil(missing) - 2 * _NOTE_ROOM)

    def shorten(self, number: int, kept: int) -> None:
        """Shorten one result to about ``kept`` characters, if room is still wanted and it gains any."""
        if self.freed >= self._wanted:
            return
        message = self.history[number]
        text = _shortened(message.content, kept)
        if len(text) >= len(message.content):
            return
        self.history[number] = replace(message, content=text)
        self.shortened += 1
        self.characters += len(message.content) - len(text)
        self.freed += _tokens(message.content) - _tokens(text)


def _shortened(text: str, kept: int) -> str:
    """The beginning and the end of a text, two thirds and one third, around a note of what is missing."""
    head, tail, missing = _parts(text)
    if len(head) + len(tail) <= kept + _NOTE_ROOM:
        return text
    at_the_end = min(len(tail), kept // 3)
    new_head, new_tail = head[: kept - at_the_end], tail[len(tail) - at_the_end :]
    missing += len(head) + len(tail) - len(new_head) - len(new_tail)
    return (
        f"{new_head}\n[… {missing:,} characters of this result were left out to save room;"
        f" call the tool again if you need them …]\n{new_tail}"
    )


def _parts(text: str) -> tuple[str, str, int]:
    """Head, tail, and how many characters were left out between them before; a whole text is cut at two thirds."""
    note = re.search(_NOTE, text)
    if note is None:
        cut = len(text) - len(text) // 3
        return text[:cut], text[cut:], 0
    return text[: note.start()], text[note.end() :], int(note[1].replace(",", "") or 0)


def _message_tokens(message: Message) -> float:
    calls = sum(_CALL + _tokens(call.name) + _tokens(call.arguments) for call in message.tool_calls)
    return _MESSAGE + _tokens(message.content) + calls + _IMAGE * len(message.images)


def _tool_tokens(tool: ToolSpec) -> float:
    return _TOOL + _tokens(f"{tool.name}{tool.description}{write_json(tool.parameters)}")


def _tokens(text: str) -> float:
    if text.isascii():
        return len(text) / CHARACTERS_A_TOKEN
    plain = len(text.encode("ascii", "ignore"))
    wide = sum(map(len, re.findall(_WIDE, text)))
    return plain / CHARACTERS_A_TOKEN + wide + (len(text) - plain - wide) / _OTHER_A_TOKEN
