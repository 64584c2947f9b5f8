"""Bytes into lines, in linear time and with a bound on what one line may hold in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

EDGE = 512  # bytes kept of either end of a line that is too long: enough to see which request it answers


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line that went over the bound: its first and last bytes, and its length in bytes."""

    head: bytes
    tail: bytes
    size: int


@dataclass(slots=True)
class LineSplitter:
    """Feed it chunks, it gives whole lines without their newline. A line over ``limit`` bytes becomes ``TooLong``."""

    limit: int
    _parts: list[bytes] = field(default_factory=list)
    _size: int = 0
    _head: bytes = b""
    _tail: bytes = b""

    def feed(self, chunk: bytes) -> Iterator[bytes | TooLong]:
        """The lines that this chunk completes."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._add(chunk[start:end])
            yield self._take()
            start = end + 1
        if start < len(chunk):
            self._add(chunk[start:])

    def rest(self) -> bytes | TooLong | None:
        """What stood after the last newline, once no more will come."""
        return self._take() if self._size else None

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self.limit:
            self._parts.append(part)
            return
        seen = b"".join(self._parts)
        self._parts.clear()
        self._head = self._head or (seen + part)[:EDGE]
        self._tail = (self._tail + seen[-EDGE:] + part)[-EDGE:]

    def _take(self) -> bytes | TooLong:
        line: bytes | TooLong = b"".join(self._parts)
        if self._size > self.limit:
            line = TooLong(self._head, self._tail, self._size)
        self._parts.clear()
        self._size, self._head, self._tail = 0, b"", b""
        return line
