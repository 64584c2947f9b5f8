"""Server-sent events as model servers write them, from bytes as the network brings them.

The format is that of the HTML standard (section 9.2), read with patience: any line end but a lone CR, comments, no
space after the colon, a last event without the empty line that should follow it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from runner.words.errors import LLMResponseError

MAX_LINE: Final = 64 * 1024 * 1024
BOM: Final = b"\xef\xbb\xbf"
_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")


class Event(NamedTuple):
    """One event: its type, empty if none was said, and its data."""

    type: str
    data: str


class EventReader:
    """Takes bytes and gives the events that are complete by them."""

    __slots__ = ("_data", "_rest", "_type")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._type = ""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes.

        Raises:
            LLMResponseError: a line has no end within 64 MB.
        """
        if b"\n" not in chunk:
            self._rest += chunk
            if len(self._rest) > MAX_LINE:
                raise LLMResponseError("a line of the stream has no end within 64 MB")
            return []
        if self._is_one_event(chunk):
            return [Event("", chunk[6:-2].decode("utf-8", "replace"))]
        lines = (bytes(self._rest) + chunk if self._rest else chunk).split(b"\n")
        self._rest = bytearray(lines.pop())
        events: list[Event] = []
        for line in lines:
            self._line(line.removesuffix(b"\r"), events)
        return events

    def _is_one_event(self, chunk: bytes) -> bool:
        """Whether a chunk is what nearly all are, a token as its server sent it: one line of data and its end."""
        if self._rest or self._data or self._type or chunk.endswith(b"\r\n\n"):
            return False
        return chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") and chunk.find(b"\n") == len(chunk) - 2

    def close(self) -> list[Event]:
        """What the end of the stream completes."""
        return self.feed(b"\n\n")

    def _line(self, line: bytes, events: list[Event]) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif not line:
            if self._data:
                events.append(Event(self._type, b"\n".join(self._data).decode("utf-8", "replace")))
                self._data.clear()
            self._type = ""
        elif line.startswith(b"event:"):
            self._type = line[6:].strip().decode("utf-8", "replace")


def looks_like_events(start: bytes) -> bool:
    """Whether a body that starts so may be a stream of events; the start may be as short as a byte."""
    text = start.removeprefix(BOM).lstrip(b"\r\n")
    return any(text.startswith(field) or field.startswith(text) for field in _STARTS)
