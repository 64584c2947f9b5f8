"""The body of one answer read to its end, whether it is a stream of events, as asked, or one plain object."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterable, Mapping
from typing import Any, Final

from runner.chat.assemble import AnswerAssembler
from runner.chat.messages import ChatAnswer
from runner.edges.model_server.http import MAX_BODY
from runner.edges.model_server.sse import BOM, Event, EventReader, looks_like_events
from runner.words.errors import LLMResponseError

TAIL_SECONDS: Final = 5.0
"""How long to wait, once an answer is complete, for the count of tokens and the end of the stream."""

_SLACK: Final = 0.01
"""The part of a wait by which it may be longer, so that not every token of a stream moves the deadline."""

_SHOWN: Final = 200
"""Characters of something unreadable that a message repeats."""

Complaint = Mapping[str, Any] | str | bytes


class AnswerReader:
    """Reads one body into ``assembler``; ``idle_timeout`` is the longest silence between its bytes, in seconds.

    ``who`` answers, for messages: the model and its server.
    """

    __slots__ = ("_assembler", "_events", "_first", "_idle_timeout", "_plain", "_started", "_who", "begun")

    def __init__(self, assembler: AnswerAssembler, *, who: str, idle_timeout: float) -> None:
        self._assembler = assembler
        self._who = who
        self._idle_timeout = idle_timeout
        self._events = EventReader()
        self._plain: bytearray | None = None
        self._started = time.perf_counter()
        self._first: float | None = None
        self.begun = False
        """Whether any byte of a body has come."""

    @property
    def complete(self) -> bool:
        """Whether nothing more is wanted: the server said that the answer is complete, or it repeats itself."""
        return self._assembler.finish is not None or self._assembler.looped is not None

    def answer(self) -> ChatAnswer:
        """The whole answer, after ``read``.

        Raises:
            LLMResponseError: it broke off, or is empty.
        """
        return self._assembler.answer(first_token_seconds=self._first)

    async def read(self, chunks: AsyncIterable[bytes], deadline: asyncio.Timeout) -> Complaint | None:
        """Read to the end, or to the first complaint, which is returned; ``deadline`` is moved with every chunk.

        The stream is read on after its ``[DONE]``: only a body that was read to its end leaves a connection that can
        be used again. One that repeats itself without end is left where that is noticed.

        Raises:
            LLMResponseError: another model answers than the one asked; something in the stream cannot be read.
        """
        now, moved = asyncio.get_running_loop().time, 0.0
        async for chunk in chunks:
            wait = TAIL_SECONDS if self._assembler.finish else self._idle_timeout
            slack, due = wait * _SLACK, now() + wait
            if not due <= moved <= due + slack:
                moved = due + slack
                deadline.reschedule(moved)
            complaint = self._take(chunk if self.begun else self._begin(chunk))
            if complaint is not None or self._assembler.looped:
                return complaint
        if self._plain is not None:
            return self._whole(bytes(self._plain))
        return self._all(self._events.close(), at_end=True)

    def _begin(self, chunk: bytes) -> bytes:
        self.begun = bool(chunk)
        if not looks_like_events(chunk):
            self._plain = bytearray()
        return chunk.removeprefix(BOM)

    def _take(self, chunk: bytes) -> Complaint | None:
        if self._plain is None:
            return self._all(self._events.feed(chunk))
        self._plain += chunk
        if len(self._plain) > MAX_BODY:
            raise LLMResponseError(f"{self._who} sent more than 64 MB in one answer")
        return None

    def _all(self, events: list[Event], *, at_end: bool = False) -> Complaint | None:
        """Take events. ``at_end``: what cannot be read is a cut line, and the missing finish tells of it."""
        for event in events:
            if event.data == "[DONE]":
                continue
            found = _objects(event.data)
            if found is None and event.type != "error":
                if at_end:
                    continue
                raise LLMResponseError(f"{self._who} streams what is no JSON: {event.data[:_SHOWN]}")
            if found is None:
                return event.data
            for chunk in found:
                if event.type == "error" or chunk.get("error"):
                    return chunk
                self._assembler.feed(chunk)
                if self._first is None and self._assembler.started:
                    self._first = time.perf_counter() - self._started
        return None

    def _whole(self, body: bytes) -> Complaint | None:
        """Take the plain body of a server that did not stream."""
        found = _objects(body.decode("utf-8", "replace"))
        if not found or found[0].get("error") or "choices" not in found[0]:
            return body
        self._assembler.feed(found[0], whole=True)
        return None


def _objects(data: str) -> list[Mapping[str, Any]] | None:
    """The JSON objects of one event; several if the server forgets the empty lines between events."""
    try:
        one = json.loads(data)
    except (ValueError, RecursionError):
        try:
            found = [json.loads(line) for line in data.split("\n") if line != "[DONE]"] if "\n" in data else []
        except (ValueError, RecursionError):
            return None
        return found if found and all(isinstance(one, dict) for one in found) else None
    return [one] if isinstance(one, dict) else None
