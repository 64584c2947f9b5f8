"""How far a task is, in words, for whoever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from runner.chat.offer import Progress
from runner.record.events import (
    ModelAnswered,
    ModelFellBack,
    ModelLoaded,
    ModelLoadStarted,
    StepRetried,
    ToolServerDied,
    ToolServerStarted,
)
from runner.record.journal import Entry, Listener
from runner.words.units import show_seconds

_NAMED_CALLS = 5
"""Of more calls in one round than this, only so many are named."""


@asynccontextmanager
async def telling(progress: Progress | None) -> AsyncIterator[Listener]:
    """A listener that has ``progress`` told: numbers that only grow, of an unknown total, and words.

    Entries are never waited for; what is not told yet when the context ends without an error is told then.
    """
    if progress is None:
        yield lambda _: None
        return
    waiting: asyncio.Queue[str | None] = asyncio.Queue()

    def entry(heard: Entry) -> None:
        words = in_words(heard)
        if words is not None:
            waiting.put_nowait(words)

    teller = asyncio.create_task(_tell(waiting, progress), name="tell how far a task is")
    try:
        yield entry
        waiting.put_nowait(None)
        await asyncio.wait((teller,))
    finally:
        teller.cancel()
        await asyncio.gather(teller, return_exceptions=True)  # whoever hears no more harms no task


async def _tell(waiting: asyncio.Queue[str | None], progress: Progress) -> None:
    number = 0
    while (words := await waiting.get()) is not None:
        number += 1
        await progress(float(number), None, words)


def in_words(entry: Entry) -> str | None:
    """What somebody who waits wants to hear of a fact; None for most of them."""
    words = _WORDS.get(type(entry.event))
    return None if words is None else words(entry.event)


def _answered(event: ModelAnswered) -> str:
    if not event.tool_calls:
        return "answered"
    names = [call["name"] for call in event.tool_calls]
    more = f" and {len(names) - _NAMED_CALLS} more" if len(names) > _NAMED_CALLS else ""
    return f"called {', '.join(names[:_NAMED_CALLS])}{more}"


def _started(event: ToolServerStarted) -> str:
    return f"MCP server `{event.server}` is up with {event.tools} tool{'s' * (event.tools != 1)}"


def _retried(event: StepRetried) -> str:
    return f"attempt {event.attempt} failed: {event.message}; again in {show_seconds(event.wait)}"


_WORDS: Mapping[type, Callable[[Any], str | None]] = {
    ModelAnswered: lambda event: f"round {event.round}: {_answered(event)}",
    ToolServerStarted: _started,
    ToolServerDied: lambda event: f"MCP server `{event.server}` died: {event.message}",
    ModelLoadStarted: lambda event: f"loading `{event.model}`",
    ModelLoaded: lambda event: None if event.reused else f"`{event.model}` is loaded",
    StepRetried: _retried,
    ModelFellBack: lambda event: f"`{event.model}` failed: {event.message}; `{event.to_model}` goes on",
}
